# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Image messages read by cv_bridge; imported only where it is installed (nodes/image_messages.py).

cv_bridge takes fields that do not agree for granted, and reads padded rows and foreign byte order
wrongly in some releases. So the fields are checked first, and such images are left to core.
"""

from __future__ import annotations

import sys

from cv_bridge import CvBridge
from face_depth_ros.core.image_decoding import check_image_fields, decode_color, decode_image
import numpy as np
from sensor_msgs.msg import Image

COLOR_BYTES = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
DEPTH_BYTES = {'16UC1': 2, '32FC1': 4}
"""Bytes of a pixel, for the encodings that are left to cv_bridge."""

_BRIDGE = CvBridge()


def read_color(message: Image) -> np.ndarray:
    """
    Return a colour image as (H, W, 3) uint8 RGB.

    :raises InvalidImageError: as core.image_decoding.decode_color
    """
    _check(message)
    if _is_plain(message, COLOR_BYTES):
        return _BRIDGE.imgmsg_to_cv2(message, 'rgb8')
    return decode_color(message.data, message.encoding, message.width, message.height,
                        message.step, bool(message.is_bigendian))


def read_depth(message: Image) -> np.ndarray:
    """
    Return a depth image as it stands on the wire, native byte order.

    :raises InvalidImageError: as core.image_decoding.decode_image
    """
    _check(message)
    if _is_plain(message, DEPTH_BYTES):
        return _BRIDGE.imgmsg_to_cv2(message, 'passthrough')
    return decode_image(message.data, message.encoding, message.width, message.height,
                        message.step, bool(message.is_bigendian))


def _check(message: Image) -> None:
    check_image_fields(message.data, message.encoding, message.width, message.height,
                       message.step)


def _is_plain(message: Image, pixel_bytes: dict[str, int]) -> bool:
    """Whether the encoding is known, rows have no padding, and bytes have the machine's order."""
    return message.step == message.width * pixel_bytes.get(message.encoding, 0) and (
        bool(message.is_bigendian) == (sys.byteorder == 'big'))
