# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What a face recogniser sees of one face: colour, relief and mask of its canonical crop.

Relief stands on the face's own median, so that neither the distance nor the place of the head
point matters; estimated and measured relief come in the same form.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import MASK_LABELS
import numpy as np

SIZE = 112
"""Pixels along a side of the crop."""
RELIEF_UNIT_M = 0.06
"""Relief of depth 1."""
DEPTH_LIMIT = 1.5
"""Largest magnitude of the depth input; the background lies at minus this."""
_COVERED = 0.5


class RecognitionInput(NamedTuple):
    """
    The inputs of one face.

    :param color: (3, S, S) float32 RGB, 0 to 255, the background still there
    :param depth: (1, S, S) float32, how much nearer than the face's median relief, in units of
        6 cm, within +-1.5; 0 where the face has no valid depth, -1.5 on the background
    :param mask: (1, S, S) float32, label numbers of core.face_photo.MASK_LABELS
    """

    color: np.ndarray
    depth: np.ndarray
    mask: np.ndarray


def recognition_input(color: np.ndarray, relief: np.ndarray, mask: np.ndarray) -> RecognitionInput:
    """
    Make the inputs of one face from crops of one box.

    :param color: (112, 112, 3) uint8 RGB, `core.face_box.crop_color`
    :param relief: (N, N) float32 metres, smaller = nearer, NaN where invalid; any constant may be
        added to it
    :param mask: (N, N) uint8 labels on the same grid as the relief
    :raises InvalidImageError: other shapes or types
    """
    if color.shape != (SIZE, SIZE, 3) or color.dtype != np.uint8:
        raise InvalidImageError(f'a recogniser sees ({SIZE}, {SIZE}, 3) uint8 RGB crops, got '
                                f'{color.shape} {color.dtype}; cut them by core.face_box')
    if relief.shape != mask.shape or relief.ndim != 2 or relief.shape[0] != relief.shape[1]:
        raise InvalidImageError(f'relief is {relief.shape} and mask {mask.shape}, expected one '
                                'square grid for both')
    if mask.dtype != np.uint8 or int(mask.max(initial=0)) >= len(MASK_LABELS):
        raise InvalidImageError(f'the mask is {mask.dtype} up to {mask.max(initial=0)}, expected '
                                f'uint8 labels 0 to {len(MASK_LABELS) - 1}')
    labels = nearest(mask)
    depth = depth_input(relief, labels)
    return RecognitionInput(
        np.ascontiguousarray(color.transpose(2, 0, 1), np.float32), depth[None],
        labels.astype(np.float32)[None])


def nearest(labels: np.ndarray) -> np.ndarray:
    """Bring labels (N, N) to the recogniser's grid (S, S), each from the nearest pixel centre."""
    index = nearest_pixels(len(labels))
    return np.ascontiguousarray(labels[np.ix_(index, index)])


def depth_input(relief: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """
    Make the depth input.

    :param relief: (N, N) float32 metres, NaN where invalid
    :param labels: (S, S) of the recogniser's grid
    :returns: (S, S) float32, see `RecognitionInput`
    """
    valid = np.isfinite(relief)
    # Equal to W X W^T with `area_weights`, whose threads wait long for each other under load.
    share, total = (cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for image in (
        valid.astype(np.float32), np.where(valid, relief, np.float32(0.0)).astype(np.float32)))
    face = labels > 0
    known = face & (share > _COVERED)
    result = np.where(face, np.float32(0.0), np.float32(-DEPTH_LIMIT))
    if known.any():
        values = total[known] / share[known]
        nearer = (np.median(values) - values) / np.float32(RELIEF_UNIT_M)
        result[known] = np.clip(nearer, -DEPTH_LIMIT, DEPTH_LIMIT)
    return result.astype(np.float32)


@lru_cache(maxsize=8)
def area_weights(source: int) -> np.ndarray:
    """
    Return how much of each source pixel lies in each of the S pixels, rows of sum 1.

    :param source: pixels along a side of the source grid
    :returns: (S, source) float32; the mean of an image X is W X W^T
    """
    edges = np.arange(SIZE + 1) * (source / SIZE)
    pixel = np.arange(source)
    overlap = (np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel))
    weights = np.clip(overlap, 0.0, None)
    result: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    result.setflags(write=False)
    return result


def nearest_pixels(source: int) -> np.ndarray:
    """Return the source pixel in which the centre of each of the S pixels lies, (S,) int64."""
    return ((np.arange(SIZE) + 0.5) * (source / SIZE)).astype(np.int64)
