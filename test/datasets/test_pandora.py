# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pandora's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.pandora import (
    COLOR_SIZE,
    COMPLEX,
    CONSTRAINED,
    DEPTH_SIZE,
    FRONTAL,
    Pandora,
    pose_subset,
    read_annotation,
    TEST,
    TURNED,
)
import numpy as np
from pandora_files import COLOR, DEPTH, HEAD, record, SIZES, TRANSLATION, write_sequence
import pytest


def open_small(root: Path) -> Pandora:
    return Pandora(root, color_size=SIZES['color_size'], depth_size=SIZES['depth_size'])


def test_a_frame_is_read_as_written(tmp_path: Path) -> None:
    write_sequence(tmp_path, '03', 'free_1_ID', (record(7, yaw=-30.0, pitch=4.0, roll=1.5),))
    database = open_small(tmp_path)
    [recording] = database.recordings
    assert (recording.subject, recording.session, recording.condition, recording.name) == (
        '03', 'S3', 'constrained', '03_S3_000007')
    [face] = database.faces()
    assert (face.yaw, face.pitch, face.roll) == (None, None, None)  # their signs are not known
    assert database.annotation(recording).angles.tolist() == [[-30.0, 4.0, 1.5]]
    assert face.color is not None and face.color[20, 100].tolist() == [0, 50, 100]  # RGB
    assert face.head_center == pytest.approx(tuple(COLOR.project(HEAD + TRANSLATION)))
    camera = face.intrinsics
    assert camera is not None
    for name in ('width', 'height', 'fx', 'fy', 'cx', 'cy'):
        assert getattr(camera, name) == pytest.approx(getattr(COLOR, name), abs=1e-6)


def test_the_depth_lies_on_the_color_image(tmp_path: Path) -> None:
    write_sequence(tmp_path)
    face = next(open_small(tmp_path).faces())
    assert face.head_center is not None
    x, y = face.head_center
    ys, xs = np.mgrid[:COLOR.height, :COLOR.width] + 0.5
    away = np.hypot((xs - x) / 135.0, (ys - y) / 134.0) * 91.0  # in pixels of the depth image
    assert np.allclose(face.depth[away < 9.0], 0.95)
    assert not (np.nan_to_num(face.depth, nan=9.0) < 1.0)[away > 11.0].any()
    assert np.isnan(face.depth[:6]).all() and np.isfinite(face.depth[9, 40:200]).all()


def test_the_cameras_come_from_the_tracked_joints(tmp_path: Path) -> None:
    records = (record(1), record(2))
    records[0]['jointsRGB'][5] = [float('inf'), float('-inf')]
    records[0]['jointsState'][6], records[0]['joints'][6] = 0, [900.0, 900.0]
    records[1]['jointsState'][3] = 1
    write_sequence(tmp_path, records=records)
    faces = list(open_small(tmp_path).faces())
    assert faces[1].head_center is None and faces[0].head_center is not None
    annotation = read_annotation(tmp_path / '10' / 'base_1_ID' / 'data.json', **SIZES)
    assert annotation.cameras.depth.fx == pytest.approx(DEPTH.fx)
    np.testing.assert_allclose(annotation.cameras.translation, TRANSLATION, atol=1e-9)


def test_the_papers_subsets(tmp_path: Path) -> None:
    assert TEST == ('10', '14', '16', '20')
    records = (record(1, yaw=10.0, pitch=-10.0), record(2, roll=10.1), record(3, pitch=-11.0))
    for subject in ('09', '10'):
        for sequence in ('base_1_ID', 'base_2_ID', 'free_1_ID', 'free_2_ID', 'free_3_ID'):
            write_sequence(tmp_path, subject, sequence, records)
    database = open_small(tmp_path)
    assert len(database.recordings) == len(database.select()) == 30
    chosen = database.select(people=TEST, sequences=COMPLEX, poses=(FRONTAL,))
    assert [r.name for r in chosen] == ['10_S4_000001', '10_S5_000001']
    assert {r.condition for r in chosen} == {'complex'}
    turned = database.select(sequences=CONSTRAINED, poses=(TURNED,))
    assert len(turned) == 12 and {r.session for r in turned} == set(CONSTRAINED)


@pytest.mark.parametrize('angles, subset', [
    ((10, -10, 10), FRONTAL), ((10.01, 0, 0), TURNED), ((0, 0, -10.01), TURNED)])
def test_ten_degrees_are_the_bound(angles: tuple[float, ...], subset: str) -> None:
    assert pose_subset(np.array(angles)) == subset


def test_unknown_subsets_are_an_error(tmp_path: Path) -> None:
    write_sequence(tmp_path)
    database = open_small(tmp_path)
    with pytest.raises(DatasetError, match=r"sequences are \['S6'\], expected some of S1, S2"):
        database.select(sequences=['S6'])
    with pytest.raises(DatasetError, match="poses are 'A1', expected some of A1, A2"):
        database.select(poses=FRONTAL)


def test_frames_without_a_record_are_left_out(tmp_path: Path) -> None:
    write_sequence(tmp_path)
    folder = tmp_path / '10' / 'base_1_ID' / 'DEPTH'
    (folder / '000002_DEPTH.png').rename(folder / '000009_DEPTH.png')
    (folder / 'notes_DEPTH.png').write_bytes(b'')
    (tmp_path / '10' / 'other').mkdir()
    database = open_small(tmp_path)
    assert [r.name for r in database.recordings] == ['10_S1_000001', '10_S1_000009']
    assert [r.name for r in database.select()] == ['10_S1_000001']
    with pytest.raises(DatasetError, match='000009_DEPTH.png is not in data.json; take the fram'):
        database.read(database.recordings[1])


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of Pandora'):
        Pandora(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected files such as 01/base_1_ID'):
        Pandora(tmp_path)
    write_sequence(tmp_path / 'Pandora')
    assert open_small(tmp_path).root == tmp_path / 'Pandora'


def test_the_images_must_have_the_sizes_of_the_annotation(tmp_path: Path) -> None:
    assert (COLOR_SIZE, DEPTH_SIZE) == ((1920, 1080), (512, 424))
    write_sequence(tmp_path)
    with pytest.raises(DatasetError, match='000001_RGB.png is 240 x 135, expected 1920 x 1080'):
        next(Pandora(tmp_path).faces())
    path = tmp_path / '10' / 'base_1_ID' / 'DEPTH' / '000001_DEPTH.png'
    cv2.imwrite(str(path), np.zeros((424, 512), np.uint16))
    with pytest.raises(DatasetError, match='000001_DEPTH.png is 512 x 424, expected 128 x 106'):
        next(open_small(tmp_path).faces())
    cv2.imwrite(str(path), np.zeros((106, 128), np.uint8))
    with pytest.raises(DatasetError, match='is uint8, expected 16 bit millimetres'):
        next(open_small(tmp_path).faces())


@pytest.mark.parametrize('name', ['RGB/000001_RGB.png', 'DEPTH/000001_DEPTH.png', 'data.json'])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_sequence(tmp_path)
    database = open_small(tmp_path)
    (tmp_path / '10' / 'base_1_ID' / name).unlink()
    with pytest.raises(DatasetError, match=f'{name} is missing; is the copy'):
        next(database.faces())


def without(key: str) -> dict[str, Any]:
    """Return a record that lacks something."""
    return {k: v for k, v in record(2).items() if k != key}


@pytest.mark.parametrize('content, reason', [
    ('{', 'is not JSON'),
    ('{}', 'is not a list of frames'),
    ('[]', 'is not a list of frames'),
    ('[3]', 'record 0 is not one of Pandora: TypeError'),
    ([record(1), without('frame_num')], "record 1 is not one of Pandora: KeyError 'frame_num'"),
    ([without('orientation')], "KeyError 'orientation'"),
    ([without('joints3D')], "KeyError 'joints3D'"),
    ([{**record(1), 'joints': [[1, 2]] * 16}], r'joints of shapes \(17, 3\), \(16, 2\)'),
    ([{**record(1), 'jointsState': [2] * 3}], 'joints of shapes'),
    ([record(1, yaw=float('nan'))], r'angles \[nan, 0.0, 0.0\]'),
    ([{**record(1), 'jointsState': [1] * 17}], '0 points do not tell where the camera is'),
    ([{**record(1), 'jointsRGB': np.random.default_rng(0).uniform(0, 1080, (17, 2)).tolist()},
      record(2)], 'the joints miss their place in the colour image by .* pixels, expected 2.4')])
def test_a_wrong_annotation_is_an_error(tmp_path: Path, content: str | list,
                                        reason: str) -> None:
    path = tmp_path / 'data.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DatasetError, match=reason):
        read_annotation(path, **SIZES)
