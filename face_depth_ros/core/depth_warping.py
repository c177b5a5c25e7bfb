# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth resampled by an affine map, hole-aware; core/face_box.py checks what comes here.

Compiled (core/native/depth_warping.cpp) where that was built, else in NumPy and OpenCV with the
same bits: bilinear over the valid ones of four pixels that lie near the nearest one.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

import cv2
from face_depth_ros.core.native_library import native_library
import numpy as np

NEIGHBOUR_RANGE_M = 0.01
"""Depth is interpolated over valid neighbours within this distance of the nearest pixel."""

_NO_FRACTION = np.empty(0, np.uint16)
"""cv2.remap's second map where the first holds whole pixels."""


def resample_depth(depth: np.ndarray, source_from_target: np.ndarray, height: int,
                   width: int) -> np.ndarray:
    """
    Resample depth, which is invalid where the nearest pixel is.

    :param depth: metres, (H, W) float32, NaN where invalid
    :param source_from_target: (2, 3) affine, corner-origin pixels
    :returns: metres, (height, width) float32, both at least 1
    """
    if depth.size == 0:
        return np.full((height, width), np.nan, np.float32)
    source = np.ascontiguousarray(depth)
    function = compiled_function()
    if function is None:
        return resample_in_numpy(source, source_from_target, height, width)
    target = np.empty((height, width), np.float32)
    affine = np.array(source_from_target, np.float64).reshape(2, 3)
    function(source.ctypes.data, *source.shape, affine.ctypes.data, height, width,
             NEIGHBOUR_RANGE_M, target.ctypes.data)
    return target


@lru_cache(maxsize=1)
def compiled_function() -> ctypes._FuncPointer | None:
    """Return the compiled resampling, None where there is none."""
    library = native_library('depth_warping', 'warp_depth')
    if library is None:
        return None
    function = library.warp_depth
    function.restype = None
    number, pointer = ctypes.c_int32, ctypes.c_void_p
    function.argtypes = [pointer, number, number, pointer, number, number, ctypes.c_float, pointer]
    return function


def resample_in_numpy(source: np.ndarray, source_from_target: np.ndarray, height: int,
                      width: int) -> np.ndarray:
    """Do the same without a compiler; parameters as `resample_depth`."""
    points = _source_points(source_from_target, height, width)
    corner = np.floor(points)
    low, high = corner + np.float32(1.0) - points, points - corner
    pixels = _pixel_map(np.floor(points + np.float32(0.5)), source.shape)
    nearest = cv2.remap(source, pixels, _NO_FRACTION, cv2.INTER_NEAREST,
                        borderMode=cv2.BORDER_CONSTANT, borderValue=[np.nan])
    top_left = _pixel_map(corner, source.shape)
    shift = np.zeros((height, width), np.float32)  # of the mean from the nearest, weighted
    weight = np.zeros((height, width), np.float32)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        pixels = cv2.add(top_left, np.array([dx, dy, 0.0, 0.0]))
        difference = cv2.remap(source, pixels, _NO_FRACTION, cv2.INTER_NEAREST,
                               borderMode=cv2.BORDER_REPLICATE)
        difference = np.subtract(difference, nearest)
        near = cv2.inRange(difference, -NEIGHBOUR_RANGE_M, NEIGHBOUR_RANGE_M)  # 0 for NaN
        share = cv2.copyTo((high if dx else low)[0] * (high if dy else low)[1], near)
        weight += share
        shift += cv2.copyTo(difference, near) * share
    with np.errstate(invalid='ignore'):
        # The nearest pixel is one of the four: the weight is 0 only where it is invalid.
        shift /= weight
    shift += nearest
    return shift


def _source_points(a: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return where the target's pixels lie, from pixel centres: x and y, (2, height, width)."""
    xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
    points = np.empty((2, height, width), np.float32)
    for i in range(2):
        np.add(a[i, 0] * xs + (a[i, 2] - 0.5), (a[i, 1] * ys)[:, None], out=points[i],
               casting='same_kind')
    return points


def _pixel_map(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Map of whole pixels as cv2.remap takes it, int16, what is far outside brought near."""
    result = np.empty((*points.shape[1:], 2), np.int16)
    for i in range(2):
        np.clip(points[i], -2, shape[1 - i], out=result[..., i], casting='unsafe')
    return result


