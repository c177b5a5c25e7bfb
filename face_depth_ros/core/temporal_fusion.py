# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Measured depth of a tracked face, joined with what was measured just before.

Each track keeps one crop: the mean of its last measurements, with a weight per pixel that fades
with time. It is moved to the present (core/crop_alignment.py) and joined where both say the
same. What differs in a pixel or in its surroundings (a mouth that opens, a hand) takes the present
alone, so nothing smears. Where the present has a hole, the past fills it as long as it is recent
and all around it still holds. Running means as in Newcombe et al., "KinectFusion", in the face's
crop instead of a volume.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.crop_alignment import align, Alignment, BlockSurface, CropCamera
from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M, fill_holes, nearest_surface
from face_depth_ros.core.depth_guard import NoiseBound
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
import numpy as np

FADE_S = 0.25
"""The past's weight falls to 1/e in this time: at 30 Hz it is worth 7 frames, at 10 Hz 2."""
_FORGOTTEN_S = 1.0
"""Tracks that were not seen for so long are dropped."""
_LEAST_WEIGHT = 0.25
"""A pixel's past that counts less than this share of one measurement is over."""
_MAX_TURN = math.radians(15.0)
_MAX_SHIFT = 0.5
"""Of the box's side, between two frames; with the size's ratio as in a track's gate."""
_MAX_SCALE = 1.3
_MIN_SHARE = 0.6
_MAX_RESIDUAL = 0.5
"""Of the noise bound, for the median block."""
_BLOCK = 4
_SURROUNDINGS = ((3, 4.0), (7, 3.0))
"""Windows in blocks, and how many times its noise the mean of one may be; holes ask the last."""
_FLOOR_M = 0.0006
"""Millimetres round; no noise is taken to be smaller."""
_SPREAD = 1.5
"""Noise of a pixel against what its surroundings spread: more on slopes, where edges tremble."""
_EVERY = 8
"""Every eighth pixel is enough for a median."""
_MIN_AGREEING = 0.4
"""A face of which less holds has changed: the past goes."""
_SAFE_SHARE, _SAFE_COUNT = 0.8, 0.15
"""Around a hole, how much of what is compared must hold, and how much must be compared."""
_MAX_FILL_M = 0.01
"""A past that is farther from the smooth filling of a hole is another surface."""


@dataclass(frozen=True)
class FusedCrop:
    """
    A crop after joining.

    :param depth: metres, (S, S) float32, NaN where neither present nor past measured
    :param weight: (S, S) float32, measurements in each pixel; 1 = the present alone, 0 = invalid
    :param cause: why the past was not used, '' where it was
    """

    depth: np.ndarray
    weight: np.ndarray
    cause: str = ''


@dataclass(frozen=True)
class _Track:
    """
    A face as it was.

    :param present: what was measured then, metres, (S, S) float32, NaN where invalid
    :param surface: of the joined crop, for alignment
    """

    stamp_ns: int
    box: FaceBox
    present: np.ndarray
    fused: FusedCrop
    surface: BlockSurface


class TemporalFusion:
    """
    Keeps the past of each track; frames in order, one instance per camera.

    :param noise_bound: of the sensor
    :param max_gap_s: a past that is older is not used, > 0
    :raises SettingsError: `max_gap_s` out of its range
    """

    def __init__(self, noise_bound: NoiseBound | None = None, max_gap_s: float = 0.25) -> None:
        if not (math.isfinite(max_gap_s) and max_gap_s > 0):
            raise SettingsError(f'got max_gap_s = {max_gap_s}, expected a time > 0')
        self.noise_bound, self.max_gap_s = noise_bound or NoiseBound(), max_gap_s
        self._tracks: dict[str, _Track] = {}

    @property
    def tracks(self) -> tuple[str, ...]:
        """Return the faces of which a past is kept."""
        return tuple(self._tracks)

    def forget(self, track_id: str) -> None:
        """Drop the past of one face."""
        self._tracks.pop(track_id, None)

    def reset(self) -> None:
        """Drop every past."""
        self._tracks.clear()

    def fuse(self, track_id: str, stamp_ns: int, box: FaceBox, crop: np.ndarray,
             camera: CameraIntrinsics) -> FusedCrop:
        """
        Join a crop with its track's past and remember the result.

        The same crop of the same stamp again gives the same result (two methods, one frame).

        :param track_id: '' = unknown, nothing is joined or kept
        :param crop: metres, (S, S) float32, NaN where invalid
        :param camera: of the image that the box lies in; a wrong focal length costs some of the
            gain while the head turns
        """
        if not track_id:
            return _alone(crop, 'no_track')
        past = self._tracks.get(track_id)
        if past is not None and past.stamp_ns == stamp_ns and past.box == box and np.array_equal(
                past.present, crop, equal_nan=True):
            return past.fused
        cause = 'new' if past is None else self._refusal(past, stamp_ns, box)
        surface = BlockSurface.of(crop, CropCamera.of(box, crop.shape[0], camera))
        if surface is None:
            self.forget(track_id)
            return _alone(crop, 'too_little_depth')
        fused = _alone(crop, cause)
        if past is not None and not cause:
            fused = self._join(past, stamp_ns, crop, surface)
            surface = BlockSurface.of(fused.depth, surface.camera) or surface
        self._keep(track_id, _Track(stamp_ns, box, crop, fused, surface))
        return fused

    def _refusal(self, past: _Track, stamp_ns: int, box: FaceBox) -> str:
        """Return why a past cannot be used, '' when it may."""
        gap = (stamp_ns - past.stamp_ns) * 1e-9
        if gap <= 0:
            return 'stamp_backwards'
        if gap > self.max_gap_s:
            return 'gap'
        shift = math.hypot(box.center_x - past.box.center_x, box.center_y - past.box.center_y)
        ratio = box.side / past.box.side
        turn = abs(math.remainder(box.roll - past.box.roll, 2.0 * math.pi))
        if (shift > _MAX_SHIFT * max(box.side, past.box.side) or turn > 2.0 * _MAX_TURN
                or max(ratio, 1.0 / ratio) > _MAX_SCALE):
            return 'box_jump'
        return ''

    def _join(self, past: _Track, stamp_ns: int, crop: np.ndarray,
              surface: BlockSurface) -> FusedCrop:
        motion = align(surface, past.surface)
        bound = float(self.noise_bound.at(np.float32(surface.centre[2])))
        if motion is None or motion.share < _MIN_SHARE:
            return _alone(crop, 'not_aligned')
        if motion.residual > _MAX_RESIDUAL * bound:
            return _alone(crop, 'residual')
        if motion.turn > _MAX_TURN:
            return _alone(crop, 'turned')
        fade = math.exp(-(stamp_ns - past.stamp_ns) * 1e-9 / FADE_S)
        return _join_aligned(crop, surface.camera, past, motion, fade, bound)

    def _keep(self, track_id: str, track: _Track) -> None:
        self._tracks[track_id] = track
        limit = track.stamp_ns - int(_FORGOTTEN_S * 1e9)
        self._tracks = {name: t for name, t in self._tracks.items()
                        if limit <= t.stamp_ns <= track.stamp_ns}


def assumed_camera(width: int, height: int) -> CameraIntrinsics:
    """Return a camera that sees 60 degrees across the longer side, for want of a calibration."""
    focal = 0.5 * max(width, height) / math.tan(math.radians(30.0))
    return CameraIntrinsics(width, height, focal, focal, width / 2.0, height / 2.0)


def _alone(crop: np.ndarray, cause: str) -> FusedCrop:
    return FusedCrop(crop, np.isfinite(crop).astype(np.float32), cause)


def _join_aligned(crop: np.ndarray, camera: CropCamera, past: _Track, motion: Alignment,
                  fade: float, bound: float) -> FusedCrop:
    """
    Join once it is known how the face moved.

    :param fade: weight that the past still has, 0 to 1
    :param bound: metres, noise bound at the face
    """
    measured = np.isfinite(crop)
    near = nearest_surface(crop)
    with np.errstate(invalid='ignore'):
        face = crop < near + FACE_DEPTH_RANGE_M
    guess = np.where(measured, crop, fill_holes(crop, face))
    shift, weight = _innovation(guess, camera, past, motion)
    with np.errstate(invalid='ignore'):
        shift[~measured & (np.abs(shift) > _MAX_FILL_M)] = np.nan
    compared = face & np.isfinite(shift)
    if not compared.any():
        return _alone(crop, 'not_aligned')
    trust, around = _trust(np.where(compared, shift, np.float32(0.0)), compared, bound)
    if trust[compared].mean() < _MIN_AGREEING:
        return _alone(crop, 'changed')
    weight *= np.float32(fade)
    usable = np.isfinite(shift) & (weight > _LEAST_WEIGHT)
    weight *= np.where(measured, trust, around) * usable
    filled = ~measured & (weight > _LEAST_WEIGHT)
    shift[~usable] = 0.0
    count = weight + measured
    depth = guess + shift * weight / np.maximum(count, np.float32(1e-6))
    none = ~(measured | filled)
    depth[none], count[none] = np.nan, 0.0
    return FusedCrop(depth, count)


def _innovation(guess: np.ndarray, camera: CropCamera, past: _Track,
                motion: Alignment) -> tuple[np.ndarray, np.ndarray]:
    """
    Return by how much the past lies behind a surface, and the past's weight there.

    :param guess: metres, (S, S) float32
    :returns: metres, (S, S) float32, NaN where the past has nothing; (S, S) float32
    """
    points = motion.moved(camera.points(guess))
    pixels = past.surface.camera.pixels(points)
    depth = cv2.remap(past.fused.depth, pixels[0], pixels[1], cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_CONSTANT, borderValue=[math.nan])
    weight = cv2.remap(past.fused.weight, pixels[0], pixels[1], cv2.INTER_LINEAR)
    return depth - points[2], weight


def _trust(shift: np.ndarray, compared: np.ndarray,
           bound: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Tell where past and present show the same surface.

    Two tests, by the pixel and by its surroundings: noise has no mean, a change has. Both scales
    of noise are measured in this very frame and capped by the bound.

    :param shift: metres, (S, S) float32, 0 where not compared
    :returns: trust of measured pixels and of holes, (S, S) float32, 0 to 1
    """
    known = compared.astype(np.float32)
    single = _scale(shift[compared], bound / 3.0)
    clipped = np.clip(shift, -4.0 * single, 4.0 * single)
    share, total, square = (_shrink(i) for i in (known, clipped, clipped * clipped))
    region = np.ones_like(share)
    for window, times in _SURROUNDINGS:
        near = np.maximum(_mean(share, window), np.float32(1e-3))
        mean = _mean(total, window) / near
        region *= _fall(mean, times * _scale(mean[share > 0.5], bound / 6.0))
    spread = np.sqrt(_mean(square, window) / near)
    local = np.clip(_SPREAD * spread, single, max(single, bound / 3.0))
    size = shift.shape[::-1]
    trust = _fall(shift / cv2.resize(local, size), 3.0) * cv2.resize(region, size) * known
    agreeing = _mean(_shrink((trust > 0.1).astype(np.float32)), window) / near
    around = ((agreeing > _SAFE_SHARE) & (near > _SAFE_COUNT)).astype(np.float32)
    return trust, cv2.resize(around, size, interpolation=cv2.INTER_NEAREST)


def _shrink(image: np.ndarray) -> np.ndarray:
    """Return the means of blocks."""
    size = (image.shape[1] // _BLOCK, image.shape[0] // _BLOCK)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _scale(values: np.ndarray, largest: float) -> float:
    """Return the noise of values that are mostly noise, metres; the largest if there are none."""
    if not values.size:
        return largest
    median = float(np.median(np.abs(values[::_EVERY])))
    return min(max(1.48 * median, _FLOOR_M), largest)


def _fall(values: np.ndarray, limit: float) -> np.ndarray:
    """1 at zero, smoothly 0 from the limit on."""
    square = np.minimum((values * np.float32(1.0 / limit)) ** 2, np.float32(1.0))
    return np.float32(1.0) - square * square


def _mean(image: np.ndarray, window: int) -> np.ndarray:
    return cv2.blur(image, (window, window), borderType=cv2.BORDER_REFLECT)
