# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Batches for the face detector: composed images and the maps that the network should answer.

Batch `i` depends on the seed and on `i` alone, so a training that goes on at step `i` sees what it
would have seen without the pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.face_detector import SIDE_UNIT_PX, SIZE_MULTIPLE, STRIDE
from face_depth_ros.training.detection_scene import PADDING_GREY, Scene, SceneComposer
import numpy as np
import torch
from torch.utils.data import Dataset

SHAPES = ((192, 192, 0.4), (256, 192, 0.15), (192, 256, 0.15), (256, 320, 0.15),
          (320, 256, 0.15))
"""Height, width and share of the batches."""
_PADDED_SHARE = 0.2
_SPREAD = 0.085
"""Standard deviation of a face's peak in the score map, in sides."""
_SIGMA_CELLS = (0.55, 3.0)
_NEIGHBOURHOOD = 0.4
"""Cells where the peak is higher than this learn the geometry of the face."""
_HIDDEN_WEIGHT = 0.4
"""Of landmarks that are hidden or outside the image, against 1."""


class DetectionBatches(Dataset):
    """
    Batches by number.

    :param composer: makes the images
    :param pixels: pixels of all images of a batch together; small images come in larger batches
    :param count: number of batches
    :param seed: of all batches
    """

    def __init__(self, composer: SceneComposer, pixels: int, count: int, seed: int,
                 shapes: Sequence[tuple[int, int, float]] = SHAPES) -> None:
        if any(h % SIZE_MULTIPLE or w % SIZE_MULTIPLE for h, w, _ in shapes):
            raise SettingsError(f'image shapes are {shapes}, expected multiples of '
                                f'{SIZE_MULTIPLE}')
        self.composer, self.pixels, self.count, self.seed = composer, pixels, count, seed
        self.shapes = tuple(shapes)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """
        Make one batch.

        :returns: 'image' (B, 3, H, W) uint8 and the maps of `make_targets` with a leading B
        """
        generator = np.random.default_rng((self.seed, index))
        shares = np.array([share for *_, share in self.shapes])
        height, width, _ = self.shapes[generator.choice(len(shares), p=shares / shares.sum())]
        samples = []
        for _ in range(max(1, round(self.pixels / (height * width)))):
            scene = padded(self.composer, height, width, generator)
            image = np.ascontiguousarray(scene.image.transpose(2, 0, 1))  # (3, H, W)
            samples.append({'image': image, **make_targets(scene)})
        return {key: torch.from_numpy(np.stack([sample[key] for sample in samples]))
                for key in samples[0]}


def padded(composer: SceneComposer, height: int, width: int,
           generator: np.random.Generator) -> Scene:
    """Compose a scene that may leave grey bands at its right or bottom, as predictors do."""
    if generator.random() >= _PADDED_SHARE:
        return composer.compose(height, width, generator)
    right, bottom = generator.integers(0, SIZE_MULTIPLE, 2)
    scene = composer.compose(height - int(bottom), width - int(right), generator)
    image = cv2.copyMakeBorder(scene.image, 0, int(bottom), 0, int(right), cv2.BORDER_CONSTANT,
                               value=(PADDING_GREY,) * 3)
    return replace(scene, image=image)


def make_targets(scene: Scene) -> dict[str, np.ndarray]:
    """
    Write the maps for one scene; h = H / 8, w = W / 8.

    :returns: float32: 'heat' (1, h, w) 1 at centres, falling off around; 'heat_weight' (1, h, w)
        0 where the score does not matter; 'box' (5, h, w) and 'landmarks' (10, h, w) as
        `FaceMaps`; 'weight' (1, h, w), sums to 1 for each face; 'landmark_weight' (10, h, w) 0
        to 1; 'unit' (1, h, w) side of the face in cells
    """
    height, width = (size // STRIDE for size in scene.image.shape[:2])
    maps = {name: np.zeros((channels, height, width), np.float32) for name, channels in (
        ('heat', 1), ('box', 5), ('landmarks', 10), ('weight', 1), ('landmark_weight', 10))}
    maps['heat_weight'] = np.ones((1, height, width), np.float32)
    maps['unit'] = np.ones((1, height, width), np.float32)
    xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
    for k in np.argsort(-scene.boxes[:, 2]):  # smaller faces last: they own the cells they need
        x, y, side, roll = scene.boxes[k].astype(np.float64)
        column = min(max(int(x // STRIDE), 0), width - 1)
        row = min(max(int(y // STRIDE), 0), height - 1)
        sigma = float(np.clip(_SPREAD * side / STRIDE, *_SIGMA_CELLS))
        peak = (np.exp(-0.5 * ((xs - column - 0.5) / sigma) ** 2)[None]
                * np.exp(-0.5 * ((ys - row - 0.5) / sigma) ** 2)[:, None])  # (h, w)
        if not scene.seen[k]:
            maps['heat_weight'][0][peak > 0.1] = 0.0
            continue
        maps['heat'][0] = np.maximum(maps['heat'][0], peak)
        near = peak > _NEIGHBOURHOOD
        rows, columns = np.nonzero(near)
        maps['weight'][0][near] = peak[near] / peak[near].sum()
        maps['unit'][0][near] = side / STRIDE
        maps['box'][:, rows, columns] = np.stack([
            x / STRIDE - xs[columns], y / STRIDE - ys[rows],
            np.full(len(rows), np.log(side / SIDE_UNIT_PX)), np.full(len(rows), np.sin(roll)),
            np.full(len(rows), np.cos(roll))])
        offsets = (scene.landmarks[k] - (x, y)) / side
        maps['landmarks'][:, rows, columns] = offsets.reshape(10, 1)
        weights = np.where(scene.visible[k], 1.0, _HIDDEN_WEIGHT)
        maps['landmark_weight'][:, rows, columns] = np.repeat(weights, 2)[:, None]
    return maps
