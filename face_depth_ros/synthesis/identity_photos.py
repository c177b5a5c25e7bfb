# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos of many people, each several times: what face recognition is trained and measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from face_depth_ros.core.face_frame import frames_of
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.face_batches import (
    camera_of_crops,
    FaceBatchRenderer,
    Sitters,
    SIZE,
)
from face_depth_ros.synthesis.face_looks import LookTable
from face_depth_ros.synthesis.head_crops import upright
from face_depth_ros.synthesis.head_pose import head_rotation, HeadPoses
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.light_batches import draw_lights
from face_depth_ros.synthesis.lighting import load_environments
from face_depth_ros.synthesis.photo_backgrounds import BackgroundSource, load_panoramas
from face_depth_ros.synthesis.photo_batches import PhotoBatch, PhotoComposer, PhotoStyle
import numpy as np
import torch

_STREAM = 0x1DFACE
SPEECH = ('jawOpen', 'mouthFunnel', 'mouthPucker', 'mouthStretch', 'mouthLowerDown',
          'mouthUpperUp', 'mouthRollLower', 'mouthClose', 'jawLeft', 'jawRight', 'cheekPuff')
"""Blendshapes of mouths that speak."""
_BACKGROUND_PX = 256
_FRAME_ERRORS = (0.017, 1.0, 0.006, 0.009)
"""One sigma of scale (log), roll (degrees) and place (sides) by which the estimator's landmarks
move a frame, and of the log of how far off the landmarks of one photo are."""
_FRAME_SPREAD = 0.4


@dataclass(frozen=True)
class Moments:
    """
    How people look and stand when a photo is taken. Angles in degrees.

    :param yaw: least and largest magnitude, uniform between them
    :param frontal: share of photos whose yaw is normal with a sigma of `frontal_sigma` instead
    :param expressive: share of faces with a basic expression; the rest are neutral
    :param speaking: share of mouths that speak
    :param other_hair: share of people with other hair than their own
    :param glasses: whether people may put other glasses on, or off
    """

    yaw: tuple[float, float] = (0.0, 75.0)
    frontal: float = 0.5
    frontal_sigma: float = 20.0
    pitch_sigma: float = 10.0
    expressive: float = 0.7
    speaking: float = 0.4
    other_hair: float = 0.2
    glasses: bool = True
    distance_m: tuple[float, float] = (0.3, 2.5)
    shift: float = 0.03
    scale: float = 0.06
    roll_sigma: float = 5.0
    style: PhotoStyle = PhotoStyle()


def at_size(moments: Moments, size: int) -> Moments:
    """Return the same moments for photos of fewer pixels: the depth sensor's noise is scaled."""
    return replace(moments, style=replace(moments.style, noise_scale=size / SIZE))


TRAINING = Moments()
TURNED = Moments(yaw=(0.0, 90.0), frontal=0.0)
"""As many faces at each yaw, what face shapes are learnt from and judged on."""
_STILL = PhotoStyle(occluders=0.0, degraded=0.35, shadows=0.2, cut=0.0, noise_m=(0.0005, 0.003))
_FRONTAL = Moments(yaw=(0.0, 8.0), frontal=0.0, pitch_sigma=4.0, expressive=0.0, speaking=0.0,
                   other_hair=0.0, glasses=False, style=_STILL)
SESSIONS = {
    'gallery': _FRONTAL,
    'expression': replace(_FRONTAL, expressive=1.0, speaking=0.5),
    'pose': replace(_FRONTAL, yaw=(15.0, 60.0), pitch_sigma=8.0),
    'occlusion': replace(_FRONTAL, style=replace(_STILL, occluders=1.0)),
    'time': replace(_FRONTAL, yaw=(0.0, 15.0), pitch_sigma=8.0, expressive=0.5, speaking=0.3,
                    other_hair=0.3, glasses=True, style=replace(_STILL, degraded=0.8)),
}

"""What recognition is measured on: the gallery, and probes that differ from it by one thing each,
or (time) by everything at once, as in a second session."""
PROBES_EACH = 2
"""Photos of each kind of probe."""


@dataclass(frozen=True)
class People:
    """
    P people of one split.

    :param coefficients: (P, 100) float32
    :param looks: their own
    :param code: (P, L) float32, the looks in numbers
    """

    coefficients: torch.Tensor
    looks: LookTable
    code: torch.Tensor

    def __len__(self) -> int:
        return len(self.coefficients)


@dataclass(frozen=True)
class IdentityPhotos:
    """
    B photos with what is true of them.

    :param person: (B,) int64; yaw, pitch: (B,) degrees
    :param expression: (B, 57)
    :param position: (B, 3) metres, where the head point is in the optical frame
    :param pixel_of_slope: (B, 2, 3) the camera: affine from slopes (x/z, y/z) to pixels
    """

    photos: PhotoBatch
    person: torch.Tensor
    yaw: torch.Tensor
    pitch: torch.Tensor
    expression: torch.Tensor
    position: torch.Tensor
    pixel_of_slope: torch.Tensor


class IdentityPhotographer:
    """
    Takes photos.

    :param assets: with skins
    :param backgrounds: how many to draw ahead; each photo shows a part of one
    :param seed: the same seed, device and calls take the same photos
    :param size: pixels along a side of the photos
    """

    def __init__(self, assets: FaceAssets, device: torch.device | str = 'cpu', seed: int = 0,
                 backgrounds: int = 300, *, size: int = SIZE) -> None:
        self.renderer = FaceBatchRenderer(assets, device, size)
        self.device = self.renderer.device
        self.environments = load_environments(assets)
        self.generator = np.random.default_rng((_STREAM, seed))
        source = BackgroundSource(load_panoramas(assets))
        drawn = np.stack([source.draw(_BACKGROUND_PX, self.generator)
                          for _ in range(backgrounds)])
        self.composer = PhotoComposer(
            torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous().to(self.device),
            torch.Generator(self.device).manual_seed(seed))
        self._expressions = ExpressionDraws(self.renderer.expressions)

    def people(self, split: str, indices: Sequence[int], mannequins: float = 0.03) -> People:
        """
        Return people of a split; the same index is the same person.

        :param split: train, validation or test; skin blends of the last two are not trained on
        """
        looks = [self.renderer.library.sample(
            np.random.default_rng((_STREAM, 1, hash_of(split), index)), mannequins, split)
            for index in indices]
        coefficients = np.stack([identity_coefficients(split, index) for index in indices])
        table = self.renderer.textures.table(looks)
        return People(torch.as_tensor(coefficients, device=self.device), table,
                      self.renderer.textures.code(table))

    def take(self, people: People, rows: torch.Tensor, moments: Moments = TRAINING,
             ) -> IdentityPhotos:
        """
        Take one photo of each of some people.

        :param rows: (B,) int64 of `people`
        """
        sitters, yaw, pitch = self.sit(people, rows, moments, lambda: self._expressions.draw(
            len(rows), moments, self.generator))
        photos = self.composer.compose(self.renderer.render(sitters), moments.style)
        return IdentityPhotos(photos, rows, yaw, pitch, sitters.expression,
                              sitters.poses.position,
                              camera_of_crops(sitters, self.renderer.size))

    def take_relief(self, people: People, rows: torch.Tensor, moments: Moments = TRAINING,
                    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Take what depth and mask are of photos of some people, several times faster than photos.

        They are seen in the frame of their landmarks (core.face_frame), off by what the estimator
        errs.

        :param rows: (B,) int64 of `people`
        :returns: see `PhotoComposer.compose_relief`; measure it by the composer
        """
        sitters, _, _ = self.sit(people, rows, moments, lambda: self._expressions.draw(
            len(rows), moments, self.generator))
        sitters = replace(sitters, crops=self._framed(sitters))
        return self.composer.compose_relief(*self.renderer.render_relief(sitters), moments.style)

    def sit(self, people: People, rows: torch.Tensor, moments: Moments,
            expression: Callable[[], np.ndarray]) -> (
                tuple[Sitters, torch.Tensor, torch.Tensor]):
        """
        Let people sit down for their photos.

        :param expression: draws blendshape weights, (B, 57)
        :returns: the sitters; yaw and pitch, each (B,) degrees
        """
        count = len(rows)
        strangers = torch.as_tensor(self.generator.integers(0, len(people), count),
                                    device=self.device)
        own = people.looks.take(rows)
        other = people.looks.take(strangers)
        if not moments.glasses:
            other = replace(other, glasses=own.glasses, frame_rgb=own.frame_rgb)
        changed = torch.as_tensor(self.generator.random(count) < moments.other_hair,
                                  device=self.device)
        weights = expression()
        gaze = self.generator.normal(0.0, np.deg2rad((8.0, 5.0)), (count, 2))
        yaw, pitch, poses, torso = self._poses(count, moments)
        sitters = Sitters(
            people.coefficients[rows], self._tensor(weights), self._tensor(gaze), poses, torso,
            own.wearing(other, changed),
            draw_lights(self.environments, count, self.generator, self.device),
            self.crops(count, moments))
        return sitters, self._tensor(yaw), self._tensor(pitch)

    def _framed(self, sitters: Sitters) -> torch.Tensor:
        """Return crops (B, 2, 3) that show the frames of landmarks that are a little off."""
        size, count, draw = self.renderer.size, len(sitters.crops), self.generator
        frames = frames_of((self.renderer.landmarks(sitters) / size).cpu().numpy())
        much = np.exp(_FRAME_SPREAD * draw.standard_normal(count))
        off = draw.standard_normal((4, count)) * much * np.array(_FRAME_ERRORS)[:, None]
        turn = np.exp(off[0]) * np.exp(1j * np.deg2rad(off[1]))
        linear = np.stack([np.stack([turn.real, -turn.imag], 1),
                           np.stack([turn.imag, turn.real], 1)], 1)
        shift = 0.5 - linear @ np.array([0.5, 0.5]) + off[2:].T
        moved = linear @ frames
        moved[:, :, 2] += shift
        crops = sitters.crops.cpu().numpy()
        joined = moved[:, :, :2] @ crops
        joined[:, :, 2] += moved[:, :, 2] * size
        return self._tensor(joined)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def _poses(self, count: int, moments: Moments,
               ) -> tuple[np.ndarray, np.ndarray, HeadPoses, torch.Tensor]:
        """Return yaw and pitch in degrees, upright poses, and rotations of the torsos."""
        draw = self.generator
        yaw = draw.uniform(*moments.yaw, count) * draw.choice([-1.0, 1.0], count)
        ahead = np.clip(draw.standard_normal(count), -2.5, 2.5) * moments.frontal_sigma
        yaw = np.where(draw.random(count) < moments.frontal, ahead, yaw)
        pitch = np.clip(draw.standard_normal(count), -2.5, 2.5) * moments.pitch_sigma
        slope = draw.uniform(-0.3, 0.3, (count, 2))
        nearest, farthest = np.log(moments.distance_m)
        depth = np.exp(draw.uniform(nearest, farthest, count))
        angles = torch.as_tensor(np.deg2rad(np.stack([yaw, pitch, np.zeros(count)])),
                                 dtype=torch.float32)
        position = np.concatenate([slope, np.ones((count, 1))], axis=1) * depth[:, None]
        poses = upright(HeadPoses(head_rotation(*angles), torch.as_tensor(
            position, dtype=torch.float32)))
        turn = np.clip(draw.standard_normal((3, count)), -2.5, 2.5) * np.deg2rad(
            [[18.0], [7.0], [5.0]])
        to_head = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ head_rotation(
            *torch.as_tensor(turn, dtype=torch.float32))
        torso = poses.rotation @ to_head
        moved = HeadPoses(poses.rotation.to(self.device), poses.position.to(self.device))
        return yaw, pitch, moved, torso.to(self.device)

    def crops(self, count: int, moments: Moments) -> torch.Tensor:
        """Return crops as a detector would give them, (B, 2, 3) from pixels of the true box."""
        draw = np.clip(self.generator.standard_normal((4, count)), -2.5, 2.5)
        scale = np.exp(draw[2] * moments.scale)
        roll = np.deg2rad(draw[3] * moments.roll_sigma)
        cos, sin = np.cos(roll) / scale, np.sin(roll) / scale
        linear = np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1)  # (B, 2, 2)
        size = self.renderer.size
        centre = size / 2 + draw[:2].T * moments.shift * size
        offset = size / 2 - (linear @ centre[..., None])[..., 0]
        return self._tensor(np.concatenate([linear, offset[..., None]], axis=2))


class ExpressionDraws:
    """
    Draws expressions for many faces at once, of the same kinds as ExpressionTable.sample.

    :param table: of the head
    """

    def __init__(self, table: ExpressionTable) -> None:
        self._prototypes = np.stack([table.prototypes[k] for k in sorted(table.prototypes)])
        self._speech = np.stack([table.weights({name: 1.0}) for name in SPEECH])
        self._blink = table.weights({'eyeBlink': 1.0})

    def draw(self, count: int, moments: Moments, generator: np.random.Generator) -> np.ndarray:
        """Return weights, (count, 57) float32 in [0, 1]."""
        kind = generator.integers(0, len(self._prototypes), count)
        weights = self._prototypes[kind] * generator.uniform(0.75, 1.25, (count, 57))
        strength = generator.uniform(0.3, 1.0, count) * (
            generator.random(count) < moments.expressive)
        weights = weights * strength[:, None]
        order = generator.random((count, len(SPEECH))).argsort(axis=1)
        spoken = (order < 3) * generator.uniform(0.0, 0.5, (count, len(SPEECH)))
        spoken *= (generator.random(count) < moments.speaking)[:, None]
        weights = weights + spoken @ self._speech
        lids = generator.uniform(0.3, 1.0, count) * (generator.random(count) < 0.12)
        return np.clip(weights + lids[:, None] * self._blink, 0.0, 1.0).astype(np.float32)


def hash_of(split: str) -> int:
    """Return a number that belongs to a split's name, the same everywhere."""
    return int.from_bytes(split.encode()[:8], 'little')
