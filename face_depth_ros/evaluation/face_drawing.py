# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Drawing of what is estimated of a face: the mask over the picture, and its 68 points."""

from __future__ import annotations

import cv2
from face_depth_ros.core.face_photo import MASK_RGB
import numpy as np

MASK_SHARE = 0.5
"""Of a class's colour in the picture."""
_CURVES = (
    (range(17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 31), False),
    (range(31, 36), False), (range(36, 42), True), (range(42, 48), True), (range(48, 60), True),
    (range(60, 68), True))
"""Points that are joined, and whether the last one is joined to the first."""
_SEEN_RGB, _HIDDEN_RGB, _EDGE_RGB = (255, 255, 255), (150, 150, 150), (0, 0, 0)
OUTLINE_RGB = (64, 255, 170)
"""Skin is coloured as skin is: without an outline nobody sees where the mask ends."""
_ROOMY_PX = 260
_SURE = 0.5
_SUBPIXEL_BITS = 4
_MASK_COLORS = np.zeros((256, 3), np.float32)
_MASK_COLORS[:len(MASK_RGB)] = MASK_RGB


def blend_mask(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """
    Lay the colours of the classes half transparent over a picture, and a line around the face.

    Background stays as it is.

    :param picture: (h, w, 3) uint8 RGB, of any size that shows all of the mask's image
    :param mask: (H, W) uint8 of `MASK_LABELS`
    :returns: (h, w, 3) uint8 RGB
    """
    height, width = picture.shape[:2]
    if not mask.any():
        return picture.copy()
    share = (mask > 0).astype(np.float32)[..., None] * np.float32(MASK_SHARE)
    layers = np.concatenate([_MASK_COLORS[mask] * share, share], axis=2)  # (H, W, 4)
    layers = cv2.resize(layers, (width, height), interpolation=(
        cv2.INTER_AREA if width < mask.shape[1] else cv2.INTER_LINEAR))
    blended = np.rint(picture * (1 - layers[..., 3:]) + layers[..., :3]).astype(np.uint8)
    inside = (layers[..., 3] > 0.5 * MASK_SHARE).astype(np.uint8)
    edge = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    blended[edge > 0] = OUTLINE_RGB
    return blended


def draw_landmarks(canvas: np.ndarray, landmarks: np.ndarray, scale: float = 1.0) -> None:
    """
    Draw the 68 points as thin curves into a picture, hidden ones darker.

    :param canvas: (h, w, 3) uint8 RGB, drawn into
    :param landmarks: (68, 3): pixels x, y of the image, and how surely each is visible, 0 to 1
    :param scale: size of the canvas over the size of the image
    """
    points = landmarks[:, :2] * scale
    spread = np.ptp(points, axis=0).max() if np.isfinite(points).all() else 0.0
    # Dark below light, where there is room for it, so that curves stand out from bright skin.
    passes = ((2, None), (1, _SEEN_RGB)) if spread > _ROOMY_PX else ((1, _SEEN_RGB),)
    for thickness, rgb in passes:
        for first, second in _segments():
            ends = points[[first, second]]
            if not np.isfinite(ends).all():
                continue
            seen = landmarks[[first, second], 2].min() >= _SURE
            color = _EDGE_RGB if rgb is None else _SEEN_RGB if seen else _HIDDEN_RGB
            start, end = (_fixed(p) for p in ends)
            cv2.line(canvas, start, end, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _segments() -> list[tuple[int, int]]:
    joined = []
    for curve, closed in _CURVES:
        joined += list(zip(curve[:-1], curve[1:], strict=True))
        joined += [(curve[-1], curve[0])] if closed else []
    return joined


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """Corner-origin pixels as OpenCV's fixed-point, centre-origin coordinates."""
    x, y = np.clip((np.asarray(point, np.float64) - 0.5) * (1 << _SUBPIXEL_BITS), -1e6, 1e6)
    return round(float(x)), round(float(y))
