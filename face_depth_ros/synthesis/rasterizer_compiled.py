# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The CPU backend of the rasteriser: one compiled loop an image, images in parallel threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

_NEAR_M = 0.01


def rasterize_compiled(vertices: np.ndarray, triangles: np.ndarray, height: int, width: int,
                       culled: np.ndarray, behind: np.ndarray,
                       threads: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Rasterise a batch; see rasterizer.rasterize.

    A thread pool, not numba's own threads: those must not be entered from two Python threads.

    :param vertices: (B, V, 3) float32: x, y in pixels, z in metres
    :param triangles: (T, 3) int32
    :param culled: (T,) bool, which triangles are left out when seen from behind
    :param behind: (B, height, width) float32, or (0, 0, 0) for no limit
    :returns: depth (B, height, width) float32, infinite where nothing is; triangle (B, height,
        width) int32, -1 where nothing is
    """
    depth = np.full((len(vertices), height, width), np.inf, np.float32)
    triangle = np.full((len(vertices), height, width), -1, np.int32)

    no_limit = np.zeros((0, 0), np.float32)

    def one(index: int) -> None:
        limit = behind[index] if len(behind) else no_limit
        _rasterize_image(vertices[index], triangles, culled, limit, depth[index],
                         triangle[index])

    if threads < 2 or len(vertices) < 2:
        for index in range(len(vertices)):
            one(index)
    else:
        with ThreadPoolExecutor(min(threads, len(vertices))) as pool:
            list(pool.map(one, range(len(vertices))))
    return depth, triangle


@numba.njit(nogil=True, cache=True, fastmath=False)
def _rasterize_image(vertices, triangles, culled, behind, depth, triangle):
    """Fill one image; in double precision, so that shared edges leave no cracks."""
    height, width = depth.shape
    limited = behind.size > 0
    for t in range(len(triangles)):
        i, j, k = triangles[t]
        z0, z1, z2 = vertices[i, 2], vertices[j, 2], vertices[k, 2]
        if not (z0 > _NEAR_M and z1 > _NEAR_M and z2 > _NEAR_M):
            continue
        x0, y0 = np.float64(vertices[i, 0]), np.float64(vertices[i, 1])
        x1, y1 = np.float64(vertices[j, 0]), np.float64(vertices[j, 1])
        x2, y2 = np.float64(vertices[k, 0]), np.float64(vertices[k, 1])
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if not abs(area) > 1e-9 or (culled[t] and area > 0.0):
            continue
        left = max(np.ceil(min(x0, x1, x2) - 0.5), 0.0)
        right = min(np.floor(max(x0, x1, x2) - 0.5), width - 1.0)
        top = max(np.ceil(min(y0, y1, y2) - 0.5), 0.0)
        bottom = min(np.floor(max(y0, y1, y2) - 0.5), height - 1.0)
        if not (left <= right and top <= bottom):
            continue
        inverse = 1.0 / area
        # Edge functions as planes over the image: w_n = a_n * x + b_n * y + c_n.
        a1, b1 = (y2 - y0) * inverse, (x0 - x2) * inverse
        a2, b2 = (y0 - y1) * inverse, (x1 - x0) * inverse
        inverse_0, inverse_1, inverse_2 = 1.0 / z0, 1.0 / z1, 1.0 / z2
        for row in range(int(top), int(bottom) + 1):
            dy = row + 0.5 - y0
            for column in range(int(left), int(right) + 1):
                dx = column + 0.5 - x0
                w1 = a1 * dx + b1 * dy
                w2 = a2 * dx + b2 * dy
                w0 = 1.0 - w1 - w2
                if w0 >= 0.0 and w1 >= 0.0 and w2 >= 0.0:
                    z = np.float32(1.0 / (w0 * inverse_0 + w1 * inverse_1 + w2 * inverse_2))
                    if limited and not z > behind[row, column]:
                        continue
                    if z < depth[row, column]:
                        depth[row, column] = z
                        triangle[row, column] = t


@numba.njit(nogil=True, cache=True)
def barycentrics_compiled(vertices, corners, item, row, column):
    """
    Weights of the corners in given pixels; see rasterizer.barycentrics.

    :param vertices: (B, V, 3) float32; corners: (N, 3) int64; item, row, column: (N,) int64
    :returns: (N, 3) float32
    """
    weights = np.empty((len(item), 3), np.float32)
    for n in range(len(item)):
        x, y = column[n] + 0.5, row[n] + 0.5
        a, b, c = (vertices[item[n], corners[n, 0]], vertices[item[n], corners[n, 1]],
                   vertices[item[n], corners[n, 2]])
        ax, ay, bx, by, cx, cy = a[0] - x, a[1] - y, b[0] - x, b[1] - y, c[0] - x, c[1] - y
        w0 = (bx * cy - cx * by) / a[2]
        w1 = (cx * ay - ax * cy) / b[2]
        w2 = (ax * by - bx * ay) / c[2]
        total = w0 + w1 + w2
        weights[n, 0], weights[n, 1], weights[n, 2] = w0 / total, w1 / total, w2 / total
    return weights
