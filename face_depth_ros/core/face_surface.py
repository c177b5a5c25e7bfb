# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The skin of a face as a depth sensor measured it, in metres, with the camera that saw it."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
import numpy as np

SKIN = tuple(MASK_LABELS.index(name) for name in ('skin', 'brows', 'nose', 'mouth'))
"""Labels where a sensor measures the face itself: not eyes, which it looks into, nor glasses."""
_HALVED_FROM_PX = 160
"""Grids so fine are halved: the mean of four pixels has half their noise."""


@dataclass(frozen=True)
class FaceSurface:
    """
    What was measured of a face, on a grid of N x N pixels of a pinhole camera.

    :param depth: (N, N) float32 metres along the optical axis, NaN where no skin was measured
    :param pixel_of_slope: (2, 3) affine from slopes (x/z, y/z of the optical frame) to pixels of
        the grid, corner-origin
    :param landmarks: (68, 2) float64 slopes
    """

    depth: np.ndarray
    pixel_of_slope: np.ndarray
    landmarks: np.ndarray


def face_surface(depth: np.ndarray, mask: np.ndarray, pixel_of_slope: np.ndarray,
                 landmarks: np.ndarray) -> FaceSurface:
    """
    Keep what is skin of a crop's depth.

    :param depth: (N, N) float32 metres along the optical axis, NaN where it was not measured
    :param mask: (N, N) labels of core.face_photo.MASK_LABELS
    :param pixel_of_slope: (2, 3) affine from slopes to pixels of the crop
    :param landmarks: (68, 2) pixels of the crop
    :raises InvalidImageError: other shapes, or a camera that maps all rays to a line
    """
    affine, points = np.asarray(pixel_of_slope, np.float64), np.asarray(landmarks, np.float64)
    if depth.shape != mask.shape or depth.ndim != 2 or depth.shape[0] != depth.shape[1]:
        raise InvalidImageError(f'depth is {depth.shape} and mask {mask.shape}, expected one '
                                'square grid for both')
    if affine.shape != (2, 3) or points.shape != (LANDMARK_COUNT, 2):
        raise InvalidImageError(f'the camera is {affine.shape} and the landmarks {points.shape}, '
                                f'expected (2, 3) and ({LANDMARK_COUNT}, 2)')
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:, :2])) < 1e-12:
        raise InvalidImageError(f'the camera {affine.tolist()} maps rays to no plane, expected a '
                                'finite affine that can be inverted')
    values = np.where(np.isin(mask, SKIN), depth, np.nan).astype(np.float32)
    slopes = np.linalg.solve(affine[:, :2], (points - affine[:, 2]).T).T
    if len(values) >= _HALVED_FROM_PX and len(values) % 2 == 0:
        values, affine = halved(values), affine * 0.5
    return FaceSurface(values, affine, slopes)


def depth_of_relief(relief: np.ndarray, position: np.ndarray,
                    pixel_of_slope: np.ndarray) -> np.ndarray:
    """
    Turn relief into depth.

    :param relief: (N, N) metres behind the head point along the ray to it, NaN where invalid
    :param position: (3,) metres, the head point in the optical frame
    :param pixel_of_slope: (2, 3) affine from slopes to pixels of the grid
    :returns: (N, N) float32 metres along the optical axis
    """
    distance = float(np.linalg.norm(position))
    ray = np.asarray(position, np.float64) / distance
    linear = np.linalg.inv(np.asarray(pixel_of_slope, np.float64)[:, :2])
    start = linear @ (0.5 - np.asarray(pixel_of_slope, np.float64)[:, 2])
    place = np.arange(len(relief))
    # How long the way along the ray is that one metre along the axis makes, linear in the pixel.
    across = ray[:2] @ linear
    along = ray[:2] @ start + ray[2] + across[0] * place + across[1] * place[:, None]
    depth: np.ndarray = ((relief + distance) / along).astype(np.float32)
    return depth


def halved(depth: np.ndarray) -> np.ndarray:
    """
    Average depth over squares of four pixels, of which at least three must be there.

    :param depth: (N, N), NaN where invalid; N even
    :returns: (N / 2, N / 2) float32
    """
    quads = depth.reshape(len(depth) // 2, 2, -1, 2)
    valid = np.isfinite(quads)
    count = valid.sum(axis=(1, 3))
    total = np.where(valid, quads, np.float32(0.0)).sum(axis=(1, 3))
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.where(count >= 3, total / count, np.float32(np.nan)).astype(np.float32)
