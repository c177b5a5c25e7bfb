# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Where a face with known relief stands: from sensor depth under it, else from the size of its head.

A network tells relief r in sides of the face box, for it cannot know how far away the face is, nor
where in the image it stands. Along the ray to the head point (core/face_photo.py) a point of the
face lies at D (1 + r s / F), with the distance D of the head point, the side s of the box in
pixels and F, the distance in pixels from the camera to the box's centre in the image plane; so D
alone is open. Sensor depth gives it by a robust fit, which may also stretch the relief a little;
else a head of mean size is fitted to the landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import AlignmentError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.frames import Placement
from face_depth_ros.core.mean_head import HEAD_SIZE_SIGMA, MEAN_LANDMARKS_M, RIGID_LANDMARKS
from face_depth_ros.core.similarity_alignment import align_robustly
import numpy as np

MIN_SENSOR_PIXELS = 60
SENSOR_RANGE_M = (0.1, 10.0)
CONTRADICTION = 'relief_contradicts_sensor'
"""The sensor sees no such relief under the face: a print, a screen, or something before it."""
_BOX_SIGMA = 0.08
_RELIEF_SIGMA = 0.08
"""How far the relief's scale may differ from the camera's geometry, one sigma, as a share."""
_FREE_SCALE_SIGMA = 0.15
"""The same where no intrinsics say what the geometry is."""
_INDEPENDENT = 100.0
"""So many pixels count against what is known of the scale beforehand."""
_SHARED = 0.7
"""Share of the noise that the whole face has in common: errors of relief do not average out."""
_LEAST_NOISE_M = 0.002
_TUKEY = 4.685
_ROUNDS = 20
_PLAUSIBLE_STRETCH = (0.6, 1.5)
_MIN_LANDMARKS = 8


@dataclass(frozen=True)
class FacePlacement:
    """
    A point of the face lies at `distance_m` + `scale_m` * relief along the ray to the head point.

    :param kind: what it rests on
    :param distance_m: of the head point from the camera, NaN with Placement.NONE
    :param scale_m: metres per side of the box, NaN likewise
    :param sigma_m: one sigma of the distance, NaN likewise
    :param note: '' or CONTRADICTION
    """

    kind: Placement
    distance_m: float
    scale_m: float
    sigma_m: float
    note: str = ''


UNPLACED = FacePlacement(Placement.NONE, math.nan, math.nan, math.nan)


def place_by_box(box: FaceBox, intrinsics: CameraIntrinsics) -> FacePlacement:
    """Place a face by what its box measures at its depth: 22 cm."""
    distance = BOX_SIDE_M / _side_at_1_m(box, intrinsics)
    return FacePlacement(Placement.HEAD_SIZE, distance, BOX_SIDE_M, _BOX_SIGMA * distance)


def place_by_landmarks(box: FaceBox, intrinsics: CameraIntrinsics, landmarks: np.ndarray,
                       relief: np.ndarray) -> FacePlacement:
    """
    Place a face by the size of the mean head, or by its box where too few points are seen.

    :param landmarks: (68, 2) pixels of the image
    :param relief: (68,) sides of the box, at the landmarks; NaN where the point is not seen
    """
    ratio = _side_at_1_m(box, intrinsics)
    along = 1.0 + np.asarray(relief, np.float64) * ratio  # (68,) for a head point at 1
    depth = along / along_ray(box, intrinsics, landmarks)
    usable = np.zeros(len(depth), bool)
    usable[list(RIGID_LANDMARKS)] = True
    usable &= np.isfinite(depth) & np.isfinite(landmarks).all(axis=1)
    by_box = place_by_box(box, intrinsics)
    if usable.sum() < _MIN_LANDMARKS:
        return by_box
    points = intrinsics.unproject(landmarks[usable], depth[usable])
    try:
        distance = align_robustly(points, MEAN_LANDMARKS_M[usable]).scale
    except AlignmentError:
        return by_box
    if abs(math.log(distance / by_box.distance_m)) > 4.0 * _BOX_SIGMA:
        return by_box
    return FacePlacement(Placement.HEAD_SIZE, distance, distance * ratio,
                         HEAD_SIZE_SIGMA * distance)


def place_by_sensor(relief: np.ndarray, along: np.ndarray, box: FaceBox,
                    intrinsics: CameraIntrinsics | None) -> FacePlacement:
    """
    Place a face by the depth measured under it.

    :param relief: (N,) sides of the box
    :param along: (N,) metres along the ray at the same pixels (depth times `along_ray`), NaN where
        invalid
    :returns: UNPLACED if too little of it is valid
    """
    along = np.asarray(along, np.float64)
    with np.errstate(invalid='ignore'):
        good = (np.isfinite(relief) & (along > SENSOR_RANGE_M[0]) & (along < SENSOR_RANGE_M[1]))
    if good.sum() < MIN_SENSOR_PIXELS:
        return UNPLACED
    r, z = np.asarray(relief, np.float64)[good], along[good]
    ratio = math.nan if intrinsics is None else _side_at_1_m(box, intrinsics)
    distance, stretch, noise = _fit(r, z, ratio)
    expected = BOX_SIDE_M if intrinsics is None else distance * ratio
    sigma = max(noise, _LEAST_NOISE_M) * _SHARED
    if _PLAUSIBLE_STRETCH[0] < stretch / expected < _PLAUSIBLE_STRETCH[1]:
        return FacePlacement(Placement.SENSOR, distance, stretch, sigma)
    distance = float(np.median(z - expected * r))
    spread = float(np.median(np.abs(z - expected * r - distance))) * 1.4826
    return FacePlacement(Placement.SENSOR, distance, expected, spread, CONTRADICTION)


def _fit(r: np.ndarray, z: np.ndarray, ratio: float) -> tuple[float, float, float]:
    """
    Fit z = a + b r by Tukey's biweight, with b near a * ratio, or near 22 cm if that is NaN.

    :returns: a, b, and the noise that is left, metres
    """
    free = math.isnan(ratio)
    a = float(np.median(z / (1.0 + ratio * r)) if not free else np.median(z - BOX_SIDE_M * r))
    b = BOX_SIDE_M if free else a * ratio
    prior = (_FREE_SCALE_SIGMA if free else _RELIEF_SIGMA) * b
    noise = _LEAST_NOISE_M
    for _ in range(_ROUNDS):
        residual = z - a - b * r
        noise = max(1.4826 * float(np.median(np.abs(residual))), _LEAST_NOISE_M)
        weight = np.square(np.clip(1.0 - np.square(residual / (_TUKEY * noise)), 0.0, None))
        weight *= min(len(r), _INDEPENDENT) / weight.sum() / noise ** 2
        # Unknowns a and b; the prior says b - ratio a = 0, or b = 22 cm.
        row = np.array([0.0 if free else -ratio, 1.0]) / prior
        target = (BOX_SIDE_M if free else 0.0) / prior
        columns = np.stack([np.ones_like(r), r])
        normal = (columns * weight) @ columns.T + np.outer(row, row)
        found = np.linalg.solve(normal, (columns * weight) @ z + row * target)
        settled = abs(found[0] - a) < 1e-6
        a, b = float(found[0]), float(found[1])
        if settled:
            break
    return a, b, noise


def along_ray(box: FaceBox, intrinsics: CameraIntrinsics | None,
              pixels: np.ndarray) -> np.ndarray:
    """
    Return how far along the ray to the head point a depth of 1 reaches.

    :param box: of the face; its centre shows the head point
    :param intrinsics: None = as if the face stood in the middle of the image, 1 everywhere
    :param pixels: (..., 2)
    :returns: (...)
    """
    if intrinsics is None:
        return np.ones(pixels.shape[:-1])
    one = np.ones(pixels.shape[:-1])
    centre = intrinsics.unproject(np.array([box.center_x, box.center_y]), np.array(1.0))
    rays: np.ndarray = intrinsics.unproject(pixels, one) @ (centre / np.linalg.norm(centre))
    return rays


def _side_at_1_m(box: FaceBox, intrinsics: CameraIntrinsics) -> float:
    """Return what the side of the box measures where the head point is 1 m away, metres."""
    centre = intrinsics.unproject(np.array([box.center_x, box.center_y]), np.array(1.0))
    return box.side / math.sqrt(intrinsics.fx * intrinsics.fy) / float(np.linalg.norm(centre))
