# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
One textured mesh out of a VRML file: the part of VRML 2.0 in which scanners write.

A file holds one `IndexedFaceSet` with `Coordinate`, `coordIndex` and, for colour,
`TextureCoordinate`, `texCoordIndex` and the name of the texture. Transforms are not applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import read_text
import numpy as np

_COMMENT = re.compile(r'("[^"\n]*")|#[^\n]*')
_NUMBERS = {
    'Coordinate': re.compile(r'\bCoordinate\s*\{\s*point\s*\[(.*?)\]', re.DOTALL),
    'TextureCoordinate': re.compile(r'\bTextureCoordinate\s*\{\s*point\s*\[(.*?)\]', re.DOTALL),
    'coordIndex': re.compile(r'\bcoordIndex\s*\[(.*?)\]', re.DOTALL),
    'texCoordIndex': re.compile(r'\btexCoordIndex\s*\[(.*?)\]', re.DOTALL),
}
_TEXTURE = re.compile(r'\burl\s*\[?\s*"([^"]*)"')


@dataclass(frozen=True)
class VrmlMesh:
    """
    A mesh as it stands in the file.

    :param points: (N, 3) float64, the file's unit
    :param triangles: (M, 3) int64; polygons are cut into fans
    :param texture_places: (M, 3, 2) float64 for each triangle's corners, (0, 0) the lower left of
        the texture and (1, 1) its upper right; None where the file has none
    :param texture_name: of the file of the texture, without folders; None where there is none
    """

    points: np.ndarray
    triangles: np.ndarray
    texture_places: np.ndarray | None
    texture_name: str | None


def read_vrml(path: Path) -> VrmlMesh:
    """
    Read a file.

    :raises DatasetError: missing, or not one mesh
    """
    text = _COMMENT.sub(lambda found: found.group(1) or '', read_text(path))
    points = _numbers(path, text, 'Coordinate', 3)
    polygons = _numbers(path, text, 'coordIndex', 1)
    if points is None or polygons is None:
        raise DatasetError(f'{path} has no {"Coordinate" if points is None else "coordIndex"}, '
                           'expected an IndexedFaceSet of VRML 2.0')
    triangles = _triangles(path, 'coordIndex', polygons[:, 0], len(points))
    places = _numbers(path, text, 'TextureCoordinate', 2)
    corners = None
    if places is not None:
        indices = _numbers(path, text, 'texCoordIndex', 1)
        at = triangles if indices is None else _triangles(path, 'texCoordIndex', indices[:, 0],
                                                          len(places))
        if at.shape != triangles.shape or at.max() >= len(places):
            raise DatasetError(f'{path}: {len(at)} triangles of {len(places)} places in the '
                               f'texture for {len(triangles)} triangles of the mesh, expected '
                               'one place for every corner')
        corners = places[at]
    texture = _TEXTURE.search(text)
    name = re.split(r'[/\\]', texture.group(1))[-1] if texture else ''
    return VrmlMesh(points, triangles, corners, name or None)


def _numbers(path: Path, text: str, what: str, per_line: int) -> np.ndarray | None:
    """Return the numbers of a list, (N, per_line); None where there is no such list."""
    found = _NUMBERS[what].findall(text)
    if not found:
        return None
    if len(found) > 1:
        raise DatasetError(f'{path} has {len(found)} lists of {what}, expected one mesh')
    try:
        numbers = np.array(found[0].replace(',', ' ').split(), np.float64)
    except ValueError as error:
        raise DatasetError(f'{path}: {what} is not a list of numbers: {error}') from error
    if not numbers.size or numbers.size % per_line or not np.isfinite(numbers).all():
        raise DatasetError(f'{path}: {what} has {numbers.size} numbers, expected some times '
                           f'{per_line} finite ones')
    return numbers.reshape(-1, per_line)


def _triangles(path: Path, what: str, numbers: np.ndarray, count: int) -> np.ndarray:
    """Cut the polygons of a list that ends each with -1."""
    if (numbers != np.rint(numbers)).any():
        raise DatasetError(f'{path}: {what} has numbers that are not whole')
    indices = numbers.astype(np.int64)
    if indices[-1] != -1:
        indices = np.append(indices, -1)
    if indices.min() < -1 or indices.max() >= count:
        raise DatasetError(f'{path}: {what} names the points {indices.min()} to '
                           f'{indices.max()}, expected 0 to {count - 1}')
    ends = np.flatnonzero(indices == -1)
    begins = np.concatenate([[0], ends[:-1] + 1])
    sides = ends - begins
    if sides.min() < 3:
        raise DatasetError(f'{path}: {what} has a polygon of {sides.min()} points, expected 3 or '
                           'more')
    fans = np.repeat(begins, sides - 2)
    nth = np.arange(len(fans)) - np.repeat(np.cumsum(sides - 2) - (sides - 2), sides - 2)
    return np.stack([indices[fans], indices[fans + nth + 1], indices[fans + nth + 2]], axis=1)
