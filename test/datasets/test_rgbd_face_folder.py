# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Prepared faces on disk: a round trip, work that was broken off, and all that may be wrong."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_face_folder import INDEX, RgbdFaceFolder
from face_depth_ros.datasets.rgbd_faces import RgbdFace
import numpy as np
import pytest

DEPTH = np.array([[1.0, 1.00012, np.nan], [0.5, 6.5535, 0.0001]], np.float32)
COLOR = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
FACE = RgbdFace('set', 's1', 'fall', 'face', 'smile_2', COLOR, DEPTH, metres_per_pixel=0.0005,
                landmarks=np.array([[1.25, 2.5], [np.nan, 1]], np.float32), yaw=30.0, pitch=-5.0,
                roll=None, head_center=(1.5, 0.75))


def test_a_face_comes_back_as_it_went(tmp_path: Path) -> None:
    camera = CameraIntrinsics(3, 2, 5.5, 5.25, 1.5, 1.0)
    other = replace(FACE, name='person/other', color=None, metres_per_pixel=None, roll=1.0,
                    intrinsics=camera, landmarks={'nose': np.array([1.0, 2.0], np.float32),
                                                  'chin': np.full(2, np.nan, np.float32)})
    folder = RgbdFaceFolder(tmp_path / 'a' / 'b')
    for face in (FACE, other, replace(FACE, name='third', landmarks=None, head_center=None)):
        folder.write(face)
    folder = RgbdFaceFolder(tmp_path / 'a' / 'b')
    assert folder.names == ('face', 'person/other', 'third') and 'face' in folder
    first, second, third = folder.faces()
    np.testing.assert_allclose(first.depth, DEPTH, atol=5.1e-5)
    assert first.depth.dtype == np.float32
    assert first.color is not None and isinstance(first.landmarks, np.ndarray)
    np.testing.assert_array_equal(first.color, COLOR)
    np.testing.assert_array_equal(first.landmarks, [[1.25, 2.5], [np.nan, np.nan]])
    for word in ('dataset', 'subject', 'session', 'name', 'condition', 'metres_per_pixel', 'yaw',
                 'pitch', 'roll', 'head_center', 'intrinsics'):
        assert getattr(first, word) == getattr(FACE, word)
        assert getattr(second, word) == getattr(other, word)
    assert second.color is None and isinstance(second.landmarks, dict)
    np.testing.assert_array_equal(second.landmarks['nose'], (1, 2))
    assert np.isnan(second.landmarks['chin']).all()
    assert third.landmarks is None and third.head_center is None
    assert not list(tmp_path.rglob('*.partial'))


def test_a_face_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    folder = RgbdFaceFolder(tmp_path)
    folder.write(FACE)
    folder.write(replace(FACE, condition='neutral'))
    assert folder.names == ('face',)
    assert RgbdFaceFolder(tmp_path).read('face').condition == 'neutral'


def test_a_line_that_was_broken_off_does_not_count(tmp_path: Path) -> None:
    folder = RgbdFaceFolder(tmp_path)
    folder.write(FACE)
    folder.write(replace(FACE, name='second'))
    index = tmp_path / INDEX
    index.write_bytes(index.read_bytes()[:-20])
    folder = RgbdFaceFolder(tmp_path)
    assert folder.names == ('face',)
    folder.write(replace(FACE, name='third'))
    assert RgbdFaceFolder(tmp_path).names == ('face', 'third')


@pytest.mark.parametrize('line', ['no json', '{"dataset": "set"}', '[]'])
def test_a_broken_line_elsewhere_is_an_error(tmp_path: Path, line: str) -> None:
    (tmp_path / INDEX).write_text(line + '\n')
    with pytest.raises(DatasetError, match='faces.jsonl, line 1, is not the JSON of a face'):
        RgbdFaceFolder(tmp_path)


@pytest.mark.parametrize('key, value', [
    ('depth', None), ('color', 'MISSING'), ('intrinsics', {'fx': 1}), ('landmarks', [1.0]),
    ('yaw', 'MISSING'), ('head_center', [1.0])])
def test_a_line_that_lacks_something_is_an_error(tmp_path: Path, key: str, value: object) -> None:
    RgbdFaceFolder(tmp_path).write(FACE)
    record = json.loads((tmp_path / INDEX).read_text())
    record[key] = value
    if value == 'MISSING':
        del record[key]
    (tmp_path / INDEX).write_text(json.dumps(record) + '\n')
    with pytest.raises(DatasetError, match="the line of 'face' lacks or spoils"):
        RgbdFaceFolder(tmp_path).read('face')


def test_wrong_images_are_errors(tmp_path: Path) -> None:
    folder = RgbdFaceFolder(tmp_path)
    folder.write(FACE)
    color, depth = (tmp_path / 'set' / f'face.{kind}.png' for kind in ('color', 'depth'))
    cv2.imwrite(str(color), COLOR[:1])
    with pytest.raises(DatasetError, match='face.color.png is 3 x 1, expected 3 x 2 pixels'):
        folder.read('face')
    color.unlink()
    with pytest.raises(DatasetError, match='face.color.png is missing'):
        folder.read('face')
    cv2.imwrite(str(depth), COLOR[..., 0])
    with pytest.raises(DatasetError, match='face.depth.png is uint8, expected 16 bit'):
        folder.read('face')
    with pytest.raises(DatasetError, match="has no face 'other' among 1"):
        folder.read('other')


def test_what_does_not_fit_is_an_error(tmp_path: Path) -> None:
    folder = RgbdFaceFolder(tmp_path / 'out')
    for changes, reason in (
            ({'depth': DEPTH * 2}, r'face: depth from 0.0002 to 13.107 m, expected 0 to 6.5535 m'),
            ({'depth': -DEPTH}, 'expected 0 to 6.5535 m'),
            ({'name': '../../face'}, "'set', '../../face' cannot name a file in"),
            ({'name': '/face'}, "'/face' cannot name a file in")):
        with pytest.raises(DatasetError, match=reason):
            folder.write(replace(FACE, **changes))  # type: ignore[arg-type]
    assert folder.names == () and not list((tmp_path / 'out').rglob('*.png'))
    (tmp_path / 'file').touch()
    with pytest.raises(DatasetError, match='file cannot be made a folder'):
        RgbdFaceFolder(tmp_path / 'file')
