# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A face box from the centre of the head and the depth around it: what a head measures, seen there.

Source: Pini, Grazioli, Borghi, Vezzani and Cucchiara, "Learning to Generate Facial Depth Maps",
3DV 2018, section 3.2, equation 6: width = fx * R / D and height = fy * R / D with R = 320 mm and
D the mean of the depth "around the head center". How far around is not in the paper: here it is
a square of 60 mm at the median depth of a square of 0.06 focal lengths, which is 60 mm at 1 m.
The 320 mm hold the head and a little background; our own face boxes measure 22 cm at the middle
of the head.
"""

from __future__ import annotations

import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import InvalidDepthError, InvalidFaceBoxError, SettingsError
from face_depth_ros.core.face_box import FaceBox
import numpy as np

HEAD_MM = 320.0
"""The paper's R, across and down."""
WINDOW_M = 0.06
"""Side of the square whose depth is averaged."""


def dynamic_crop_box(head_center: tuple[float, float], depth: np.ndarray,
                     intrinsics: CameraIntrinsics, width_mm: float = HEAD_MM,
                     height_mm: float = HEAD_MM) -> FaceBox:
    """
    Return the upright box around a head; it is square, so the larger side of equation 6 counts.

    :param head_center: pixels, x and y, corner-origin
    :param depth: metres, (H, W) float32, NaN where invalid, on the grid of `intrinsics`
    :param width_mm: what the box measures across at the depth of the surface, > 0
    :param height_mm: and down
    :raises InvalidDepthError: not such depth, or nothing valid around the centre
    :raises InvalidFaceBoxError: the centre is not finite or outside the image
    :raises SettingsError: a size is not more than 0
    """
    distance = head_distance(head_center, depth, intrinsics)
    return FaceBox(*head_center, max(dynamic_crop_size(distance, intrinsics, width_mm,
                                                       height_mm)))


def dynamic_crop_size(distance: float, intrinsics: CameraIntrinsics, width_mm: float = HEAD_MM,
                      height_mm: float = HEAD_MM) -> tuple[float, float]:
    """
    Return width and height of equation 6, pixels.

    :param distance: metres, > 0
    :raises SettingsError: a length is not more than 0
    """
    for name, value in (('distance', distance), ('width_mm', width_mm),
                        ('height_mm', height_mm)):
        if not (math.isfinite(value) and value > 0):
            raise SettingsError(f'{name} of a crop is {value}, expected more than 0')
    return (intrinsics.fx * width_mm / 1000.0 / distance,
            intrinsics.fy * height_mm / 1000.0 / distance)


def head_distance(head_center: tuple[float, float], depth: np.ndarray,
                  intrinsics: CameraIntrinsics) -> float:
    """
    Return the mean of the valid depth around a head's centre, metres.

    :param head_center: see `dynamic_crop_box`, as all here
    :raises InvalidDepthError: not such depth, or nothing valid around the centre
    :raises InvalidFaceBoxError: the centre is not finite or outside the image
    """
    if depth.dtype != np.float32 or depth.shape != (intrinsics.height, intrinsics.width):
        raise InvalidDepthError(
            f'depth is {depth.dtype} {depth.shape}, expected float32 metres on the grid of the '
            f'camera, {(intrinsics.height, intrinsics.width)}; align it to that camera first')
    x, y = head_center
    if not (0 <= x < intrinsics.width and 0 <= y < intrinsics.height):  # False for NaN too
        raise InvalidFaceBoxError(
            f'the head centre ({x}, {y}) lies outside the {intrinsics.width} x '
            f'{intrinsics.height} image', cause='face_box_outside')
    return mean_depth_around(head_center, depth, intrinsics.fx, intrinsics.fy)


def mean_depth_around(center: tuple[float, float], depth: np.ndarray, fx: float,
                      fy: float) -> float:
    """
    Return the mean of the valid depth in the window around a point of the image, metres.

    :param center: pixels, in the image
    :param depth: metres, (H, W) float32, NaN where invalid
    :param fx: focal lengths, pixels
    :raises InvalidDepthError: nothing valid around the point
    """
    near = _valid_around(center, depth, WINDOW_M * fx, WINDOW_M * fy)  # as if at 1 m
    median = float(np.median(near))
    around = _valid_around(center, depth, WINDOW_M * fx / median, WINDOW_M * fy / median)
    return float(np.mean(around, dtype=np.float64))


def _valid_around(center: tuple[float, float], depth: np.ndarray, width: float,
                  height: float) -> np.ndarray:
    """Return the valid depth of a window of these pixels, at least the pixel under its centre."""
    spans = []
    for middle, side, end in zip(center, (width, height), depth.shape[::-1], strict=True):
        first = min(round(middle - side / 2), math.floor(middle))
        last = max(round(middle + side / 2), math.floor(middle) + 1)
        spans.append(slice(max(first, 0), min(last, end)))
    values = depth[spans[1], spans[0]]
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        raise InvalidDepthError(
            f'no valid depth within {width:.0f} x {height:.0f} pixels of the head centre '
            f'({center[0]:.1f}, {center[1]:.1f}); a dynamic crop needs it',
            cause='too_few_valid_pixels')
    return values
