# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Batches of rendered people: geometry, relief, hair and glasses, by either rasteriser."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from face_depth_ros.synthesis import face_batches
from face_depth_ros.synthesis.appearance import Appearance
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_batches import (
    FaceBatchRenderer,
    FaceRenders,
    rows_of,
    sample,
    Sitters,
    to_crop,
)
from face_depth_ros.synthesis.face_photo_bank import relief_along_ray
from face_depth_ros.synthesis.head_crops import upright
from face_depth_ros.synthesis.head_pose import BOX_SIDE_M, head_rotation, HeadPoses
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.labels import FINE
from face_depth_ros.synthesis.light_batches import draw_lights
import numpy as np
import pytest
import torch

SIZE = 96
COUNT = 3


@pytest.fixture(scope='module', name='renderer')
def small_renderer() -> FaceBatchRenderer:
    return FaceBatchRenderer(find_assets(), 'cpu', SIZE)


def looks(renderer: FaceBatchRenderer, count: int, **changes: object) -> list[Appearance]:
    return [replace(renderer.library.sample(np.random.default_rng(k), 0.0, 'train'), **changes)
            for k in range(count)]


def sitters(renderer: FaceBatchRenderer, moved: bool = False, **changes: object) -> Sitters:
    """Return bald people without glasses, or with what is said, at three yaws."""
    yaw = torch.tensor([0.0, 0.5, -0.9])
    position = torch.tensor([[0.0, 0.0, 0.5], [0.2, -0.1, 0.8], [-0.1, 0.15, 1.5]])
    poses = upright(HeadPoses(head_rotation(yaw, 0.1 * yaw, torch.zeros(3)), position))
    crop = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]).repeat(COUNT, 1, 1)
    if moved:
        crop[:, :, 2] = torch.tensor([5.0, -4.0])
        crop[:, 0, 1], crop[:, 1, 0] = 0.1, -0.1
    bald = {'hair': None, 'glasses': None, 'brow': None, 'scalp_tint': 0.0, **changes}
    return Sitters(
        torch.as_tensor(np.stack([identity_coefficients('test', k) for k in range(COUNT)])),
        torch.zeros(COUNT, 57), torch.zeros(COUNT, 2), poses,
        poses.rotation,
        renderer.textures.table(looks(renderer, COUNT, **bald)),
        draw_lights([], COUNT, np.random.default_rng(0), 'cpu'), crop)


@pytest.fixture(scope='module', name='bald')
def bald_renders(renderer: FaceBatchRenderer) -> FaceRenders:
    return renderer.render(sitters(renderer))


@pytest.mark.assets
def test_a_render_has_a_face_with_colour_labels_and_relief(bald: FaceRenders) -> None:
    assert bald.color.shape == (COUNT, SIZE, SIZE, 3) and bald.label.dtype == torch.int64
    there = bald.label > 0
    assert torch.equal(there, bald.relief.isfinite())
    assert bool((bald.color[~there] == 0).all()) and bool(bald.color.isfinite().all())
    assert 0.05 < float(bald.color[there].mean()) < 1.0
    for image in bald.label:
        assert {FINE['skin'], FINE['nose']} <= set(image.unique().tolist())
    assert 0.25 < float((bald.label[0] == FINE['skin']).float().mean()) < 0.8


@pytest.mark.assets
@pytest.mark.parametrize('moved', [False, True])
def test_relief_at_the_landmarks_is_that_of_their_vertices(renderer: FaceBatchRenderer,
                                                           moved: bool) -> None:
    """Bridge and tip of the nose, of faces seen from the front, also in a turned crop."""
    people = sitters(renderer, moved)
    found = renderer.render(people)
    points = people.poses.to_optical(renderer.head.vertices(
        people.identity, people.expression, people.gaze))
    marks = renderer.head.landmarks_68(points)
    position = people.poses.position
    ray = position / position.norm(dim=1, keepdim=True)
    relief = (marks @ ray[:, :, None])[..., 0] - position.norm(dim=1, keepdim=True)
    pixels = to_crop(marks, people, SIZE)[..., :2]
    torch.testing.assert_close(pixels, found.landmarks)
    for row in range(COUNT):
        for mark in (27, 28, 29, 30, 33):
            x, y = (int(v) for v in pixels[row, mark])
            assert float(found.relief[row, y, x]) == pytest.approx(float(relief[row, mark]),
                                                                   abs=0.006)
    nose = float(relief[0, 30])
    assert -0.2 < nose < 0.0 and nose == pytest.approx(float(
        found.relief[0].nan_to_num(nan=9.0).min()), abs=0.006)


@pytest.mark.assets
def test_relief_in_the_true_box_is_that_of_the_photo_bank() -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.4, 0.6, (2, 32, 32)).astype(np.float32)
    position = np.array([[0.0, 0.0, 0.5], [0.1, -0.2, 0.8]], np.float32)
    focal = 32 * position[:, 2] / BOX_SIDE_M
    poses = HeadPoses(torch.eye(3).expand(2, 3, 3), torch.from_numpy(position))
    crop = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]).repeat(2, 1, 1)
    people = Sitters(*[torch.zeros(2)] * 3, poses, *[torch.zeros(2)] * 3, crop)
    found = face_batches._relief(torch.from_numpy(depth), people, 32)
    np.testing.assert_allclose(found, relief_along_ray(depth, position, focal), atol=1e-5)


@pytest.mark.assets
def test_either_rasteriser_draws_the_same(renderer: FaceBatchRenderer, bald: FaceRenders,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_batches, 'rasterize', partial(face_batches.rasterize,
                                                           backend='torch'))
    again = renderer.render(sitters(renderer))
    assert float((again.label == bald.label).float().mean()) > 0.999
    both = again.relief.isfinite() & bald.relief.isfinite()
    assert float(((again.relief - bald.relief)[both].abs() < 1e-4).float().mean()) > 0.999
    assert float(((again.color - bald.color).abs().amax(3) < 0.01).float().mean()) > 0.995


@pytest.mark.assets
def test_hair_and_glasses_lie_over_the_face(renderer: FaceBatchRenderer,
                                            bald: FaceRenders) -> None:
    """Both have labels and colour; a depth camera sees hair and frames, and through lenses."""
    hair, glasses = renderer.library.hair[0], renderer.library.glasses[0]
    worn = renderer.render(sitters(renderer, hair=hair, glasses=glasses))
    labels = [set(image.unique().tolist()) for image in worn.label]
    assert all({FINE['hair'], FINE['glasses_frame']} <= found for found in labels)
    lens = worn.label == FINE['glasses_lens']
    assert int(lens.sum()) > 20
    clear = renderer.render(sitters(renderer, glasses=glasses))
    through = (clear.label == FINE['glasses_lens']) & bald.relief.isfinite()
    assert torch.equal(clear.relief[through], bald.relief[through])
    assert float((clear.color - bald.color)[through].abs().max()) > 0.01
    for name in ('hair', 'glasses_frame'):
        over = (worn.label == FINE[name]) & bald.relief.isfinite()
        assert bool((worn.relief[over] <= bald.relief[over] + 1e-5).all())


@pytest.mark.assets
def test_images_of_a_batch_do_not_mix(renderer: FaceBatchRenderer, bald: FaceRenders) -> None:
    alone = renderer.render(rows_of(sitters(renderer), torch.tensor([1])))
    assert torch.equal(alone.label[0], bald.label[1])
    torch.testing.assert_close(alone.color[0], bald.color[1], atol=1e-4, rtol=1e-3)


def test_textures_are_sampled_with_v_upwards() -> None:
    texture = torch.arange(16.0).view(1, 1, 4, 4)
    uv = torch.tensor([[[[0.125, 0.125], [0.875, 0.875]], [[0.5, 0.5], [0.0, 1.0]]]])
    assert sample(texture, uv)[0, :, :, 0].tolist() == [[12.0, 3.0], [7.5, 0.0]]


@pytest.mark.assets
def test_relief_is_the_same_without_colour(renderer: FaceBatchRenderer) -> None:
    """Labels differ where one texel of a brow or strand is taken instead of a mean of four."""
    dressed = {'hair': renderer.library.hair[0], 'glasses': renderer.library.glasses[0],
               'brow': renderer.library.brows[0]}
    some = sitters(renderer, moved=True, **dressed)
    whole = renderer.render(some)
    label, relief = renderer.render_relief(some)
    assert (label != whole.label).float().mean() < 0.05  # of fine strands, here of three
    for name in ('left_brow', 'hair', 'glasses_lens', 'glasses_frame', 'body'):
        count = int((whole.label == FINE[name]).sum())
        assert abs(int((label == FINE[name]).sum()) - count) <= 0.1 * count + 5
    same = label == whole.label
    assert (relief.isnan() != whole.relief.isnan())[same].float().mean() < 0.01
    apart = (relief - whole.relief).abs()[same & relief.isfinite() & whole.relief.isfinite()]
    assert float((apart > 1e-5).float().mean()) < 0.01  # lenses, with or without a strand behind
