# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What loaders yield and share: its checks, the split, reading of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    first_as_gallery,
    read_bytes,
    read_color,
    read_numbers,
    read_single_channel,
    read_text,
    Recording,
    RgbdFace,
)
import numpy as np
import pytest

CAMERA = CameraIntrinsics(4, 3, 5.0, 5.0, 2.0, 1.5)


def face(**changes: Any) -> RgbdFace:
    values = {'color': np.zeros((3, 4, 3), np.uint8), 'depth': np.ones((3, 4), np.float32)}
    return RgbdFace('set', '1', 's', 'name', 'neutral', **(values | changes))


def test_a_face_takes_what_its_docstring_says() -> None:
    assert face(intrinsics=CAMERA, landmarks=np.zeros((5, 2))).metres_per_pixel is None
    assert face(color=None, metres_per_pixel=0.001, landmarks={'nose': np.zeros(2)}).color is None
    assert face().intrinsics is None


@pytest.mark.parametrize('changes, reason', [
    ({'depth': np.ones((3, 4))}, r'set name: depth is float64 \(3, 4\), expected \(H, W\)'),
    ({'depth': np.ones(4, np.float32)}, r'depth is float32 \(4,\)'),
    ({'color': np.zeros((3, 4), np.uint8)}, r'color is uint8 \(3, 4\), expected uint8 \(3, 4, 3'),
    ({'color': np.zeros((3, 4, 3))}, 'color is float64'),
    ({'intrinsics': CAMERA, 'metres_per_pixel': 1.0}, 'has intrinsics and metres_per_pixel'),
    ({'intrinsics': CAMERA.scaled(8, 6)}, 'intrinsics of 8 x 6, expected those of the image, 4 x'),
    ({'metres_per_pixel': 0.0}, 'metres_per_pixel is 0.0, expected more than 0'),
    ({'landmarks': np.zeros((5, 3))}, r'landmarks are \(5, 3\), expected \(N, 2\) pixels')])
def test_a_wrong_face_is_an_error(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        face(**changes)


def test_the_first_neutral_of_each_subject_is_the_gallery() -> None:
    recordings = [Recording('set', subject, '', name, condition, Path())
                  for subject, name, condition in (
                      ('b', 'b1', 'smile'), ('b', 'b2', 'neutral'), ('a', 'a1', 'neutral'),
                      ('a', 'a2', 'neutral'), ('c', 'c1', 'smile'))]
    split = first_as_gallery(recordings)
    assert [r.name for r in split.gallery] == ['a1', 'b2']
    assert [r.name for r in split.probe] == ['b1', 'a2', 'c1']
    split = first_as_gallery(iter(recordings), neutral=False)
    assert [r.name for r in split.gallery] == ['a1', 'b1', 'c1']
    with pytest.raises(DatasetError, match='none of 1 recordings is neutral; a gallery needs one'):
        first_as_gallery(recordings[:1])
    with pytest.raises(DatasetError, match='none of 0 recordings is there'):
        first_as_gallery([], neutral=False)


def test_a_root_is_the_folder_or_one_in_it(tmp_path: Path) -> None:
    inner = tmp_path / 'set'
    inner.mkdir()
    (tmp_path / 'readme').touch()

    def holds(folder: Path) -> bool:
        return (folder / 'scan').exists()

    with pytest.raises(DatasetError, match='holds readme, set, expected files such as scan; name'):
        dataset_root(tmp_path, holds, 'the set', 'scan')
    (inner / 'scan').touch()
    assert dataset_root(tmp_path, holds, 'the set', 'scan') == inner
    assert dataset_root(str(inner), holds, 'the set', 'scan') == inner
    with pytest.raises(DatasetError, match='scan is not a folder; name the one of the set, with'):
        dataset_root(inner / 'scan', holds, 'the set', 'scan')


def test_files_are_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    path.write_bytes('é'.encode())
    assert read_text(path) == 'é'
    path.write_bytes('é'.encode('latin-1'))
    assert read_text(path) == 'é' and read_bytes(path) == b'\xe9'
    for missing in (tmp_path, tmp_path / 'absent'):
        with pytest.raises(DatasetError, match='is missing; is the copy of the dataset complete'):
            read_bytes(missing)


def test_an_unreadable_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError('not yours')

    path = tmp_path / 'file'
    path.touch()
    monkeypatch.setattr(Path, 'read_bytes', refuse)
    with pytest.raises(DatasetError, match='file cannot be read: not yours'):
        read_bytes(path)


def test_numbers_are_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / 'numbers.txt'
    path.write_text('1, 2\n3\t4e1\n')
    np.testing.assert_array_equal(read_numbers(path, 2, 'x, y'), [[1, 2], [3, 40]])
    for text, reason in (('1 x', 'is not a file of numbers'), ('', 'has 0 numbers, expected line'),
                         ('1 2 3', 'has 3 numbers, expected lines of x, y'), ('1 inf', 'has 2')):
        path.write_text(text)
        with pytest.raises(DatasetError, match=reason):
            read_numbers(path, 2, 'x, y')


def test_images_are_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.full((2, 3, 3), (10, 20, 30), np.uint8))
    assert read_color(path, (3, 2))[0, 0].tolist() == [30, 20, 10]
    with pytest.raises(DatasetError, match='image.png is 3 x 2, expected 4 x 2 pixels'):
        read_color(path, (4, 2))
    with pytest.raises(DatasetError, match='is a colour image, expected one channel of depth'):
        read_single_channel(path)
    depth = np.array([[0, 65535]], np.uint16)
    cv2.imwrite(str(path), depth)
    np.testing.assert_array_equal(read_single_channel(path), depth)
    cv2.imwrite(str(path), (depth // 256).astype(np.uint8))
    assert read_color(path).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    path.write_bytes(b'text')
    with pytest.raises(DatasetError, match='image.png cannot be read as an image'):
        read_color(path)
