# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.rasterizer import barycentrics, rasterize
from face_depth_ros.synthesis.shapes import sphere
import pytest
import torch

BACKENDS = ('compiled', 'torch')
FOCAL, CENTRE = 100.0, 32.0


def seen(points: torch.Tensor) -> torch.Tensor:
    """Project (V, 3) metres with a camera of 64 x 64 pixels, (1, V, 3)."""
    return torch.cat([points[:, :2] / points[:, 2:] * FOCAL + CENTRE, points[:, 2:]], dim=1)[None]


def rays() -> tuple[torch.Tensor, torch.Tensor]:
    """Slopes x / z and y / z of the pixel centres, (64, 64) each."""
    steps = (torch.arange(64) + 0.5 - CENTRE) / FOCAL
    y, x = torch.meshgrid(steps, steps, indexing='ij')
    return x, y


@pytest.mark.parametrize('backend', BACKENDS)
def test_tilted_plane_has_the_depth_of_the_ray_and_plane(backend):
    normal, offset = torch.tensor([0.6, -0.3, 1.0]), 1.5
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    z = (offset - corners @ normal[:2]) / normal[2]
    points = torch.cat([corners, z[:, None]], dim=1)
    image = rasterize(seen(points), torch.tensor([[0, 1, 2], [0, 2, 3]]), 64, 64,
                      cull_back_faces=False, backend=backend)
    x, y = rays()
    expected = offset / (normal[0] * x + normal[1] * y + normal[2])
    assert bool((image.triangle >= 0).all())
    torch.testing.assert_close(image.depth[0], expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize('backend', BACKENDS)
def test_sphere_has_the_depth_of_the_ray_and_sphere(backend):
    vertices, triangles = sphere(120, 240)
    centre, radius = torch.tensor([0.05, -0.02, 1.0]), 0.2
    points = torch.from_numpy(vertices) * radius + centre
    corners = torch.from_numpy(triangles)
    image = rasterize(seen(points), corners, 64, 64, backend=backend)
    everything = rasterize(seen(points), corners, 64, 64, cull_back_faces=False, backend=backend)
    x, y = rays()
    ray = torch.stack([x, y, torch.ones_like(x)], dim=2)
    along, length = (ray * centre).sum(dim=2), (ray * ray).sum(dim=2)
    root = along * along - length * (centre @ centre - radius * radius)
    expected = (along - root.clamp(min=0).sqrt()) / length
    well_inside = root > 0.004
    assert int(well_inside.sum()) > 300
    error = (image.depth[0] - expected)[well_inside].abs()
    assert float(error.max()) < 3e-4
    assert not bool(((image.triangle[0] >= 0) & (root < -1e-3)).any())
    assert torch.equal(image.depth.nan_to_num(), everything.depth.nan_to_num())


def test_back_faces_are_culled_on_request_of_each_triangle():
    points = torch.tensor([[-0.2, -0.2, 1.0], [0.2, -0.2, 1.0], [0.0, 0.2, 1.0]])
    both = torch.tensor([[0, 1, 2], [0, 2, 1]])
    for backend in BACKENDS:
        image = rasterize(seen(points), both, 64, 64, backend=backend)
        assert set(image.triangle.unique().tolist()) == {-1, 1}
        one = rasterize(seen(points), both[:1], 64, 64, torch.tensor([False]), backend=backend)
        assert set(one.triangle.unique().tolist()) == {-1, 0}


def random_scene() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(3, 60, 3, generator=generator) * torch.tensor([90.0, 70.0, 1.0])
    points += torch.tensor([-10.0, -10.0, 0.3])
    return points, torch.randint(0, 60, (150, 3), generator=generator)


def test_backends_agree_on_random_triangles():
    points, triangles = random_scene()
    first, second = (rasterize(points, triangles, 48, 64, False, backend=backend)
                     for backend in BACKENDS)
    assert float((first.triangle != second.triangle).float().mean()) < 1e-3
    same = (first.triangle == second.triangle) & (first.triangle >= 0)
    assert int(same.sum()) > 3000
    torch.testing.assert_close(first.depth[same], second.depth[same], rtol=1e-5, atol=1e-6)


def test_behind_peels_the_next_layer():
    points, triangles = random_scene()
    first = rasterize(points, triangles, 48, 64, False)
    layers = [rasterize(points, triangles, 48, 64, False, behind=first.depth, backend=backend)
              for backend in BACKENDS]
    for layer in layers:
        drawn = layer.triangle >= 0
        assert int(drawn.sum()) > 1000
        assert bool((layer.depth > first.depth)[drawn].all())
        assert not bool(drawn[first.triangle < 0].any())
    assert float((layers[0].triangle != layers[1].triangle).float().mean()) < 1e-3


def test_barycentrics_interpolate_the_points_under_the_pixels():
    points = torch.tensor([[-1.0, -1.0, 1.0], [0.5, -1.0, 2.0], [0.0, 0.8, 1.4]])
    triangles = torch.tensor([[0, 1, 2]])
    image = rasterize(seen(points), triangles, 64, 64, False)
    weights = barycentrics(seen(points), triangles, image)
    x, y = rays()
    hit = image.triangle[0] >= 0
    there = weights @ points
    torch.testing.assert_close(there[:, 2], image.depth[0][hit], atol=1e-5, rtol=0)
    torch.testing.assert_close(there[:, 0] / there[:, 2], x[hit], atol=1e-5, rtol=0)
    torch.testing.assert_close(there[:, 1] / there[:, 2], y[hit], atol=1e-5, rtol=0)


@pytest.mark.parametrize('backend', BACKENDS)
def test_nothing_behind_the_camera_or_not_finite_is_drawn(backend):
    points = torch.tensor([[[0.0, 0.0, -1.0], [60.0, 0.0, 1.0], [0.0, 60.0, 1.0]],
                           [[0.0, 0.0, 1.0], [60.0, 0.0, 1.0], [0.0, torch.nan, 1.0]]])
    image = rasterize(points, torch.tensor([[0, 1, 2]]), 64, 64, False, backend=backend)
    assert bool((image.triangle == -1).all()) and bool(image.depth.isnan().all())


@pytest.mark.parametrize('backend', BACKENDS)
def test_adjacent_triangles_leave_no_cracks(backend):
    steps = torch.linspace(-3.0, 67.0, 23)
    y, x = torch.meshgrid(steps, steps, indexing='ij')
    jitter = torch.rand(2, 23, 23, generator=torch.Generator().manual_seed(0)) * 1.5
    points = torch.stack([x + jitter[0], y + jitter[1], torch.ones_like(x)], dim=2).view(1, -1, 3)
    corner = (torch.arange(22)[:, None] * 23 + torch.arange(22)).flatten()
    triangles = torch.cat([torch.stack([corner, corner + 1, corner + 24], dim=1),
                           torch.stack([corner, corner + 24, corner + 23], dim=1)])
    image = rasterize(points, triangles, 64, 64, False, backend=backend)
    assert bool((image.triangle >= 0).all())


def test_wrong_input_is_refused():
    points, triangles = torch.zeros(1, 3, 3), torch.tensor([[0, 1, 2]])
    with pytest.raises(SettingsError, match=r'expected \(B, V, 3\)'):
        rasterize(points[0], triangles, 8, 8)
    with pytest.raises(SettingsError, match=r'expected \(T, 3\)'):
        rasterize(points, triangles[0], 8, 8)
    with pytest.raises(SettingsError, match='both > 0'):
        rasterize(points, triangles, 0, 8)
    with pytest.raises(SettingsError, match='outside 0 to 2'):
        rasterize(points, triangles + 1, 8, 8)
    with pytest.raises(SettingsError, match='unknown rasteriser backend'):
        rasterize(points, triangles, 8, 8, backend='opengl')
    with pytest.raises(SettingsError, match='draws CPU tensors'):
        rasterize(points.to('meta'), triangles, 8, 8, backend='compiled')
