# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Pinhole camera intrinsics in this package's pixel convention.

(0, 0) is the corner of the image and the first pixel's centre is (0.5, 0.5). ROS and OpenCV count
from pixel centres, so their principal point is half a pixel smaller; `from_k` and `to_k` are the
only places that know of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.core.errors import InvalidCameraInfoError
import numpy as np


@dataclass(frozen=True)
class CameraIntrinsics:
    """
    Focal lengths and principal point of an undistorted pinhole camera.

    :param width: pixels
    :param height: pixels
    :param fx: pixels, > 0
    :param fy: pixels, > 0
    :param cx: pixels from the left corner of the image
    :param cy: pixels from the top corner of the image
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(np.isfinite(v) for v in values) or self.fx <= 0 or self.fy <= 0:
            raise InvalidCameraInfoError(
                f'camera intrinsics are not usable: got fx, fy, cx, cy = {values}, expected '
                'finite numbers with fx and fy > 0; check that the camera driver publishes a '
                'calibrated camera_info')
        if self.width <= 0 or self.height <= 0:
            raise InvalidCameraInfoError(
                f'camera_info has no image size: got {self.width} x {self.height}, expected '
                'both > 0; check the camera driver')

    @staticmethod
    def from_k(k: Sequence[float], width: int, height: int) -> CameraIntrinsics:
        """
        Intrinsics from a ROS or OpenCV camera matrix.

        :param k: 9 numbers, row-major 3 x 3 (sensor_msgs/CameraInfo.k)
        :raises InvalidCameraInfoError: a wrong count, zero focal lengths, or no image size
        """
        matrix = np.asarray(k, np.float64).reshape(-1)
        if matrix.size != 9:
            raise InvalidCameraInfoError(
                f'the camera matrix has {matrix.size} numbers, expected 9 (row-major 3 x 3)')
        return CameraIntrinsics(int(width), int(height), float(matrix[0]), float(matrix[4]),
                                float(matrix[2]) + 0.5, float(matrix[5]) + 0.5)

    def to_k(self) -> np.ndarray:
        """Return the ROS and OpenCV camera matrix, (3, 3) float64."""
        return np.array([[self.fx, 0.0, self.cx - 0.5],
                         [0.0, self.fy, self.cy - 0.5],
                         [0.0, 0.0, 1.0]])

    def project(self, points: np.ndarray) -> np.ndarray:
        """
        Project points of the optical frame.

        :param points: metres, (..., 3), z > 0
        :returns: pixels, (..., 2)
        """
        points = np.asarray(points, np.float64)
        z = points[..., 2]
        return np.stack([self.cx + self.fx * points[..., 0] / z,
                         self.cy + self.fy * points[..., 1] / z], axis=-1)

    def unproject(self, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """
        Points of the optical frame under pixels.

        :param pixels: (..., 2)
        :param depth: metres along z, (...), NaN where invalid
        :returns: metres, (..., 3), NaN where the depth is
        """
        pixels, depth = np.asarray(pixels, np.float64), np.asarray(depth, np.float64)
        return np.stack([(pixels[..., 0] - self.cx) / self.fx * depth,
                         (pixels[..., 1] - self.cy) / self.fy * depth, depth], axis=-1)

    def scaled(self, width: int, height: int) -> CameraIntrinsics:
        """Return the intrinsics of the same view at another image size."""
        sx, sy = width / self.width, height / self.height
        return CameraIntrinsics(width, height, self.fx * sx, self.fy * sy,
                                self.cx * sx, self.cy * sy)
