# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Drawn living faces and attacks, and detectors that look at how much a surface bulges."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth, Liveness
from face_depth_ros.core.liveness_input import LivenessInput, SIZE
from face_depth_ros.evaluation.liveness_faces import LivenessFace
from face_depth_ros.predictors.liveness_network import LivenessSaid
import numpy as np

SIDE, FOCAL = 120, 300.0
FLAT, BENT = 'flat print', 'bent print'
_MASK = 64


def draw_face(species: str = 'live', person: int = 0, presentation: int = 0, frame: int = 0,
              distance_m: float = 0.6, seed: int = 0) -> LivenessFace:
    """Return a head with a nose, a sheet, or a bent sheet, with a millimetre of noise."""
    generator = np.random.default_rng((seed, presentation, frame))
    side = 0.22 * FOCAL / distance_m
    box = FaceBox(SIDE / 2, SIDE / 2, side)
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2) / (side / 2)
    inside = (x / 0.7) ** 2 + (y / 0.9) ** 2 < 1.0
    if species == 'live':
        relief = 0.05 * (x ** 2 + 0.5 * y ** 2) - 0.025 * np.exp(
            -((x / 0.12) ** 2 + ((y - 0.15) / 0.2) ** 2))
        relief += 0.008 * np.exp(-(((np.abs(x) - 0.3) / 0.12) ** 2 + ((y + 0.2) / 0.1) ** 2))
    elif species == BENT:
        relief = 0.04 * x ** 2
    else:
        relief = 0.02 * x
    depth = distance_m + relief + generator.normal(0.0, 0.001, x.shape)
    mask = np.zeros((_MASK, _MASK), np.uint8)
    v, u = (np.mgrid[:_MASK, :_MASK] + 0.5) * 2.0 / _MASK - 1.0
    mask[(u / 0.7) ** 2 + (v / 0.9) ** 2 < 1.0] = 1
    return LivenessFace(
        species, np.where(inside, depth, np.nan).astype(np.float32), box,
        CameraIntrinsics(SIDE, SIDE, FOCAL, FOCAL, SIDE / 2, SIDE / 2), mask,
        transform_points(box.image_from_crop(1), landmarks()).astype(np.float32), person,
        presentation, frame, distance_m, 'drawn')


def draw_faces(people: int = 3, frames: int = 2, species: Sequence[str] = ('live', FLAT, BENT),
               ) -> list[LivenessFace]:
    """Return a presentation of every species by every person."""
    return [draw_face(kind, person, person * len(species) + number, frame, 0.5 + 0.3 * (
        person % 3)) for person in range(people) for number, kind in enumerate(species)
        for frame in range(frames)]


def landmarks() -> np.ndarray:
    """Return 68 points in sides of the crop, (68, 2): a jaw, and the rest around the nose tip."""
    angle = np.pi * np.arange(17) / 16.0
    jaw = np.stack([0.5 - 0.3 * np.cos(angle), 0.5 + 0.38 * np.sin(angle)], axis=1)
    ring = 2.0 * np.pi * np.arange(51) / 51.0
    rest = np.stack([0.5 + 0.2 * np.cos(ring), 0.5 + 0.2 * np.sin(ring)], axis=1)
    rest[30 - 17] = 0.5, 0.575  # the nose tip
    return np.concatenate([jaw, rest])


class BulgeNetwork:
    """Says how much the middle of the relief stands out; closed once it is not needed."""

    engine: Any = SimpleNamespace(backend='drawn', precision='fp32', warm_up=lambda: None)
    live_threshold, spoof_threshold = 0.6, 0.4

    def __init__(self, *settings: str) -> None:
        self.closed = False

    def say(self, looks: Sequence[LivenessInput]) -> list[LivenessSaid]:
        middle = slice(SIZE // 2 - 6, SIZE // 2 + 12)
        return [LivenessSaid(float(np.clip(12.0 * (np.percentile(
            look.planes[0, middle, middle], 90) - 0.8), -6.0, 6.0)), 'flat') for look in looks]

    def close(self) -> None:
        self.closed = True


class BulgeDetector:
    """Calls live what stands out in the middle; `detect` needs two frames. Counts its calls."""

    engine: Any = SimpleNamespace(backend='drawn', precision='fp32', warm_up=lambda: None)

    def __init__(self) -> None:
        self.frames, self.resets, self.closed = 0, 0, False

    def look(self, color: np.ndarray, detections: Sequence[Detection],
             estimated: EstimatedDepth | None, enhanced: EnhancedDepth | None, *,
             intrinsics: CameraIntrinsics | None = None) -> tuple[Liveness, ...]:
        assert color.shape[:2] == enhanced.depth.shape and intrinsics is not None
        assert estimated.faces[0].landmarks.shape == (68, 2)
        (detection,) = detections
        depth = enhanced.depth
        if not np.isfinite(depth).any():
            return (Liveness(detection, 'unsure', 0.5, 'no_depth'),)
        middle = depth[SIDE // 2 - 6:SIDE // 2 + 12, SIDE // 2 - 6:SIDE // 2 + 6]
        bulge = float(np.nanmedian(depth) - np.nanpercentile(middle, 10))
        probability = float(np.clip(bulge / 0.04, 0.0, 1.0))
        label = 'live' if probability > 0.6 else 'spoof' if probability < 0.4 else 'unsure'
        return (Liveness(detection, label, probability, '' if label == 'live' else 'flat'),)

    def detect(self, stamp_ns: int, *arguments: Any, **named: Any) -> tuple[Liveness, ...]:
        self.frames += 1
        (said,) = self.look(*arguments, **named)
        if self.frames < 2:
            return (Liveness(said.detection, 'unsure', said.probability, 'few_frames'),)
        return (said,)

    def reset(self) -> None:
        self.frames, self.resets = 0, self.resets + 1

    def close(self) -> None:
        self.closed = True
