# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""KinectFaceDB's recordings as samples, in the crop of the session's open face."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.evaluation.kinect_faces import box_from_landmarks, kinect_faces, VARIANT_OF
from kinect_face_files import bulge_mm, MARKS, POINTS, write_session
import numpy as np
import pytest

MEAN = np.array([[88.3, 98.2], [167.7, 98.2], [128.0, 135.7], [96.6, 183.9], [159.4, 183.9],
                 [128.0, 234.4]])


def test_a_session_becomes_seven_samples(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1')
    samples = list(kinect_faces(tmp_path))
    assert [s.variant for s in samples] == list(VARIANT_OF.values())
    assert {s.name for s in samples} == {'0001 s1'}
    sample = samples[0]
    assert sample.landmarks_few is not None and sample.landmarks_few.shape == (6, 2)
    box = box_from_landmarks(np.array(MARKS) + 0.5)
    nose_x, nose_y = np.floor(sample.landmarks_few[2]).astype(int)
    assert sample.depth[nose_y, nose_x] == pytest.approx(bulge_mm()[133, 128] / 1000, abs=0.002)
    assert sample.mask.any() and np.isfinite(sample.depth[sample.mask]).mean() > 0.9
    assert 100 < box.side < 180


def test_variants_keep_the_box_of_the_open_face(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1')
    path = tmp_path / POINTS.format('0001', 's1', 'Smile')
    path.write_text(''.join(f'{x + 200}\t{y + 80}\t800\n' for x, y in MARKS))
    samples = {s.variant: s for s in kinect_faces(tmp_path)}
    np.testing.assert_array_equal(samples['smile'].depth, samples['neutral'].depth)
    moved, kept = samples['smile'].landmarks_few, samples['neutral'].landmarks_few
    assert moved is not None and kept is not None and (moved > kept).all()


def test_the_limit_counts_sessions(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1')
    write_session(tmp_path, '0002', 's1')
    assert len(list(kinect_faces(tmp_path, limit=1))) == len(VARIANT_OF)


@pytest.mark.parametrize('box', [FaceBox(128.0, 128.0, 256.0), FaceBox(120.0, 140.0, 150.0, 0.3),
                                 FaceBox(60.0, 80.0, 90.0, -1.2)])
def test_the_box_of_the_mean_head_is_found_back(box: FaceBox) -> None:
    found = box_from_landmarks(transform_points(box.image_from_crop(256), MEAN))
    assert found.center_x == pytest.approx(box.center_x)
    assert found.center_y == pytest.approx(box.center_y)
    assert found.side == pytest.approx(box.side)
    assert found.roll == pytest.approx(box.roll)


def test_an_open_face_that_cannot_be_placed_is_an_error(tmp_path: Path) -> None:
    write_session(tmp_path, '0003', 's2', landmarks=False)
    with pytest.raises(DatasetError, match='no face is found in the open recording of 0003 s2'):
        list(kinect_faces(tmp_path))
