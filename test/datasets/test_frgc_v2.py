# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""FRGC v2's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.frgc_v2 import (
    FrgcV2,
    GALLERY,
    identification_split,
    PROBE,
    read_abs,
    read_expressions,
    training_part,
)
from face_depth_ros.datasets.rgbd_faces import Recording
import numpy as np
import pytest
from scan_files import abs_text, check_front_view, write_frgc

METADATA = """<?xml version="1.0"?>
<Recordings xmlns="http://www.bee-biometrics.org/schemas/sigset/0.1">
 <Recording recording_id="nd1R02" subject_id="nd1S02463">
  <URL root="Disk" relative="nd1/Fall2003range/02463d546.abs.gz"/>
  <Subject><Application><Face><Expression value="BlankStare"/></Face></Application></Subject>
 </Recording>
 <Recording recording_id="nd1R03" subject_id="nd1S02463">
  <URL root="Disk" relative="nd1/Fall2003range/02463d548.abs.gz"/>
  <Subject><Application><Face><Expression value="Happiness"/></Face></Application></Subject>
 </Recording>
 <Recording><URL relative="nd1/Fall2003range/02463d550.abs.gz"/></Recording>
</Recordings>
"""


@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('color_after', [1, 0])
def test_a_scan_is_seen_from_the_front(tmp_path: Path, packed: bool, color_after: int) -> None:
    write_frgc(tmp_path, 'Fall2003', '02463d546', packed=packed, color_after=color_after)
    dataset = FrgcV2(tmp_path)
    (recording,) = dataset.recordings
    assert (recording.subject, recording.session, recording.name, recording.condition) == (
        '02463', 'Fall2003', '02463d546', 'unknown')
    (face,) = dataset.faces()
    check_front_view(face)


def test_recordings_are_in_the_order_of_time(tmp_path: Path) -> None:
    for session, name in (('Spring2004', '04201d10'), ('Fall2003', '04201d9'),
                          ('Fall2003', '02463d12'), ('Fall2003', '04201d11'),
                          ('Spring2003', '04202d1')):
        write_frgc(tmp_path / 'nd1', session, name)
    recordings = FrgcV2(tmp_path).recordings
    assert [r.name for r in recordings] == ['04202d1', '02463d12', '04201d9', '04201d11',
                                            '04201d10']
    assert [r.name for r in training_part(recordings)] == ['04202d1']
    split = identification_split(recordings, neutral=False)
    assert [r.name for r in split.gallery] == ['02463d12', '04201d9']
    assert [r.name for r in split.probe] == ['04201d11', '04201d10']


def test_a_scan_both_packed_and_unpacked_counts_once(tmp_path: Path) -> None:
    write_frgc(tmp_path, 'Fall2003', '02463d546')
    plain = write_frgc(tmp_path, 'Fall2003', '02463d546', packed=False)
    assert [r.path for r in FrgcV2(tmp_path).recordings] == [plain]


def test_the_metadata_tells_the_expression(tmp_path: Path) -> None:
    path = tmp_path / 'metadata.xml'
    path.write_text(METADATA)
    expressions = read_expressions(path)
    assert expressions == {'02463d546': 'neutral', '02463d548': 'happiness'}
    for name in ('02463d544', '02463d546', '02463d548'):
        write_frgc(tmp_path, 'Fall2003', name)
    recordings = FrgcV2(tmp_path, expressions=expressions).recordings
    assert [r.condition for r in recordings] == ['unknown', 'neutral', 'happiness']
    split = identification_split(recordings)
    assert [r.name for r in split.gallery] == ['02463d546']
    assert [r.name for r in split.probe] == ['02463d544', '02463d548']


def test_without_metadata_no_scan_is_known_to_be_neutral(tmp_path: Path) -> None:
    write_frgc(tmp_path, 'Fall2003', '02463d546')
    with pytest.raises(DatasetError, match='none of 1 recordings is neutral; a gallery needs'):
        identification_split(FrgcV2(tmp_path).recordings)


def test_the_split_has_the_papers_sizes() -> None:
    recordings = [Recording('frgc_v2', f'{i % 466:05d}', session, f'{i % 466:05d}d{i}',
                            'neutral' if i % 3 else 'happiness', Path())
                  for session, numbers in (('Spring2003', range(943)),
                                           ('Fall2003', range(1000, 3000)),
                                           ('Spring2004', range(3000, 5007))) for i in numbers]
    split = identification_split(recordings)
    assert (len(split.gallery), len(split.probe)) == (GALLERY, PROBE)
    assert {r.condition for r in split.gallery} == {'neutral'}


@pytest.mark.parametrize('text, reason', [
    ('<Recordings>', 'is not XML'),
    ('<Recordings/>', 'tells no expression: expected elements that hold one Expression'),
    ('<R><URL relative="02463d546.abs"/><Expression/></R>', 'tells no expression')])
def test_wrong_metadata_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'metadata.xml'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_expressions(path)


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of FRGC v2'):
        FrgcV2(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected files such as Fall2003range'):
        FrgcV2(tmp_path)


def test_a_wrong_name_is_an_error(tmp_path: Path) -> None:
    path = write_frgc(tmp_path, 'Fall2003', '02463d546')
    path.rename(path.with_name('face.abs.gz'))
    with pytest.raises(DatasetError, match='face.abs.gz is not a name of FRGC v2, expected such'):
        FrgcV2(tmp_path)


def test_a_wrong_colour_image_is_an_error(tmp_path: Path) -> None:
    path = write_frgc(tmp_path, 'Fall2003', '02463d546')
    color = path.with_name('02463d547.ppm')
    cv2.imwrite(str(color), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(DatasetError, match='02463d547.ppm is 64 x 48, expected 81 x 101 pixels'):
        list(FrgcV2(tmp_path).faces())
    color.unlink()
    with pytest.raises(DatasetError, match='02463d547.ppm is missing; is the copy'):
        list(FrgcV2(tmp_path).faces())


POINTS = np.arange(18.0).reshape(2, 3, 3) + 1
GOOD = abs_text(POINTS)


def test_what_a_file_of_points_holds(tmp_path: Path) -> None:
    path = tmp_path / 'scan.abs'
    path.write_text(GOOD.replace('1 1 1', '1 0 1', 1).replace('\n', '\r\n'))
    expected = POINTS / 1000
    expected[0, 1] = np.nan
    np.testing.assert_allclose(read_abs(path), expected)
    path.write_text(GOOD.replace('\n1.000000 ', '\n-999999.0 '))
    assert np.isnan(read_abs(path)[0, 0]).all()


@pytest.mark.parametrize('text, reason', [
    ('', "begins with b'', expected rows, columns and 'pixels"),
    (GOOD.replace('rows', 'lines'), 'expected rows, columns'),
    (GOOD.replace('1.000000', 'one', 1), 'is not a file of numbers'),
    (GOOD.replace('2 rows', '3 rows'), 'has 24 numbers, expected 4 for each of 3 x 3 points'),
    ('0 rows\n0 columns\npixels (flag X Y Z):\n', 'has 0 numbers')])
def test_wrong_text_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'scan.abs'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_abs(path)


def test_a_torn_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'scan.abs.gz'
    whole = gzip.compress(GOOD.encode())
    for content in (b'', whole[:-12], b'text', whole[:15] + b'????' + whole[19:]):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match='scan.abs.gz (is not a whole gzip|begins with b)'):
            read_abs(path)


def test_a_scan_without_neighbours_is_an_error(tmp_path: Path) -> None:
    path = write_frgc(tmp_path, 'Fall2003', '02463d546', packed=False)
    points = np.full((101, 81, 3), np.nan)
    points[5, 5] = 1
    path.write_text(abs_text(points))
    with pytest.raises(DatasetError, match='02463d546 has no three points beside each other'):
        list(FrgcV2(tmp_path).faces())
