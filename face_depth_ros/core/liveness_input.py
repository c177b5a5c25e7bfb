# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What the liveness detector sees of one face: enhanced depth and where it is from; never colour.

Relief is taken along the ray to the face, off its own median, within the mask. The landmarks are
seen as points in space, in metres: a head that is too small or too large for its distance shows
there whatever the box says. Without intrinsics nothing has a size, and nothing is told.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, InvalidImageError
from face_depth_ros.core.face_box import crop_depth, FaceBox, transform_points
from face_depth_ros.core.face_photo import BOX_SIDE_M, LANDMARK_COUNT, MASK_LABELS
from face_depth_ros.core.face_placement import along_ray
from face_depth_ros.core.frames import EnhancedDepth, Provenance
import numpy as np

SIZE = 96
"""Pixels along a side of the planes."""
PLANES = ('relief', 'known', 'trusted', 'face')
POINT_VALUES = ('x', 'y', 'nearer', 'known')
SCALARS = ('size', 'distance', 'pixels')
RELIEF_UNIT_M = 0.03
"""Relief of 1."""
RELIEF_LIMIT = 3.0
POINT_UNIT_M = 0.05
"""Of the landmarks in space."""
_FINE = 2 * SIZE
_COVERED = 0.5
_LEAST_PIXELS = 40
_SIDE_PX = 128.0
_POINT_LIMIT = 6.0
_TRUSTED = (Provenance.MEASURED, Provenance.CORRECTED)


@dataclass(frozen=True)
class LivenessInput:
    """
    The inputs of one face, and what decides whether they may be used.

    :param planes: (4, S, S) float32 of PLANES: how much nearer than the face's median, in units of
        3 cm, within +-3, 0 where nothing is known; 1 where depth is known; 1 where it was measured
        or corrected; 1 on the face
    :param points: (68, 4) float32 of POINT_VALUES, in units of 5 cm: right and down from the
        middle of the landmarks, nearer than the median, and 1 where depth is known
    :param scalars: (3,) float32, logarithms of: side of the box at the face / 22 cm, distance of
        the face / 1 m, side of the box / 128 pixels
    :param known_share: of the face, 0 to 1, with depth
    :param measured_share: of the face, 0 to 1, measured or corrected: what liveness may rest on
    :param size_m: what the side of the box measures at the face
    """

    planes: np.ndarray
    points: np.ndarray
    scalars: np.ndarray
    known_share: float
    measured_share: float
    size_m: float


def liveness_input(enhanced: EnhancedDepth, box: FaceBox, mask: np.ndarray, landmarks: np.ndarray,
                   intrinsics: CameraIntrinsics) -> LivenessInput:
    """
    Make the inputs of one face.

    :param enhanced: of the whole frame
    :param mask: (N, N) uint8 labels over the canonical crop of the box
    :param landmarks: (68, 2) pixels of the frame
    :raises InvalidImageError: other shapes or types, or landmarks that are not finite
    :raises FaceDepthError: the mask is empty, or has next to no depth (cause 'empty_mask',
        'no_depth'); the box is outside the frame (cause 'face_box_outside')
    """
    _check(mask, landmarks)
    face = cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST) > 0
    count = int(face.sum())
    if not count:
        raise FaceDepthError('nothing of the crop is face, expected a mask of the face; check the '
                             'estimator', cause='empty_mask')
    along = _along(enhanced.depth, box, intrinsics)
    known = face & np.isfinite(along)
    if known.sum() < _LEAST_PIXELS:
        raise FaceDepthError(
            f'{int(known.sum())} of {count} pixels of the face have depth, expected at least '
            f'{_LEAST_PIXELS}; it is out of the range of the sensor, or too reflective',
            cause='no_depth')
    median = float(np.median(along[known]))
    nearer = np.zeros((SIZE, SIZE), np.float32)
    nearer[known] = median - along[known]
    trusted = known & np.isin(_provenance(enhanced.provenance, box), _TRUSTED)
    planes = np.stack([np.clip(nearer / np.float32(RELIEF_UNIT_M), -RELIEF_LIMIT, RELIEF_LIMIT),
                       known, trusted, face]).astype(np.float32)
    pixel_m = median / math.sqrt(intrinsics.fx * intrinsics.fy)
    size_m = box.side * pixel_m
    scalars = np.log(np.maximum((size_m / BOX_SIDE_M, median, box.side / _SIDE_PX), 1e-3))
    return LivenessInput(planes, _points(landmarks, box, nearer, known, pixel_m),
                         scalars.astype(np.float32), float(known.sum() / count),
                         float(trusted.sum() / count), size_m)


def _check(mask: np.ndarray, landmarks: np.ndarray) -> None:
    """Check mask and landmarks."""
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or mask.dtype != np.uint8 or (
            int(mask.max(initial=0)) >= len(MASK_LABELS)):
        raise InvalidImageError(f'the mask is {mask.shape} {mask.dtype} up to '
                                f'{mask.max(initial=0)}, expected a square of uint8 labels 0 to '
                                f'{len(MASK_LABELS) - 1}')
    if landmarks.shape != (LANDMARK_COUNT, 2) or not np.isfinite(landmarks).all():
        raise InvalidImageError(f'the landmarks are {landmarks.shape}, expected '
                                f'({LANDMARK_COUNT}, 2) finite pixels')


def _along(depth: np.ndarray, box: FaceBox, intrinsics: CameraIntrinsics) -> np.ndarray:
    """Return the depth along the ray to the box's middle, (S, S) metres, NaN where unknown."""
    fine = crop_depth(depth, box, _FINE)
    affine, place = box.image_from_crop(_FINE), np.arange(_FINE) + 0.5
    pixels = np.stack([row[0] * place + (row[1] * place)[:, None] + row[2] for row in affine],
                      axis=2)
    fine = (fine * along_ray(box, intrinsics, pixels)).astype(np.float32)
    valid = np.isfinite(fine)
    share = cv2.resize(valid.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    total = cv2.resize(np.where(valid, fine, np.float32(0.0)), (SIZE, SIZE),
                       interpolation=cv2.INTER_AREA)
    return np.where(share >= _COVERED, total / np.maximum(share, np.float32(1e-6)),
                    np.float32(np.nan))


def _provenance(provenance: np.ndarray, box: FaceBox) -> np.ndarray:
    """Return the provenance in the crop, (S, S), LEFT_ALONE outside the frame."""
    affine = box.image_from_crop(SIZE)
    # Corner-origin pixels; OpenCV counts from their centres.
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(provenance, affine, (SIZE, SIZE),
                          flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def _points(landmarks: np.ndarray, box: FaceBox, nearer: np.ndarray, known: np.ndarray,
            pixel_m: float) -> np.ndarray:
    """Return the landmarks in space."""
    upright = transform_points(box.crop_from_image(SIZE), landmarks)  # (68, 2)
    column, row = np.floor(upright).astype(int).clip(0, SIZE - 1).T
    inside = ((upright >= 0) & (upright < SIZE)).all(axis=1)
    has = inside & known[row, column]
    metres = (upright - upright.mean(axis=0)) * (box.side / SIZE * pixel_m)
    points = np.concatenate([metres, np.where(has, nearer[row, column], 0.0)[:, None]], axis=1)
    points = np.clip(points / POINT_UNIT_M, -_POINT_LIMIT, _POINT_LIMIT)
    return np.concatenate([points, has[:, None]], axis=1).astype(np.float32)
