# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Biwi's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path
import struct

from biwi_files import (
    calibration_text,
    CENTER_MM,
    COLOR_K,
    depth_bytes,
    DEPTH_K,
    head_mm,
    SIZE,
    TRANSLATION_MM,
    write_frame,
)
import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.biwi import (
    Biwi,
    head_angles,
    read_calibration,
    read_depth,
    read_pose,
    split,
    SUBJECTS,
    TEST,
)
import numpy as np
import pytest


def turn(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """Rotation about one axis of the optical frame, degrees."""
    return cv2.Rodrigues(np.deg2rad([x, y, z]))[0]


def test_a_frame_is_read_as_written(tmp_path: Path) -> None:
    depth_mm = write_frame(tmp_path, '15', 412)
    database = Biwi(tmp_path)
    [recording] = database.recordings
    assert (recording.subject, recording.session, recording.name) == ('F03', '15', '15_00412')
    [face] = database.faces()
    assert face.color is not None and face.intrinsics is not None
    assert face.color[50, 90].tolist() == [90, 50, 0]  # RGB
    assert (face.intrinsics.fx, face.intrinsics.cy) == (129.5, 61.0)
    assert face.head_center is not None
    x, y, z = np.array(CENTER_MM) + TRANSLATION_MM
    np.testing.assert_allclose(face.head_center, (129.5 * x / z + 80.5, 129.5 * y / z + 61.0))
    # Each valid pixel of the colour grid is a point of the written surface.
    rows, columns = np.nonzero(np.isfinite(face.depth))
    assert len(rows) > 0.6 * (depth_mm > 0).sum()
    pixels = np.stack([columns, rows], axis=1) + 0.5
    points = face.intrinsics.unproject(pixels, face.depth[rows, columns])
    points -= np.array(TRANSLATION_MM) / 1000
    seen = points[:, :2] / points[:, 2:] * 144.0 + (80.0, 60.0)  # pixel-centre origin
    away = ((seen[:, 0] - 83.2) / 18) ** 2 + ((seen[:, 1] - 55.2) / 24) ** 2
    error = points[:, 2] - (0.850 + 0.060 * away)
    assert np.abs(error).max() < 0.008 and abs(error.mean()) < 0.001


def test_the_pose_is_that_of_the_color_camera(tmp_path: Path) -> None:
    write_frame(tmp_path, rotation=turn(z=20.0))
    tilted = calibration_text(COLOR_K, turn(z=5.0), TRANSLATION_MM)
    (tmp_path / '01' / 'rgb.cal').write_text(tilted)
    [face] = Biwi(tmp_path).faces()
    assert (face.yaw, face.pitch) == pytest.approx((0.0, 0.0), abs=0.01)
    assert face.roll == pytest.approx(25.0, abs=0.01)


@pytest.mark.parametrize('rotation, expected', [
    (turn(), (0.0, 0.0, 0.0)),
    (turn(y=-30.0), (30.0, 0.0, 0.0)),  # nose to the right of the image: the subject's left
    (turn(x=-25.0), (0.0, 25.0, 0.0)),  # nose up
    (turn(z=40.0), (0.0, 0.0, 40.0)),  # clockwise
    (turn(z=-170.0) @ turn(y=-20.0), (20.0, 0.0, -170.0))])
def test_angles_have_the_signs_of_ours(rotation: np.ndarray,
                                       expected: tuple[float, float, float]) -> None:
    ahead = rotation @ (0.0, 0.0, -1.0)
    if expected[0] == 30.0:
        assert ahead[0] > 0
    if expected[1] == 25.0:
        assert ahead[1] < 0
    assert head_angles(rotation) == pytest.approx(expected, abs=1e-6)


def test_twenty_people_are_in_twenty_four_sequences(tmp_path: Path) -> None:
    assert len(SUBJECTS) == 24 and len(set(SUBJECTS.values())) == 20
    assert sum(list(SUBJECTS.values()).count(s) == 2 for s in set(SUBJECTS.values())) == 4
    others = {SUBJECTS[s] for s in SUBJECTS if s not in TEST}
    assert not others & {SUBJECTS[s] for s in TEST}
    for sequence in ('10', '11', '12', '13'):
        write_frame(tmp_path, sequence)
    train, test = split(Biwi(tmp_path).recordings)
    assert [r.session for r in train] == ['10', '13'] and [r.session for r in test] == ['11', '12']


def test_the_folder_around_the_dataset_will_do_and_strangers_are_left(tmp_path: Path) -> None:
    write_frame(tmp_path / 'hpdb', '02')
    write_frame(tmp_path / 'hpdb', '25')  # no sequence of the dataset
    (tmp_path / 'hpdb' / '02' / 'frame_x_depth.bin').write_bytes(b'')
    database = Biwi(tmp_path)
    assert database.root == tmp_path / 'hpdb'
    assert [r.name for r in database.recordings] == ['02_00003']


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of the Biwi Kinect'):
        Biwi(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected files such as 01/frame_00003'):
        Biwi(tmp_path)


@pytest.mark.parametrize('name', ['frame_00003_rgb.png', 'frame_00003_pose.txt', 'rgb.cal',
                                  'depth.cal', 'frame_00003_depth.bin'])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_frame(tmp_path)
    database = Biwi(tmp_path)
    (tmp_path / '01' / name).unlink()
    with pytest.raises(DatasetError, match=f'{name} is missing; is the copy'):
        list(database.faces())


@pytest.mark.parametrize('first, last', [(0, 0), (5, 160 * 120), (1, 160 * 120 - 1)])
def test_runs_may_begin_and_end_anywhere(tmp_path: Path, first: int, last: int) -> None:
    depth_mm = np.zeros(160 * 120, int)
    depth_mm[first:last] = 700
    path = tmp_path / 'depth.bin'
    path.write_bytes(depth_bytes(depth_mm.reshape(120, 160)))
    depth = read_depth(path)
    assert depth.shape == (120, 160) and depth.dtype == np.float32
    np.testing.assert_allclose(np.nan_to_num(depth).ravel(), depth_mm / 1000, atol=1e-6)


def test_depth_below_zero_is_none(tmp_path: Path) -> None:
    path = tmp_path / 'depth.bin'
    path.write_bytes(struct.pack('<4i3h', 3, 1, 0, 3, -5, 0, 9))
    depth = read_depth(path)
    assert np.isnan(depth[0, :2]).all() and depth[0, 2] == pytest.approx(0.009)


@pytest.mark.parametrize('content, reason', [
    (b'', 'ends within its numbers of pixels; is it whole'),
    (struct.pack('<2i', 0, 480), 'tells a size of 0 x 480, expected a Biwi depth file'),
    (struct.pack('<2i', 60000, 60000), 'tells a size of 60000 x 60000'),
    (struct.pack('<4i', 4, 1, 3, 2), 'a run of 3 empty and 2 full pixels after 0 of 4'),
    (struct.pack('<4i', 4, 1, -1, 5), 'a run of -1 empty and 5 full'),
    (struct.pack('<4i', 4, 1, 0, 0), 'a run of 0 empty and 0 full'),
    (struct.pack('<4i2h', 4, 1, 1, 3, 7, 7), 'ends within its pixels; is it whole'),
    (struct.pack('<4i3hi', 4, 1, 1, 3, 7, 7, 7, 0), 'has 4 bytes after its last pixel')])
def test_a_wrong_depth_file_is_an_error(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / 'depth.bin'
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=reason):
        read_depth(path)


def test_a_depth_file_of_another_size_is_an_error(tmp_path: Path) -> None:
    write_frame(tmp_path)
    (tmp_path / '01' / 'frame_00003_depth.bin').write_bytes(depth_bytes(head_mm()[:100]))
    with pytest.raises(DatasetError, match='depth is 160 x 100, expected 160 x 120'):
        list(Biwi(tmp_path).faces())


def test_a_color_image_of_another_size_is_an_error(tmp_path: Path) -> None:
    write_frame(tmp_path)
    cv2.imwrite(str(tmp_path / '01' / 'frame_00003_rgb.png'), np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(DatasetError, match='is 640 x 480, expected 160 x 120'):
        list(Biwi(tmp_path).faces())


@pytest.mark.parametrize('text, reason', [
    ('1 0 0\n0 1 0\n0 0 1\n', 'has 3 lines, expected those of a rotation and the centre'),
    ('1 0 0\n0 1 0\n0 0 3\n1 2 900\n', 'has 4 lines, expected those of a rotation'),
    ('1 0\n', 'has 2 numbers, expected lines of three numbers'),
    ('one', 'is not a file of numbers')])
def test_a_wrong_pose_file_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'pose.txt'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_pose(path)


def test_a_head_behind_the_camera_is_an_error(tmp_path: Path) -> None:
    write_frame(tmp_path)
    (tmp_path / '01' / 'frame_00003_pose.txt').write_text('1 0 0\n0 1 0\n0 0 1\n\n0 0 -900\n')
    with pytest.raises(DatasetError, match='the head centre lies behind the camera'):
        list(Biwi(tmp_path).faces())


def test_a_calibration_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / 'rgb.cal'
    path.write_text(calibration_text(COLOR_K, turn(y=3.0), (1, 2, 3), (0.1, -0.2, 0, 0, 0.3)))
    camera, distortion, rotation, translation = read_calibration(path)
    assert (camera.width, camera.height) == SIZE and camera.cx == 80.5
    assert distortion.tolist() == [0.1, -0.2, 0, 0, 0.3]
    np.testing.assert_allclose(rotation, turn(y=3.0), atol=1e-5)
    np.testing.assert_allclose(translation, [0.001, 0.002, 0.003])


def test_a_distorted_color_image_is_made_straight(tmp_path: Path) -> None:
    write_frame(tmp_path)
    (tmp_path / '01' / 'rgb.cal').write_text(calibration_text(COLOR_K, distortion=(0.2, 0, 0, 0)))
    [face] = Biwi(tmp_path).faces()
    assert face.color is not None
    assert face.color[60, 80].tolist() == [80, 60, 0]  # the centre stays
    x = (120 - 80) / 129.5
    assert face.color[60, 120, 0] == pytest.approx(80 + 129.5 * x * (1 + 0.2 * x * x), abs=1.0)


@pytest.mark.parametrize('text, reason', [
    (calibration_text(COLOR_K).replace('160 120', '160'), 'has lines of .* numbers, expected a'),
    ('1 2 3\n', r'has lines of \[3\] numbers, expected a camera matrix'),
    (calibration_text(COLOR_K).replace('129.5', 'much', 1), 'is not a file of numbers')])
def test_a_wrong_calibration_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'rgb.cal'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_calibration(path)


def test_a_distortion_of_the_depth_camera_is_refused(tmp_path: Path) -> None:
    write_frame(tmp_path)
    text = calibration_text(DEPTH_K, distortion=(0.1, 0, 0, 0))
    (tmp_path / '01' / 'depth.cal').write_text(text)
    with pytest.raises(DatasetError, match='depth.cal tells a distortion'):
        list(Biwi(tmp_path).faces())
