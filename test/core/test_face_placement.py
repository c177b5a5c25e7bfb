# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Placement of relief: the true distance comes back, and doubt is said."""

from __future__ import annotations

import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.face_placement import (
    along_ray,
    CONTRADICTION,
    MIN_SENSOR_PIXELS,
    place_by_box,
    place_by_landmarks,
    place_by_sensor,
    UNPLACED,
)
from face_depth_ros.core.frames import Placement
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M, RIGID_LANDMARKS
import numpy as np
import pytest

CAMERA = CameraIntrinsics(640, 480, 600.0, 600.0, 320.0, 240.0)
DISTANCE = 0.8
BOX = FaceBox(320.0, 240.0, 600.0 * BOX_SIDE_M / DISTANCE)


def turned(yaw_deg: float) -> np.ndarray:
    """Return the mean head's landmarks at the distance, turned about the vertical, (68, 3)."""
    c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    return MEAN_LANDMARKS_M @ turn.T + (0.0, 0.0, DISTANCE)


def relief_of(points: np.ndarray) -> np.ndarray:
    """Relief in sides of the box, from z = Z (1 + r s / f)."""
    return (points[:, 2] / DISTANCE - 1.0) * 600.0 / BOX.side


def some_relief(count: int = 2000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.35, 0.1, count)


def test_landmarks_of_the_mean_head_are_symmetric_and_in_order():
    mirrored = MEAN_LANDMARKS_M[:17][::-1] * (-1.0, 1.0, 1.0)
    np.testing.assert_allclose(MEAN_LANDMARKS_M[:17], mirrored, atol=1e-6)
    assert MEAN_LANDMARKS_M[36, 0] < 0 < MEAN_LANDMARKS_M[45, 0]  # subject's right is at the left
    assert MEAN_LANDMARKS_M[30, 2] == MEAN_LANDMARKS_M[:, 2].min()  # the nose is nearest


@pytest.mark.parametrize('place', [(0.3, -0.2, 0.9), (-0.35, 0.1, 0.7)])
def test_a_face_beside_the_middle_comes_back_where_it_is(place):
    """A head that looks at the camera from the side: its relief is that of one in the middle."""
    place = np.array(place)
    ray = place / np.linalg.norm(place)
    right = np.cross((0.0, 1.0, 0.0), ray)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(ray, right), ray])  # rows
    points = MEAN_LANDMARKS_M @ axes + place
    centre = CAMERA.project(place)
    box = FaceBox(*centre, 600.0 * BOX_SIDE_M / place[2])
    relief = MEAN_LANDMARKS_M[:, 2] / BOX_SIDE_M
    pixels = CAMERA.project(points)
    along = along_ray(box, CAMERA, pixels)
    for placed in (place_by_landmarks(box, CAMERA, pixels, relief),
                   place_by_sensor(np.tile(relief, 3), np.tile(points[:, 2] * along, 3), box,
                                   CAMERA)):
        assert placed.distance_m == pytest.approx(float(np.linalg.norm(place)), rel=5e-3)
        depth = (placed.distance_m + placed.scale_m * relief) / along
        np.testing.assert_allclose(depth, points[:, 2], atol=4e-3)


@pytest.mark.parametrize('yaw', [0.0, 35.0, -50.0])
def test_size_of_the_mean_head_gives_its_distance(yaw):
    points = turned(yaw)
    # The box is 15 % too large: the landmarks know better.
    box = FaceBox(BOX.center_x, BOX.center_y, BOX.side * 1.15)
    relief = (points[:, 2] / DISTANCE - 1.0) * 600.0 / box.side
    placed = place_by_landmarks(box, CAMERA, CAMERA.project(points), relief)
    assert placed.kind == Placement.HEAD_SIZE
    assert placed.distance_m == pytest.approx(DISTANCE, rel=1e-3)
    np.testing.assert_allclose(placed.distance_m + placed.scale_m * relief, points[:, 2],
                               rtol=1e-3)
    assert 0.02 * DISTANCE < placed.sigma_m < 0.1 * DISTANCE


def test_a_larger_head_looks_nearer_by_its_size():
    points = (turned(0.0) - (0, 0, DISTANCE)) * 1.08 + (0, 0, DISTANCE)
    placed = place_by_landmarks(BOX, CAMERA, CAMERA.project(points), relief_of(points))
    assert placed.distance_m == pytest.approx(DISTANCE / 1.08, rel=2e-2)


def test_few_landmarks_leave_it_to_the_box():
    points = turned(0.0)
    relief = relief_of(points)
    relief[list(RIGID_LANDMARKS)[5:]] = np.nan
    placed = place_by_landmarks(BOX, CAMERA, CAMERA.project(points), relief)
    assert placed == place_by_box(BOX, CAMERA)
    assert placed.distance_m == pytest.approx(DISTANCE)


def test_landmarks_that_make_no_head_leave_it_to_the_box():
    chance = np.random.default_rng(1)
    placed = place_by_landmarks(BOX, CAMERA, chance.uniform(300, 310, (68, 2)), np.zeros(68))
    assert placed == place_by_box(BOX, CAMERA)


@pytest.mark.parametrize('camera', [CAMERA, None])
def test_sensor_depth_gives_distance_and_scale(camera):
    relief = some_relief()
    depth = DISTANCE * (1.0 + relief * BOX.side / 600.0)
    placed = place_by_sensor(relief, depth, BOX, camera)
    assert (placed.kind, placed.note) == (Placement.SENSOR, '')
    assert placed.distance_m == pytest.approx(DISTANCE, abs=1e-3)
    assert placed.scale_m == pytest.approx(BOX_SIDE_M, rel=0.02)
    assert placed.sigma_m < 0.002


def test_noise_holes_and_a_hand_before_the_face_do_not_move_it():
    chance = np.random.default_rng(2)
    relief = some_relief()
    depth = DISTANCE * (1.0 + relief * BOX.side / 600.0) + chance.normal(0.0, 0.005, 2000)
    depth[:500] = np.nan
    depth[500:900] -= 0.2
    placed = place_by_sensor(relief, depth, BOX, CAMERA)
    assert placed.distance_m == pytest.approx(DISTANCE, abs=3e-3)
    assert placed.note == ''


def test_a_print_contradicts_the_relief_and_the_doubt_is_in_its_sigma():
    relief = some_relief()
    placed = place_by_sensor(relief, np.full(2000, DISTANCE), BOX, CAMERA)
    assert placed.note == CONTRADICTION
    assert placed.distance_m == pytest.approx(DISTANCE, abs=0.06)
    assert placed.sigma_m > 0.01


@pytest.mark.parametrize('depth', [np.nan, 0.0, 700.0])
def test_depth_that_cannot_be_leaves_the_face_unplaced(depth):
    assert place_by_sensor(some_relief(), np.full(2000, depth), BOX, CAMERA) is UNPLACED


def test_too_little_depth_leaves_the_face_unplaced():
    count = MIN_SENSOR_PIXELS - 1
    assert place_by_sensor(some_relief(count), np.full(count, 0.8), BOX, CAMERA) is UNPLACED
