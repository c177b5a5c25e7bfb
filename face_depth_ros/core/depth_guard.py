# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The guard against falsification: how far measured depth may move, and what may be a face at all.

Four rules, none of which asks a network:
1. No measured pixel moves further than the sensor's noise reaches at its distance.
2. Noise averages out, facial relief does not: over a window of the size of a nose the mean of the
   correction stays within a few millimetres.
3. Where the measured surface is as smooth as paper (flat, bent, a ball) or hollow, there is no
   face to enhance.
4. A hole is filled from the face around it: where most of its rim was not taken for face, it is a
   hole in a hand or a sheet, and stays one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WINDOW = 17
"""Pixels of a canonical crop of 256 (15 mm) over which noise averages out."""
_SHARE = 0.5
"""A window of which less was measured says nothing of the mean."""
_PULLS = 3
_RIM = 3


@dataclass(frozen=True)
class NoiseBound:
    """
    How far off a measured pixel may be: base + per_m2 z^2, at most `largest`.

    The default holds for stereo and structured-light cameras at arm's length to 2 m: the error of
    triangulation grows with the square of the distance; 15 mm at 0.75 m is what Schlett et al.
    (section III.B) take for any distance.

    :param base: metres
    :param per_m2: metres per square metre of distance
    :param largest: metres, at any distance
    :param mean: metres, for the mean over a window of `WINDOW` pixels
    """

    base: float = 0.008
    per_m2: float = 0.012
    largest: float = 0.02
    mean: float = 0.004

    def at(self, depth: np.ndarray) -> np.ndarray:
        """
        Return the bound of each pixel.

        :param depth: metres, float32, NaN where invalid
        :returns: metres, the same shape, NaN where invalid
        """
        with np.errstate(invalid='ignore'):
            bound = np.float32(self.base) + np.float32(self.per_m2) * depth * depth
            return np.minimum(bound, np.float32(self.largest))


def bound_correction(measured: np.ndarray, enhanced: np.ndarray, bound: NoiseBound) -> np.ndarray:
    """
    Hold an enhanced crop to rules 1 and 2.

    :param measured: metres, (H, W) float32, NaN where invalid
    :param enhanced: metres, (H, W) float32, NaN outside the support
    :returns: `enhanced` with measured pixels pulled back as far as the rules ask; what was not
        measured stays as it is
    """
    both = np.isfinite(measured) & np.isfinite(enhanced)
    known = both.astype(np.float32)
    limit = bound.at(measured)
    with np.errstate(invalid='ignore'):
        correction = np.where(both, np.clip(enhanced - measured, -limit, limit),
                              np.float32(0.0)).astype(np.float32)
    share = _box_mean(known)
    seen = share >= _SHARE
    for _ in range(_PULLS):
        mean = _box_mean(correction) / np.maximum(share, np.float32(1e-6))
        excess = np.where(seen, mean - np.clip(mean, -bound.mean, bound.mean), np.float32(0.0))
        if not excess.any():
            break
        # The pull itself is smoothed, so that no step shows where the rule begins to bind.
        correction -= known * _box_mean(excess)
    return np.where(both, measured + correction, enhanced).astype(np.float32)


def drop_unfounded_fills(measured: np.ndarray, enhanced: np.ndarray, far: float) -> np.ndarray:
    """
    Hold an enhanced crop to rule 4.

    :param measured: metres, (H, W) float32, NaN where invalid
    :param enhanced: metres, (H, W) float32, NaN outside the support
    :param far: metres; what was measured from here on is background and no part of a rim
    :returns: `enhanced`, NaN where a fill has no face around it
    """
    known, claimed = np.isfinite(measured), np.isfinite(enhanced)
    filled = claimed & ~known
    count, labels = cv2.connectedComponents(filled.astype(np.uint8), connectivity=8,
                                            ltype=cv2.CV_16U)
    if count == 1:
        return enhanced
    reach = cv2.dilate(labels, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8))
    with np.errstate(invalid='ignore'):
        rim = (measured < np.float32(far)) & (reach > 0)
    beside = np.bincount(reach[rim], minlength=count)
    face = np.bincount(reach[rim & claimed], minlength=count)
    founded = 2 * face > beside
    founded[0] = True
    return np.where(founded[labels], enhanced, np.float32(np.nan))


@dataclass(frozen=True)
class SurfaceShape:
    """
    A surface against the smooth one that fits it best.

    :param relief: metres, RMS distance to the best quadric: what a nose and eye sockets leave,
        and a sheet, a cylinder or a ball does not
    :param bulge: metres by which the middle of that quadric stands nearer than its rim; negative
        for a hollow
    :param pixels: how many pixels of the surface were measured
    """

    relief: float
    bulge: float
    pixels: int


def surface_shape(depth: np.ndarray, span: float) -> SurfaceShape:
    """
    Measure the middle of a canonical crop, noise averaged out.

    :param depth: metres, (H, W) float32, NaN where invalid
    :param span: metres behind the nearest block beyond which nothing belongs to the surface
    """
    nodes, values, measured, pixels = _blocks(depth, span)
    if len(values) < _MIN_BLOCKS:
        return SurfaceShape(float('nan'), float('nan'), pixels)
    x, y = nodes[:, 0], nodes[:, 1]
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    weights = measured
    for _ in range(_ROUNDS):  # what stands out, a nose or a flying pixel, does not bend the fit
        weighted = basis * weights[:, None]  # (N, 6)
        solution = np.linalg.solve(weighted.T @ basis + 1e-9 * np.eye(6), weighted.T @ values)
        residual = values - basis @ solution
        scale = max(1.5 * float(np.median(np.abs(residual))), 1e-4)
        weights = measured / (1.0 + (residual / (3.0 * scale)) ** 2)
    relief = float(np.sqrt(np.sum(residual ** 2 * measured) / np.sum(measured)))
    bulge = float((solution[3] + solution[5]) * 0.25)  # mean over directions at half the side
    return SurfaceShape(relief, bulge, pixels)


_BLOCK = 8
_MIN_BLOCKS = 40
_ROUNDS = 3
_OVAL = (0.62, 0.8)
"""Half axes of the part that is looked at, of half the side: the face without the outline."""


def _blocks(depth: np.ndarray, span: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return block centres (-1 to 1), mean depths, weights, and the number of pixels."""
    height, width = depth.shape
    shape = (width // _BLOCK, height // _BLOCK)
    valid = np.isfinite(depth)
    share = cv2.resize(valid.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    total = cv2.resize(np.where(valid, depth, np.float32(0.0)), shape,
                       interpolation=cv2.INTER_AREA)
    axis_x = (np.arange(shape[0]) + 0.5) / shape[0] * 2.0 - 1.0
    axis_y = (np.arange(shape[1]) + 0.5) / shape[1] * 2.0 - 1.0
    grid = np.stack(np.meshgrid(axis_x, axis_y), axis=-1)
    inside = (grid[..., 0] / _OVAL[0]) ** 2 + (grid[..., 1] / _OVAL[1]) ** 2 < 1.0
    used = inside & (share > 0.5)
    mean = np.where(used, total / np.maximum(share, 1e-6), np.inf)
    used &= mean < mean.min() + span
    return grid[used], mean[used].astype(np.float64), share[used].astype(np.float64), int(
        (share * used).sum() * _BLOCK * _BLOCK)


def _box_mean(image: np.ndarray) -> np.ndarray:
    return cv2.blur(image, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
