# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos of faces with what is true of them, and the forms in which networks see relief.

Relief is how far a point lies behind the head point (the point in the middle of the head at whose
depth the face box measures 22 cm), measured along the ray from the camera to the head point, not
along the optical axis: a crop does not tell where in the image it was. It is negative for most of
the face. The grey depth image of the papers is its
8-bit form: the nearer the brighter, 0 where there is no face.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import InvalidDepthError
import numpy as np

CROP_PX = 256
"""Side of the canonical crop in which estimators are compared."""
BOX_SIDE_M = 0.22
"""What the side of a face box measures at the depth of the head point."""
NEAR_M, FAR_M = -0.10, 0.15
"""Relief of grey 255 and of grey 0."""
MASK_LABELS = ('background', 'skin', 'brows', 'eyes', 'glasses', 'nose', 'mouth')
"""Classes of the mask; the value of a pixel is the index."""
MASK_RGB = ((0, 0, 0), (224, 172, 125), (120, 66, 18), (66, 135, 245), (148, 103, 189),
            (255, 201, 60), (214, 39, 40))
"""Colours in which masks are shown."""
LANDMARK_COUNT = 68
MIRRORED_68 = (*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
               45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
               *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1))
"""Which point of the 68 each one becomes when the image is mirrored."""


@dataclass(frozen=True)
class FacePhoto:
    """
    One upright face in its canonical crop.

    :param color: (S, S, 3) uint8 RGB
    :param relief: (S, S) float32 metres behind the head point, NaN where the mask is background
    :param mask: (S, S) uint8 of `MASK_LABELS`; what hides the face is background
    :param landmarks: (68, 2) float32 pixels of the crop, the usual 68-point order
    :param visible: (68,) bool, not hidden by something
    :param yaw, pitch, roll: degrees; yaw positive when the subject turns to its left, pitch when
        it looks up, roll clockwise in the image before the crop was turned upright
    :param identity: number of the person, -1 where nobody knows
    """

    color: np.ndarray
    relief: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    identity: int = -1


def relief_to_grey(relief: np.ndarray) -> np.ndarray:
    """
    Return the grey depth image.

    :param relief: float32 metres behind the head point, NaN where there is no face
    :returns: float32, 1 (15 cm behind) to 255 (10 cm before) on the face, 0 elsewhere
    """
    if relief.dtype != np.float32:
        raise InvalidDepthError(f'relief must be float32 metres, got {relief.dtype}')
    grey = (np.float32(FAR_M) - relief) * np.float32(255.0 / (FAR_M - NEAR_M))
    return np.where(np.isnan(relief), np.float32(0.0), np.clip(grey, 1.0, 255.0))


def grey_to_relief(grey: np.ndarray, face: np.ndarray) -> np.ndarray:
    """
    Return relief from a grey depth image.

    :param grey: float32, 0 to 255
    :param face: bool, where there is a face
    :returns: float32 metres behind the head point, NaN outside the face
    """
    relief = np.float32(FAR_M) - grey * np.float32((FAR_M - NEAR_M) / 255.0)
    return np.where(face, relief, np.float32(np.nan)).astype(np.float32)
