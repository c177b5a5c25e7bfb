# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What goes with the mask: the names of its labels, and its picture."""

from __future__ import annotations

from face_depth_ros.core.face_photo import MASK_LABELS, MASK_RGB
from face_depth_ros.nodes.headers import header_of
import numpy as np
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from vision_msgs.msg import LabelInfo, VisionClass

LATCHED = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1,
                     reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Whoever subscribes later gets the message as well."""

_COLORS = np.zeros((256, 3), np.uint8)
_COLORS[:len(MASK_RGB)] = MASK_RGB


def label_info_message(stamp_ns: int) -> LabelInfo:
    """Return the names of the mask's labels; each pixel has its likeliest one, so threshold 0."""
    classes = [VisionClass(class_id=i, class_name=name) for i, name in enumerate(MASK_LABELS)]
    return LabelInfo(header=header_of(stamp_ns, ''), class_map=classes, threshold=0.0)


def color_mask(mask: np.ndarray) -> np.ndarray:
    """
    Return the mask in the colours of its labels.

    :param mask: (H, W) uint8 of core.face_photo.MASK_LABELS
    :returns: (H, W, 3) uint8 RGB
    """
    return _COLORS[mask]
