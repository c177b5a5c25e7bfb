# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What AFNet-M sees of one face: a texture image, a depth image and the masks of salient regions.

The images show the part of the canonical crop that core.expression_input cuts out, so that
AFNet-M and our own recogniser see the same; they are brought to the side that the network was
trained at (224 in the paper). Mask-1 has a quarter of that side, Mask-2 an eighth.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.expression_input import (
    DEPTH_LIMIT,
    expression_input,
    part_box,
)
from face_depth_ros.core.expression_input import (
    SIZE as PART_PX,
)
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.salient_mask import salient_mask, shrunk
import numpy as np

SIZE = 224
"""Pixels along a side, in the paper."""
STEP = 16
"""The side must be a multiple of it."""
MASK_STEPS = (4, 8)
"""Pixels of the images along a side of a pixel of Mask-1 and of Mask-2."""
LEAST_KNOWN = 1.0 / 255.0
"""Least value of the depth image where something was measured; 0 is left for what is missing."""


class AfnetPlanes(NamedTuple):
    """
    Images of one face at the network's side S.

    :param texture: (S, S, 3) float32 RGB, 0 to 255, the background still there
    :param depth: (S, S) float32, 0 = missing, else 1/255 (6 cm behind the face's median) to 1
        (6 cm before it)
    :param salient: (S, S) bool
    """

    texture: np.ndarray
    depth: np.ndarray
    salient: np.ndarray


def afnet_input(color: np.ndarray, relief: np.ndarray | None, mask: np.ndarray,
                landmarks: np.ndarray | None, size: int = SIZE) -> dict[str, np.ndarray]:
    """
    Make the inputs of one face by their names.

    :param color: (128, 128, 3) uint8 RGB, `core.face_box.crop_color` of the
        `core.expression_input.part_box`
    :param relief: (N, N) float32 metres over the whole canonical crop, smaller = nearer, NaN where
        nothing was measured; None = nothing was measured
    :param mask: (N, N) uint8 labels over the whole canonical crop
    :param landmarks: (68, 2) pixels of `color`, None = there are none
    :param size: side of the images, a multiple of 16
    :returns: float32 arrays: 'texture' (3, S, S) RGB 0 to 1; 'depth' (3, S, S), the same image
        three times, see `AfnetPlanes`; 'mask_1' (1, S/4, S/4) and 'mask_2' (1, S/8, S/8), 0 or 1
    :raises InvalidImageError: other shapes or types
    """
    seen = expression_input(color, relief, mask)
    planes = afnet_planes(color, seen.depth, part_of_labels(mask), landmarks, size)
    texture = planes.texture.transpose(2, 0, 1) / np.float32(255.0)
    first, second = (shrunk(planes.salient, step)[None] for step in MASK_STEPS)
    return {'texture': np.ascontiguousarray(texture),
            'depth': np.repeat(planes.depth[None], 3, axis=0), 'mask_1': first, 'mask_2': second}


def afnet_planes(color: np.ndarray, depth: np.ndarray, labels: np.ndarray,
                 landmarks: np.ndarray | None, size: int = SIZE) -> AfnetPlanes:
    """
    Bring the part of a face to the network's side.

    :param color: (128, 128, 3) uint8 RGB
    :param depth: (2, 128, 128) float32 of `core.expression_input.ExpressionInput`
    :param labels: (128, 128) uint8 of MASK_LABELS
    :param landmarks: (68, 2) pixels of `color`, None = there are none
    :raises InvalidImageError: a side that is no multiple of 16, or other shapes
    """
    if size < STEP or size % STEP:
        raise InvalidImageError(f"the side of AFNet-M's images is {size}, expected a multiple of "
                                f'{STEP}')
    part = (PART_PX, PART_PX)
    if color.shape != (*part, 3) or depth.shape != (2, *part) or labels.shape != part:
        raise InvalidImageError(
            f'colour, depth and labels are {color.shape}, {depth.shape}, {labels.shape}, expected '
            f'{(*part, 3)}, {(2, *part)}, {part}')
    texture = _resized(color.astype(np.float32), size)
    share = _resized(depth[1], size)
    known = share >= 0.5
    value = np.zeros((size, size), np.float32)
    height = _resized(depth[0], size)[known] / share[known]
    value[known] = np.clip((height / DEPTH_LIMIT + 1.0) / 2.0, LEAST_KNOWN, 1.0)
    nearest = cv2.resize(labels, (size, size), interpolation=cv2.INTER_NEAREST)
    points = None if landmarks is None else np.asarray(landmarks) * (size / PART_PX)
    return AfnetPlanes(texture, value, salient_mask(nearest, points))


def part_of_labels(mask: np.ndarray) -> np.ndarray:
    """
    Cut the part out of the labels of a whole canonical crop.

    :param mask: (N, N) uint8
    :returns: (128, 128) uint8
    """
    size = len(mask)
    place = part_box(FaceBox(size / 2, size / 2, size)).image_from_crop(PART_PX)
    across, down = (np.clip(np.floor(place[i, i] * (np.arange(PART_PX) + 0.5) + place[i, 2]), 0,
                            size - 1).astype(int) for i in (0, 1))
    return np.ascontiguousarray(mask[down[:, None], across])


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """Resample bilinearly."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
