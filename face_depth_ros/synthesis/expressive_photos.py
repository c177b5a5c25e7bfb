# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos of people who show something: what expression recognition is trained and measured on.

A face shows one of the six basic expressions, put together from action units, at one of four
levels as in BU-3DFE, or nothing. No two show it alike: every unit is stronger or weaker, one side
is stronger than the other, some units are missing, a second expression may be mixed in, and
mouths speak and lids blink, which says nothing of the expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from face_depth_ros.core.expression_input import LOWERED, PART
from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS, NEUTRAL
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer, Moments, People, SPEECH
from face_depth_ros.synthesis.photo_batches import PhotoBatch, PhotoStyle
import numpy as np
import torch

LEVELS = (0.4, 0.6, 0.8, 1.0)
"""Share of the full expression at levels 1 to 4; 0 is the level of a neutral face."""
_LEVEL_SPREAD, _UNIT_SPREAD, _MISSING, _ASYMMETRY = 0.1, 0.3, 0.06, 0.18
_MIXED, _REST = 0.35, 0.12
_SPOKEN, _SPEECH_SHAPES, _BLINK = 0.4, 3, (0.3, 1.0)


@dataclass(frozen=True)
class Shown:
    """
    What faces show, and how likely.

    :param labels: of EXPRESSIONS, equally likely
    :param levels: how likely levels 1 to 4 are
    :param mixed: share with a second expression mixed in
    :param speaking: share of mouths that speak
    :param blinking: share of lids that are half or fully shut
    """

    labels: tuple[int, ...] = tuple(range(len(EXPRESSIONS)))
    levels: tuple[float, ...] = (0.15, 0.2, 0.3, 0.35)
    mixed: float = 0.25
    speaking: float = 0.3
    blinking: float = 0.08


@dataclass(frozen=True)
class Sitting:
    """What faces show, and how they stand and are photographed."""

    shown: Shown = field(default_factory=Shown)
    moments: Moments = field(default_factory=Moments)


_STILL = PhotoStyle(occluders=0.0, degraded=0.35, shadows=0.2, cut=0.0, noise_m=(0.0005, 0.003))
TRAINING = Sitting(moments=Moments(
    yaw=(0.0, 60.0), frontal=0.6, frontal_sigma=16.0, pitch_sigma=9.0, other_hair=0.0,
    style=PhotoStyle(occluders=0.1, degraded=0.65, noise_m=(0.0003, 0.003))))
_POSED = Sitting(replace(Shown(), speaking=0.0, blinking=0.0, levels=(0.25, 0.25, 0.25, 0.25)),
                 Moments(yaw=(0.0, 15.0), frontal=0.0, pitch_sigma=6.0, other_hair=0.0,
                         style=_STILL))
SESSIONS = {
    'posed': _POSED,
    'speech': replace(_POSED, shown=replace(_POSED.shown, speaking=1.0, blinking=0.1)),
    'pose': replace(_POSED, moments=replace(_POSED.moments, yaw=(15.0, 45.0), pitch_sigma=9.0)),
    'occlusion': replace(_POSED, moments=replace(
        _POSED.moments, style=replace(_STILL, occluders=1.0))),
}
"""What expressions are measured on: posed as in BU-3DFE, and one difficulty at a time."""


@dataclass(frozen=True)
class Drawn:
    """
    What B faces show.

    :param weights: (B, 57) float32 of the blendshapes, 0 to 1
    :param label: (B,) int64 of EXPRESSIONS; level: (B,) int64, 0 for neutral, else 1 to 4
    :param strength: (B,) float32, share of the full expression, 0 for neutral
    :param action_units: (B, 17) float32 of ACTION_UNITS, 0 to 1, mean of both sides
    """

    weights: np.ndarray
    label: np.ndarray
    level: np.ndarray
    strength: np.ndarray
    action_units: np.ndarray


@dataclass(frozen=True)
class ExpressivePhotos:
    """
    B photos with what is true of them.

    :param photos: of the part or of the whole canonical crop
    :param landmarks: (B, 68, 2) pixels of the photos
    :param person: (B,) int64; yaw, pitch: (B,) degrees
    """

    photos: PhotoBatch
    landmarks: torch.Tensor
    shown: Drawn
    person: torch.Tensor
    yaw: torch.Tensor
    pitch: torch.Tensor


class ExpressivePhotographer(IdentityPhotographer):
    """
    Takes photos of people who show something.

    :param size: pixels along a side of the photos
    :param part: photos of the part that the recogniser sees (core.expression_input), else of the
        whole canonical crop
    :param kwargs: of `IdentityPhotographer`
    """

    def __init__(self, assets: FaceAssets, device: torch.device | str = 'cpu', seed: int = 0,
                 backgrounds: int = 300, *, size: int, part: bool) -> None:
        super().__init__(assets, device, seed, backgrounds, size=size)
        self.part = part
        self._draws = ShownDraws(self.renderer.expressions)

    def take_shown(self, people: People, rows: torch.Tensor, sitting: Sitting = TRAINING, *,
                   labels: Sequence[int] | None = None,
                   levels: Sequence[int] | None = None) -> ExpressivePhotos:
        """
        Take one photo of each of some people.

        :param rows: (B,) int64 of `people`
        :param labels: what each shows, None = drawn
        :param levels: 1 to 4 of each, None = drawn
        """
        drawn = self._draws.draw(len(rows), sitting.shown, self.generator, labels, levels)
        sitters, yaw, pitch = self.sit(people, rows, sitting.moments, lambda: drawn.weights)
        renders = self.renderer.render(sitters)
        photos = self.composer.compose(renders, sitting.moments.style)
        return ExpressivePhotos(photos, renders.landmarks, drawn, rows, yaw, pitch)

    def crops(self, count: int, moments: Moments) -> torch.Tensor:
        """Return crops as a detector would give them, or their parts."""
        crops = super().crops(count, moments)
        if not self.part:
            return crops
        size = self.renderer.size
        corner = torch.tensor([0.5 - PART / 2, 0.5 - PART / 2 + LOWERED]) * size
        corner = corner.to(crops.device)
        return torch.cat([crops[..., :2], (crops[..., 2] - corner)[..., None]], dim=2) / PART


class ShownDraws:
    """
    Draws what faces show.

    :param table: of the head
    """

    def __init__(self, table: ExpressionTable) -> None:
        self._prototypes = np.stack([table.prototypes[name] for name in EXPRESSIONS])
        self._speech = np.stack([table.weights({name: 1.0}) for name in SPEECH])
        self._blink = table.weights({'eyeBlink': 1.0})
        units = np.stack([table.weights({name: 1.0}) for name in ACTION_UNITS.values()])
        self._units = units / units.sum(axis=1, keepdims=True)  # (17, 57)
        side = np.array([name.endswith('_L') * 1.0 - name.endswith('_R') * 1.0
                         for name in table.names])
        self._side = side  # (57,): 1 left, -1 right, 0 both

    def draw(self, count: int, shown: Shown, generator: np.random.Generator,
             labels: Sequence[int] | None = None, levels: Sequence[int] | None = None) -> Drawn:
        """
        Draw `count` faces.

        :param labels, levels: given instead of drawn
        """
        label = (generator.choice(shown.labels, count) if labels is None
                 else np.asarray(labels, np.int64))
        level = 1 + (generator.choice(len(LEVELS), count, p=shown.levels) if levels is None
                     else np.asarray(levels, np.int64) - 1)
        level = np.where(label == NEUTRAL, 0, level)
        strength = np.array((0.0, *LEVELS))[level] * generator.uniform(
            1 - _LEVEL_SPREAD, 1 + _LEVEL_SPREAD, count)
        weights = self._units_of(label, generator) * strength[:, None]
        # Nobody at rest is without any trace of an expression.
        other = generator.integers(0, NEUTRAL, count)
        mixed = strength * _MIXED * (generator.random(count) < shown.mixed)
        trace = np.where(label == NEUTRAL, _REST, mixed) * generator.random(count)
        weights = weights + self._units_of(other, generator) * trace[:, None]
        units = np.clip(weights, 0.0, 1.0)
        order = generator.random((count, len(SPEECH))).argsort(axis=1)
        spoken = (order < _SPEECH_SHAPES) * generator.uniform(0.0, _SPOKEN, order.shape)
        spoken *= (generator.random(count) < shown.speaking)[:, None]
        lids = generator.uniform(*_BLINK, count) * (generator.random(count) < shown.blinking)
        weights = np.clip(units + spoken @ self._speech + lids[:, None] * self._blink, 0.0, 1.0)
        return Drawn(weights.astype(np.float32), label, level, strength.astype(np.float32),
                     (weights @ self._units.T).astype(np.float32))

    def _units_of(self, label: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return full expressions, each put together a little differently, (B, 57)."""
        shape = (len(label), self._prototypes.shape[1])
        spread = generator.uniform(1 - _UNIT_SPREAD, 1 + _UNIT_SPREAD, shape)
        spread *= generator.random(shape) >= _MISSING
        lean = np.clip(generator.normal(0.0, _ASYMMETRY, len(label)), -0.5, 0.5)
        return self._prototypes[label] * spread * (1.0 + lean[:, None] * self._side)
