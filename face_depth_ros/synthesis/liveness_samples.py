# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Living faces and attacks as a depth camera sees them: depth alone, with what an estimator tells.

Heads of one split are rendered as depth, with hair, shoulders and walls; each is a living face, or
is printed, worn or made anew (synthesis.liveness_attacks), and is measured by a camera
(synthesis.liveness_sensors) in pixels of that camera. The box, the mask and the landmarks are off
by as much as a detector and an estimator are. The test split has other people, other draws, and
wider ranges: `liveness_attacks.WIDER` and `liveness_sensors.WORSE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.synthesis import liveness_attacks, liveness_sensors
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.head_pose import PoseRange
from face_depth_ros.synthesis.labels import HEAD_LABELS, MASK_OF_FINE
from face_depth_ros.synthesis.liveness_attacks import Head, LIVE, SPECIES, stage
from face_depth_ros.synthesis.rasterizer import rasterize
from face_depth_ros.synthesis.surroundings import Surroundings, SurroundingsShare
import numpy as np
import torch

SIZE = 256
POSES = PoseRange(max_yaw=45.0, pitch_sigma=9.0, roll_sigma=12.0, distance_m=(0.37, 2.0))
_AROUND = SurroundingsShare(hand=0.0, paper=0.0)
_STREAM = 0x11FE
_SEEDS = {'train': 0, 'validation': 1, 'test': 2}
_FOCAL_PX = (430.0, 700.0)
_HIDDEN_M = 0.003
_LEAST_PX = 40
_BOX_OFF, _BOX_SCALE = 0.03, 0.05
_POINTS_OFF, _POINT_OFF = 1.5, 1.5
"""Sigmas of what landmarks are off together and each, pixels of the crop."""


@dataclass(frozen=True)
class LivenessScene:
    """
    One face or attack, before it is measured.

    :param species: of `SPECIES`
    :param head: its true depth in the canonical crop, the mask and the landmarks that it shows
    :param apparent_m: depth at which a head of usual size fills the crop
    :param slope: X / Z and Y / Z of the crop's middle
    :param person: index within the split of whom it is or shows
    :param yaw_deg: of the face that is shown
    """

    species: str
    head: Head
    apparent_m: float
    slope: tuple[float, float]
    person: int
    yaw_deg: float


@dataclass(frozen=True)
class LivenessSample:
    """
    One frame around a face.

    :param depth: (N, N) float32 metres in the camera's pixels, NaN where nothing was measured
    :param box: as detected; it fills the frame but for what it is off
    :param mask: (256, 256) uint8 labels in the canonical crop of the box
    :param landmarks: (68, 2) float32 pixels of the frame
    :param distance_m: of the head point, or of where it would be
    :param sensor: of liveness_sensors.SENSORS
    """

    species: str
    depth: np.ndarray
    box: FaceBox
    intrinsics: CameraIntrinsics
    mask: np.ndarray
    landmarks: np.ndarray
    distance_m: float
    sensor: str
    person: int
    yaw_deg: float

    @property
    def is_live(self) -> bool:
        """Whether this is a living face."""
        return self.species == LIVE


class LivenessSampler:
    """
    Draws living faces and attacks of one split; the same seed draws the same.

    :param split: train, validation or test
    :raises SettingsError: no such split
    """

    def __init__(self, assets: FaceAssets, split: str = 'train') -> None:
        self._renderer = FaceDepthRenderer(assets, split=split, size=SIZE, limits=POSES)
        self._around = Surroundings(assets, self._renderer.head, _AROUND)
        self.split = split
        self.attacks = liveness_attacks.WIDER if split == 'test' else liveness_attacks.TRAINING
        self.sensors = liveness_sensors.WORSE if split == 'test' else liveness_sensors.USUAL
        head = self._renderer.head
        if tuple(head.label_names) != HEAD_LABELS:
            raise SettingsError(f'the head names its parts {head.label_names}, expected '
                                f'{HEAD_LABELS}; import the head model anew')
        drawn = ~head.slots('none', 'eyelash')
        self._labels = MASK_OF_FINE[1 + head.triangle_label[drawn]]

    def scenes(self, seed: int, species: Sequence[str]) -> list[LivenessScene]:
        """
        Render one scene of each of some species, each of another person.

        :param seed: not negative
        """
        chance = self._chance(seed, 0)
        heads, slopes, people, yaws = self._heads(seed, len(species), chance)
        return [LivenessScene(kind, stage(kind, heads[i], heads[i - 1], self.attacks, chance),
                              heads[i].distance_m, slopes[i], people[i], yaws[i])
                for i, kind in enumerate(species)]

    def measure(self, scene: LivenessScene, seed: int, frame: int = 0, sensor: str = '',
                ) -> LivenessSample:
        """
        Measure a scene by a camera; the frames of one seed are of one camera, with other noise.

        :param sensor: of liveness_sensors.SENSORS; '' = drawn
        :raises SettingsError: no such kind of camera
        """
        chance = self._chance(seed, 1)
        sensor = sensor or str(chance.choice(liveness_sensors.SENSORS))
        head = scene.head
        focal = float(chance.uniform(*_FOCAL_PX))
        count = int(np.clip(round(focal * BOX_SIDE_M / scene.apparent_m), _LEAST_PX, SIZE))
        focal = count * scene.apparent_m / BOX_SIDE_M
        pixels = ((np.arange(count) + 0.5) * SIZE / count).astype(int)
        depth = liveness_sensors.measure(
            sensor, head.depth[np.ix_(pixels, pixels)], focal, self.sensors, chance.random(4),
            torch.Generator().manual_seed(int(self._chance(seed, 2 + frame).integers(2 ** 62))))
        offsets = self._chance(seed, 1_000_000 + frame)
        off, grown = offsets.normal(0.0, _BOX_OFF, 2), np.exp(offsets.normal(0.0, _BOX_SCALE))
        off, grown = np.clip(off, -0.08, 0.08), float(np.clip(grown, 0.88, 1.14))
        box = FaceBox(count * (0.5 + float(off[0])), count * (0.5 + float(off[1])), count * grown)
        points = head.landmarks + offsets.normal(0.0, _POINTS_OFF, 2) + offsets.normal(
            0.0, _POINT_OFF, head.landmarks.shape)
        camera = CameraIntrinsics(count, count, focal, focal, count / 2 - focal * scene.slope[0],
                                  count / 2 - focal * scene.slope[1])
        return LivenessSample(
            scene.species, depth, box, camera, _mask_in(box, head.mask, count, offsets),
            (points * (count / SIZE)).astype(np.float32), head.distance_m, sensor,
            scene.person, scene.yaw_deg)

    def _chance(self, seed: int, purpose: int) -> np.random.Generator:
        if seed < 0:
            raise SettingsError(f'the seed is {seed}, expected 0 or more')
        return np.random.default_rng((_STREAM, _SEEDS[self.split], seed, purpose))

    def _heads(self, seed: int, count: int, chance: np.random.Generator,
               ) -> tuple[list[Head], list[tuple[float, float]], list[int], list[float]]:
        """Render heads in their canonical crops."""
        # Seeds of the splits lie far apart from those of other uses of the renderer.
        faces = self._renderer.sample(700_000_000 + 3 * seed + _SEEDS[self.split], count)
        head = self._renderer.head
        vertices = head.vertices(faces.identity, faces.expression, faces.gaze)
        raster = rasterize(self._renderer.to_crop(vertices, faces.poses),
                           self._renderer.triangles, SIZE, SIZE)
        points = self._renderer.to_crop(head.landmarks_68(vertices), faces.poses)
        around = self._around.depth(faces.identity, faces.poses, SIZE, chance)
        triangle = raster.triangle.numpy()
        mask = np.where(triangle >= 0, self._labels[triangle.clip(0)], 0).astype(np.uint8)
        mask[(around < raster.depth - _HIDDEN_M).numpy()] = 0
        depth = torch.fmin(raster.depth, around).numpy()
        position = faces.poses.position.numpy()
        roll = faces.poses.boxes(1.0, (0.0, 0.0))[:, 3].numpy()
        slope = position[:, :2] / position[:, 2:]
        cos, sin = np.cos(roll), np.sin(roll)
        turned = np.stack([cos * slope[:, 0] + sin * slope[:, 1],
                           cos * slope[:, 1] - sin * slope[:, 0]], axis=1)
        rotation = faces.poses.rotation.numpy()
        yaw = np.rad2deg(np.arctan2(rotation[:, 0, 2], -rotation[:, 2, 2]))
        heads = [Head(depth[i], mask[i], points[i, :, :2].numpy(), float(position[i, 2]))
                 for i in range(count)]
        return (heads, [(float(a), float(b)) for a, b in turned],
                faces.identities.tolist(), [float(v) for v in yaw])


def _mask_in(box: FaceBox, mask: np.ndarray, count: int, chance: np.random.Generator,
             ) -> np.ndarray:
    """Return the mask in the crop of a box that is a little off, its outline a little too."""
    place = box.image_from_crop(SIZE) * (SIZE / count)
    place[:, 2] += place[:, :2] @ (0.5, 0.5) - 0.5
    seen = cv2.warpAffine(mask, place, (SIZE, SIZE),
                          flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    reach = int(chance.integers(-4, 5))
    if reach:
        kernel = np.ones((2 * abs(reach) + 1,) * 2, np.uint8)
        face = (seen > 0).astype(np.uint8)
        moved = cv2.dilate(face, kernel) if reach > 0 else cv2.erode(face, kernel)
        seen = np.where(moved > 0, np.maximum(seen, 1), 0).astype(np.uint8)
    return np.asarray(seen)


def draw_species(count: int, chance: np.random.Generator, live: float = 0.4) -> list[str]:
    """
    Draw what is shown.

    :param live: share of living faces; attacks are equally likely
    """
    attacks = chance.integers(1, len(SPECIES), count)
    return [LIVE if lives else SPECIES[kind]
            for lives, kind in zip(chance.random(count) < live, attacks, strict=True)]
