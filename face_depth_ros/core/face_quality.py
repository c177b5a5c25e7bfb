# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well a view of a face tells who it is: size, sharpness, what is seen of it, pose, light.

The quality weighs the view as evidence, and a view that is too poor is refused for enrolment by
the name of what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M, RIGID_LANDMARKS
import numpy as np

CAUSES = ('too_small', 'blurred', 'profile', 'covered', 'dark', 'bright')
_SIDE_PX = (18.0, 56.0)
_SHARPNESS = (0.05, 0.13)
_YAW_DEG = (75.0, 25.0)
_PITCH_DEG = (70.0, 30.0)
_MASK_SHARE = (0.08, 0.22)
"""Of the crop: a face seen from the side fills less of it, too."""
_VISIBLE_SHARE = (0.35, 0.75)
_BRIGHTNESS = (8.0, 35.0)
"""Grey: dark skin in good light lies above."""
_WHITE_SHARE = (0.7, 0.3)
_WHITE = 250
_CAUSE_BELOW = 0.5
_LEAST_POINTS = 6
_INNER = 17
"""Landmarks before are of the jaw line, which a face turned away hides itself."""


@dataclass(frozen=True)
class FaceQuality:
    """
    How good a view is.

    :param score: 0 to 1
    :param cause: the worst of `CAUSES` if it is bad, else ''
    :param yaw, pitch: degrees, NaN where nothing tells them
    """

    score: float
    cause: str = ''
    yaw: float = math.nan
    pitch: float = math.nan


def face_quality(color: np.ndarray, mask: np.ndarray, side_px: float,
                 landmarks: np.ndarray | None = None,
                 visibility: np.ndarray | None = None) -> FaceQuality:
    """
    Rate one view.

    :param color: (N, N, 3) uint8 RGB, the canonical crop
    :param mask: (M, M) uint8 labels of the same crop, 0 = background
    :param side_px: side of the box in the image
    :param landmarks: (68, 2) in any upright unit, for instance pixels of the crop; None = unknown
    :param visibility: (68,) 0 to 1, None = unknown
    """
    size = len(color)
    face = cv2.resize((mask > 0).astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    grey = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)
    yaw = pitch = math.nan
    pose = seen = 1.0
    if landmarks is not None:
        yaw, pitch = pose_of_landmarks(landmarks)
        if math.isfinite(yaw):
            pose = _ramp(abs(yaw), *_YAW_DEG) * _ramp(abs(pitch), *_PITCH_DEG)
    if visibility is not None:
        # A turned head hides half of its points itself: that is the pose's to say.
        turned = 0.0 if math.isnan(yaw) else min(abs(yaw) / 90.0, 1.0)
        share = float(np.mean(visibility[_INNER:])) / (1.0 - 0.5 * turned)
        seen = _ramp(share, *_VISIBLE_SHARE)
    inside = grey[face > 0]
    bright = white = 1.0
    if inside.size:
        bright = _ramp(float(inside.mean()), *_BRIGHTNESS)
        white = _ramp(float((inside >= _WHITE).mean()), *_WHITE_SHARE)
    parts = {'too_small': _ramp(side_px, *_SIDE_PX),
             'blurred': _ramp(sharpness(grey, face, side_px), *_SHARPNESS),
             'profile': pose,
             'covered': min(seen, _ramp(float(face.mean()), *_MASK_SHARE)),
             'dark': bright, 'bright': white}
    worst = min(parts, key=parts.__getitem__)
    return FaceQuality(float(np.prod(list(parts.values()))),
                       worst if parts[worst] < _CAUSE_BELOW else '', yaw, pitch)


def sharpness(grey: np.ndarray, face: np.ndarray, side_px: float) -> float:
    """
    Return how much of the slopes in a face a slight blur takes away, 0 = blurred already.

    After Crete et al., "The blur effect" (2007); light and contrast do not matter.

    :param grey: (N, N) uint8 crop
    :param face: (N, N) uint8, 0 = background
    :param side_px: pixels of the camera along the crop's side: what is enlarged looks blurred
    """
    size = min(len(grey), max(16, round(side_px)))
    small = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    inner = cv2.erode(cv2.resize(face, (size, size), interpolation=cv2.INTER_NEAREST),
                      np.ones((3, 3), np.uint8), borderValue=0) > 0
    if inner.sum() < 16:
        return 0.0
    softened = cv2.GaussianBlur(small, (0, 0), 1.0)
    before, after = (_slopes(image)[inner] for image in (small, softened))
    total = float(before.sum())
    return float(np.clip(before - after, 0.0, None).sum()) / total if total > 0 else 0.0


def pose_of_landmarks(landmarks: np.ndarray) -> tuple[float, float]:
    """
    Return yaw and pitch of the head in degrees, by the mean head seen from far away.

    :param landmarks: (68, 2), y down, the head upright
    :returns: yaw positive when the subject turns to its left, pitch when it looks up; NaN where
        the points do not tell
    """
    rigid = list(RIGID_LANDMARKS)
    seen = np.isfinite(landmarks[rigid]).all(axis=1)
    if seen.sum() < _LEAST_POINTS:
        return math.nan, math.nan
    model = MEAN_LANDMARKS_M[rigid][seen]
    points = np.asarray(landmarks[rigid][seen], np.float64)
    model, points = model - model.mean(axis=0), points - points.mean(axis=0)
    rows = np.linalg.lstsq(model, points, rcond=None)[0].T  # (2, 3)
    u, singular, vt = np.linalg.svd(rows, full_matrices=False)
    if singular[1] <= 1e-6 * max(singular[0], 1e-12):
        return math.nan, math.nan
    right, down = u @ vt
    forward = np.cross(right, down)
    yaw = math.degrees(math.atan2(-right[2], math.hypot(right[0], right[1])))
    return yaw, math.degrees(math.atan2(down[2], forward[2]))


def _slopes(image: np.ndarray) -> np.ndarray:
    return np.abs(cv2.Sobel(image, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(image, cv2.CV_32F, 0, 1))


def _ramp(value: float, bad: float, good: float) -> float:
    """Return 0 at `bad` and beyond, 1 at `good` and beyond."""
    return float(np.clip((value - bad) / (good - bad), 0.0, 1.0))
