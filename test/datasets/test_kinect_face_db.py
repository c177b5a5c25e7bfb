# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""KinectFaceDB's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.kinect_face_db import (
    FRONTAL,
    KinectFaceDb,
    read_color,
    read_depth,
    read_landmarks,
)
from kinect_face_files import DEPTH, landmark_text, MARKS, write_session
import numpy as np
import pytest


def test_a_session_is_read_as_written(tmp_path: Path) -> None:
    depth_mm = write_session(tmp_path, '0007', 's2')
    faces = list(KinectFaceDb(tmp_path).faces())
    assert [f.variant for f in faces] == list(FRONTAL)
    assert {(f.person, f.session) for f in faces} == {('0007', 's2')}
    face = faces[0]
    assert face.depth.shape == (256, 256) and face.depth.dtype == np.float32
    np.testing.assert_allclose(np.nan_to_num(face.depth), depth_mm / 1000, atol=1e-6)
    assert np.isnan(face.depth[depth_mm == 0]).all()
    assert face.color[0, 0].tolist() == [200, 100, 50]  # RGB
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks, np.array(MARKS) + 0.5)


def test_the_folder_around_the_dataset_will_do(tmp_path: Path) -> None:
    write_session(tmp_path / 'EURECOM_Kinect_Face_Dataset', '0001', 's1', ['Neutral'])
    database = KinectFaceDb(tmp_path)
    assert database.sessions == [('0001', 's1')]


def test_landmarks_may_be_absent(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1', ['Neutral'], landmarks=False)
    assert KinectFaceDb(tmp_path).read('0001', 's1', 'Neutral').landmarks is None


def test_left_and_right_are_told_by_x(tmp_path: Path) -> None:
    path = tmp_path / 'points.txt'
    order = [1, 0, 2, 4, 3, 5]
    path.write_text(landmark_text([MARKS[i] for i in order]))
    np.testing.assert_allclose(read_landmarks(path), np.array(MARKS) + 0.5)


def test_coordinates_of_the_cut_image_are_taken_as_such(tmp_path: Path) -> None:
    path = tmp_path / 'points.txt'
    path.write_text('\n'.join(f'{x}\t{y}\t800' for x, y in MARKS))
    np.testing.assert_allclose(read_landmarks(path), np.array(MARKS) + 0.5)


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of the EURECOM'):
        KinectFaceDb(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected folders of people'):
        KinectFaceDb(tmp_path)
    (tmp_path / 'photos').mkdir()
    with pytest.raises(DatasetError, match='holds photos, expected folders of people'):
        KinectFaceDb(tmp_path)


def test_an_unknown_variant_is_an_error(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1', ['Neutral'])
    with pytest.raises(DatasetError, match="variant 'Frown' is not known, expected one of Neutr"):
        KinectFaceDb(tmp_path).read('0001', 's1', 'Frown')


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1', ['Neutral'])
    with pytest.raises(DatasetError, match='depth_0001_s1_Smile.txt is missing; is the copy'):
        list(KinectFaceDb(tmp_path).faces())
    (tmp_path / '0001/s1/RGB/rgb_0001_s1_Neutral.bmp').unlink()
    with pytest.raises(DatasetError, match='rgb_0001_s1_Neutral.bmp is missing; is the copy'):
        KinectFaceDb(tmp_path).read('0001', 's1', 'Neutral')


@pytest.mark.parametrize('text, reason', [
    ('', 'has 0 numbers, expected lines of x, y and millimetres'),
    ('192 74 800 193', 'has 4 numbers, expected lines'),
    ('192 74 nan', 'expected lines of x, y and millimetres'),
    ('x y z', 'is not a file of numbers'),
    ('700 74 800', r'pixels from \(700, 74\) to \(700, 74\), expected whole numbers'),
    ('300.5 80 800', 'expected whole numbers'),
    ('300 80 0', 'the median depth is 0, expected 200 to 5000 mm'),
    ('300 80 0.8', 'the median depth is 0.8, expected 200 to 5000 mm')])
def test_a_wrong_depth_file_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'depth.txt'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_depth(path)


def test_a_binary_depth_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'depth.txt'
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DatasetError, match='is not a file of numbers'):
        read_depth(path)


def test_a_wrong_color_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'color.bmp'
    path.write_bytes(b'no image')
    with pytest.raises(DatasetError, match='color.bmp cannot be read, expected an image of 256'):
        read_color(path)
    cv2.imwrite(str(path), np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(DatasetError, match='is 640 x 480, expected an image of 256 x 256 pixels'):
        read_color(path)


@pytest.mark.parametrize('points, reason', [
    (MARKS[:5], 'has 5 points, expected 6'),
    ([*MARKS[:5], (400, 100)], 'a landmark lies at')])
def test_wrong_landmarks_are_an_error(tmp_path: Path, points: list[tuple[int, int]],
                                      reason: str) -> None:
    path = tmp_path / 'points.txt'
    path.write_text(landmark_text(points))
    with pytest.raises(DatasetError, match=reason):
        read_landmarks(path)


def test_the_files_are_those_of_the_layout(tmp_path: Path) -> None:
    write_session(tmp_path, '0001', 's1', ['Neutral'])
    assert (tmp_path / DEPTH.format('0001', 's1', 'Neutral')).is_file()
