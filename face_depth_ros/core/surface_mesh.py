# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Triangle meshes of faces: their depth image, their normals, and PLY files."""

from __future__ import annotations

import os
from pathlib import Path

from face_depth_ros.core.errors import InvalidImageError, SettingsError
import numpy as np

_EDGE = -1e-9
"""Smallest weight of a corner that still counts as inside; below 0 for rounding."""


def mesh_depth(points: np.ndarray, triangles: np.ndarray, width: int,
               height: int) -> np.ndarray:
    """
    Return the depth of the nearest surface under every pixel's centre.

    Depth is interpolated along the image, which is exact for a plane without perspective and
    close enough for the small triangles of a face.

    :param points: (V, 3) x, y in pixels, corner-origin, and depth, smaller = nearer
    :param triangles: (T, 3) indices
    :returns: (H, W) float32 in the unit of the depth, NaN where there is no surface
    :raises InvalidImageError: other shapes, or points that are not finite
    """
    _check(points, triangles)
    corners = np.asarray(points, np.float64)[triangles]  # (T, 3, 3)
    xy = corners[..., :2]
    low = np.ceil(xy.min(axis=1) - 0.5).clip(0, (width, height)).astype(np.int64)
    high = np.floor(xy.max(axis=1) - 0.5).clip(-1, (width - 1, height - 1)).astype(np.int64)
    span = (high - low + 1).clip(0)  # (T, 2)
    count = span[:, 0] * span[:, 1]
    which = np.repeat(np.arange(len(triangles)), count)  # one for each pixel of each box
    nth = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    columns = low[which, 0] + nth % np.maximum(span[which, 0], 1)
    rows = low[which, 1] + nth // np.maximum(span[which, 0], 1)
    centres = np.stack([columns, rows], axis=1) + 0.5
    a, b, c = (xy[which, corner] - centres for corner in range(3))
    parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
    area = parts.sum(axis=1, keepdims=True)
    weights = np.divide(parts, area, out=np.full_like(parts, -1.0), where=area != 0.0)
    inside = (weights >= _EDGE).all(axis=1)
    depth = (weights[inside] * corners[which[inside], :, 2]).sum(axis=1)
    nearest = np.full(width * height, np.inf)
    np.minimum.at(nearest, rows[inside] * width + columns[inside], depth)
    return np.where(np.isfinite(nearest), nearest, np.nan).astype(np.float32).reshape(height,
                                                                                      width)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """
    Return the normal of each vertex, the mean of its triangles' weighed by their area.

    :param vertices: (V, 3); triangles: (T, 3), counter-clockwise seen from outside
    :returns: (V, 3) float64 of unit length, 0 where a vertex has no triangle
    :raises InvalidImageError: other shapes, or vertices that are not finite
    """
    _check(vertices, triangles)
    corners = np.asarray(vertices, np.float64)[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, triangles[:, corner], normal)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, length, out=np.zeros_like(total), where=length > 0.0)


def write_ply(path: str | os.PathLike[str], vertices: np.ndarray, triangles: np.ndarray,
              colors: np.ndarray | None = None) -> None:
    """
    Write a mesh as a binary PLY file.

    :param vertices: (V, 3), written as float32, unit as given
    :param triangles: (T, 3) indices
    :param colors: (V, 3) uint8 RGB, or None
    :raises InvalidImageError: other shapes or types, or vertices that are not finite
    :raises SettingsError: the file cannot be written
    """
    _check(vertices, triangles)
    fields: list[tuple[str, str]] = [('x', '<f4'), ('y', '<f4'), ('z', '<f4')]
    if colors is not None:
        if colors.shape != (len(vertices), 3) or colors.dtype != np.uint8:
            raise InvalidImageError(f'colours of {len(vertices)} vertices are {colors.shape} '
                                    f'{colors.dtype}, expected ({len(vertices)}, 3) uint8')
        fields += [('red', 'u1'), ('green', 'u1'), ('blue', 'u1')]
    table = np.zeros(len(vertices), fields)
    for index, name in enumerate('xyz'):
        table[name] = vertices[:, index]
    if colors is not None:
        for index, (name, _) in enumerate(fields[3:]):
            table[name] = colors[:, index]
    faces = np.zeros(len(triangles), [('count', 'u1'), ('corners', '<i4', 3)])
    faces['count'], faces['corners'] = 3, triangles
    kinds = {'<f4': 'float', 'u1': 'uchar'}
    header = ['ply', 'format binary_little_endian 1.0', f'element vertex {len(vertices)}',
              *(f'property {kinds[kind]} {name}' for name, kind in fields),
              f'element face {len(triangles)}', 'property list uchar int vertex_indices',
              'end_header', '']
    try:
        Path(path).write_bytes('\n'.join(header).encode('ascii') + table.tobytes()
                               + faces.tobytes())
    except OSError as error:
        raise SettingsError(f'cannot write the mesh {path}: {error.strerror}; give a path in a '
                            'folder that is there') from error


def _check(vertices: np.ndarray, triangles: np.ndarray) -> None:
    for name, value in (('vertices', vertices), ('triangles', triangles)):
        if value.ndim != 2 or value.shape[1] != 3:
            raise InvalidImageError(f'{name} of a mesh have shape {value.shape}, expected (N, 3)')
    if not np.isfinite(vertices).all():
        raise InvalidImageError('vertices of a mesh hold NaN or infinity, expected finite numbers')
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < len(vertices):
        raise InvalidImageError(f'triangles name the vertices {triangles.min()} to '
                                f'{triangles.max()}, expected 0 to {len(vertices) - 1}')


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the z of the cross products of (N, 2) vectors."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
