# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The geometric test of a frontal face by the depth under its 68 landmarks.

Source: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section
IV.G. A landmark fails that has no depth, that is nearer than the nose tip, or that lies on the
jawline and is nearer than its neighbour on the way to the chin. A paper bent the right way passes
many of these, and a face turned away fails some: it is a clue, not a verdict, and meant for faces
that are seen from ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import LANDMARK_COUNT
import numpy as np

CHIN, JAW_END, NOSE_TIP = 8, 16, 30
"""From 0; the paper counts from 1: chin 9, jawline 1 to 17, nose tip 31."""
HOLE, NEARER_THAN_NOSE, JAW_COMES_NEARER = 'hole', 'nearer_than_nose', 'jaw_comes_nearer'
FAILURES = (HOLE, NEARER_THAN_NOSE, JAW_COMES_NEARER)
"""Why a landmark may fail; where several apply the first one is told."""

_FRONTAL = (0.33, 0.67)
"""Where the nose tip lies between the ends of the jawline of faces within some 20 degrees."""


@dataclass(frozen=True)
class LandmarkTest:
    """
    The outcome of the test.

    :param depths: (68,) float64 metres under the landmarks, NaN where there is none
    :param failures: (68,), '' or one of FAILURES
    """

    depths: np.ndarray
    failures: tuple[str, ...]

    @property
    def error(self) -> float:
        """Return the share of landmarks that fail, 0 to 1: the PAD error of the paper."""
        return sum(bool(cause) for cause in self.failures) / len(self.failures)

    def count(self, cause: str) -> int:
        """Return how many landmarks fail for a cause."""
        return self.failures.count(cause)


def is_frontal(landmarks: np.ndarray) -> bool:
    """
    Tell whether a face is seen from ahead: the nose tip lies in the middle of the jawline's ends.

    :param landmarks: (68, 2) pixels
    """
    first, last, nose = (np.asarray(landmarks[i], np.float64) for i in (0, JAW_END, NOSE_TIP))
    across = last - first
    length = float(across @ across)
    share = float((nose - first) @ across) / length if length > 0.0 else float('nan')
    return _FRONTAL[0] <= share <= _FRONTAL[1]


def depth_under(depth: np.ndarray, points: np.ndarray) -> np.ndarray:
    """
    Read the depth under points.

    :param depth: (H, W), NaN where invalid
    :param points: (N, 2) pixels, corner-origin
    :returns: (N,) float64, NaN where nothing is valid, and for points that are not known (NaN) or
        outside
    :raises InvalidImageError: other shapes
    """
    if depth.ndim != 2 or points.ndim != 2 or points.shape[1] != 2:
        raise InvalidImageError(f'expected an (H, W) image and (N, 2) points, got {depth.shape} '
                                f'and {points.shape}')
    values = np.full(len(points), np.nan)
    pixels = np.floor(np.nan_to_num(points, nan=-1.0, posinf=-1.0, neginf=-1.0))
    inside = ((pixels >= 0) & (pixels < (depth.shape[1], depth.shape[0]))).all(axis=1)
    columns, rows = pixels[inside].astype(int).T
    values[inside] = depth[rows, columns]
    values[~np.isfinite(values)] = np.nan
    return values


def landmark_test(depth: np.ndarray, landmarks: np.ndarray, tolerance_m: float = 0.0,
                  ) -> LandmarkTest:
    """
    Test the landmarks of a face.

    In comparisons a hole counts as the farthest depth, as in the paper's images.

    :param depth: (H, W) float metres, NaN where invalid
    :param landmarks: (68, 2) pixels of it, corner-origin, the usual order
    :param tolerance_m: by how much a landmark may be nearer than it should; 0 = the paper's rule
    :raises InvalidImageError: other shapes, or a tolerance below 0
    """
    if len(landmarks) != LANDMARK_COUNT or not tolerance_m >= 0.0:
        raise InvalidImageError(f'the test needs {LANDMARK_COUNT} landmarks and a tolerance of at '
                                f'least 0, got {len(landmarks)} and {tolerance_m}')
    depths = depth_under(depth, landmarks)
    far = np.where(np.isnan(depths), np.inf, depths)
    jaw = np.arange(JAW_END + 1)
    towards_chin = jaw + np.sign(CHIN - jaw)
    comes_nearer = np.zeros(LANDMARK_COUNT, bool)
    comes_nearer[jaw] = far[jaw] < far[towards_chin] - tolerance_m
    failed = {HOLE: np.isnan(depths), NEARER_THAN_NOSE: far < far[NOSE_TIP] - tolerance_m,
              JAW_COMES_NEARER: comes_nearer}
    return LandmarkTest(depths, tuple(
        next((cause for cause in FAILURES if failed[cause][i]), '')
        for i in range(LANDMARK_COUNT)))
