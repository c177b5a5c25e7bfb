# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.head_pose import PoseRange
import pytest
import torch

pytestmark = pytest.mark.assets


@pytest.fixture(scope='module')
def source():
    return FaceDepthRenderer(find_assets(), split='validation')


@pytest.fixture(scope='module')
def batch(source):
    return source.render(5, 12, observed=True)


def test_equal_seeds_render_equal_images(source, batch):
    again, other = source.render(5, 12, observed=True), source.render(6, 12)
    assert torch.equal(batch.depth.nan_to_num(), again.depth.nan_to_num())
    assert torch.equal(batch.observed.nan_to_num(), again.observed.nan_to_num())
    assert not torch.equal(batch.depth.nan_to_num(), other.depth.nan_to_num())


def test_the_truth_is_the_same_with_and_without_surroundings(source, batch):
    assert torch.equal(batch.depth.nan_to_num(), source.render(5, 12).depth.nan_to_num())
    assert source.render(5, 2).observed is None


def test_surroundings_only_come_before_or_beside_the_head(batch):
    head = batch.depth.isfinite()
    assert bool((batch.observed <= batch.depth)[head].all())
    added = (batch.observed.isfinite() & ~head).float().mean()
    assert float(added) > 0.05


def test_heads_fill_the_crop_at_their_distance(source, batch):
    assert batch.depth.shape == (12, 256, 256) and batch.depth.dtype == torch.float32
    covered = batch.depth.isfinite().float().mean(dim=(1, 2))
    assert 0.3 < float(covered.min()) and float(covered.max()) < 0.99
    distance = batch.focal * 0.22 / 256
    nearest = batch.depth.nan_to_num(nan=99.0).flatten(1).amin(dim=1)
    assert bool((nearest < distance).all()) and bool((nearest > distance - 0.15).all())


def test_landmarks_lie_on_the_rendered_surface():
    limits = PoseRange(max_yaw=25.0, pitch_sigma=5.0)
    batch = FaceDepthRenderer(find_assets(), limits=limits).render(1, 16)
    column, row = (batch.landmarks[..., axis].floor().long() for axis in (0, 1))
    item = torch.arange(16)[:, None].expand(-1, 5)
    error = (batch.depth[item, row, column] - batch.landmarks[..., 2]).abs()
    # Eye centres are means of lid points, up to half a centimetre behind the eyeball.
    assert float(error[:, :2].max()) < 0.01
    assert float(error[:, 2].max()) < 0.003
    assert float(error[:, 3:].median()) < 0.003


def test_splits_show_other_people(source):
    test = FaceDepthRenderer(find_assets(), split='test')
    assert not torch.equal(test.sample(5, 3).identity, source.sample(5, 3).identity)


def test_torch_backend_renders_the_same_heads(source, monkeypatch):
    from face_depth_ros.synthesis import face_depth_source

    def by_torch(vertices, triangles, height, width):
        return plain(vertices, triangles, height, width, backend='torch')

    plain = face_depth_source.rasterize
    compiled = source.render(2, 2).depth
    monkeypatch.setattr(face_depth_source, 'rasterize', by_torch)
    expanded = source.render(2, 2).depth
    assert float((compiled.isnan() != expanded.isnan()).float().mean()) < 1e-5
    both = compiled.isfinite() & expanded.isfinite()
    assert float((compiled - expanded)[both].abs().max()) < 1e-4
