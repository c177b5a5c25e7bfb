# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Endless true depth images of faces in their canonical crop, deterministic per seed."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.head_pose import (
    BOX_SIDE_M,
    DEFAULT_POSES,
    HeadPoses,
    PoseRange,
    project,
    sample_poses,
    to_canonical_crop,
)
from face_depth_ros.synthesis.identity_splits import sample_identities
from face_depth_ros.synthesis.morphable_head import landmarks_5, MorphableHead
from face_depth_ros.synthesis.rasterizer import rasterize
from face_depth_ros.synthesis.surroundings import Surroundings
import numpy as np
import torch

_STREAM, _SCENE_STREAM = 0xDE97, 0x5CE7E
_FOCAL = 1.0
"""Any number: the crop has the same picture whatever the focal length of the camera."""


@dataclass(frozen=True)
class FaceDepthBatch:
    """
    True depth of B faces and what is needed to degrade it as a camera would.

    :param depth: (B, S, S) float32 metres along the camera's axis, head and neck only, NaN where
        there is neither
    :param observed: (B, S, S) metres, the whole scene: also hair, glasses, shoulders, hands,
        walls; None if not asked for
    :param focal: (B,) pixels, the focal length of a camera that would see the crop in this size
    :param landmarks: (B, 5, 3): x, y in pixels of the crop, z in metres
    :param identities: (B,) int64, index of the person within the split
    """

    depth: torch.Tensor
    observed: torch.Tensor | None
    focal: torch.Tensor
    landmarks: torch.Tensor
    identities: torch.Tensor


@dataclass(frozen=True)
class FaceSample:
    """
    Drawn heads before any image is made of them.

    :param identity: (B, 100), expression: (B, 57), gaze: (B, 2) radians
    :param identities: (B,) index of the person within the split
    """

    identity: torch.Tensor
    expression: torch.Tensor
    gaze: torch.Tensor
    poses: HeadPoses
    identities: torch.Tensor


class FaceDepthRenderer:
    """
    Renders true depth of random people of one split.

    :param assets: folder with the head model
    :param device: where it renders; the parameters of the faces are the same on every device
    :param split: train, validation or test
    :param size: pixels along a side of the crop
    :param limits: how the heads stand in front of the camera
    """

    def __init__(self, assets: FaceAssets, device: torch.device | str = 'cpu',
                 split: str = 'train', size: int = 256, limits: PoseRange = DEFAULT_POSES) -> None:
        self.assets = assets
        self._around: Surroundings | None = None
        self.head = MorphableHead(assets, device)
        self.expressions = ExpressionTable(assets, self.head.expression_names)
        self.split, self.size, self.limits = split, size, limits
        drawn = ~self.head.slots('none', 'eyelash')
        self.triangles = torch.as_tensor(self.head.triangles[drawn], device=self.head.device)

    def sample(self, seed: int, batch: int) -> FaceSample:
        """
        Draw people, expressions, gazes and poses.

        :param seed: the same seed draws the same
        """
        generator = np.random.default_rng((_STREAM, seed))
        indices, identity = sample_identities(self.split, batch, generator)
        expression = self.expressions.sample(batch, generator)
        gaze = generator.normal(0.0, np.deg2rad((8.0, 5.0)), (batch, 2)).astype(np.float32)
        device = self.head.device
        poses = sample_poses(batch, generator, self.limits, device)
        return FaceSample(torch.as_tensor(identity, device=device),
                          torch.as_tensor(expression, device=device),
                          torch.as_tensor(gaze, device=device), poses,
                          torch.as_tensor(indices))

    def render(self, seed: int, batch: int, observed: bool = False) -> FaceDepthBatch:
        """
        Render a batch.

        :param seed: the same seed renders the same batch
        :param batch: number of faces; 16 or more amortise the head model
        :param observed: also render what surrounds and covers the faces
        """
        faces = self.sample(seed, batch)
        vertices = self.head.vertices(faces.identity, faces.expression, faces.gaze)
        raster = rasterize(self.to_crop(vertices, faces.poses), self.triangles, self.size,
                           self.size)
        points = landmarks_5(self.head.landmarks_68(vertices))
        scene = None
        if observed:
            generator = np.random.default_rng((_SCENE_STREAM, seed))
            around = self._surroundings().depth(faces.identity, faces.poses, self.size, generator)
            scene = torch.fmin(raster.depth, around)
        return FaceDepthBatch(raster.depth, scene, self.crop_focal(faces.poses),
                              self.to_crop(points, faces.poses), faces.identities)

    def _surroundings(self) -> Surroundings:
        """Return hair, glasses and the rest; read when first asked for."""
        if self._around is None:
            self._around = Surroundings(self.assets, self.head)
        return self._around

    def to_crop(self, points_cm: torch.Tensor, poses: HeadPoses) -> torch.Tensor:
        """
        Project points of the head frame into the canonical crop.

        :param points_cm: (B, N, 3)
        :returns: (B, N, 3): x, y in pixels of the crop, z in metres
        """
        pixels = project(poses.to_optical(points_cm), _FOCAL, (0.0, 0.0))
        return to_canonical_crop(pixels, poses.boxes(_FOCAL, (0.0, 0.0)), self.size)

    def crop_focal(self, poses: HeadPoses) -> torch.Tensor:
        """Return the focal length that belongs to the crop, (B,) pixels."""
        return self.size / BOX_SIDE_M * poses.position[:, 2]
