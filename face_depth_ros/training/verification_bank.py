# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
True depth of people who are each seen several times, for training the face verifier.

Each image is another pose, expression and gaze; in a part of them hair, glasses, hands or paper
hide something, anew in each image, so that they tell nothing about the person. At each use the
images are moved and damaged a little, as by a face box that is off and by a sensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import BOX_SIDE_M, FAR_M, NEAR_M, relief_to_grey
from face_depth_ros.networks.face_verifier import SIZE
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.face_photo_bank import POSES, relief_along_ray
from face_depth_ros.synthesis.head_pose import sample_poses
from face_depth_ros.synthesis.identity_splits import sample_identities
from face_depth_ros.synthesis.labels import MASK_OF_FINE
from face_depth_ros.synthesis.rasterizer import rasterize
from face_depth_ros.synthesis.surroundings import Surroundings, SurroundingsShare
import numpy as np
import torch
from torch.nn import functional

PEOPLE_AT_ONCE = 4
"""People of one seed; the head model takes all their images in one go."""
_STREAM = 0x5E1F
_AROUND = SurroundingsShare(hair=0.5, glasses=0.1, hand=0.1, paper=0.05, wall=0.0, clutter=0.0)
_HIDDEN_BEHIND_M = 0.003
"""A face that lies this far behind its surroundings is hidden by them."""
_GREY_PER_M = 255.0 / (FAR_M - NEAR_M)
_HEAD_POINT_GREY = FAR_M * _GREY_PER_M
_TURN_RAD, _SCALE, _SHIFT, _OFFSET_M = 0.12, 0.08, 0.06, 0.004
"""Largest variations of the face box: turn, size, place (half sides), depth."""
_NOISE_M, _HOLES, _HOLE_CELLS, _DROPPED = 0.0015, 0.25, 10, 0.02


@dataclass(frozen=True)
class PeopleBatch:
    """
    Some images.

    :param grey: (B, 96, 96) float32, 0 to 255, 0 = no face
    :param person: (B,) int64, index within the split
    :param shape: (B, 100) float32 mm, how far the person's head is from the mean head, by mode
    """

    grey: torch.Tensor
    person: torch.Tensor
    shape: torch.Tensor


class PeopleRenderer:
    """
    Renders grey depth images of random people of one split.

    :param assets: folder with the head model
    :param split: train, validation or test
    """

    def __init__(self, assets: FaceAssets, split: str) -> None:
        self.faces = FaceDepthRenderer(assets, 'cpu', split, SIZE, POSES)
        head = self.faces.head
        self._around = Surroundings(assets, head, _AROUND)
        labels = head.triangle_label[~head.slots('none', 'eyelash')].astype(np.int64) + 1
        self._is_face = torch.as_tensor(MASK_OF_FINE[labels] > 0)  # (T,)
        moved_cm = head.identity_shapes().square().sum(dim=2).mean(dim=1).sqrt()
        self._mode_mm = 10.0 * moved_cm.numpy()  # (100,), root mean square over the vertices

    def render(self, seed: int, people: int, images: int) -> dict[str, np.ndarray]:
        """
        Render several images of each of some people.

        :param seed: the same seed renders the same images
        :returns: the arrays of a bank
        """
        generator = np.random.default_rng((_STREAM, seed))
        indices, coefficients = sample_identities(self.faces.split, people, generator)
        count = people * images
        identity = torch.as_tensor(coefficients).repeat_interleave(images, dim=0)
        expression = torch.as_tensor(self.faces.expressions.sample(count, generator))
        gaze = generator.normal(0.0, np.deg2rad((8.0, 5.0)), (count, 2)).astype(np.float32)
        poses = sample_poses(count, generator, POSES)
        vertices = self.faces.head.vertices(identity, expression, torch.as_tensor(gaze))
        raster = rasterize(self.faces.to_crop(vertices, poses), self.faces.triangles, SIZE, SIZE)
        around = self._around.depth(identity, poses, SIZE, generator)
        face = (raster.triangle >= 0) & self._is_face[raster.triangle.long()]
        face &= ~(around < raster.depth - _HIDDEN_BEHIND_M)
        depth, position = raster.depth.masked_fill(~face, torch.nan), poses.position.numpy()
        grey = relief_to_grey(relief_along_ray(depth.numpy(), position,
                                               SIZE / BOX_SIDE_M * position[:, 2]))
        return {'grey': np.rint(grey).astype(np.uint8).reshape(people, images, SIZE, SIZE),
                'shape': coefficients * self._mode_mm, 'person': indices}


class VerificationBank:
    """
    Rendered people on disk, mapped into memory.

    :param folder: holds grey.npy (N, K, 96, 96) uint8, 0 = no face; shape.npy (N, 100) float32
        and person.npy (N,) int64, as in `PeopleBatch`
    :raises SettingsError: there is no such bank
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._grey = np.load(folder / 'grey.npy', mmap_mode='r')
            self._shape = np.load(folder / 'shape.npy')
            self._person = np.load(folder / 'person.npy')
        except (OSError, ValueError) as error:
            raise SettingsError(f'no rendered people in {folder} ({error}); render them with '
                                '`python -m face_depth_ros.training.train_face_verifier`'
                                ) from error
        self.people, self.images = self._grey.shape[:2]

    @staticmethod
    def render(folder: Path, assets: FaceAssets, split: str, people: int,
               images: int) -> VerificationBank:
        """
        Render and open; what is there already is opened.

        :raises SettingsError: a bank of another size is there
        """
        if not (folder / 'person.npy').exists():
            renderer = PeopleRenderer(assets, split)
            parts = [renderer.render(start, min(PEOPLE_AT_ONCE, people - start), images)
                     for start in range(0, people, PEOPLE_AT_ONCE)]
            folder.mkdir(parents=True, exist_ok=True)
            for name in ('grey', 'shape', 'person'):  # the last says that all is there
                np.save(folder / f'{name}.npy', np.concatenate([part[name] for part in parts]))
        bank = VerificationBank(folder)
        if (bank.people, bank.images) != (people, images):
            raise SettingsError(f'{folder} holds {bank.people} people x {bank.images} images, '
                                f'expected {people} x {images}; delete it or choose another '
                                'folder')
        return bank

    def draw(self, people: int, images: int, chance: np.random.Generator) -> PeopleBatch:
        """Draw different images of different rows, those of a row together."""
        rows = chance.choice(self.people, people, replace=False)
        columns = [chance.choice(self.images, images, replace=False) for _ in rows]
        return self._read(np.repeat(rows, images), np.concatenate(columns))

    def batches(self, people: int) -> Iterator[PeopleBatch]:
        """Yield all images of `people` rows at a time."""
        for start in range(0, self.people, people):
            rows = np.arange(start, min(start + people, self.people))
            yield self._read(np.repeat(rows, self.images),
                             np.tile(np.arange(self.images), len(rows)))

    def _read(self, rows: np.ndarray, columns: np.ndarray) -> PeopleBatch:
        return PeopleBatch(torch.from_numpy(self._grey[rows, columns].astype(np.float32)),
                           torch.from_numpy(self._person[rows]),
                           torch.from_numpy(self._shape[rows]))


def vary(grey: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """
    Turn, scale and shift within what a face box may be off, in depth too.

    :param grey: (B, 96, 96) float32, 0 = no face
    :returns: the same form
    """
    batch = len(grey)
    draws = torch.rand(5, batch, generator=generator) * 2.0 - 1.0
    angle, scale = _TURN_RAD * draws[0], 1.0 + _SCALE * draws[1]
    cos, sin = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([torch.stack([cos, -sin, _SHIFT * draws[2]], 1),
                         torch.stack([sin, cos, _SHIFT * draws[3]], 1)], 1)  # (B, 2, 3)
    grid = functional.affine_grid(theta, [batch, 1, SIZE, SIZE], align_corners=False)
    layers = torch.stack([grey, (grey > 0).float()], 1)  # (B, 2, S, S)
    moved = functional.grid_sample(layers, grid, align_corners=False)
    face = moved[:, 1] > 0.5
    value = moved[:, 0] / moved[:, 1].clamp_min(0.5)
    offset = (_OFFSET_M * _GREY_PER_M * draws[4])[:, None, None]
    # Relief is in sides of the box: what looks larger is deeper too.
    value = _HEAD_POINT_GREY + (value - _HEAD_POINT_GREY) / scale[:, None, None] + offset
    return torch.where(face, value.clamp(1.0, 255.0), 0.0)


def damage(grey: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """
    Add a sensor's noise, single missing pixels, and holes in some images.

    :param grey: (B, 96, 96) float32, 0 = no face
    :returns: the same form
    """
    batch = len(grey)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    sigma = _NOISE_M * _GREY_PER_M * uniform(batch, 1, 1)
    noisy = grey + sigma * torch.randn(grey.shape, generator=generator)
    cells = uniform(batch, 1, _HOLE_CELLS, _HOLE_CELLS)
    field = functional.interpolate(cells, SIZE, mode='bilinear', align_corners=False)[:, 0]
    torn = (field > 0.75 + 0.2 * uniform(batch, 1, 1)) & (uniform(batch, 1, 1) < _HOLES)
    dropped = uniform(*grey.shape) < _DROPPED * uniform(batch, 1, 1)
    return torch.where((grey > 0) & ~torn & ~dropped, noisy.clamp(1.0, 255.0), 0.0)
