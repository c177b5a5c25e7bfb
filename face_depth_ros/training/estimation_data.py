# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Batches for the face estimator: photos of rendered faces, and crops without a face.

The negatives are what a false detection looks at: backgrounds, heads whose parts are exchanged,
and faces far beside the crop.
"""

from __future__ import annotations

from typing import NamedTuple

from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import BOX_SIDE_M, LANDMARK_COUNT
from face_depth_ros.synthesis.face_photo_bank import BOX_PX, CROP_PX
from face_depth_ros.synthesis.face_photos import FacePhotoSource
import numpy as np
import torch

NEGATIVES = 0.08
_BESIDE = (0.75, 1.1)
"""How far beside the crop's middle a face is that does not count, in sides of its box."""


class EstimationBatch(NamedTuple):
    """
    What one training step sees.

    :param color: (B, 3, S, S) float32, 0 to 255
    :param relief: (B, 1, S, S) float32 in sides of the face box, 0 outside the face
    :param mask: (B, S, S) int64 classes
    :param landmarks: (B, 68, 2) float32 in sides of the crop
    :param visible: (B, 68) float32, 1 where nothing hides the point
    :param face: (B,) float32, 1 where there is a face
    """

    color: torch.Tensor
    relief: torch.Tensor
    mask: torch.Tensor
    landmarks: torch.Tensor
    visible: torch.Tensor
    face: torch.Tensor


def make_batch(source: FacePhotoSource, indices: np.ndarray, generator: np.random.Generator,
               negatives: float = NEGATIVES) -> EstimationBatch:
    """
    Compose a batch.

    :param indices: (B,) of faces in the source's bank
    :param negatives: share of crops without a face
    """
    size = source.size
    color = np.zeros((len(indices), size, size, 3), np.uint8)
    relief = np.zeros((len(indices), size, size), np.float32)
    mask = np.zeros((len(indices), size, size), np.uint8)
    landmarks = np.full((len(indices), LANDMARK_COUNT, 2), 0.5, np.float32)
    visible = np.zeros((len(indices), LANDMARK_COUNT), np.float32)
    face = np.zeros(len(indices), np.float32)
    for row, index in enumerate(indices.tolist()):
        if generator.random() < negatives:
            color[row] = no_face(source, index, generator)
            continue
        photo = source.photo(index, generator)
        color[row], mask[row], visible[row] = photo.color, photo.mask, photo.visible
        relief[row] = np.nan_to_num(photo.relief) / BOX_SIDE_M
        landmarks[row], face[row] = photo.landmarks / size, 1.0
    return EstimationBatch(
        torch.from_numpy(color).permute(0, 3, 1, 2).float(), torch.from_numpy(relief)[:, None],
        torch.from_numpy(mask).long(), torch.from_numpy(landmarks), torch.from_numpy(visible),
        torch.from_numpy(face))


def no_face(source: FacePhotoSource, index: int, generator: np.random.Generator) -> np.ndarray:
    """Return a crop without a face, (S, S, 3) uint8 RGB."""
    kind = generator.random()
    if kind < 0.4:
        return source.background(generator)
    if kind < 0.7:
        return scrambled(source.photo(index, generator).color, generator)
    angle, reach = generator.uniform(0.0, 2.0 * np.pi), generator.uniform(*_BESIDE) * BOX_PX
    beside = FaceBox(CROP_PX / 2 + reach * np.cos(angle), CROP_PX / 2 + reach * np.sin(angle),
                     BOX_PX * generator.uniform(0.6, 1.0))
    record = source.bank.read(np.array([index]))[0]
    return source.compose(record, beside, False, generator).color


def scrambled(color: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Exchange the tiles of a photo, (S, S, 3) uint8."""
    tiles = int(generator.choice([3, 4, 6]))
    step = len(color) // tiles
    size = step * tiles
    grid = color[:size, :size].reshape(tiles, step, tiles, step, 3).transpose(0, 2, 1, 3, 4)
    mixed = generator.permutation(grid.reshape(tiles * tiles, step, step, 3))
    rows = mixed.reshape(tiles, tiles, step, step, 3).transpose(0, 2, 1, 3, 4)
    result = color.copy()
    result[:size, :size] = rows.reshape(size, size, 3)
    return result
