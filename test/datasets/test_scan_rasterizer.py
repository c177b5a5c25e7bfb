# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The z-buffer against planes, a brute force over all pixels, and a camera's own geometry."""

from __future__ import annotations

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets import scan_rasterizer
from face_depth_ros.datasets.scan_rasterizer import grid_triangles, rasterize
import numpy as np
import pytest

TRIANGLE = np.array([[0, 1, 2]])


def brute_force(points: np.ndarray, triangles: np.ndarray, width: int,
                height: int) -> np.ndarray:
    """Depth of the nearest triangle, one pixel and one triangle at a time."""
    depth = np.full((height, width), np.inf)
    for corners in points[triangles]:
        system = np.vstack([corners[:, :2].T, np.ones(3)])
        if abs(np.linalg.det(system)) < 1e-12:
            continue
        for row in range(height):
            for column in range(width):
                weights = np.linalg.solve(system, [column + 0.5, row + 0.5, 1.0])
                if (weights >= 0).all():
                    depth[row, column] = min(depth[row, column], weights @ corners[:, 2])
    return np.where(np.isinf(depth), np.nan, depth)


def test_it_agrees_with_a_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    points = generator.uniform((-4, -4, 1), (24, 19, 2), (40, 3))
    triangles = generator.integers(0, 40, (30, 3))
    whole = rasterize(points, triangles, 20, 15)
    np.testing.assert_allclose(whole.depth, brute_force(points, triangles, 20, 15), atol=1e-6)
    monkeypatch.setattr(scan_rasterizer, '_FRAGMENTS_AT_ONCE', 7)
    parts = rasterize(points, triangles, 20, 15)
    np.testing.assert_array_equal(parts.depth, whole.depth)
    np.testing.assert_array_equal(parts.triangle, whole.triangle)


def test_neighbours_leave_no_crack_and_a_plane_is_exact() -> None:
    ys, xs = np.mgrid[:30, :40]
    points = np.stack([xs * 0.7 + 3.1, ys * 0.9 + 2.3, 5 + 0.2 * xs - 0.1 * ys], -1)
    drawn = rasterize(points.reshape(-1, 3), grid_triangles(np.ones((30, 40), bool)), 36, 32)
    inside = np.s_[3:28, 4:30]
    assert (drawn.triangle[inside] >= 0).all()
    rows, columns = np.mgrid[:32, :36]
    plane = 5 + 0.2 * (columns + 0.5 - 3.1) / 0.7 - 0.1 * (rows + 0.5 - 2.3) / 0.9
    np.testing.assert_allclose(drawn.depth[inside], plane[inside], atol=1e-5)
    assert np.isnan(drawn.depth[0]).all() and (drawn.triangle[0] == -1).all()


def test_a_pinhole_camera_sees_a_slanted_plane_where_its_rays_meet_it() -> None:
    camera = CameraIntrinsics(60, 50, 70.0, 70.0, 30.0, 25.0)
    corners = np.array([[-0.6, -0.5, 0.8], [0.9, -0.9, 1.6], [0.1, 0.9, 1.1]])
    drawn = rasterize(np.concatenate([camera.project(corners), corners[:, 2:]], axis=1), TRIANGLE,
                      60, 50, perspective=True)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    rows, columns = np.mgrid[:50, :60] + 0.5
    rays = np.stack([(columns - 30) / 70, (rows - 25) / 70, np.ones_like(rows)], -1)
    expected = (corners[0] @ normal) / (rays @ normal)
    seen = drawn.triangle == 0
    assert seen.sum() > 300
    np.testing.assert_allclose(drawn.depth[seen], expected[seen], rtol=1e-6)
    surface = drawn.of_corners(corners[TRIANGLE])
    np.testing.assert_allclose(surface[seen], (rays * expected[..., None])[seen], atol=1e-6)
    assert np.isnan(surface[~seen]).all()


def test_what_lies_behind_is_hidden() -> None:
    square = np.array([[0, 0], [9, 0], [9, 9], [0, 9]])
    points = np.concatenate([np.c_[square, np.full(4, 2.0)], np.c_[square, np.full(4, 1.0)]])
    both = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    for triangles, front in ((both, {2, 3}), (both[::-1], {0, 1})):
        drawn = rasterize(points, triangles, 9, 9)
        assert (drawn.depth == 1).all()
        assert set(np.unique(drawn.triangle)) <= front


def test_back_faces_may_be_left_out() -> None:
    points = np.array([[0, 0, 1], [9, 0, 1], [9, 9, 1]], float)
    assert (rasterize(points, TRIANGLE, 9, 9, front_only=True).triangle >= 0).any()
    assert (rasterize(points, TRIANGLE[:, ::-1], 9, 9, front_only=True).triangle < 0).all()


@pytest.mark.parametrize('bad', [np.nan, np.inf, -1.0, 0.0])
def test_points_that_no_camera_sees_are_left_out(bad: float) -> None:
    points = np.array([[0, 0, bad], [9, 0, 1], [9, 9, 1]], float)
    assert (rasterize(points, TRIANGLE, 9, 9, perspective=True).triangle < 0).all()
    points[0] = (bad, 0, 1)
    seen = rasterize(points, TRIANGLE, 9, 9).triangle >= 0
    assert seen.any() == np.isfinite(bad)


def test_nothing_gives_nothing() -> None:
    drawn = rasterize(np.zeros((0, 3)), np.zeros((0, 3), int), 4, 3)
    assert np.isnan(drawn.depth).all() and drawn.weights.shape == (3, 4, 3)
    outside = rasterize(np.array([[50, 0, 1], [60, 0, 1], [60, 9, 1]], float), TRIANGLE, 9, 9)
    assert (outside.triangle < 0).all()


def test_wrong_arrays_are_errors() -> None:
    with pytest.raises(DatasetError, match=r'points are \(4, 2\) and triangles \(1, 3\)'):
        rasterize(np.zeros((4, 2)), TRIANGLE, 9, 9)
    with pytest.raises(DatasetError, match='triangles name the points 0 to 2, expected 0 to 1'):
        rasterize(np.zeros((2, 3)), TRIANGLE, 9, 9)


def test_a_grid_is_joined_where_it_is_valid() -> None:
    assert len(grid_triangles(np.ones((3, 4), bool))) == 12
    for hole in range(4):
        valid = np.arange(4) != hole
        (triangle,) = grid_triangles(valid.reshape(2, 2))
        assert sorted(triangle) == np.flatnonzero(valid).tolist()
        x, y = np.divmod(triangle, 2)[::-1]
        assert (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]) > 0  # clockwise
    assert len(grid_triangles(np.array([[True, False], [False, True]]))) == 0
