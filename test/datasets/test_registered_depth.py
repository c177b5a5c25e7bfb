# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Depth on another camera's pixels, against planes cut by that camera's own lines of sight."""

from __future__ import annotations

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.registered_depth import (
    camera_from_points,
    CameraPair,
    depth_on_color_grid,
)
import numpy as np
import pytest

DEPTH = CameraIntrinsics(128, 106, 91.0, 91.0, 65.0, 52.0)
COLOR = CameraIntrinsics(480, 270, 270.0, 269.0, 240.0, 130.0)
ROTATION = cv2.Rodrigues(np.deg2rad([1.0, -2.0, 1.5]))[0]
PAIR = CameraPair(DEPTH, COLOR, ROTATION, np.array([0.052, -0.004, 0.01]))


def plane_depth(camera: CameraIntrinsics, normal: np.ndarray, offset: float) -> np.ndarray:
    """Depth along z of the plane normal . x = offset."""
    ys, xs = np.mgrid[:camera.height, :camera.width] + 0.5
    rays = camera.unproject(np.stack([xs, ys], axis=-1), np.ones(xs.shape))
    return (offset / (rays @ normal)).astype(np.float32)


def test_the_same_camera_gives_the_same_depth() -> None:
    depth = plane_depth(DEPTH, np.array([0.2, -0.1, 1.0]), 1.2)
    depth[30:40, 50:60] = np.nan
    pair = CameraPair(DEPTH, DEPTH, np.eye(3), np.zeros(3))
    result = depth_on_color_grid(depth, pair)
    assert (np.isnan(result) <= np.isnan(depth)).all()
    assert np.isnan(result[32:38, 52:58]).all()
    np.testing.assert_allclose(result[41:100, 61:120], depth[41:100, 61:120], atol=0.004)


@pytest.mark.parametrize('normal', [(0.0, 0.0, 1.0), (0.5, 0.0, 1.0), (-0.3, 0.3, 1.0)])
def test_a_plane_lies_where_the_color_camera_sees_it(normal: tuple[float, ...]) -> None:
    n = np.array(normal)
    depth = plane_depth(DEPTH, n, 0.9)
    there = ROTATION @ n  # the plane in the colour camera's frame
    expected = plane_depth(COLOR, there, 0.9 + there @ PAIR.translation)
    result = depth_on_color_grid(depth, PAIR)
    assert result.shape == (270, 480) and result.dtype == np.float32
    inside = result[60:220, 160:340]
    assert np.isfinite(inside).all()  # no pinholes
    np.testing.assert_allclose(inside, expected[60:220, 160:340], atol=0.002)
    assert abs(float(np.mean(inside - expected[60:220, 160:340]))) < 0.0002


def test_the_nearer_surface_hides_the_other_and_its_shadow_is_empty() -> None:
    depth = np.full((106, 128), 2.0, np.float32)
    depth[33:73, 44:84] = 0.6
    pair = CameraPair(DEPTH, COLOR, np.eye(3), np.array([0.05, 0.0, 0.0]))
    result = depth_on_color_grid(depth, pair)
    left, right = (240 + 270 * ((x - 65) / 91 + 0.05 / 0.6) for x in (44, 84))
    row = result[130]
    assert np.allclose(row[int(left) + 2:int(right) - 2], 0.6)
    # The wall behind is seen by the depth camera up to where the square hides it from there.
    wall_ends = 240 + 270 * ((44 - 65) / 91 + 0.05 / 2.0)
    assert np.isnan(row[int(wall_ends) + 2:int(left) - 2]).all()
    assert int(left) - int(wall_ends) > 12
    assert np.allclose(row[int(wall_ends) - 40:int(wall_ends) - 1], 2.0)


def test_empty_depth_stays_empty() -> None:
    result = depth_on_color_grid(np.full((106, 128), np.nan, np.float32), PAIR)
    assert result.shape == (270, 480) and np.isnan(result).all()


def test_points_tell_the_camera() -> None:
    generator = np.random.default_rng(0)
    points = generator.uniform([-0.5, -0.4, 0.8], [0.5, 0.4, 2.0], (400, 3))
    moved = points + np.array([0.052, -0.003, 0.0])
    pixels = COLOR.project(moved)
    camera, translation, rms = camera_from_points(points, pixels, 480, 270)
    assert rms < 1e-6
    for name in ('fx', 'fy', 'cx', 'cy'):
        assert getattr(camera, name) == pytest.approx(getattr(COLOR, name), abs=1e-6)
    np.testing.assert_allclose(translation, [0.052, -0.003, 0.0], atol=1e-9)
    noisy = pixels + generator.normal(0.0, 1.0, pixels.shape)
    assert camera_from_points(points, noisy, 480, 270)[2] == pytest.approx(2 ** 0.5, rel=0.1)


def test_a_small_turn_becomes_a_shift_of_the_principal_point() -> None:
    points = np.random.default_rng(1).uniform([-0.3, -0.3, 0.8], [0.3, 0.3, 2.0], (400, 3))
    turn = cv2.Rodrigues(np.deg2rad([1.5, 0.0, 0.0]))[0]
    pixels = COLOR.project(points @ turn.T + (0.052, 0.0, 0.0))
    camera, _, rms = camera_from_points(points, pixels, 480, 270)
    assert camera.cy == pytest.approx(COLOR.cy - 269 * np.tan(np.deg2rad(1.5)), abs=1.0)
    assert rms < 0.6


def test_points_that_do_not_tell_the_camera_are_an_error() -> None:
    points = np.random.default_rng(2).uniform([-0.3, -0.3, 0.8], [0.3, 0.3, 2.0], (50, 3))
    with pytest.raises(DatasetError, match='11 points do not tell where the camera is'):
        camera_from_points(points[:11], COLOR.project(points[:11]), 480, 270)
    flat = points * (1.0, 1.0, 0.0) + (0.0, 0.0, 1.0)  # all at one depth
    with pytest.raises(DatasetError, match='50 points do not tell where the camera is, expected'):
        camera_from_points(flat, COLOR.project(flat), 480, 270)
    with pytest.raises(DatasetError, match='give focal lengths of -270.0 and 269.0'):
        camera_from_points(points, COLOR.project(points * (-1, 1, 1)), 480, 270)


def test_depth_of_another_size_is_an_error() -> None:
    with pytest.raises(DatasetError, match='depth is 64 x 48, expected 128 x 106, the size of'):
        depth_on_color_grid(np.ones((48, 64), np.float32), PAIR)


@pytest.mark.parametrize('rotation, translation', [
    (np.eye(3) * 2, np.zeros(3)), (np.diag([1.0, 1.0, -1.0]), np.zeros(3)),
    (np.eye(2), np.zeros(3)), (np.eye(3), np.zeros(2)), (np.eye(3), np.full(3, np.nan))])
def test_a_pose_that_is_none_is_an_error(rotation: np.ndarray, translation: np.ndarray) -> None:
    with pytest.raises(DatasetError, match='the pose of the colour camera is not one'):
        CameraPair(DEPTH, COLOR, rotation, translation)
