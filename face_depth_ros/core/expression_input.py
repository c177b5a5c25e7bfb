# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What the expression recogniser sees of one face: colour, relief and face of a part of its crop.

The part is the middle of the canonical crop, a little lower: brows to chin, 18 cm on a side. Only
measured relief is looked at. What an estimator makes of the colour says nothing of the
expression that the colour does not say, so that a face without a measurement is judged by
texture alone, for which the network is trained too.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import MASK_LABELS
import numpy as np

SIZE = 128
"""Pixels along a side."""
PART = 0.82
"""Side of the part, in sides of the face box."""
LOWERED = 0.04
"""How far the middle of the part lies below the middle of the box, in sides of the face box."""
RELIEF_UNIT_M = 0.03
"""Relief of depth 1."""
DEPTH_LIMIT = 2.0
"""Largest magnitude of the depth input."""
_COVERED = 0.5


class ExpressionInput(NamedTuple):
    """
    The inputs of one face.

    :param color: (3, S, S) float32 RGB, 0 to 255, the background still there
    :param depth: (2, S, S) float32; first how much nearer than the face's median relief, in units
        of 3 cm, within +-2, 0 where nothing was measured; then 1 where it was, else 0
    :param face: (1, S, S) float32, 1 on the face, 0 on what is not
    """

    color: np.ndarray
    depth: np.ndarray
    face: np.ndarray


def part_box(box: FaceBox) -> FaceBox:
    """Return the part of a face box that is looked at."""
    shift = LOWERED * box.side
    return FaceBox(box.center_x - shift * np.sin(box.roll),
                   box.center_y + shift * np.cos(box.roll), PART * box.side, box.roll)


def expression_input(color: np.ndarray, relief: np.ndarray | None, mask: np.ndarray,
                     ) -> ExpressionInput:
    """
    Make the inputs of one face.

    :param color: (128, 128, 3) uint8 RGB, `core.face_box.crop_color` of the `part_box`
    :param relief: (N, N) float32 metres over the whole canonical crop, smaller = nearer, NaN where
        nothing was measured; any constant may be added to it; None = nothing was measured
    :param mask: (N, N) uint8 labels over the whole canonical crop
    :raises InvalidImageError: other shapes or types
    """
    if color.shape != (SIZE, SIZE, 3) or color.dtype != np.uint8:
        raise InvalidImageError(f'the expression recogniser sees ({SIZE}, {SIZE}, 3) uint8 RGB '
                                f'crops, got {color.shape} {color.dtype}; cut them by '
                                'core.face_box')
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or (
            relief is not None and relief.shape != mask.shape):
        raise InvalidImageError(f'relief is {None if relief is None else relief.shape} and mask '
                                f'{mask.shape}, expected one square grid for both')
    if mask.dtype != np.uint8 or int(mask.max(initial=0)) >= len(MASK_LABELS):
        raise InvalidImageError(f'the mask is {mask.dtype} up to {mask.max(initial=0)}, expected '
                                f'uint8 labels 0 to {len(MASK_LABELS) - 1}')
    face = _part(mask, cv2.INTER_NEAREST) > 0
    depth = np.zeros((2, SIZE, SIZE), np.float32)
    if relief is not None:
        depth[:] = depth_input(relief, face)
    return ExpressionInput(np.ascontiguousarray(color.transpose(2, 0, 1), np.float32), depth,
                           face.astype(np.float32)[None])


def depth_input(relief: np.ndarray, face: np.ndarray) -> np.ndarray:
    """
    Make the depth input.

    :param relief: (N, N) float32 metres over the whole canonical crop, NaN where invalid
    :param face: (S, S) bool of the part
    :returns: (2, S, S) float32, see `ExpressionInput`
    """
    valid = np.isfinite(relief)
    share = _part(valid.astype(np.float32), cv2.INTER_LINEAR)
    total = _part(np.where(valid, relief, np.float32(0.0)).astype(np.float32), cv2.INTER_LINEAR)
    known = face & (share > _COVERED)
    result = np.zeros((2, SIZE, SIZE), np.float32)
    if known.any():
        values = total[known] / share[known]
        result[0][known] = np.clip((np.median(values) - values) / np.float32(RELIEF_UNIT_M),
                                   -DEPTH_LIMIT, DEPTH_LIMIT)
        result[1] = known
    return result


def _part(image: np.ndarray, interpolation: int) -> np.ndarray:
    """Cut the part out of an image of the whole canonical crop, (N, N) to (S, S)."""
    size = len(image)
    step = PART * size / SIZE
    first = size * 0.5 - PART * size / 2
    # Corner-origin pixels; OpenCV counts from their centres.
    place = np.array([[step, 0.0, first + 0.5 * step - 0.5],
                      [0.0, step, first + LOWERED * size + 0.5 * step - 0.5]])
    return cv2.warpAffine(image, place, (SIZE, SIZE), flags=interpolation | cv2.WARP_INVERSE_MAP)
