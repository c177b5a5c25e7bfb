# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Real depth with a made hand or sheet of paper put before it, where no recording has them.

The thing is a simple shape 3 to 6 cm before the face. What is measured of it has noise of the size
that the camera shows on the face itself; beside it lies the shadow that a second viewpoint does
not see. The face around it stays as it was measured.
"""

from __future__ import annotations

from face_depth_ros.evaluation.depth_pairs import SIZE
from face_depth_ros.evaluation.real_faces import canonical_ellipse
import numpy as np

CROP_SIDE_M = 0.22
"""What the side of a canonical crop spans at the depth of the face."""

_BASELINE_M = 0.03
"""Between the two viewpoints of a structured-light camera."""
_AHEAD_M = (0.03, 0.06)
_MOUTH = np.array([128.0, 184.0])
_NOSE_X = 128.0
_PIXEL_M = CROP_SIDE_M / SIZE
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def covered_by_hand(depth: np.ndarray, seed: int) -> np.ndarray:
    """
    Lay a hand over the mouth.

    :param depth: metres, (256, 256) float32, NaN where invalid: a canonical crop
    :param seed: decides side, tilt and distance
    :returns: the same with the hand and its shadow; the input where it has no face
    """
    generator = np.random.default_rng((1, seed))
    side = generator.choice((-1.0, 1.0))
    tilt = np.deg2rad(generator.uniform(-20.0, 20.0))
    ys, xs = np.mgrid[:SIZE, :SIZE] + 0.5
    offset = np.stack([side * (xs - _MOUTH[0]), ys - _MOUTH[1]], axis=-1) * _PIXEL_M
    along = offset[..., 0] * np.cos(tilt) + offset[..., 1] * np.sin(tilt)
    across = offset[..., 1] * np.cos(tilt) - offset[..., 0] * np.sin(tilt)
    # Metres from the mouth: the palm at one side, four fingers that reach over to the other.
    parts = [((-0.045, 0.0), (0.050, 0.042), 0.016)]
    parts += [((0.030, y), (0.045, 0.0095), 0.009) for y in (-0.033, -0.011, 0.011, 0.033)]
    height = np.full((SIZE, SIZE), -np.inf)
    for (x, y), (half_x, half_y), thickness in parts:
        bulge = 1.0 - ((along - x) / half_x) ** 2 - ((across - y) / half_y) ** 2
        height = np.maximum(height, np.where(
            bulge > 0, thickness * np.sqrt(np.maximum(bulge, 0.0)), -np.inf))
    return _put_before(depth, np.where(np.isfinite(height), -height, np.nan), generator)


def covered_by_paper(depth: np.ndarray, seed: int) -> np.ndarray:
    """
    Hold a sheet of paper before one side of the face; arguments and result as covered_by_hand.

    :param depth: metres, (256, 256) float32, NaN where invalid
    """
    generator = np.random.default_rng((2, seed))
    side = generator.choice((-1.0, 1.0))
    edge = generator.uniform(-8.0, 8.0)
    slope = np.tan(np.deg2rad(generator.uniform(-15.0, 15.0, 2)))
    ys, xs = np.mgrid[:SIZE, :SIZE] + 0.5
    inside = (side * (xs - _NOSE_X) > edge) & (ys > 20.0) & (ys < 246.0)
    plane = (slope[0] * (xs - SIZE / 2) + slope[1] * (ys - SIZE / 2)) * _PIXEL_M
    plane -= plane[inside].max()
    return _put_before(depth, np.where(inside, plane, np.nan), generator)


def sensor_noise(depth: np.ndarray, mask: np.ndarray) -> float:
    """
    Return the noise of measured depth, metres: what a pixel differs from its neighbours' mean.

    The median of the differences is taken, so that edges do not count.

    :param depth: metres, (H, W) float32, NaN where invalid
    :param mask: (H, W) bool
    :returns: one sigma; 0 when too little is valid
    """
    padded = np.pad(depth, 1, constant_values=np.nan)
    height, width = depth.shape
    mean = sum(padded[1 + dy:1 + dy + height, 1 + dx:1 + dx + width]
               for dy, dx in _NEIGHBOURS) / len(_NEIGHBOURS)
    difference = np.abs(depth - mean)[mask]
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        return 0.0
    return float(1.4826 * np.median(difference) / np.sqrt(1.0 + 1.0 / len(_NEIGHBOURS)))


def _put_before(depth: np.ndarray, relief: np.ndarray,
                generator: np.random.Generator) -> np.ndarray:
    """
    Put a thing before the face.

    :param relief: metres behind its farthest point towards the face (negative = nearer to the
        camera), NaN beside it
    """
    face = canonical_ellipse()
    under = depth[face & np.isfinite(relief) & np.isfinite(depth)]
    if not under.size:
        return depth
    nearest = float(np.percentile(under, 2.0))
    thing = nearest - generator.uniform(*_AHEAD_M) + relief
    noise = sensor_noise(depth, face)
    measured = thing + noise * generator.standard_normal(depth.shape)
    result = np.where(np.isfinite(thing), measured, depth)
    shadow = _shadow(thing, depth)
    return np.where(shadow & ~np.isfinite(thing), np.nan, result).astype(np.float32)


def _shadow(thing: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return the pixels to the left of a thing that the second viewpoint does not see."""
    behind, front = (float(np.nanmedian(image[canonical_ellipse()])) for image in (depth, thing))
    focal = SIZE / CROP_SIDE_M * behind
    width = int(np.ceil(focal * _BASELINE_M * (1.0 / front - 1.0 / behind)))
    shadow = np.zeros(thing.shape, bool)
    covered = np.isfinite(thing)
    for step in range(1, max(width, 0) + 1):
        shadow[:, :-step] |= covered[:, step:]
    return shadow
