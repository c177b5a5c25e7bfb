# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What must hold between a depth image, its camera_info and the colour image."""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.core.errors import InvalidCameraInfoError, InvalidDepthError
from face_depth_ros.core.frames import SkippedFace
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.predictors.depth_enhancer import PLAUSIBLE_M
import numpy as np


def check_sizes(depth: np.ndarray, info: CameraInfoFrame,
                color_info: CameraInfoFrame | None) -> None:
    """
    Check that depth lies on the pixel grid of the colour image.

    :param depth: (H, W)
    :param info: that of the depth image
    :param color_info: that of the colour image, None when it is not published
    :raises InvalidDepthError: depth and colour differ in size
    :raises InvalidCameraInfoError: not calibrated, or of another size than the depth image
    """
    height, width = depth.shape
    if color_info is not None and color_info.message.width and color_info.message.height:
        color_size = (color_info.message.width, color_info.message.height)
        if color_size != (width, height):
            raise InvalidDepthError(
                f'depth is {width} x {height}, colour {color_size[0]} x {color_size[1]}; expected '
                'depth aligned to colour (realsense-ros: align_depth.enable:=true, and remap to '
                'aligned_depth_to_color)', cause='sizes_differ')
    intrinsics = info.intrinsics()
    if (intrinsics.width, intrinsics.height) != (width, height):
        raise InvalidCameraInfoError(
            f'depth is {width} x {height}, its camera_info says {intrinsics.width} x '
            f'{intrinsics.height}; remap both to topics of the same stream',
            cause='camera_info_size')


def depth_warnings(wire: np.ndarray, depth: np.ndarray, effect: str = '') -> list[
        tuple[str, str]]:
    """
    Return (cause, message) of a depth image in which nothing is measured, or in another unit.

    :param wire: (H, W) uint16 or float32, as it came
    :param depth: metres, (H, W) float32, NaN where invalid
    :param effect: what that means for the frame; '' = its depth passes through
    """
    valid = depth[np.isfinite(depth)]
    if valid.size:
        return _unit_warnings(wire, valid, effect or 'faces are left as they were measured')
    if wire.dtype == np.uint16:
        what = f'{int((wire == 0).sum())} zeros, {int((wire == 65535).sum())} saturated'
    else:
        what = f'{int(np.isnan(wire).sum())} NaN, {int(np.isinf(wire).sum())} infinite'
    return [('depth_all_invalid', (
        f'none of the {wire.size} depth pixels is valid ({what}); '
        f'{effect or "the frame is passed on as it is"}; check that the camera is not covered '
        'and its emitter is on'))]


def frame_warnings(wire: np.ndarray, depth: np.ndarray,
                   skipped: Sequence[SkippedFace]) -> list[tuple[str, str]]:
    """
    Return (cause, message) of a depth image and of its faces that were left alone.

    What holds for the whole frame is not said again of each face.
    """
    warnings = depth_warnings(wire, depth)
    causes = {cause for cause, _ in warnings}
    return warnings + [(face.cause, f'face {face.track_id}: {face.reason}') for face in skipped
                       if face.cause not in causes]


def _unit_warnings(wire: np.ndarray, valid: np.ndarray, effect: str) -> list[tuple[str, str]]:
    """
    Return a warning of depth whose median is implausible.

    :param valid: metres, (n,) float32, n > 0
    """
    low, high = PLAUSIBLE_M
    # the median itself is slow; on which side of the limits it lies is not
    if 2 * int((valid < low).sum()) < valid.size and 2 * int((valid > high).sum()) < valid.size:
        return []
    median = float(np.median(valid))
    if low <= median <= high:
        return []
    said = '16UC1 is millimetres' if wire.dtype == np.uint16 else '32FC1 is metres'
    return [('depth_unit', (
        f'the median depth of the frame is {median:.4g} m, expected {low:g} to {high:g} m; '
        f'{effect}; check the unit that the camera publishes: {said}'))]
