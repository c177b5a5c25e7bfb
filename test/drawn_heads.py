# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A head bank drawn with a few ellipses: enough to compose and to learn from, no assets."""

from __future__ import annotations

import cv2
from face_depth_ros.training.detection_heads import BANK_EXPANSION, HeadBank, premultiplied
import numpy as np

LANDMARKS = np.array([(-0.13, -0.02), (0.15, -0.14), (0.02, 0.08), (-0.1, 0.2), (0.08, 0.22)],
                     np.float32)
"""Not symmetric, so that a wrong order after mirroring shows."""


def drawn_bank(size: int = 64, count: int = 6, backs: int = 1) -> HeadBank:
    """
    Return a bank of drawn heads.

    The eye that is the right one before any mirroring is red, the left one blue.
    """
    side = size / BANK_EXPANSION
    images = []
    for k in range(count):
        image = np.zeros((size, size, 4), np.uint8)
        middle = (size // 2, size // 2)
        cv2.ellipse(image, middle, (int(0.32 * side), int(0.45 * side)), 0, 0, 360,
                    (200, 160 - 5 * k, 120, 255), -1)
        if k < count - backs:
            colors = ((255, 0, 0), (0, 0, 255), (120, 90, 70), (150, 40, 40), (150, 40, 40))
            for point, color in zip(LANDMARKS * side + size / 2.0, colors, strict=True):
                cv2.circle(image, tuple(int(v) for v in point), max(1, int(0.06 * side)),
                           (*color, 255), -1)
        images.append(premultiplied(image))
    yaw = np.zeros(count, np.float32)
    yaw[count - backs:] = 170.0
    return HeadBank(np.stack(images), np.repeat(LANDMARKS[None], count, axis=0),
                    np.ones((count, 5), bool), yaw, np.arange(count) % 2 == 0)
