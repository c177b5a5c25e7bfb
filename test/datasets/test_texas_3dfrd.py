# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Texas 3DFRD's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import Recording
from face_depth_ros.datasets.texas_3dfrd import (
    GALLERY,
    identification_split,
    PROBE,
    read_landmarks,
    read_range,
    Texas3dfrd,
)
import numpy as np
import pytest
from scan_files import head_z, write_texas

NAME = 'Clean_0001_001_20050913115022'


def test_a_pair_is_read_as_written(tmp_path: Path) -> None:
    path = write_texas(tmp_path, NAME)
    write_texas(tmp_path, 'Clean_0002_117_20050913115023', fiducials=False)
    dataset = Texas3dfrd(tmp_path)
    assert [(r.subject, r.name) for r in dataset.recordings] == [
        ('001', NAME), ('117', 'Clean_0002_117_20050913115023')]
    face, other = dataset.faces()
    assert (face.subject, face.condition, face.metres_per_pixel) == ('001', 'unknown', 0.00032)
    steps = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(np.isnan(face.depth), steps == 0)
    assert np.nanmin(face.depth) == 1.0
    expected = 1 + (head_z(np.zeros(1), np.zeros(1)) - head_z(np.array([32.0]), np.array([-32.0])))
    assert abs(face.depth[410, 350] - (1 + (expected[0] - 1) / 1000)) < 0.00033
    assert face.color is not None and face.color[310, 350].tolist() == [160, 128, 60]
    assert isinstance(face.landmarks, np.ndarray) and face.landmarks.shape == (25, 2)
    np.testing.assert_allclose(face.landmarks[:2], [[250.5, 310.5], [251.5, 309.5]])
    assert other.landmarks is None
    assert len(Texas3dfrd(tmp_path / 'PreprocessedImages').recordings) == 2


def test_points_are_paired_by_order_where_their_names_say_nothing(tmp_path: Path) -> None:
    write_texas(tmp_path, NAME)
    folder = tmp_path / 'ManualFiducialPoints'
    (folder / f'{NAME}_Fiducial.txt').rename(folder / 'Fiducial_1.txt')
    (face,) = Texas3dfrd(tmp_path).faces()
    assert face.landmarks is not None
    (folder / 'Fiducial_2.txt').write_text('')
    with pytest.raises(DatasetError, match='holds 2 files of points for 1 recordings'):
        Texas3dfrd(tmp_path)


def test_the_split_has_the_papers_sizes() -> None:
    recordings = [Recording('texas_3dfrd', f'{i % 118:03d}', '', f'{i:04d}', 'unknown', Path())
                  for i in range(1149)]
    split = identification_split(recordings)
    assert (len(split.gallery), len(split.probe)) == (GALLERY, PROBE)
    assert [r.name for r in split.gallery] == [f'{i:04d}' for i in range(118)]


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of the Texas 3D Face'):
        Texas3dfrd(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected files such as Preprocessed'):
        Texas3dfrd(tmp_path)


def test_a_wrong_name_is_an_error(tmp_path: Path) -> None:
    write_texas(tmp_path, 'Clean_1_001_20050913115022', fiducials=False)
    with pytest.raises(DatasetError, match='is not a name of the Texas 3D Face Recognition'):
        Texas3dfrd(tmp_path)


def test_a_wrong_portrait_is_an_error(tmp_path: Path) -> None:
    path = write_texas(tmp_path, NAME)
    portrait = path.with_name(f'{NAME}_Portrait.png')
    cv2.imwrite(str(portrait), np.zeros((10, 20, 3), np.uint8))
    with pytest.raises(DatasetError, match='_Portrait.png is 20 x 10, expected 500 x 620 pixels'):
        list(Texas3dfrd(tmp_path).faces())
    portrait.unlink()
    with pytest.raises(DatasetError, match='_Portrait.png is missing; is the copy'):
        list(Texas3dfrd(tmp_path).faces())


@pytest.mark.parametrize('image, reason', [
    (np.ones((8, 8), np.uint16), 'is uint16, expected 8 bit steps of 0.32 mm'),
    (np.zeros((8, 8), np.uint8), 'is 0 everywhere, expected the range of a face'),
    (np.arange(192, dtype=np.uint8).reshape(8, 8, 3), 'is a colour image, expected one channel')])
def test_a_wrong_range_is_an_error(tmp_path: Path, image: np.ndarray, reason: str) -> None:
    path = tmp_path / 'range.png'
    cv2.imwrite(str(path), image)
    with pytest.raises(DatasetError, match=reason):
        read_range(path)


def test_a_grey_range_in_three_channels_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'range.png'
    cv2.imwrite(str(path), np.repeat(np.array([[0, 3, 1]], np.uint8)[..., None], 3, axis=2))
    np.testing.assert_allclose(read_range(path), [[np.nan, 1.0, 1.00064]])


def test_a_range_that_is_no_image_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'range.png'
    for content in (b'', b'no image'):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match='range.png cannot be read as an image'):
            read_range(path)


@pytest.mark.parametrize('text, reason', [
    ('1 2 3', 'has 3 numbers, expected lines of x, y'),
    ('1 2\n3 4', 'has 2 points, expected 25'),
    ('900 2\n' * 25, r'a point lies at .* outside the image of 500 x 620 px')])
def test_wrong_points_are_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'points.txt'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_landmarks(path, 500, 620)
