# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A z-buffer in numpy: which triangle of a mesh each pixel shows, and where on it.

A pixel belongs to a triangle when its centre lies in it, edges included, so that neighbours leave
no crack. All fragments of many triangles are tested at once, a bounded number at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import DatasetError
import numpy as np

_FRAGMENTS_AT_ONCE = 2_000_000
_EDGE = -1e-9
"""Smallest weight of a corner that still counts as inside; below 0 for rounding."""


@dataclass(frozen=True)
class Fragments:
    """
    What each pixel shows.

    :param triangle: (H, W) int64 index into the triangles, -1 where there is nothing
    :param weights: (H, W, 3) float32 of the triangle's corners, sum 1; 0 where there is nothing
    :param depth: (H, W) float32, NaN where there is nothing
    """

    triangle: np.ndarray
    weights: np.ndarray
    depth: np.ndarray

    def of_corners(self, values: np.ndarray) -> np.ndarray:
        """
        Interpolate what is known at the corners of the triangles.

        :param values: (M, 3, C), for each triangle's corners
        :returns: (H, W, C) float32, NaN where there is nothing
        """
        height, width = self.triangle.shape
        result = np.full((height, width, values.shape[-1]), np.nan, np.float32)
        seen = self.triangle >= 0
        result[seen] = np.einsum('nk,nkc->nc', self.weights[seen], values[self.triangle[seen]])
        return result


def rasterize(points: np.ndarray, triangles: np.ndarray, width: int, height: int, *,
              perspective: bool = False, front_only: bool = False) -> Fragments:
    """
    Find the nearest triangle under every pixel.

    :param points: (N, 3): x and y in pixels, corner-origin, and depth in any unit, the smaller the
        nearer; a triangle with a point that is not finite is left out
    :param triangles: (M, 3) indices of the points
    :param perspective: the pixels are those of a pinhole camera, whose depth is > 0; weights are
        then those of the surface, not of the image; points that are not before it are left out
    :param front_only: only triangles whose corners go clockwise in the image
    :raises DatasetError: shapes or indices are not those above
    """
    points = np.asarray(points, np.float64)
    triangles = np.asarray(triangles)
    if points.ndim != 2 or points.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise DatasetError(f'points are {points.shape} and triangles {triangles.shape}, expected '
                           '(N, 3) and (M, 3)')
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < len(points):
        raise DatasetError(f'triangles name the points {triangles.min()} to {triangles.max()}, '
                           f'expected 0 to {len(points) - 1}')
    seen = np.isfinite(points).all(axis=1)
    if perspective:
        seen &= points[:, 2] > 0
    points = np.where(seen[:, None], points, 0.0)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    target = _Target(width, height, perspective)
    twice_area = _cross(b[:, :2] - a[:, :2], c[:, :2] - a[:, :2])
    usable = seen[triangles[:, 0]] & seen[triangles[:, 1]] & seen[triangles[:, 2]]
    usable &= twice_area > 0 if front_only else twice_area != 0
    kept = np.flatnonzero(usable)
    a, b, c = a[kept], b[kept], c[kept]
    low = np.ceil(np.minimum(np.minimum(a, b), c)[:, :2] - 0.5).clip(0, (width, height))
    high = np.floor(np.maximum(np.maximum(a, b), c)[:, :2] - 0.5).clip(
        -1, (width - 1, height - 1))
    span = (high - low + 1).astype(np.int64).clip(0)  # (K, 2)
    counts = span[:, 0] * span[:, 1]
    kept, low, span, counts = (values[counts > 0] for values in (
        kept, low.astype(np.int64), span, counts))
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(kept):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + _FRAGMENTS_AT_ONCE, 'right')))
        part = slice(begin, end)
        target.draw(kept[part], points[triangles[kept[part]]], twice_area[kept[part]], low[part],
                    span[part], counts[part])
        begin = end
    return target.fragments()


def grid_triangles(valid: np.ndarray) -> np.ndarray:
    """
    Join the valid points of a grid with their neighbours.

    A square of four valid points becomes two triangles, one of three becomes one.

    :param valid: (H, W) bool
    :returns: (M, 3) int64 of H * W points, row by row; clockwise on the grid
    """
    height, width = valid.shape
    index = np.arange(height * width).reshape(height, width)
    a, b, c, d = (index[rows, columns].ravel() for rows, columns in (
        (slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None)),
        (slice(1, None), slice(1, None)), (slice(1, None), slice(None, -1))))
    known = valid.ravel()
    full = known[a] & known[b] & known[c] & known[d]
    parts = [np.stack(corners, axis=1)[full] for corners in ((a, b, c), (a, c, d))]
    for missing, corners in ((a, (b, c, d)), (b, (a, c, d)), (c, (a, b, d)), (d, (a, b, c))):
        three = known[corners[0]] & known[corners[1]] & known[corners[2]] & ~known[missing]
        parts.append(np.stack(corners, axis=1)[three])
    return np.concatenate(parts)


class _Target:
    """The buffers that triangles are drawn into."""

    def __init__(self, width: int, height: int, perspective: bool) -> None:
        self.width, self.height, self.perspective = width, height, perspective
        self.depth = np.full(height * width, np.inf)
        self.triangle = np.full(height * width, -1, np.int64)
        self.weights = np.zeros((height * width, 3), np.float32)

    def draw(self, names: np.ndarray, corners: np.ndarray, twice_area: np.ndarray,
             low: np.ndarray, span: np.ndarray, counts: np.ndarray) -> None:
        """
        Draw triangles.

        :param names: (K,) what to call them
        :param corners: (K, 3, 3) pixels and depth
        :param low: (K, 2) first column and row of each one's box
        :param span: (K, 2) columns and rows of the box
        """
        which = np.repeat(np.arange(len(names)), counts)  # (F,)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        columns = low[which, 0] + nth % span[which, 0]
        rows = low[which, 1] + nth // span[which, 0]
        centres = np.stack([columns + 0.5, rows + 0.5], axis=1)
        a, b, c = (corners[which, i, :2] - centres for i in range(3))
        weights = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
        weights /= twice_area[which, None]
        inside = (weights >= _EDGE).all(axis=1)
        which, weights = which[inside], weights[inside].clip(0)
        weights /= weights.sum(axis=1, keepdims=True)
        pixels = rows[inside] * self.width + columns[inside]
        depths = corners[which, :, 2]
        if self.perspective:
            weights /= depths
            weights /= weights.sum(axis=1, keepdims=True)
        depth = (weights * depths).sum(axis=1)
        np.minimum.at(self.depth, pixels, depth)
        nearest = depth == self.depth[pixels]
        self.triangle[pixels[nearest]] = names[which[nearest]]
        self.weights[pixels[nearest]] = weights[nearest]

    def fragments(self) -> Fragments:
        shape = (self.height, self.width)
        depth = np.where(self.triangle >= 0, self.depth, np.nan).astype(np.float32)
        return Fragments(self.triangle.reshape(shape), self.weights.reshape(*shape, 3),
                         depth.reshape(shape))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the z of the cross products of (..., 2) vectors."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
