# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The sample bag's faces as samples."""

from __future__ import annotations

from pathlib import Path
import shutil

from face_depth_ros.core.errors import BagError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.bag_faces import bag_faces, is_frontal
from face_depth_ros.evaluation.real_faces import canonical_ellipse, FaceSample, VARIANTS
import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[1] / 'data'
BAG = DATA / 'sample_bag'


@pytest.fixture(scope='module')
def samples() -> list[FaceSample]:
    return list(bag_faces(BAG, limit=24))


def test_each_face_comes_open_and_covered(samples: list[FaceSample]) -> None:
    assert samples and len(samples) % len(VARIANTS) == 0
    for first in range(0, len(samples), len(VARIANTS)):
        group = samples[first:first + len(VARIANTS)]
        assert [s.variant for s in group] == list(VARIANTS)
        assert len({s.name for s in group}) == 1
        assert all(s.mask is group[0].mask for s in group)


def test_depth_truth_and_mask_belong_together(samples: list[FaceSample]) -> None:
    for sample in samples[::len(VARIANTS)]:
        assert sample.truth is not None and sample.color is not None
        assert sample.color.shape == (256, 256, 3)
        assert not (sample.mask & ~canonical_ellipse()).any()
        both = sample.mask & np.isfinite(sample.depth) & np.isfinite(sample.truth)
        assert both.sum() > 0.5 * sample.mask.sum()
        assert np.median(np.abs(sample.depth - sample.truth)[both]) < 0.01


def test_the_landmarks_are_those_of_the_detector(samples: list[FaceSample]) -> None:
    for sample in samples:
        points = sample.landmarks_few
        assert points is not None and points.shape == (5, 2) and sample.landmarks_68 is None
        assert points[0, 0] < points[2, 0] < points[1, 0]  # eyes beside the nose tip
        assert points[0, 1] < points[2, 1] < points[3, 1]  # mouth below it


def test_only_frontal_faces_count() -> None:
    box = FaceBox(50.0, 50.0, 100.0)

    def face(nose_x: float, turn: float = 0.0) -> Detection:
        points = np.array([[30, 40], [70, 40], [nose_x, 60], [35, 80], [65, 80]], np.float32)
        cos, sin = np.cos(turn), np.sin(turn)
        return Detection(box, 0.9, points @ np.array([[cos, sin], [-sin, cos]]))

    assert is_frontal(face(50)) and is_frontal(face(58)) and is_frontal(face(50, 0.8))
    assert not is_frontal(face(62)) and not is_frontal(face(38, 0.8))
    assert not is_frontal(Detection(box, 0.9))
    assert not is_frontal(Detection(box, 0.9, np.zeros((5, 2), np.float32)))


def test_a_bag_without_a_reference_will_do(tmp_path: Path) -> None:
    shutil.copytree(BAG, tmp_path / 'bag')
    alone = next(iter(bag_faces(tmp_path / 'bag', limit=24)))
    assert alone.truth is None and alone.variant == 'neutral'
    np.testing.assert_array_equal(alone.mask, canonical_ellipse())


def test_a_reference_of_another_bag_leaves_no_face(tmp_path: Path) -> None:
    path = tmp_path / 'true_depth.npz'
    np.savez(path, depth_mm=np.zeros((1, 4, 4)), valid=np.zeros((1, 4, 4), bool),
             stamp_ns=np.array([1]))
    with pytest.raises(BagError, match='no frame of .*sample_bag shows a frontal face .* and a '
                       'frame of .*true_depth.npz'):
        list(bag_faces(BAG, path, limit=6))
