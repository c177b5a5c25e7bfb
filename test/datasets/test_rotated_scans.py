# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Turned scans against spheres and planes, whose turned depth and colour are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_face_folder import RgbdFaceFolder
from face_depth_ros.datasets.rgbd_faces import RgbdFace
from face_depth_ros.datasets.rotated_scans import (
    head_center_of,
    main,
    points_of,
    prepare_rotated_scans,
    Prepared,
    rotate_face,
    rotated_name,
    rotation,
)
import numpy as np
import pytest
from scan_files import write_bosphorus, write_bu_3dfe

RADIUS = 0.08
STEP = 0.001
CAMERA = CameraIntrinsics(160, 120, 200.0, 200.0, 80.0, 60.0)


def color_of(directions: np.ndarray) -> np.ndarray:
    """Colour of a point of the sphere, by its direction from the centre before the turn."""
    return 128 + 100 * directions


def cap(cosine: float = 0.5) -> tuple[RgbdFace, np.ndarray]:
    """Return the front of a sphere seen orthographically, and the sphere's centre."""
    size = 180
    rows, columns = np.mgrid[:size, :size] + 0.5
    x, y = (columns - size / 2) * STEP, (rows - size / 2) * STEP
    z = -np.sqrt(np.maximum(RADIUS ** 2 - x ** 2 - y ** 2, 0))
    on_cap = -z > cosine * RADIUS
    depth = np.where(on_cap, 1 + RADIUS + z, np.nan).astype(np.float32)
    color = np.rint(color_of(np.stack([x, y, z], -1) / RADIUS)).clip(0, 255)
    color = np.where(on_cap[..., None], color, 0).astype(np.uint8)
    center = np.array([size / 2 * STEP, size / 2 * STEP, 1 + RADIUS])
    return RgbdFace('set', 's', '', 'cap', 'neutral', color, depth, metres_per_pixel=STEP,
                    yaw=0.0, pitch=0.0), center


def seen_by_camera(normal: tuple[float, float, float], distance: float = 0.8) -> RgbdFace:
    """Return a plane through (0, 0, distance) before a pinhole camera."""
    rows, columns = np.mgrid[:120, :160] + 0.5
    rays = np.stack([(columns - 80) / 200, (rows - 60) / 200, np.ones_like(rows)], -1)
    depth = (normal[2] * distance) / (rays @ np.array(normal))
    near = (np.hypot(rays[..., 0], rays[..., 1]) < 0.15)
    return RgbdFace('set', 's', '', 'plane', 'neutral', None,
                    np.where(near, depth, np.nan).astype(np.float32), intrinsics=CAMERA, yaw=0.0,
                    pitch=0.0)


@pytest.mark.parametrize('yaw, pitch', [(0, 0), (30, 0), (-45, 0), (0, 25), (20, -20)])
def test_a_turned_sphere_is_a_sphere_with_its_colours_turned(yaw: float, pitch: float) -> None:
    face, center = cap()
    turned = rotate_face(face, yaw, pitch, center=center)
    assert turned.head_center is not None and turned.color is not None
    rows, columns = np.mgrid[:turned.depth.shape[0], :turned.depth.shape[1]] + 0.5
    x = (columns - turned.head_center[0]) * STEP
    y = (rows - turned.head_center[1]) * STEP
    z = -np.sqrt(np.maximum(RADIUS ** 2 - x ** 2 - y ** 2, 0))
    before = np.stack([x, y, z], -1) / RADIUS @ rotation(yaw, pitch)  # the inverse, from the right
    facing = -before[..., 2]
    on_sphere = np.hypot(x, y) < 0.98 * RADIUS
    inner, outer = on_sphere & (facing > 0.54), ~on_sphere | (facing < 0.46)
    assert inner.sum() > 3000
    valid = np.isfinite(turned.depth)
    assert valid[inner].all()
    assert not valid[outer & (np.hypot(x, y) < 0.9 * RADIUS)].any()
    assert np.nanmin(turned.depth) == 1.0
    offset = turned.depth[inner] - z[inner]
    assert np.ptp(offset) < 1e-3  # a plane at an unknown place before it
    difference = turned.color[inner] - color_of(before)[inner]
    assert np.abs(difference).max() < 4


def test_no_turn_changes_nothing() -> None:
    face, center = cap()
    same = rotate_face(face, 0, 0, center=center)
    valid = np.argwhere(np.isfinite(face.depth))
    (top, left), (bottom, right) = valid.min(axis=0), valid.max(axis=0) + 1
    assert same.color is not None and face.color is not None
    inner = np.s_[2:-2, 2:-2]
    shape = same.depth[inner].shape
    assert abs(shape[0] - (bottom - top)) <= 1 and abs(shape[1] - (right - left)) <= 1
    assert abs(np.isfinite(same.depth).sum() - len(valid)) < 0.03 * len(valid)


@pytest.mark.parametrize('yaw, pitch, moved', [
    (20, 0, (1, 0)), (-20, 0, (-1, 0)), (0, 20, (0, -1)), (0, -20, (0, 1))])
def test_the_nose_goes_where_the_subject_looks(yaw: float, pitch: float,
                                               moved: tuple[int, int]) -> None:
    """To its left is right in the image, up is up; the nose is 8 cm before the axis."""
    face, center = cap()
    face = replace(face, landmarks={'nose': np.array([90.0, 90.0]), 'away': np.array([3.0, 3.0])})
    turned = rotate_face(face, yaw, pitch, center=center)
    assert isinstance(turned.landmarks, dict) and turned.head_center is not None
    offset = turned.landmarks['nose'] - np.array(turned.head_center)
    np.testing.assert_allclose(offset, np.array(moved) * np.sin(np.deg2rad(20)) * RADIUS / STEP,
                               atol=0.1)
    assert np.isnan(turned.landmarks['away']).all()
    assert (turned.yaw, turned.pitch) == (yaw, pitch)


def test_a_turned_plane_before_a_camera_is_where_it_must_be() -> None:
    normal, yaw, pitch = (0.2, -0.1, -1.0), 25.0, -15.0
    center = np.array([0.02, 0.01, 0.9])
    turned = rotate_face(seen_by_camera(normal), yaw, pitch, center=center)
    turn = rotation(yaw, pitch)
    point, turned_normal = turn @ (np.array([0, 0, 0.8]) - center) + center, turn @ normal
    rows, columns = np.mgrid[:120, :160] + 0.5
    rays = np.stack([(columns - 80) / 200, (rows - 60) / 200, np.ones_like(rows)], -1)
    expected = (point @ turned_normal) / (rays @ turned_normal)
    valid = np.isfinite(turned.depth)
    assert valid.sum() > 1500 and turned.depth.shape == (120, 160)
    np.testing.assert_allclose(turned.depth[valid], expected[valid], atol=2e-5)
    assert turned.intrinsics == CAMERA and turned.metres_per_pixel is None


def test_what_comes_before_hides_what_lies_behind() -> None:
    depth = np.full((100, 200), np.nan, np.float32)
    depth[:, 20:90] = 1.0
    depth[:, 110:180] = 1.08
    color = np.zeros((100, 200, 3), np.uint8)
    color[:, :100, 0] = color[:, 100:, 1] = 200
    face = RgbdFace('set', 's', '', 'two', 'neutral', color, depth, metres_per_pixel=STEP,
                    yaw=0.0, pitch=0.0)
    turned = rotate_face(face, 40, 0, center=np.array([0.1, 0.05, 1.1]))
    assert turned.color is not None
    red, green = (turned.color[50, :, c] == 200 for c in (0, 1))
    cos = np.cos(np.deg2rad(40))
    assert abs(red.sum() - 70 * cos) <= 2  # the near one is whole
    # The far one begins 20 mm to the right of it and 80 mm behind: hidden by 80 sin - 20 cos.
    hidden = 80 * np.sin(np.deg2rad(40)) - 20 * cos
    assert abs(green.sum() - (70 * cos - hidden)) <= 2
    assert np.isnan(turned.depth[~np.isin(turned.color.max(axis=2), (200,))]).all()


def test_the_back_of_a_scan_is_not_shown() -> None:
    face, center = cap()
    with pytest.raises(DatasetError, match='cap shows nothing at yaw 180 and pitch 0'):
        rotate_face(face, 180, 0, center=center)


def test_far_background_is_left_out() -> None:
    face, center = cap()
    depth = face.depth.copy()
    depth[:10, :10] = 1.5
    both = rotate_face(replace(face, depth=depth), 30, 0, center=center)
    np.testing.assert_array_equal(both.depth, rotate_face(face, 30, 0, center=center).depth)


def test_the_head_turns_about_a_point_behind_its_nearest_one() -> None:
    face, center = cap()
    found = head_center_of(face, points_of(face))
    np.testing.assert_allclose(found, (center[0], center[1], 1.10), atol=1.5e-3)
    marked = replace(face, head_center=(100.0, 80.0))
    np.testing.assert_allclose(head_center_of(marked, points_of(marked)), (0.1, 0.08, 1.10),
                               atol=1.5e-3)
    plane = seen_by_camera((0, 0, -1))
    np.testing.assert_allclose(head_center_of(plane, points_of(plane)), (0, 0, 0.9), atol=3e-3)
    plane = replace(plane, head_center=(90.0, 60.0))
    np.testing.assert_allclose(head_center_of(plane, points_of(plane)), (0.045, 0, 0.9), atol=1e-3)


@pytest.mark.parametrize('changes, reason', [
    ({'yaw': 20.0}, 'cap has yaw 20.0 and pitch 0.0, expected a frontal face, within 10 degrees'),
    ({'pitch': None}, 'cap has yaw 0.0 and pitch None, expected a frontal face'),
    ({'metres_per_pixel': None}, 'cap has neither intrinsics nor metres_per_pixel'),
    ({'depth': np.full((180, 180), np.nan, np.float32)}, 'cap has no valid depth$'),
    ({'head_center': (2.0, 2.0)}, 'cap has no valid depth around its head centre')])
def test_what_cannot_be_turned_is_an_error(changes: dict[str, Any], reason: str) -> None:
    face, _ = cap(0.9)
    with pytest.raises(DatasetError, match=reason):
        rotate_face(replace(face, **changes), 10, 0)


def test_a_preparation_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    face, _ = cap()
    faces = [face, replace(face, name='turned', yaw=45.0), replace(face, name='second')]
    assert prepare_rotated_scans(faces[:2], tmp_path, [0, 30], [0]) == Prepared(2, 0, 1)
    assert prepare_rotated_scans(faces, tmp_path, [0, 30], [0, -10]) == Prepared(6, 2, 1)
    folder = RgbdFaceFolder(tmp_path)
    assert set(folder.names) == {rotated_name(name, yaw, pitch) for name in ('cap', 'second')
                                 for yaw in (0, 30) for pitch in (0, -10)}
    prepared = folder.read('cap_y+30_p-10')
    assert (prepared.yaw, prepared.pitch, prepared.subject) == (30, -10, 's')
    turned = rotate_face(face, 30, -10)
    np.testing.assert_allclose(prepared.depth, turned.depth, atol=5.1e-5)
    np.testing.assert_array_equal(prepared.color, turned.color)


def test_a_preparation_needs_angles(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='0 yaws and 1 pitches, expected some of each'):
        prepare_rotated_scans([], tmp_path, [], [0])


def test_the_command_prepares_a_dataset(tmp_path: Path,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(1, 11):
        name = f'F{i:04d}_NE00WH'
        if i in (1, 2, 10):
            write_bu_3dfe(tmp_path / 'bu', name)
        else:  # not to be read
            (tmp_path / 'bu' / name[:5]).mkdir()
            (tmp_path / 'bu' / name[:5] / f'{name}_F3D.wrl').touch()
    arguments = ['bu_3dfe', str(tmp_path / 'bu'), str(tmp_path / 'out'), '--yaws', '-30', '0']
    main([*arguments, '--subjects', 'F0001', 'F0010'])
    assert capsys.readouterr().out == (
        '2 scans, 0 of them whole before, 0 not frontal: 4 images written, 0 kept\n')
    main([*arguments, '--subjects', 'F0001', 'F0002', '--depthnet-training'])
    assert capsys.readouterr().out == (
        '2 scans, 1 of them whole before, 0 not frontal: 2 images written, 0 kept\n')
    face = RgbdFaceFolder(tmp_path / 'out').read('F0002_NE00WH_y-30_p+0')
    assert isinstance(face.landmarks, np.ndarray) and face.landmarks.shape == (83, 2)
    for wrong, status in ((['--subjects', 'F0010', '--depthnet-training'], 1),
                          (['--subjects', 'F0099'], 1)):
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, *wrong])
        assert stopped.value.code == status
    assert 'no scans for this of the subjects F0099' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['texas_3dfrd', *arguments[1:], '--depthnet-training'])
    assert '--depthnet-training is of bu_3dfe alone' in capsys.readouterr().err


def test_the_command_leaves_turned_scans_out(tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    for name in ('bs000_N_N_0', 'bs000_YR_R30_0', 'bs000_PR_U_0'):
        write_bosphorus(tmp_path / 'set', name)
    main(['bosphorus', str(tmp_path / 'set'), str(tmp_path / 'out'), '--yaws', '15'])
    assert capsys.readouterr().out == (
        '3 scans, 0 of them whole before, 2 not frontal: 1 images written, 0 kept\n')
