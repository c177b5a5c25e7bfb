# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Colour crops of single random heads with alpha, labels, depth and landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.synthesis.appearance import Appearance
from face_depth_ros.synthesis.head_pose import (
    BOX_SIDE_M,
    DEFAULT_POSES,
    head_rotation,
    HeadPoses,
    PoseRange,
    sample_poses,
)
from face_depth_ros.synthesis.identity_splits import sample_identities
from face_depth_ros.synthesis.labels import MASK_OF_FINE
from face_depth_ros.synthesis.lighting import Lights, load_environments, sample_lights
from face_depth_ros.synthesis.morphable_head import landmarks_5
from face_depth_ros.synthesis.person import Person, PersonModel, PersonState
from face_depth_ros.synthesis.shading import render_color, render_labels
from face_depth_ros.synthesis.textures import to_srgb
import numpy as np
import torch
from torch.nn import functional

_STREAM = 0x4EADC
_SUPERSAMPLING = 2
_VISIBLE_WITHIN_M = 0.01
_AHEAD_DEG = 8.0
"""Largest yaw and pitch of a head that looks into the camera."""


@dataclass(frozen=True)
class HeadCrops:
    """
    B upright crops, the face box in the middle.

    :param rgba: (B, S, S, 4) uint8, sRGB, straight alpha
    :param mask: (B, S, S) uint8 mask classes; fine: (B, S, S) uint8 fine labels
    :param depth: (B, S, S) float32 metres, with hair and shoulders, NaN where nothing is
    :param landmarks_5: (B, 5, 2) pixels of the crop; landmarks_68: (B, 68, 2)
    :param visible_5: (B, 5) bool, not hidden by something; visible_68: (B, 68) bool
    :param yaw: (B,) radians, positive when the subject turns to its left
    :param side: pixels of the crop along a side of the face box
    :param identities: (B,) index of the person within the split
    :param rotation: (B, 3, 3) from the head frame to the optical frame
    :param position: (B, 3) metres, the head point in the optical frame
    :param focal: (B,) pixels of the crop
    :param plain: (B,) bool, a mannequin
    """

    rgba: np.ndarray
    mask: np.ndarray
    fine: np.ndarray
    depth: np.ndarray
    landmarks_5: np.ndarray
    landmarks_68: np.ndarray
    visible_5: np.ndarray
    visible_68: np.ndarray
    yaw: np.ndarray
    side: float
    identities: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    focal: np.ndarray
    plain: np.ndarray


class HeadCropRenderer:
    """
    Renders heads of random people.

    :param model: geometry and textures
    :param split: train, validation or test
    :param size: pixels along a side of the crop
    :param expansion: side of the crop / side of the face box
    :param limits: poses; with max_yaw = 180 also backs of heads
    :param mannequins: share of heads with a plain skin
    :param held_out_skins: keep some blends of skins from the split train, and show the other
        splits with these alone
    """

    def __init__(self, model: PersonModel, split: str = 'train', size: int = 160,
                 expansion: float = 1.6, limits: PoseRange = DEFAULT_POSES,
                 mannequins: float = 0.0, held_out_skins: bool = False) -> None:
        self.model, self.split, self.size = model, split, size
        self.skins = split if held_out_skins else None
        self.side, self.limits, self.mannequins = size / expansion, limits, mannequins
        self.environments = load_environments(model.assets)

    def render(self, seed: int, batch: int) -> HeadCrops:
        """
        Render a batch.

        :param seed: the same seed renders the same heads
        """
        generator = np.random.default_rng((_STREAM, seed))
        identities, coefficients = sample_identities(self.split, batch, generator)
        return self._render(identities, coefficients, [None] * batch, generator)

    def render_people(self, seed: int, people: int, times: int, frontal: int = 0) -> HeadCrops:
        """
        Render each of some people several times, one after the other.

        Shape, skin, brows, irises and hair stay; pose, expression, light, glasses and clothes
        change.

        :param seed: the same seed renders the same heads
        :param frontal: how many crops of every second person look ahead, within 8 degrees
        :returns: people * times crops
        """
        generator = np.random.default_rng((_STREAM, seed, times))
        identities, coefficients = sample_identities(self.split, people, generator)
        looks: list[Appearance] = []
        for _ in range(people):
            own = self._sample_look(generator)
            for worn in (self._sample_look(generator) for _ in range(times)):
                looks.append(replace(own, glasses=worn.glasses, frame_rgb=worn.frame_rgb,
                                     cloth_rgb=worn.cloth_rgb))
        ahead = [person % 2 == 0 and turn < frontal
                 for person in range(people) for turn in range(times)]
        return self._render(identities.repeat(times), coefficients.repeat(times, axis=0), looks,
                            generator, ahead)

    def _render(self, identities: np.ndarray, coefficients: np.ndarray,
                looks: Sequence[Appearance | None], generator: np.random.Generator,
                ahead: Sequence[bool] = ()) -> HeadCrops:
        """
        Render given people.

        :param looks: where there is none, one is drawn in its turn
        :param ahead: which look into the camera; () = none has to
        """
        batch = len(identities)
        expressions = self.model.expressions.sample(batch, generator)
        poses = upright(sample_poses(batch, generator, self.limits))
        if any(ahead):
            limits = replace(self.limits, max_yaw=_AHEAD_DEG, pitch_sigma=_AHEAD_DEG / 3.0)
            straight = upright(sample_poses(batch, generator, limits))
            chosen = torch.tensor(ahead)
            poses = HeadPoses(
                torch.where(chosen[:, None, None], straight.rotation, poses.rotation),
                torch.where(chosen[:, None], straight.position, poses.position))
        crops = [self._one(coefficients[i], looks[i], expressions[i], poses.rotation[i].numpy(),
                           poses.position[i].numpy(), generator) for i in range(batch)]
        rgba, mask, fine, depth, points_5, points_68, seen_5, seen_68, plain = (
            np.stack(column) for column in zip(*crops, strict=True))
        yaw = torch.atan2(poses.rotation[:, 0, 2], -poses.rotation[:, 2, 2]).numpy()
        return HeadCrops(rgba, mask, fine, depth, points_5, points_68, seen_5, seen_68, yaw,
                         self.side, identities, poses.rotation.numpy(), poses.position.numpy(),
                         poses.position[:, 2].numpy() * self.side / BOX_SIDE_M, plain)

    def _sample_look(self, generator: np.random.Generator) -> Appearance:
        return self.model.library.sample(generator, self.mannequins, self.skins)

    def _one(self, identity: np.ndarray, look: Appearance | None, expression: np.ndarray,
             rotation: np.ndarray, position: np.ndarray, generator: np.random.Generator,
             ) -> tuple[np.ndarray, ...]:
        if look is None:
            look = self._sample_look(generator)
        gaze = generator.normal(0.0, np.deg2rad((8.0, 5.0)))
        turn = np.clip(generator.standard_normal(3), -2.5, 2.5) * np.deg2rad((18.0, 7.0, 5.0))
        torso = rotation @ _head_to_head(turn)
        state = PersonState(rotation, position, expression, gaze, torso)
        lights, _ = sample_lights(self.environments, generator, self.model.device)
        camera = crop_camera(position, self.side, self.size)
        return (*self._images(Person(identity, look), state, camera, lights),
                np.array(look.plain_skin is not None))

    def _images(self, person: Person, state: PersonState, camera: CameraIntrinsics,
                lights: Lights) -> tuple[np.ndarray, ...]:
        density = self.side / (BOX_SIDE_M * 100.0) * _SUPERSAMPLING
        parts = self.model.surfaces(person, state, density)
        fine_camera = camera.scaled(camera.width * _SUPERSAMPLING,
                                    camera.height * _SUPERSAMPLING)
        image = render_color(parts.opaque, parts.clear, fine_camera, lights)
        labels = render_labels(parts.opaque, parts.clear, camera)
        points = torch.cat([landmarks_5(parts.landmarks[None])[0], parts.landmarks])  # (73, 3)
        pixels = project_points(points, camera)
        visible = visible_points(pixels, points[:, 2], labels.depth).cpu().numpy()
        fine = labels.label.cpu().numpy()
        places = pixels.cpu().numpy()
        return (straight_rgba(image.color, image.alpha), MASK_OF_FINE[fine], fine,
                labels.depth.cpu().numpy(), places[:5], places[5:], visible[:5], visible[5:])


def upright(poses: HeadPoses) -> HeadPoses:
    """Turn the camera about its axis until every head's box has no roll."""
    roll = poses.boxes(1.0, (0.0, 0.0))[:, 3]
    cos, sin, zero = (-roll).cos(), (-roll).sin(), torch.zeros_like(roll)
    turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, torch.ones_like(roll)],
                       dim=1).view(-1, 3, 3)
    return HeadPoses(turn @ poses.rotation, (turn @ poses.position[..., None])[..., 0])


def crop_camera(position: np.ndarray, side: float, size: int) -> CameraIntrinsics:
    """
    Intrinsics of the camera whose whole image is the crop of an upright head.

    :param position: (3,) metres, the head point
    :param side: pixels of the face box; size: pixels of the crop
    """
    x, y, z = (float(value) for value in position)
    focal = side * z / BOX_SIDE_M
    return CameraIntrinsics(size, size, focal, focal, size / 2 - focal * x / z,
                            size / 2 - focal * y / z)


def project_points(points: torch.Tensor, camera: CameraIntrinsics) -> torch.Tensor:
    """
    Project points of the optical frame.

    :param points: (N, 3) metres
    :returns: (N, 2) pixels
    """
    focal, centre = (points.new_tensor(values) for values in
                     ((camera.fx, camera.fy), (camera.cx, camera.cy)))
    return points[:, :2] / points[:, 2:] * focal + centre


def visible_points(pixels: torch.Tensor, z: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """
    Tell which points are in the image and not hidden by a surface before them.

    :param pixels: (N, 2); z: (N,) metres; depth: (H, W) metres
    :returns: (N,) bool
    """
    height, width = depth.shape
    column, row = pixels[:, 0].floor().long(), pixels[:, 1].floor().long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return inside & ~(seen < z - _VISIBLE_WITHIN_M)


def straight_rgba(color: torch.Tensor, alpha: torch.Tensor) -> np.ndarray:
    """
    Shrink a supersampled image and encode it.

    :param color: (H * 2, W * 2, 3) linear light times alpha; alpha: (H * 2, W * 2)
    :returns: (H, W, 4) uint8, straight alpha
    """
    layers = torch.cat([color.permute(2, 0, 1), alpha[None]])[None]
    small = functional.avg_pool2d(layers, _SUPERSAMPLING)[0]  # (4, H, W)
    rgb = to_srgb(small[:3] / small[3:].clamp(min=1e-4))
    opacity = (small[3:] * 255.0 + 0.5).to(torch.uint8)
    return torch.cat([rgb, opacity]).permute(1, 2, 0).cpu().numpy()


def _head_to_head(angles: np.ndarray) -> np.ndarray:
    """Rotation in the head frame by yaw, pitch and roll (3,) radians, (3, 3)."""
    turn = head_rotation(*torch.as_tensor(angles, dtype=torch.float32)[:, None])[0].numpy()
    return np.diag([1.0, -1.0, -1.0]).astype(np.float32) @ turn
