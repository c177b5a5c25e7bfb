# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What of the enhanced depth of a frame a node that judges faces can use."""

from __future__ import annotations

from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.errors import FaceDepthError, InvalidDepthError
from face_depth_ros.core.frames import EnhancedDepth
from face_depth_ros.nodes.estimator_checks import Usable
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.topic_input import Arrival
import numpy as np


def usable_enhanced(depth: Arrival[ImageFrame] | None, provenance: Arrival[ImageFrame] | None,
                    shape: tuple[int, ...], effect: str) -> Usable[EnhancedDepth | None]:
    """
    Return enhanced depth for a colour image of (H, W, ...) pixels.

    :param depth: None when none has come
    :param provenance: None when none has come; without it nobody knows what was measured
    :param effect: what it means for the faces of a frame that its depth cannot be used
    """
    if depth is None or provenance is None:
        return Usable(None)
    height, width = shape[:2]
    try:
        image, origin = depth.decode(), provenance.decode().array
        metres = depth_to_metres(image.array, image.encoding)
        if metres.shape != (height, width):
            raise InvalidDepthError(
                f'enhanced depth is {metres.shape[1]} x {metres.shape[0]}, colour {width} x '
                f'{height}; expected depth aligned to colour', cause='sizes_differ')
        if origin.shape != (height, width) or origin.dtype != np.uint8:
            raise InvalidDepthError(
                f'provenance is {origin.shape} {origin.dtype}, expected ({height}, {width}) mono8 '
                'of the same frame', cause='provenance')
    except FaceDepthError as error:
        return Usable(None, ((error.cause, f'{error}; {effect}'),))
    return Usable(EnhancedDepth(metres, np.zeros((height, width), np.uint8), origin))
