# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Pictures of one face under every enhancer, side by side, as in Figs. 13 to 18 of the paper.

Layout: above, what went in and the hand-crafted enhancers; below, the learned ones if there are
several. What lies outside the face area is masked, as the paper does, so that the eye compares
faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
from face_depth_ros.core.depth import DepthRange
from face_depth_ros.core.depth_view import DepthScale, shaded_depth
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.evaluation.enhancer_rows import LEARNED_ROWS, OURS
from face_depth_ros.evaluation.overlay import font, resized
from face_depth_ros.filters import ENHANCER_FILTERS
import numpy as np
from PIL import Image, ImageDraw

_SLAB = DepthRange(0.6)
_BOX_M = 0.22
_TILE, _GAP, _LABEL = 200, 6, 27
_FEW = 4
_PAPER, _INK, _OURS_INK = (255, 255, 255), (38, 48, 62), (11, 114, 133)
_MASKED = (233, 236, 241)


def panel(images_by_row: Mapping[str, np.ndarray], sources: Mapping[str, np.ndarray],
          mask: np.ndarray | None = None) -> np.ndarray:
    """
    One face under every enhancer.

    Rows that `images_by_row` lacks are left out; so is `None`, the input, which belongs to the
    sources.

    :param images_by_row: results by row of the tables, (256, 256) float32 d, 1 in holes
    :param sources: what stands before them, by its label, first the one whose distances set the
        colours: d as above, or (H, W, 3) uint8 RGB
    :param mask: (256, 256) bool, the face area; None = show everything
    :returns: (h, w, 3) uint8 RGB, white paper
    :raises InvalidImageError: there is no depth image at all
    """
    scale = _scale([*sources.values(), *images_by_row.values()], mask)
    above = [(label, _tile(image, scale, mask)) for label, image in sources.items()]
    above += _tiles(images_by_row, ENHANCER_FILTERS, scale, mask)
    below = _tiles(images_by_row, LEARNED_ROWS, scale, mask)
    if len(below) < _FEW:  # no line of its own: all in two lines of equal length
        half = (len(above) + len(below) + 1) // 2
        above, below = [*above, *below][:half], [*above, *below][half:]
    columns = max(len(above), len(below))
    step = _TILE + _GAP
    canvas = Image.new('RGB', (columns * step - _GAP, 2 * (_TILE + _LABEL + _GAP)), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for j, line in enumerate((above, below)):
        for i, (label, tile) in enumerate(line):
            left, top = i * step, j * (_TILE + _LABEL + _GAP)
            canvas.paste(Image.fromarray(tile), (left, top + _LABEL))
            draw.text((left + _TILE // 2, top + _LABEL // 2), label,
                      _OURS_INK if label == OURS else _INK, font(17), anchor='mm')
    return np.asarray(canvas)


def depth_tile(d: np.ndarray, scale: DepthScale, mask: np.ndarray | None = None) -> np.ndarray:
    """
    Shaded, colourised picture of one normalised depth image.

    :param d: (H, W) float32, 1 in holes
    :param scale: metres, for the nearest point at 0.6 m (see `d_scale`)
    :param mask: (H, W) bool; what lies outside is drawn light
    :returns: (H, W, 3) uint8 RGB
    """
    picture = shaded_depth(_SLAB.denormalise(d), scale, d.shape[0] * _SLAB.nearest / _BOX_M)
    if mask is not None:
        picture[~mask] = _MASKED
    return picture


def d_scale(d: np.ndarray, mask: np.ndarray | None = None) -> DepthScale:
    """
    Return the scale of `depth_tile` that shows this image best.

    :param d: (H, W) float32, 1 in holes
    """
    known = (d < 1.0) if mask is None else (d < 1.0) & mask
    return DepthScale.around(_SLAB.denormalise(d[known]))


def _scale(images: list[np.ndarray], mask: np.ndarray | None) -> DepthScale:
    depth = [image for image in images if image.ndim == 2]
    if not depth:
        raise InvalidImageError('a panel needs at least one depth image, got none')
    return d_scale(depth[0], mask if mask is None or mask.any() else None)


def _tiles(images: Mapping[str, np.ndarray], rows: Sequence[str], scale: DepthScale,
           mask: np.ndarray | None) -> list[tuple[str, np.ndarray]]:
    return [(row, _tile(images[row], scale, mask)) for row in rows if row in images]


def _tile(image: np.ndarray, scale: DepthScale, mask: np.ndarray | None) -> np.ndarray:
    picture = image if image.ndim == 3 else depth_tile(image, scale, mask)
    if min(picture.shape[:2]) < _TILE:
        return cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
    return resized(picture, _TILE, _TILE)
