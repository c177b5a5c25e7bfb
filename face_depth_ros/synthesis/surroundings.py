# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth of what is around and before a face: hair, glasses, shoulders, hands, paper, walls.

Together with the true face this is the scene that a depth camera observes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.synthesis import shapes
from face_depth_ros.synthesis.accessories import Glasses, HairStyle
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.head_pose import head_rotation, HeadPoses, project, to_canonical_crop
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.rasterizer import rasterize
import numpy as np
import torch

_FOCAL = 1.0
_FARTHEST_M = 10.0


@dataclass(frozen=True)
class SurroundingsShare:
    """Probability of each thing in an image."""

    hair: float = 0.75
    glasses: float = 0.25
    hand: float = 0.08
    paper: float = 0.04
    wall: float = 0.6
    clutter: float = 0.4


class Surroundings:
    """
    Draws what surrounds the faces of a batch.

    :param assets: hair and glasses are left out where the folder has none
    """

    def __init__(self, assets: FaceAssets, head: MorphableHead,
                 share: SurroundingsShare = SurroundingsShare()) -> None:
        self.device, self.share = head.device, share
        self.hair = [HairStyle(assets, head, name) for name in assets.names('hair', 'npz')]
        self.glasses = [Glasses(assets, head, name) for name in assets.names('glasses', 'npz')]
        self._head = head

    def depth(self, identity: torch.Tensor, poses: HeadPoses, size: int,
              generator: np.random.Generator) -> torch.Tensor:
        """
        Render everything but the heads in their canonical crops.

        :param identity: (B, 100)
        :returns: (B, size, size) metres, NaN where nothing is
        """
        batch = len(identity)
        depth = torch.full((batch, size, size), torch.nan, device=self.device)
        self._draw_styles(depth, identity, poses, generator)
        for share, mesh, place in (
                (1.0, shapes.torso(), self._torso),
                (self.share.hand, shapes.hand(), self._before_face),
                (self.share.paper, shapes.sheet()[:2], self._before_face),
                (self.share.clutter, shapes.sphere(), self._behind)):
            chosen = self._indices(generator.random(batch) < share)
            if len(chosen):
                points = place(mesh[0], _subset(poses, chosen), generator)
                _merge(depth, chosen, points, mesh[1], _subset(poses, chosen))
        wall = self._indices(generator.random(batch) < self.share.wall)
        depth[wall] = torch.fmin(depth[wall], self._walls(_subset(poses, wall), size, generator))
        return depth

    def _draw_styles(self, depth: torch.Tensor, identity: torch.Tensor, poses: HeadPoses,
                     generator: np.random.Generator) -> None:
        """Draw hair and glasses, all images of one style together."""
        batch = len(identity)
        groups: tuple[tuple[float, Sequence[HairStyle | Glasses]], ...] = (
            (self.share.hair, self.hair), (self.share.glasses, self.glasses))
        for share, styles in groups:
            draws = generator.random(batch)
            style_of = generator.integers(0, max(len(styles), 1), batch)
            for index, style in enumerate(styles):
                chosen = self._indices((draws < share) & (style_of == index))
                if not len(chosen):
                    continue
                group = _subset(poses, chosen)
                if isinstance(style, HairStyle):
                    vertices, triangles = style.vertices(identity[chosen]), style.opaque
                else:
                    vertices = style.vertices(self._head.identity_vertices(identity[chosen]))
                    triangles = style.triangles[~style.is_lens]
                _merge(depth, chosen, group.to_optical(vertices), triangles, group)

    def _indices(self, chosen: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.nonzero(chosen)[0], device=self.device)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def _torso(self, vertices: np.ndarray, poses: HeadPoses,
               generator: np.random.Generator) -> torch.Tensor:
        return poses.to_optical(turned_torso(self._tensor(vertices), len(poses.position),
                                             generator))

    def _before_face(self, vertices: np.ndarray, poses: HeadPoses,
                     generator: np.random.Generator) -> torch.Tensor:
        """Things of a hand's size held before the face, any way up, (B, N, 3) metres."""
        count = len(poses.position)
        size = 0.01 if len(vertices) > 100 else generator.uniform(0.05, 0.1)
        angles = generator.uniform(-1.0, 1.0, (3, count)) * np.array([[0.7], [0.7], [np.pi]])
        turn = head_rotation(*self._tensor(angles))
        offset = generator.uniform((-0.11, -0.11, -0.2), (0.11, 0.11, -0.1), (count, 3))
        offset[:, 2] = np.maximum(offset[:, 2], 0.1 - poses.position[:, 2].cpu().numpy())
        centre = poses.position + self._tensor(offset)
        return (self._tensor(vertices) * size) @ turn.transpose(1, 2) + centre[:, None]

    def _behind(self, vertices: np.ndarray, poses: HeadPoses,
                generator: np.random.Generator) -> torch.Tensor:
        """Ellipsoids beside and behind the head, (B, N, 3) metres."""
        count = len(poses.position)
        axes = self._tensor(generator.uniform(0.05, 0.4, (count, 1, 3)))
        side = np.where(generator.random(count) < 0.5, -1.0, 1.0)
        offset = generator.uniform((0.15, -0.4, 0.05), (0.5, 0.4, 1.0), (count, 3))
        offset[:, 0] *= side
        centre = poses.position + self._tensor(offset)
        return self._tensor(vertices) * axes * 0.5 + centre[:, None]

    def _walls(self, poses: HeadPoses, size: int,
               generator: np.random.Generator) -> torch.Tensor:
        """Tilted planes behind the heads: 1 / z is linear in the image; (B, S, S) metres."""
        count = len(poses.position)
        behind = self._tensor(np.exp(generator.uniform(np.log(0.15), np.log(3.0), count)))
        tilt = self._tensor(generator.uniform(-0.5, 0.5, (2, count, 1, 1)))
        steps = torch.linspace(-1.0, 1.0, size, device=self.device)
        nearest = 1.0 / (poses.position[:, 2] + 0.12)[:, None, None]
        inverse = 1.0 / (poses.position[:, 2] + behind)[:, None, None]
        inverse = inverse * (1.0 + tilt[0] * steps[:, None] + tilt[1] * steps)
        wall = 1.0 / torch.minimum(inverse, nearest)
        return wall.masked_fill(wall > _FARTHEST_M, torch.nan)


def turned_torso(vertices: torch.Tensor, count: int,
                 generator: np.random.Generator) -> torch.Tensor:
    """
    Turn and widen torsos under their heads at random.

    :param vertices: (N, 3) cm, head frame
    :returns: (count, N, 3) cm, head frame
    """
    pivot = vertices.new_tensor(shapes.TORSO_PIVOT_CM)
    angles = np.clip(generator.standard_normal((3, count)), -2.5, 2.5)
    angles *= np.deg2rad([[18.0], [7.0], [5.0]])
    turn = head_rotation(*torch.as_tensor(angles, dtype=vertices.dtype, device=vertices.device))
    to_head = torch.diag(vertices.new_tensor([1.0, -1.0, -1.0]))
    stretch = vertices.new_tensor(generator.uniform(0.82, 1.12, (count, 1, 3)))
    return ((vertices - pivot) * stretch) @ (to_head @ turn).transpose(1, 2) + pivot


def _subset(poses: HeadPoses, chosen: torch.Tensor) -> HeadPoses:
    return HeadPoses(poses.rotation[chosen], poses.position[chosen])


def _merge(depth: torch.Tensor, chosen: torch.Tensor, points: torch.Tensor,
           triangles: np.ndarray, poses: HeadPoses) -> None:
    """Draw two-sided meshes into the chosen images, the nearest surface wins."""
    size = depth.shape[1]
    pixels = to_canonical_crop(project(points, _FOCAL, (0.0, 0.0)),
                               poses.boxes(_FOCAL, (0.0, 0.0)), size)
    drawn = rasterize(pixels, torch.as_tensor(triangles), size, size, cull_back_faces=False)
    depth[chosen] = torch.fmin(depth[chosen], drawn.depth)
