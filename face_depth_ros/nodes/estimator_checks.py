# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What of a frame the estimator can use; it does without the rest, by a cause that is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.errors import (
    FaceDepthError,
    InvalidCameraInfoError,
    InvalidDepthError,
)
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.depth_checks import depth_warnings
from face_depth_ros.nodes.diagnostics import Problem
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.topic_input import Arrival
import numpy as np

T = TypeVar('T')

@dataclass(frozen=True)
class Usable(Generic[T]):
    """
    A part of a frame as far as it can be used.

    :param value: None when it cannot be, or is not there
    :param problems: why not
    """

    value: T
    problems: tuple[Problem, ...] = ()


def usable_intrinsics(info: CameraInfoFrame | None, shape: tuple[int, ...], effect: str = '') -> (
        Usable[CameraIntrinsics | None]):
    """
    Return the intrinsics of a colour image of (H, W, ...) pixels.

    :param info: None when no camera_info has come
    :param effect: what it means to have none; '' = as of depth_estimator
    """
    lost = effect or ('depth is estimated only where the sensor measures the face; masks and '
                      'landmarks go on')
    if info is None:
        return Usable(None, (('no_intrinsics', (
            f'no camera_info has come for the colour image: {lost}; check that color/camera_info '
            'is remapped and published')),))
    height, width = shape[:2]
    try:
        intrinsics = info.intrinsics()
        if (intrinsics.width, intrinsics.height) != (width, height):
            raise InvalidCameraInfoError(
                f'colour is {width} x {height}, its camera_info says {intrinsics.width} x '
                f'{intrinsics.height}; remap both to topics of the same stream',
                cause='camera_info_size')
    except InvalidCameraInfoError as error:
        return Usable(None, ((error.cause, f'no_intrinsics: {error}; {lost}'),))
    return Usable(intrinsics)


def usable_depth(arrival: Arrival[ImageFrame] | None, shape: tuple[int, ...]) -> Usable[
        np.ndarray | None]:
    """
    Return the sensor's depth for a colour image of (H, W, ...) pixels, metres.

    :param arrival: None when none has come
    :returns: (H, W) float32, NaN where invalid; None where there is none, nothing is valid, or
        its unit cannot be right
    """
    if arrival is None:
        return Usable(None)
    lost = 'the frame goes on without the depth of the sensor'
    height, width = shape[:2]
    try:
        image = arrival.decode()
        depth = depth_to_metres(image.array, image.encoding)
        if depth.shape != (height, width):
            raise InvalidDepthError(
                f'depth is {depth.shape[1]} x {depth.shape[0]}, colour {width} x {height}; '
                'expected depth aligned to colour (realsense-ros: align_depth.enable:=true, and '
                'remap to aligned_depth_to_color)', cause='sizes_differ')
    except FaceDepthError as error:
        return Usable(None, ((error.cause, f'{error}; {lost}'),))
    problems = tuple(depth_warnings(image.array, depth, lost))
    return Usable(None if problems else depth, problems)
