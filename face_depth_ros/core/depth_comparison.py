# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Two versions of one depth frame side by side, in the same colours, for people to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M, nearest_surface
from face_depth_ros.core.depth_view import DepthScale, HOLE_RGB, shaded_depth
from face_depth_ros.core.errors import InvalidDepthError
from face_depth_ros.core.face_box import covered_region, FaceBox
import numpy as np

_INK, _SEAM = (236, 238, 242), (96, 100, 108)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_STRIP_SHARE = 0.06
_LEAST_STRIP = 12
_TEXT_SHARE = 0.55
_SAMPLES = 20_000
"""So many distances tell where nearly all lie."""


@dataclass(frozen=True)
class LabelledDepth:
    """
    One side of a comparison.

    :param label: what to call it
    :param depth: metres, (H, W) float32, NaN where invalid
    """

    label: str
    depth: np.ndarray


def comparison_picture(left: LabelledDepth, right: LabelledDepth, boxes: Sequence[FaceBox],
                       focal: float) -> np.ndarray:
    """
    Picture of two versions of one frame, below a strip with their labels.

    :param boxes: of the faces, which choose the colours
    :param focal: focal length, pixels
    :returns: (strip + H, 2 W, 3) uint8 RGB; the strip is `strip_height(H)` high
    :raises InvalidDepthError: the two are not of one size, or empty
    """
    shape = left.depth.shape
    if len(shape) != 2 or 0 in shape or right.depth.shape != shape:
        raise InvalidDepthError(f'two depth images (H, W) of one size can be compared, got '
                                f'{shape} and {right.depth.shape}')
    scale = face_scale((left.depth, right.depth), boxes)
    first = shaded_depth(left.depth, scale, focal)
    second = _shaded_like(first, left.depth, right.depth, scale, focal)
    picture = np.concatenate(
        [np.concatenate([_strip(side.label, strip_height(shape[0]), shape[1])
                         for side in (left, right)], axis=1),
         np.concatenate([first, second], axis=1)], axis=0)
    picture[:, shape[1] - 1] = _SEAM
    return picture


def strip_height(height: int) -> int:
    """Return the height in pixels of the strip above a picture of a height."""
    return max(_LEAST_STRIP, round(_STRIP_SHARE * height))


def face_scale(versions: Sequence[np.ndarray], boxes: Sequence[FaceBox]) -> DepthScale:
    """
    Colours for the faces: what is in the boxes, up to 25 cm behind the nearest surface of each.

    :param versions: of one frame, metres, (H, W) float32, NaN where invalid
    :returns: the scale of the whole frame when no box holds anything
    """
    found = []
    for box in boxes:
        height, width = versions[0].shape
        x0, y0, x1, y1 = covered_region(box, width, height)
        if x1 <= x0 or y1 <= y0:
            continue
        inside = [v[y0:y1, x0:x1] for v in versions]
        nearest = min((n for n in map(nearest_surface, inside) if np.isfinite(n)), default=np.nan)
        for values in inside:
            with np.errstate(invalid='ignore'):
                # a flying pixel before the surface is not to stretch the scale either
                close = np.abs(values - nearest) < FACE_DEPTH_RANGE_M
            found.append(values[close])
    if not any(len(values) for values in found):
        found = [v.ravel() for v in versions]
    values = np.concatenate(found)
    return DepthScale.around(values[::max(1, values.size // _SAMPLES)])


def _shaded_like(picture: np.ndarray, depth: np.ndarray, other: np.ndarray, scale: DepthScale,
                 focal: float) -> np.ndarray:
    """
    Return the picture of `other`, given that of `depth`: only where they differ is drawn anew.

    :param picture: (H, W, 3) uint8
    """
    with np.errstate(invalid='ignore'):
        differs = (depth != other) & ~(np.isnan(depth) & np.isnan(other))
    result = picture.copy()
    x, y, w, h = cv2.boundingRect(differs.astype(np.uint8))
    if w == 0:
        return result
    # A pixel's shade looks at its neighbours: one pixel more is drawn, two more are looked at.
    x0, y0 = max(x - 2, 0), max(y - 2, 0)
    x1, y1 = min(x + w + 2, depth.shape[1]), min(y + h + 2, depth.shape[0])
    drawn = shaded_depth(other[y0:y1, x0:x1], scale, focal)
    left, top = max(x - 1, 0) - x0, max(y - 1, 0) - y0
    right, bottom = min(x + w + 1, depth.shape[1]), min(y + h + 1, depth.shape[0])
    result[top + y0:bottom, left + x0:right] = drawn[top:bottom - y0, left:right - x0]
    return result


def _strip(label: str, height: int, width: int) -> np.ndarray:
    """Return a label, as large as fits, (height, width, 3) uint8."""
    strip = np.full((height, width, 3), HOLE_RGB, np.uint8)
    margin = max(2, height // 4)
    (text_width, text_height), _ = cv2.getTextSize(label, _FONT, 1.0, 1)
    size = min(_TEXT_SHARE * height / max(text_height, 1),
               max(width - 2 * margin, 1) / max(text_width, 1))
    baseline = round((height + size * text_height) / 2)
    cv2.putText(strip, label, (margin, baseline), _FONT, size, _INK, 1, cv2.LINE_AA)
    return strip
