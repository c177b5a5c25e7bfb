# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Frames against true depth."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import BagError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.reference_depth import box_mask, ReferenceDepth
import numpy as np
import pytest

STAMP = 77
FACE = (Detection(FaceBox(20.0, 16.0, 16.0), 1.0),)


def save(path: Path, **changes: np.ndarray) -> Path:
    depth = np.zeros((1, 32, 40), np.uint16)
    depth[0, 8:24, 12:28] = 500
    arrays = {'depth_mm': depth, 'valid': depth > 0, 'stamp_ns': np.array([STAMP]), **changes}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceDepth:
    return ReferenceDepth(save(tmp_path / 'r.npz', yaw_deg=np.array([12.5], np.float32)))


def test_scores_on_measured_pixels_of_the_face(reference: ReferenceDepth) -> None:
    raw = np.full((32, 40), 0.503, np.float32)  # 3 mm too far
    raw[8:12] = np.nan
    enhanced = np.full((32, 40), 0.501, np.float32)
    enhanced[12, 12:28] = np.nan
    score = reference.score(STAMP, raw, enhanced, FACE)
    assert score.rmse_raw_mm == pytest.approx(3.0, rel=1e-3)
    assert score.rmse_enhanced_mm == pytest.approx(1.0, rel=1e-3)
    assert score.pixels == 11 * 16
    assert score.lost == pytest.approx(1 / 12)
    assert score.on_head


def test_flying_pixels_are_told_apart(reference: ReferenceDepth) -> None:
    raw = np.full((32, 40), 0.502, np.float32)
    raw[16, 20] = 2.0
    score = reference.score(STAMP, raw, raw - np.float32(0.001), FACE)
    assert score.rmse_raw_mm > 90.0
    assert score.near_rmse_raw_mm == pytest.approx(2.0, rel=1e-3)
    assert score.near_rmse_enhanced_mm == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(('x', 'on'), [(20.0, True), (10.5, True), (9.0, False), (39.9, False),
                                       (-5.0, False)])
def test_box_centre_on_the_surface(reference: ReferenceDepth, x: float, on: bool) -> None:
    raw = np.full((32, 40), 0.5, np.float32)
    score = reference.score(STAMP, raw, raw, (Detection(FaceBox(x, 16.0, 16.0), 1.0),))
    assert score.on_head is on


def test_nothing_to_compare(reference: ReferenceDepth) -> None:
    raw = np.full((32, 40), 0.5, np.float32)
    assert reference.score(STAMP + 1, raw, raw, FACE) is None
    assert reference.score(STAMP, raw, raw, ()) is None
    assert reference.at(STAMP + 1) is None
    assert (reference.yaw_at(STAMP), reference.yaw_at(STAMP + 1)) == (12.5, None)


def test_box_mask_has_the_area_of_the_box() -> None:
    for roll in (0.0, 0.4, 2.0):
        assert box_mask([FaceBox(100.0, 90.0, 60.0, roll)], (200, 200)).sum() == pytest.approx(
            3600, rel=0.04)
    assert not box_mask([], (20, 20)).any()


def test_another_size_is_another_bag(reference: ReferenceDepth) -> None:
    small = np.zeros((8, 8), np.float32)
    with pytest.raises(BagError, match='is 40 x 32, the frames are 8 x 8'):
        reference.score(STAMP, small, small, FACE)


def test_files_that_are_no_reference(tmp_path: Path) -> None:
    with pytest.raises(BagError, match='has no valid'):
        ReferenceDepth(save(tmp_path / 'a.npz', valid=None))
    with pytest.raises(BagError, match='expected \\(N, H, W\\)'):
        ReferenceDepth(save(tmp_path / 'b.npz', stamp_ns=np.array([1, 2])))
    (tmp_path / 'c.npz').write_text('x')
    with pytest.raises(BagError, match='cannot read the reference'):
        ReferenceDepth(tmp_path / 'c.npz')
    with pytest.raises(BagError, match='cannot read the reference'):
        ReferenceDepth(tmp_path / 'none.npz')
    (tmp_path / 'd.npz').write_bytes(b'PK\x03\x04 cut off')
    with pytest.raises(BagError, match='cannot read the reference .*expected an .npz file with'):
        ReferenceDepth(tmp_path / 'd.npz')
    np.save(tmp_path / 'e.npy', np.zeros(3))
    with pytest.raises(BagError, match='cannot read the reference'):
        ReferenceDepth(tmp_path / 'e.npy')
    with pytest.raises(BagError, match='expected \\(N, H, W\\)'):
        ReferenceDepth(save(tmp_path / 'f.npz', stamp_ns=np.int64(1)))
    with pytest.raises(BagError, match='expected \\(N, H, W\\)'):
        ReferenceDepth(save(tmp_path / 'g.npz', valid=np.ones((1, 3, 3), bool)))
