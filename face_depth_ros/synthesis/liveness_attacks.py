# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
True depth of things that are shown in place of a living face, in the crop of the face they show.

A print, bent or not, is a surface over the plane of the crop; a cut-out is one with the outline of
a face and holes, before the face of somebody who wears it; a half mask covers half of a real face;
a bust is a head of another size. What the camera sees of the printed face, its mask and landmarks,
is bent with the paper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import BOX_SIDE_M
import numpy as np

LIVE = 'live'
FLAT, BENT, WAVY, SCREEN, CUT_OUT, HALF_MASK, SMALL_BUST, LARGE_BUST, BOX, BALL = (
    'flat print', 'bent print', 'wavy print', 'screen', 'cut-out', 'half mask', 'small bust',
    'large bust', 'box', 'ball')
SPECIES = (LIVE, FLAT, BENT, WAVY, SCREEN, CUT_OUT, HALF_MASK, SMALL_BUST, LARGE_BUST, BOX, BALL)
"""Living faces first, then the kinds of attacks."""
_EYES = (tuple(range(36, 42)), tuple(range(42, 48)))
_MOUTH, _NOSE = tuple(range(48, 60)), (27, 31, 32, 33, 34, 35)


@dataclass(frozen=True)
class AttackRanges:
    """
    How attacks vary.

    :param radius_m: of bends, at the size of a head
    :param tilt: largest slope of a surface
    :param waves_m: largest amplitude of wavy paper
    :param print_size, screen_size: heads on paper and screens / real ones
    :param small, large: sizes of busts / of a head of mean size
    :param lost: largest share of a screen without depth
    :param conical: share of bends whose radius changes along the axis
    :param line: where a half mask may end, 0 at the eyes, 1 at the mouth
    :param live_size: of living heads
    """

    radius_m: tuple[float, float] = (0.05, 0.4)
    tilt: float = 0.6
    waves_m: float = 0.015
    print_size: tuple[float, float] = (0.6, 1.6)
    screen_size: tuple[float, float] = (0.35, 1.6)
    small: tuple[float, float] = (0.35, 0.8)
    large: tuple[float, float] = (1.25, 2.0)
    lost: float = 0.4
    conical: float = 0.0
    line: tuple[float, float] = (0.3, 0.8)
    live_size: tuple[float, float] = (0.93, 1.07)


TRAINING = AttackRanges()
WIDER = AttackRanges(radius_m=(0.04, 0.6), tilt=0.7, waves_m=0.02, print_size=(0.5, 1.8),
                     screen_size=(0.3, 2.0), small=(0.3, 0.8), large=(1.25, 2.5), lost=0.5,
                     conical=0.3, line=(0.2, 0.9))
"""Of the test split: more of everything, and bends that are cones."""


@dataclass(frozen=True)
class Head:
    """
    A rendered head in its canonical crop.

    :param depth: (S, S) float32 metres, with hair, shoulders and walls, NaN where nothing is
    :param mask: (S, S) uint8 of core.face_photo.MASK_LABELS
    :param landmarks: (68, 2) pixels of the crop
    :param distance_m: depth of the head point
    """

    depth: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray
    distance_m: float


def stage(species: str, shown: Head, other: Head, ranges: AttackRanges,
          chance: np.random.Generator) -> Head:
    """
    Put a living face or an attack before the camera.

    :param species: of `SPECIES`
    :param shown: who lives, or who is printed
    :param other: who wears a cut-out, or stands behind a print
    :returns: as `shown`, its distance that of the head point if the thing were a head
    :raises SettingsError: no such species
    """
    if species not in SPECIES:
        raise SettingsError(f'species {species!r} is not known, expected one of '
                            f'{", ".join(SPECIES)}')
    if species == LIVE:
        return resized(shown, chance.uniform(*ranges.live_size))
    if species in (SMALL_BUST, LARGE_BUST):
        low, high = ranges.small if species == SMALL_BUST else ranges.large
        return resized(shown, _reachable(chance.uniform(low, high), shown, low, high))
    if species == HALF_MASK:
        return _half_masked(resized(shown, chance.uniform(*ranges.live_size)), ranges, chance)
    low, high = ranges.screen_size if species == SCREEN else ranges.print_size
    if species == CUT_OUT:
        low, high = 0.85, 1.2
    size = _reachable(low * (high / low) ** chance.random(), shown, low, 1.0)
    surface, print_of = _Surface(species, size, ranges, chance).bent(shown)
    held = replace(print_of, distance_m=size * shown.distance_m)
    if species == CUT_OUT:
        return _cut_out(surface, held, other, chance)
    return _held(species, surface, held, other, size, ranges, chance)


def resized(head: Head, size: float) -> Head:
    """Return a head of another size that fills the same crop, nearer or farther away."""
    return replace(head, depth=(np.float32(size) * head.depth), distance_m=size * head.distance_m)


def smooth_field(size: int, cell: float, chance: np.random.Generator) -> np.ndarray:
    """Return a smooth random field of about unit variance, (size, size) float32."""
    nodes = int(np.ceil(size / cell)) + 2
    return cv2.resize(chance.standard_normal((nodes, nodes)).astype(np.float32), (size, size),
                      interpolation=cv2.INTER_CUBIC)


class _Surface:
    """A surface over the plane of the crop, with how it bends what is printed on it."""

    def __init__(self, species: str, size: float, ranges: AttackRanges,
                 chance: np.random.Generator) -> None:
        self._species, self._size, self._ranges, self._chance = species, size, ranges, chance
        self._bends = species == BENT or (species == CUT_OUT and chance.random() < 0.7)
        low, high = ranges.radius_m
        low = max(low, 0.07) if species == CUT_OUT else low
        self._radius = size * low * (high / low) ** chance.random()
        self._inwards = species == BENT and chance.random() < 0.3
        # Mostly about an upright axis, as paper is wrapped around a face.
        self._axis = chance.normal(0.0, 0.15) + (0.5 * np.pi if chance.random() < 0.2 else 0.0)
        self._taper = chance.uniform(-2.0, 2.0) if chance.random() < ranges.conical else 0.0

    def bent(self, shown: Head) -> tuple[np.ndarray, Head]:
        """Return metres behind the middle of the surface, (S, S), and how the print looks."""
        size = len(shown.mask)
        step = BOX_SIDE_M * self._size / size
        y, x = (np.mgrid[:size, :size] + 0.5 - size / 2) * step
        slope = self._chance.uniform(-self._ranges.tilt, self._ranges.tilt, 2)
        relief = slope[0] * x + slope[1] * y
        cos, sin = np.cos(self._axis), np.sin(self._axis)
        across, along = cos * x + sin * y, cos * y - sin * x
        if self._bends:
            return self._rolled(shown, 0.5 * relief, across, along, step)
        if self._species == BOX:
            relief = 0.4 * relief + np.maximum(np.sign(slope[0]) * across, 0.0) * (
                self._chance.uniform(0.4, 2.0))
        elif self._species == BALL:
            radius = self._size * self._chance.uniform(0.075, 0.15)
            square = np.square(x) + np.square(y / self._chance.uniform(1.0, 1.4))
            relief = radius - np.sqrt(np.maximum(radius ** 2 - square, 0.0))
            relief[square > 0.95 * radius ** 2] = np.nan
        else:
            waves = self._ranges.waves_m * self._chance.uniform(0.25, 1.0)
            amplitude = waves if self._species == WAVY else self._chance.uniform(0.0, 0.001)
            relief = relief + self._size * amplitude * smooth_field(
                size, self._chance.uniform(32.0, 110.0), self._chance)
        return relief, shown

    def _rolled(self, shown: Head, relief: np.ndarray, across: np.ndarray, along: np.ndarray,
                step: float) -> tuple[np.ndarray, Head]:
        """Bend paper about an axis in its plane."""
        size = len(shown.mask)
        radius = self._radius * np.clip(1.0 + self._taper * along, 0.6, 1.6)
        inside = np.abs(across) < 0.97 * radius
        share = np.clip(across / radius, -0.97, 0.97)
        bend = radius * (1.0 - np.sqrt(1.0 - np.square(share)))
        relief = np.where(inside, relief + (-bend if self._inwards else bend), np.nan)
        # A point at arc length a from the axis is seen at R sin(a / R).
        arc = radius * np.arcsin(share)
        cos, sin = np.cos(self._axis), np.sin(self._axis)
        middle = size / 2 - 0.5
        source = [((cos * arc - sin * along) / step + middle).astype(np.float32),
                  ((sin * arc + cos * along) / step + middle).astype(np.float32)]
        mask = cv2.remap(shown.mask, source[0], source[1], cv2.INTER_NEAREST)
        mask[~inside] = 0
        place = (shown.landmarks - size / 2) * step  # (68, 2) metres on the flat paper
        a, b = place @ (cos, sin), place @ (-sin, cos)
        at = self._radius * np.clip(1.0 + self._taper * b, 0.6, 1.6)
        seen = at * np.sin(np.clip(a / at, -0.5 * np.pi, 0.5 * np.pi))
        points = np.stack([cos * seen - sin * b, sin * seen + cos * b], axis=1) / step + size / 2
        return relief, replace(shown, mask=mask, landmarks=points.astype(np.float32))


def _reachable(size: float, shown: Head, low: float, high: float) -> float:
    """Keep things where cameras measure, 0.22 to 2.2 m away, as far as the sizes allow it."""
    nearest, farthest = 0.22 / shown.distance_m, 2.2 / shown.distance_m
    return float(np.clip(size, min(nearest, max(high, size)), max(farthest, low)))


def _held(species: str, surface: np.ndarray, held: Head, other: Head, size: float,
          ranges: AttackRanges, chance: np.random.Generator) -> Head:
    """Hold a print, a screen or a thing up, with somebody or something behind."""
    count = len(held.mask)
    y, x = (np.mgrid[:count, :count] + 0.5) * 2.0 / count - 1.0
    angle = chance.normal(0.0, 0.1)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    half = chance.uniform(0.55, 1.6, 2)
    if species not in (BOX, BALL, SCREEN) and chance.random() < 0.2:
        inside = np.square(u / half[0].clip(0.65)) + np.square(v / half[1].clip(0.85)) < 1.0
    else:
        inside = (np.abs(u) < half[0]) & (np.abs(v) < half[1])
    thing = np.where(inside, held.distance_m + surface, np.nan)
    if species == SCREEN:
        thing[_lost_on_screen(count, ranges, chance)] = np.nan
        inside &= np.isfinite(surface)
    else:
        inside = np.isfinite(thing)
    nearest = float(np.nanmin(other.depth)) if np.isfinite(other.depth).any() else 0.0
    behind = other.depth - nearest + held.distance_m + size * 0.05 + chance.uniform(0.02, 0.8)
    if chance.random() < 0.3:
        behind = np.full_like(behind, np.nan)
    depth = np.where(inside, thing, behind)
    return replace(held, depth=depth.astype(np.float32), mask=np.where(inside, held.mask, 0
                                                                       ).astype(np.uint8))


def _lost_on_screen(count: int, ranges: AttackRanges, chance: np.random.Generator) -> np.ndarray:
    """Return where a glossy screen gives no depth: nowhere, in patches, or in fine grain."""
    if chance.random() < 0.4:
        return np.zeros((count, count), bool)
    cell = chance.choice([3.0, 20.0, 60.0])
    field = smooth_field(count, float(cell), chance)
    return np.asarray(field > np.quantile(field, 1.0 - chance.uniform(0.02, ranges.lost)))


def _cut_out(surface: np.ndarray, held: Head, wearer: Head, chance: np.random.Generator) -> Head:
    """Let somebody wear a print with the outline of the face and holes."""
    count = len(held.mask)
    grown = int(chance.integers(-4, 14))
    kernel = np.ones((2 * abs(grown) + 1,) * 2, np.uint8)
    face = (held.mask > 0).astype(np.uint8)
    outline = cv2.dilate(face, kernel) if grown > 0 else cv2.erode(face, kernel)
    ragged = cv2.GaussianBlur(outline.astype(np.float32), (0, 0), 4.0)
    inside = (ragged + 0.15 * smooth_field(count, 24.0, chance) > 0.5) & np.isfinite(surface)
    holes = np.zeros((count, count), np.uint8)
    groups = [group for likely, groups in ((0.7, _EYES), (0.15, (_MOUTH,)), (0.25, (_NOSE,)))
              if chance.random() < likely for group in groups]
    for group in groups:
        points = held.landmarks[list(group)]
        middle = points.mean(axis=0)
        hull = cv2.convexHull(((points - middle) * chance.uniform(1.0, 1.8) + middle
                               ).astype(np.float32))
        cv2.fillConvexPoly(holes, np.rint(hull).astype(np.int32), 1)
    inside &= holes == 0
    gap = wearer.depth - wearer.distance_m - surface
    worn = chance.random() < 0.7
    touching = gap[inside & np.isfinite(gap)]
    place = float(np.quantile(touching, 0.02)) if touching.size else 0.0
    # Worn, it touches the nose; held, the holder stands further back.
    back = chance.uniform(0.0, 0.02) if worn else chance.uniform(0.05, 0.5)
    behind = wearer.depth - wearer.distance_m - place + held.distance_m + back
    depth = np.where(inside, held.distance_m + surface, behind)
    return replace(held, depth=depth.astype(np.float32))


def _half_masked(head: Head, ranges: AttackRanges, chance: np.random.Generator) -> Head:
    """Cover the lower or the upper half of a face by a print or a smooth shell."""
    count = len(head.mask)
    points = head.landmarks
    eyes, mouth = points[36:48].mean(axis=0), points[48:60].mean(axis=0)
    down = (mouth - eyes) / max(float(np.linalg.norm(mouth - eyes)), 1.0)
    length = float((mouth - eyes) @ down)
    y, x = np.mgrid[:count, :count] + 0.5
    height = ((x - eyes[0]) * down[0] + (y - eyes[1]) * down[1]) / max(length, 1.0)
    line = chance.uniform(*ranges.line) + 0.04 * smooth_field(count, 40.0, chance)
    lower = chance.random() < 0.5
    half = height > line if lower else height < line
    near = cv2.dilate((head.mask > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    covered = half & near & np.isfinite(head.depth)
    if covered.sum() < 50:
        return head
    surface = _cover(head, covered, x - count / 2, y - count / 2, chance)
    gap = head.depth - surface
    place = float(np.quantile(gap[covered], chance.uniform(0.0, 0.05)))
    cover = surface + place - chance.uniform(0.0, 0.008)
    return replace(head, depth=np.where(covered, cover, head.depth).astype(np.float32))


def _cover(head: Head, covered: np.ndarray, x: np.ndarray, y: np.ndarray,
           chance: np.random.Generator) -> np.ndarray:
    """Return a smooth surface that follows a part of a face, (S, S) metres."""
    step = BOX_SIDE_M / len(head.mask)
    u, v = x * step, y * step
    kind = chance.integers(3)
    terms = [np.ones_like(u), u, v] + ([u * u, u * v, v * v] if kind == 2 else [])
    basis = np.stack([term[covered] for term in terms], axis=1)
    fit = np.linalg.lstsq(basis, head.depth[covered].astype(np.float64), rcond=None)[0]
    surface = np.tensordot(fit, np.stack(terms), axes=1)
    if kind == 1:  # paper wrapped around, kept upright
        radius = chance.uniform(0.07, 0.2)
        share = np.clip((u - u[covered].mean()) / radius, -0.97, 0.97)
        surface = surface + radius * (1.0 - np.sqrt(1.0 - np.square(share)))
    return np.asarray(surface)


__all__ = ['AttackRanges', 'Head', 'LIVE', 'SPECIES', 'stage', 'TRAINING', 'WIDER']
