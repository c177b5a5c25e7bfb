# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Living faces of the test split and what is held up in their place, as a robot's camera shows them.

Each is rendered once in its canonical crop and measured anew for every frame, by a stereo or a
structured-light camera of 600 pixels focal length, as coarsely as from its distance. The image is
what that camera sees of the face box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import logging
import math
from pathlib import Path

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.live_identities import LIVE
from face_depth_ros.evaluation.liveness_faces import (
    LivenessFace,
    part_file,
    save_liveness_faces,
)
from face_depth_ros.evaluation.real_faces import landmark_hull
from face_depth_ros.synthesis import sensor_models
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.head_pose import PoseRange, to_canonical_crop
from face_depth_ros.synthesis.presentation_attacks import (
    ATTACKS,
    CROP_SIDE_M,
    inside_out,
    render_attack,
)
from face_depth_ros.synthesis.rasterizer import rasterize
from face_depth_ros.synthesis.surroundings import Surroundings, SurroundingsShare
import numpy as np
import torch

SENSORS = ('stereo', 'structured light')
INSIDE_OUT = 'inside of a mask'
SPECIES = (*ATTACKS, INSIDE_OUT)
FRAMES = 3
PEOPLE_OF_PART = 10
_POSES = PoseRange(max_yaw=35.0, pitch_sigma=9.0, roll_sigma=8.0, distance_m=(0.35, 2.0))
_SHARE = SurroundingsShare(hair=0.6, glasses=0.25, hand=0.0, paper=0.0, wall=0.6, clutter=0.3)
_FIRST_SEED, _STEP = 7_000_003, 101
_FOCAL_PX = 600.0
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scene:
    """
    One person or thing before the camera, without noise.

    :param depth: (1, S, S) metres in the canonical crop, NaN where there is nothing
    :param points: (68, 2) pixels of the crop
    :param mask: (S, S) uint8 labels
    :param focal: pixels of the crop
    :param centre: of the camera's axis, pixels of the crop, (2,)
    """

    species: str
    depth: torch.Tensor
    points: np.ndarray
    mask: np.ndarray
    focal: float
    centre: np.ndarray
    person: int
    distance_m: float


def fill_bank(folder: Path, people: int, assets: str) -> None:
    """
    Render what a folder lacks; what is there stays.

    :param folder: gets `part_00000.npz` and so on, `PEOPLE_OF_PART` people each
    :raises AssetsError: the assets are not there
    """
    torch.set_num_threads(1)  # more make these small operations slower
    renderer: LivenessRenderer | None = None
    for number in range(math.ceil(people / PEOPLE_OF_PART)):
        if part_file(folder, number).exists():
            continue
        renderer = renderer or LivenessRenderer(assets)
        first = number * PEOPLE_OF_PART
        faces = [face for person in range(first, first + PEOPLE_OF_PART)
                 for face in renderer.person(person)]
        LOG.info('%s: %d frames', save_liveness_faces(part_file(folder, number), faces),
                 len(faces))


class LivenessRenderer:
    """
    Renders people and attacks of the test split.

    :param assets: folder of the head assets; '' = FACE_DEPTH_ASSETS or the known places
    :raises AssetsError: the assets are not there
    """

    def __init__(self, assets: str = '') -> None:
        self._source = FaceDepthRenderer(find_assets(assets or None), split='test', limits=_POSES)
        self._around = Surroundings(self._source.assets, self._source.head, _SHARE)

    def person(self, number: int, frames: int = FRAMES) -> Iterator[LivenessFace]:
        """
        Render a person before each sensor, and an attack of each species.

        :param number: of the person; the same number renders the same
        :param frames: of each presentation
        """
        kinds = [(LIVE, sensor) for sensor in SENSORS]
        kinds += [(kind, SENSORS[(number + place) % len(SENSORS)])
                  for place, kind in enumerate(SPECIES)]
        for place, (species, sensor) in enumerate(kinds):
            presentation = number * len(kinds) + place
            seed = _FIRST_SEED + _STEP * presentation
            scene = self._scene(species, number, seed)
            for frame in range(frames):
                noise = torch.Generator().manual_seed(seed + frame)
                yield measured(scene, sensor, noise, presentation, frame)

    def _scene(self, species: str, person: int, seed: int) -> Scene:
        source = self._source
        drawn = source.sample(seed, 1)
        vertices = source.head.vertices(drawn.identity, drawn.expression, drawn.gaze)
        face = rasterize(source.to_crop(vertices, drawn.poses), source.triangles, source.size,
                         source.size).depth
        points = source.to_crop(source.head.landmarks_68(vertices), drawn.poses)[0, :, :2].numpy()
        mask = landmark_hull(points).astype(np.uint8)
        focal = float(source.crop_focal(drawn.poses)[0])
        axis = torch.tensor([[[0.0, 0.0, 1.0]]])
        centre = to_canonical_crop(axis, drawn.poses.boxes(1.0, (0.0, 0.0)),
                                   source.size)[0, 0, :2].numpy()
        if species == LIVE:
            around = self._around.depth(drawn.identity, drawn.poses, source.size,
                                        np.random.default_rng(seed))
            depth = torch.fmin(face, around)
        elif species == INSIDE_OUT:
            depth = inside_out(face)
        else:
            depth = render_attack(species, 1, source.size, torch.Generator().manual_seed(seed))
            distance = float(depth[depth.isfinite()].median())
            focal, centre = source.size / CROP_SIDE_M * distance, np.full(2, source.size / 2)
        return Scene(species, depth, points, mask, focal, centre, person,
                     focal * CROP_SIDE_M / source.size)


def measured(scene: Scene, sensor: str, noise: torch.Generator, presentation: int,
             frame: int) -> LivenessFace:
    """
    Measure a scene with a camera, as coarsely as from its distance.

    :param sensor: one of `SENSORS`
    """
    ratio = min(1.0, _FOCAL_PX / scene.focal)
    coarse = sensor_models.at_sensor_resolution(scene.depth, torch.tensor([ratio]))
    measure = (sensor_models.stereo_depth if sensor == SENSORS[0]
               else sensor_models.structured_light_depth)
    focal = ratio * scene.focal
    side = ratio * scene.depth.shape[-1]
    pixels = math.ceil(side)
    depth = measure(coarse, focal, noise)[0, :pixels, :pixels].numpy()
    return LivenessFace(
        scene.species, np.ascontiguousarray(depth), FaceBox(side / 2, side / 2, side),
        CameraIntrinsics(pixels, pixels, focal, focal, float(ratio * scene.centre[0]),
                         float(ratio * scene.centre[1])), scene.mask,
        (ratio * scene.points).astype(np.float32), scene.person, presentation, frame,
        scene.distance_m, sensor)
