# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Intrinsics: the half pixel against OpenCV's projection, round trips, errors."""

from __future__ import annotations

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import InvalidCameraInfoError
import numpy as np
import pytest

CAMERA = CameraIntrinsics(640, 480, 610.0, 605.0, 322.5, 241.0)
K = [610.0, 0.0, 322.0, 0.0, 605.0, 240.5, 0.0, 0.0, 1.0]


def test_ros_principal_point_is_half_a_pixel_smaller() -> None:
    camera = CameraIntrinsics.from_k(K, 640, 480)
    assert camera == CAMERA
    np.testing.assert_array_equal(camera.to_k().reshape(-1), K)
    assert CameraIntrinsics.from_k(np.reshape(K, (3, 3)), 640, 480) == CAMERA


def test_projects_as_opencv_does_half_a_pixel_further() -> None:
    points = np.random.default_rng(0).uniform([-0.4, -0.3, 0.5], [0.4, 0.3, 2.0], (50, 3))
    oracle, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), CAMERA.to_k(), None)
    np.testing.assert_allclose(CAMERA.project(points), oracle[:, 0] + 0.5, atol=1e-9)


def test_middle_of_a_symmetric_image_is_on_the_axis() -> None:
    """The image of ROS's centre convention: cx = (width - 1) / 2."""
    camera = CameraIntrinsics.from_k([500, 0, 319.5, 0, 500, 239.5, 0, 0, 1], 640, 480)
    np.testing.assert_allclose(camera.project([0.0, 0.0, 1.0]), [320.0, 240.0])


def test_unprojecting_returns_the_points() -> None:
    points = np.random.default_rng(1).uniform([-0.4, -0.3, 0.5], [0.4, 0.3, 2.0], (7, 5, 3))
    pixels = CAMERA.project(points)
    assert pixels.shape == (7, 5, 2)
    np.testing.assert_allclose(CAMERA.unproject(pixels, points[..., 2]), points, atol=1e-12)


def test_invalid_depth_gives_invalid_points() -> None:
    points = CAMERA.unproject([[10.0, 20.0], [30.0, 40.0]], [np.nan, 1.0])
    assert np.isnan(points[0]).all() and np.isfinite(points[1]).all()


def test_scaled_view_sees_the_same_directions() -> None:
    small = CAMERA.scaled(160, 240)
    assert (small.width, small.height) == (160, 240)
    points = np.random.default_rng(2).uniform([-0.4, -0.3, 0.5], [0.4, 0.3, 2.0], (50, 3))
    np.testing.assert_allclose(small.project(points), CAMERA.project(points) * [0.25, 0.5])
    # An image's last corner stays its last corner.
    corner = CAMERA.unproject([640.0, 480.0], 1.0)
    np.testing.assert_allclose(small.project(corner), [160.0, 240.0])


@pytest.mark.parametrize('k, width, height, message', [
    ([0.0] * 9, 640, 480, r'fx, fy, cx, cy = \(0.0, 0.0, 0.5, 0.5\).*calibrated camera_info'),
    ([-5.0, *K[1:]], 640, 480, 'fx and fy > 0'),
    ([float('nan'), *K[1:]], 640, 480, 'finite numbers'),
    ([*K[:2], float('inf'), *K[3:]], 640, 480, 'finite numbers'),
    (K[:8], 640, 480, 'has 8 numbers, expected 9'),
    ([], 640, 480, 'has 0 numbers, expected 9'),
    (K, 0, 480, 'no image size: got 0 x 480'), (K, 640, -1, 'no image size: got 640 x -1')])
def test_unusable_camera_info(k: list[float], width: int, height: int, message: str) -> None:
    with pytest.raises(InvalidCameraInfoError, match=message) as caught:
        CameraIntrinsics.from_k(k, width, height)
    assert caught.value.cause == 'invalid_camera_info'
