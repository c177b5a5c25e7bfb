# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Bosphorus's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path
import struct

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.bosphorus import (
    Bosphorus,
    GALLERY,
    pitch_of,
    PROBE_1,
    PROBE_2,
    read_bnt,
    read_lm2,
    read_lm3,
    setting_1,
    setting_2,
    yaw_of,
)
from face_depth_ros.datasets.rgbd_faces import Recording, RgbdFace
import numpy as np
import pytest
from scan_files import bnt_bytes, check_front_view, MARKS, write_bosphorus


def check_landmarks(face: RgbdFace, within_px: float) -> None:
    assert isinstance(face.landmarks, dict) and list(face.landmarks) == list(MARKS)
    for label, (x, y) in MARKS.items():
        offset = (face.landmarks[label] - face.landmarks['Nose tip']) * 0.5
        np.testing.assert_allclose(offset, (x, -y), atol=within_px)


@pytest.mark.parametrize('v_from_top', [True, False])
def test_a_scan_is_seen_from_the_front(tmp_path: Path, v_from_top: bool) -> None:
    write_bosphorus(tmp_path, 'bs000_N_N_0', v_from_top=v_from_top)
    dataset = Bosphorus(tmp_path)
    (recording,) = dataset.recordings
    assert (recording.subject, recording.name, recording.condition) == (
        'bs000', 'bs000_N_N_0', 'neutral')
    (face,) = dataset.faces()
    assert isinstance(face.landmarks, dict) and face.yaw == 0
    check_front_view(face, face.landmarks['Nose tip'])
    check_landmarks(face, 1e-3)


def test_landmarks_of_the_image_serve_where_those_in_space_are_absent(tmp_path: Path) -> None:
    path = write_bosphorus(tmp_path, 'bs000_N_N_0', lm3=False)
    (face,) = Bosphorus(tmp_path).faces()
    check_landmarks(face, 2.1)  # the nearest point of a grid of 2 mm
    path.with_suffix('.lm2').unlink()
    (face,) = Bosphorus(tmp_path).faces()
    assert face.landmarks is None


def test_what_a_file_of_points_holds(tmp_path: Path) -> None:
    grid = read_bnt(write_bosphorus(tmp_path, 'bs000_N_N_0'))
    assert grid.points.shape == (101, 81, 3) and grid.image_name == 'bs000_N_N_0.png'
    np.testing.assert_allclose(grid.points[50, 40], (0, 0, 0.105))
    np.testing.assert_allclose(grid.places[50, 40], (0.5, 0.5))
    assert np.isnan(grid.points[0, 0]).all() and np.isnan(grid.places[0, 0]).all()
    assert grid.points[20, 40, 1] < 0 < grid.points[80, 40, 1]


@pytest.mark.parametrize('name, condition, yaw', [
    ('bs003_E_HAPPY_0', 'expression_happy', 0.0), ('bs000_LFAU_12LW_0', 'lower_face_unit_12lw', 0),
    ('bs000_UFAU_43_1', 'upper_face_unit_43', 0), ('bs000_CAU_A22A25_0', 'combined_units_a22a25',
                                                  0),
    ('bs104_YR_R20_0', 'yaw_r20', -20.0), ('bs000_YR_L90_0', 'yaw_l90', 90.0),
    ('bs000_PR_SU_0', 'pitch_su', 0.0), ('bs000_CR_RD_0', 'cross_rotation_rd', None),
    ('bs000_O_EYE_0', 'occlusion_eye', 0.0), ('bs000_IGN_0', 'ignored', None)])
def test_names_tell_the_condition(tmp_path: Path, name: str, condition: str,
                                  yaw: float | None) -> None:
    path = tmp_path / name[:5] / f'{name}.bnt'
    path.parent.mkdir()
    path.write_bytes(b'')
    (recording,) = Bosphorus(tmp_path).recordings
    assert recording.condition == condition
    assert yaw_of(name) == yaw
    assert pitch_of(name) == (None if name[6:9] in ('PR_', 'CR_', 'IGN') else 0)


def test_the_settings_have_the_papers_sizes() -> None:
    counts = {'N_N': 299, 'E_HAPPY': 453, 'LFAU_9': 1150, 'UFAU_43': 700, 'CAU_A1': 300,
              'YR_R10': 900, 'PR_U': 419, 'CR_RD': 60, 'O_EYE': 385}
    recordings = []
    for kind, count in counts.items():
        recordings += [Recording('bosphorus', f'bs{i % 105:03d}', '',
                                 f'bs{i % 105:03d}_{kind}_{i // 105}',
                                 'neutral' if kind == 'N_N' else kind, Path())
                       for i in range(count)]
    assert len(recordings) == 4666
    for setting, probes in ((setting_1, PROBE_1), (setting_2, PROBE_2)):
        split = setting(recordings)
        assert (len(split.gallery), len(split.probe)) == (GALLERY, probes)
        assert {r.name.split('_', 1)[1] for r in split.gallery} == {'N_N_0'}


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of the Bosphorus'):
        Bosphorus(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected files such as bs000/bs000_N'):
        Bosphorus(tmp_path)


@pytest.mark.parametrize('name', ['bs000_X_1_0', 'bs000_N'])
def test_a_wrong_name_is_an_error(tmp_path: Path, name: str) -> None:
    write_bosphorus(tmp_path, name)
    with pytest.raises(DatasetError, match=f'{name} is not a name of the Bosphorus database'):
        Bosphorus(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    path = write_bosphorus(tmp_path, 'bs000_N_N_0')
    path.with_suffix('.png').unlink()
    with pytest.raises(DatasetError, match='bs000_N_N_0.png is missing; is the copy'):
        list(Bosphorus(tmp_path).faces())


def points_and_places() -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    return np.stack([x, y, x * 0], axis=-1), np.stack([x / 4, 1 - y / 3], axis=-1)


def test_wrong_bytes_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'scan.bnt'
    points, places = points_and_places()
    good = bnt_bytes(points, places)
    path.write_bytes(good)
    assert read_bnt(path).points.shape == (4, 5, 3)
    count = struct.pack('<I', 100)
    for content, reason in (
            (good[:10], 'has 10 bytes, too few for its header'),
            (good[:-8], 'has 4 rows, 5 columns, 100 numbers and 792 bytes of them, expected 5'),
            (good.replace(count, struct.pack('<I', 95)), '95 numbers and 800 bytes'),
            (bnt_bytes(points * np.nan, places), 'has 0 points that are not background'),
            (bnt_bytes(points, places * 100), 'places in the image are 0 to 100, expected fract'),
            (bnt_bytes(points, places * (-1, 1) + (1, 0)), 'u falls with x, expected x to point')):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=reason):
            read_bnt(path)


def test_a_scan_of_lone_points_is_an_error(tmp_path: Path) -> None:
    path = write_bosphorus(tmp_path, 'bs000_N_N_0')
    points, places = points_and_places()
    path.write_bytes(bnt_bytes(points * 50, places))
    with pytest.raises(DatasetError, match='bs000_N_N_0 has no three points beside each other'):
        list(Bosphorus(tmp_path).faces())


@pytest.mark.parametrize('text, reason', [
    ('', "lacks the line 'Labels:' or '2D Image coordinates:'"),
    ('Labels:\n2D Image coordinates:\n', 'has 0 labels and 0 points'),
    ('Labels:\nNose tip\n\n2D Image coordinates:\n1 2\n3 4', 'has 1 labels and 2 points'),
    ('Labels:\nNose tip\n\n2D Image coordinates:\n1 x', "'1 x' is not a point of 2 numbers")])
def test_wrong_landmarks_in_the_image_are_an_error(tmp_path: Path, text: str,
                                                   reason: str) -> None:
    path = tmp_path / 'marks.lm2'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_lm2(path)


@pytest.mark.parametrize('text, reason', [
    ('', 'has no line with the count of landmarks'),
    ('2\nNose tip\n1 2 3', 'has 2 lines for 2 landmarks, expected a label and a point'),
    ('0\n', 'has 0 lines for 0 landmarks'),
    ('1\nNose tip\n1 2', "'1 2' is not a point of 3 numbers"),
    ('1\nNose tip\n1 2 nan', "'1 2 nan' is not a point of 3 numbers")])
def test_wrong_landmarks_in_space_are_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'marks.lm3'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_lm3(path)


def test_remarks_before_the_landmarks_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / 'marks.lm3'
    path.write_text('# 3D\n*\nsome words\n\n2 landmarks:\nNose tip\n1 2 3e1\n\nChin\n-4. 5 .6\n')
    marks = read_lm3(path)
    np.testing.assert_allclose(marks['Nose tip'], (0.001, 0.002, 0.03))
    assert list(marks) == ['Nose tip', 'Chin']
