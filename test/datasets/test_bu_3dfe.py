# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""BU-3DFE's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.bu_3dfe import (
    Bu3dfe,
    DEPTHNET_IDENTITIES,
    depthnet_identities,
    EXPRESSIONS,
    GALLERY,
    identification_split,
    PROBE,
    read_landmarks,
)
from face_depth_ros.datasets.rgbd_faces import Recording
import numpy as np
import pytest
from scan_files import check_front_view, MARKS, write_bu_3dfe


def whole_dataset() -> list[Recording]:
    """List the recordings of the dataset as its authors count them."""
    subjects = [f'F{i:04d}' for i in range(1, 57)] + [f'M{i:04d}' for i in range(1, 45)]
    return [Recording('bu_3dfe', s, '', f'{s}_{code}{level:02d}WH',
                      'neutral' if code == 'NE' else f'{word}_{level}', Path(s))
            for s in subjects for code, word in EXPRESSIONS.items()
            for level in ([0] if code == 'NE' else range(1, 5))]


def test_a_scan_is_seen_from_the_front(tmp_path: Path) -> None:
    write_bu_3dfe(tmp_path, 'F0001_AN01WH')
    write_bu_3dfe(tmp_path, 'M0044_NE00AM')
    dataset = Bu3dfe(tmp_path)
    assert [(r.subject, r.name, r.condition) for r in dataset.recordings] == [
        ('F0001', 'F0001_AN01WH', 'anger_1'), ('M0044', 'M0044_NE00AM', 'neutral')]
    face = next(iter(dataset.faces()))
    assert (face.dataset, face.name, face.condition) == ('bu_3dfe', 'F0001_AN01WH', 'anger_1')
    assert face.metres_per_pixel == 0.0005
    assert isinstance(face.landmarks, np.ndarray) and face.landmarks.shape == (83, 2)
    check_front_view(face, face.landmarks[0])
    offsets = (face.landmarks[1:3] - face.landmarks[0]) * 0.5
    marks = np.array(list(MARKS.values()))
    np.testing.assert_allclose(offsets, (marks[1:] - marks[0]) * (1, -1), atol=1e-3)


def test_the_size_of_a_pixel_may_be_chosen(tmp_path: Path) -> None:
    write_bu_3dfe(tmp_path, 'F0001_AN01WH')
    (face,) = Bu3dfe(tmp_path, metres_per_pixel=0.002).faces()
    assert isinstance(face.landmarks, np.ndarray)
    check_front_view(face, face.landmarks[0])
    with pytest.raises(DatasetError, match='metres_per_pixel is 0, expected more than 0'):
        list(Bu3dfe(tmp_path, metres_per_pixel=0).faces())


def test_colour_and_landmarks_may_be_absent(tmp_path: Path) -> None:
    path = write_bu_3dfe(tmp_path, 'F0001_AN01WH', places=False)
    with pytest.raises(DatasetError, match='has no TextureCoordinate; open the dataset with col'):
        list(Bu3dfe(tmp_path).faces())
    path.with_suffix('.bnd').unlink()
    (face,) = Bu3dfe(tmp_path, color=False).faces()
    assert face.color is None and face.landmarks is None
    check_front_view(face)


def test_the_texture_is_the_f2d_image_where_the_named_one_is_absent(tmp_path: Path) -> None:
    path = write_bu_3dfe(tmp_path, 'F0001_AN01WH')
    path.write_text(path.read_text().replace('F0001_AN01WH_F2D.bmp', 'other.bmp'))
    (face,) = Bu3dfe(tmp_path).faces()
    assert isinstance(face.landmarks, np.ndarray)
    check_front_view(face, face.landmarks[0])
    (path.parent / 'F0001_AN01WH_F2D.bmp').unlink()
    with pytest.raises(DatasetError, match='F0001_AN01WH_F2D.bmp is missing; is the copy'):
        list(Bu3dfe(tmp_path).faces())


def test_the_splits_have_the_papers_sizes() -> None:
    recordings = whole_dataset()
    split = identification_split(recordings)
    assert (len(split.gallery), len(split.probe)) == (GALLERY, PROBE)
    assert {r.condition for r in split.gallery} == {'neutral'}
    train, test = depthnet_identities(recordings)
    assert (len(train), len(test)) == (DEPTHNET_IDENTITIES, 10) and not set(train) & set(test)


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of BU-3DFE'):
        Bu3dfe(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected files such as F0001/F0001_A'):
        Bu3dfe(tmp_path)


@pytest.mark.parametrize('name', ['F0001_XX01WH', 'F0001_AN1WH'])
def test_a_wrong_name_is_an_error(tmp_path: Path, name: str) -> None:
    write_bu_3dfe(tmp_path, name)
    with pytest.raises(DatasetError, match='is not a name of BU-3DFE, expected such as F0001/'):
        Bu3dfe(tmp_path)


def test_a_scan_in_another_persons_folder_is_an_error(tmp_path: Path) -> None:
    path = write_bu_3dfe(tmp_path, 'F0001_AN01WH')
    (tmp_path / 'F0002').mkdir()
    path.rename(tmp_path / 'F0002' / path.name)
    with pytest.raises(DatasetError, match='is not a name of BU-3DFE'):
        Bu3dfe(tmp_path)


@pytest.mark.parametrize('text, reason', [
    ('', 'has 0 numbers, expected lines of number, x, y, z'),
    ('1 2 3', 'has 3 numbers'),
    ('1 2 3 x', 'is not a file of numbers'),
    ('1 2 3 4', 'has 1 landmarks, expected 83')])
def test_wrong_landmarks_are_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'marks.bnd'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_landmarks(path)


def test_landmarks_of_another_scan_are_an_error(tmp_path: Path) -> None:
    path = write_bu_3dfe(tmp_path, 'F0001_AN01WH')
    path.with_suffix('.bnd').write_text('1\t\t900 0 0\n' * 83)
    with pytest.raises(DatasetError, match='F0001_AN01WH: a landmark lies at .* outside its scan'):
        list(Bu3dfe(tmp_path).faces())


def test_metres_in_place_of_millimetres_are_noticed(tmp_path: Path) -> None:
    path = write_bu_3dfe(tmp_path, 'F0001_AN01WH', places=False)
    text = path.read_text().replace('point [\n', 'point [\n 9000 0 0,\n', 1)
    path.write_text(text.replace('coordIndex [\n', 'coordIndex [\n 0, 1, 2, -1,\n', 1))
    with pytest.raises(DatasetError, match='is 9.* m wide .* are its coordinates in millimetres?'):
        list(Bu3dfe(tmp_path, color=False).faces())
