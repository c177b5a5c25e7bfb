# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Masks that annotate the salient regions of a face: neighbourhoods of brows and eyes, nose, mouth.

Source: Sui et al., "AFNet-M", section II.A, masks at two scales. How far a neighbourhood reaches
the paper leaves open; here it is 1/24 of the image's side, 7.5 mm of an 18 cm part. A region is
the hull of its landmarks; where these are missing or outside, what the mask labels say is there;
where nothing at all is known of any region, the whole face. What hides the face is never salient.
"""

from __future__ import annotations

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
import numpy as np

REGIONS = {
    'right_eye': ((*range(17, 22), *range(36, 42)), ('brows', 'eyes', 'glasses')),
    'left_eye': ((*range(22, 27), *range(42, 48)), ('brows', 'eyes', 'glasses')),
    'nose': (tuple(range(27, 36)), ('nose',)),
    'mouth': (tuple(range(48, 68)), ('mouth',))}
"""Points of the 68 and mask labels of each salient region; right is the subject's right."""
NEIGHBOURHOOD = 1.0 / 24.0
"""How far a neighbourhood reaches, in sides of the image."""
_LEAST_SHARE = 0.5
"""Of a region's landmarks, more must lie in the image for their hull to stand for it."""


def salient_mask(labels: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
    """
    Mark the salient regions of one face.

    :param labels: (S, S) uint8 of MASK_LABELS
    :param landmarks: (68, 2) pixels of the same image, not finite or outside where unknown;
        None = there are none
    :returns: (S, S) bool; all False where there is neither a face nor any landmark in the image
    :raises InvalidImageError: other shapes or types
    """
    _check(labels, landmarks)
    size = len(labels)
    regions = np.zeros((size, size), np.uint8)
    for points, names in REGIONS.values():
        inside = None if landmarks is None else _inside(landmarks[list(points)], size)
        if inside is not None and len(inside) > _LEAST_SHARE * len(points):
            hull = cv2.convexHull(np.floor(inside).astype(np.int32))
            cv2.fillConvexPoly(regions, hull, 1)
        else:
            regions |= np.isin(labels, [MASK_LABELS.index(n) for n in names]).astype(np.uint8)
    face = labels > 0
    if not regions.any():
        return face
    reach = max(1, round(NEIGHBOURHOOD * size))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    around = cv2.dilate(regions, disc) > 0
    if not face.any():
        return around
    salient = around & face
    return salient if salient.any() else face


def shrunk(mask: np.ndarray, factor: int) -> np.ndarray:
    """
    Bring a mask to the size of feature maps.

    :param mask: (S, S) bool, S a multiple of `factor`
    :returns: (S / factor, S / factor) float32, 1 where at least half of a cell is marked, else 0
    :raises InvalidImageError: S is no such multiple
    """
    size = len(mask)
    if mask.shape != (size, size) or size % factor:
        raise InvalidImageError(f'the mask is {mask.shape}, expected a square whose side is a '
                                f'multiple of {factor}')
    cells = mask.reshape(size // factor, factor, size // factor, factor)
    return (cells.mean(axis=(1, 3)) >= 0.5).astype(np.float32)


def _inside(points: np.ndarray, size: int) -> np.ndarray:
    """Return the points that lie in the image."""
    with np.errstate(invalid='ignore'):
        known = ((points >= 0.0) & (points < size)).all(axis=1)
    return points[known]


def _check(labels: np.ndarray, landmarks: np.ndarray | None) -> None:
    if labels.ndim != 2 or labels.shape[0] != labels.shape[1] or labels.dtype != np.uint8 or int(
            labels.max(initial=0)) >= len(MASK_LABELS):
        raise InvalidImageError(
            f'the mask is {labels.dtype} {labels.shape} up to {labels.max(initial=0)}, expected '
            f'square uint8 labels 0 to {len(MASK_LABELS) - 1}')
    if landmarks is not None and landmarks.shape != (LANDMARK_COUNT, 2):
        raise InvalidImageError(f'the landmarks are {landmarks.shape}, expected '
                                f'({LANDMARK_COUNT}, 2) pixels or None')
