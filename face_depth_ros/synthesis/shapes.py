# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Simple meshes around a head: shoulders, hands, spheres, sheets of paper."""

from __future__ import annotations

import numpy as np

_TORSO_RINGS_CM = np.array([
    # y, half width, half depth
    (-12.8, 6.4, 6.0), (-14.2, 8.6, 8.4), (-16.0, 12.8, 10.6), (-18.5, 17.5, 11.8),
    (-22.0, 20.5, 12.2), (-26.0, 21.8, 12.4), (-33.0, 22.0, 12.6), (-45.0, 20.5, 12.6),
    (-64.0, 19.5, 12.0)],
    np.float32)
_TORSO_Z_CM = -2.5
_TORSO_SQUARENESS = 0.8
TORSO_PIVOT_CM = (0.0, -15.0, -2.5)
"""About which the torso turns under the head."""


def sphere(rings: int = 12, segments: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the unit sphere.

    :returns: vertices (N, 3) float32; triangles (T, 3) int32, counter-clockwise from outside
    """
    polar = np.linspace(0.0, np.pi, rings + 1)
    around = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    polar, around = np.meshgrid(polar, around, indexing='ij')
    vertices = np.stack([np.sin(polar) * np.cos(around), np.cos(polar),
                         -np.sin(polar) * np.sin(around)], axis=2)
    return vertices.reshape(-1, 3).astype(np.float32), _ring_triangles(rings, segments)


def torso(segments: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """
    Return neck base, shoulders and chest in the head frame, cm; the neck of the head enters it.

    :returns: vertices (N, 3) float32; triangles (T, 3) int32
    """
    around = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    cos = np.sign(np.cos(around)) * np.abs(np.cos(around)) ** _TORSO_SQUARENESS
    sin = np.sign(np.sin(around)) * np.abs(np.sin(around)) ** _TORSO_SQUARENESS
    y, half_width, half_depth = (column[:, None] for column in _TORSO_RINGS_CM.T)
    vertices = np.stack([half_width * cos, np.broadcast_to(y, (len(y), segments)),
                         _TORSO_Z_CM - half_depth * sin], axis=2)
    return (vertices.reshape(-1, 3).astype(np.float32),
            _ring_triangles(len(y) - 1, segments))


def hand() -> tuple[np.ndarray, np.ndarray]:
    """
    Return a palm and five fingers of ellipsoids, cm, about the middle of the palm, fingers up.

    :returns: vertices (N, 3) float32; triangles (T, 3) int32
    """
    parts = [((0.0, 0.0, 0.0), (4.2, 4.8, 1.6), 0.0)]
    parts += [((x, 7.8 - abs(x - 0.5) * 0.5, 0.3), (0.9, 4.4, 0.9), -x * 4.0)
              for x in (-3.2, -1.1, 1.0, 3.1)]
    parts += [((5.2, 1.2, 0.8), (1.0, 3.6, 1.0), -40.0)]
    unit, triangles = sphere(8, 12)
    vertices = []
    for centre, axes, tilt in parts:
        cos, sin = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
        turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        vertices.append((unit * axes) @ turn.T + centre)
    offsets = np.repeat(np.arange(len(parts)) * len(unit), len(triangles))[:, None]
    return (np.concatenate(vertices).astype(np.float32),
            (np.tile(triangles, (len(parts), 1)) + offsets).astype(np.int32))


def sheet(steps: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return the square [-1, 1] x [-1, 1] in the plane z = 0, facing +z.

    :returns: vertices (N, 3) float32; triangles (T, 3) int32; uv (N, 2) float32, v upwards
    """
    grid = np.linspace(-1.0, 1.0, steps + 1, dtype=np.float32)
    y, x = np.meshgrid(grid, grid, indexing='ij')
    vertices = np.stack([x, y, np.zeros_like(x)], axis=2).reshape(-1, 3)
    row, column = (i.ravel() for i in np.meshgrid(range(steps), range(steps), indexing='ij'))
    corner = row * (steps + 1) + column
    triangles = np.concatenate([
        np.stack([corner, corner + 1, corner + steps + 2], axis=1),
        np.stack([corner, corner + steps + 2, corner + steps + 1], axis=1)])
    return vertices, triangles.astype(np.int32), (vertices[:, :2] + 1.0) / 2.0


def _ring_triangles(rings: int, segments: int) -> np.ndarray:
    """Triangles between rings of vertices that go down, (2 * rings * segments, 3) int32."""
    ring, segment = (i.ravel() for i in np.meshgrid(range(rings), range(segments),
                                                    indexing='ij'))
    here, following = ring * segments + segment, ring * segments + (segment + 1) % segments
    return np.concatenate([
        np.stack([here, here + segments, following + segments], axis=1),
        np.stack([here, following + segments, following], axis=1)]).astype(np.int32)
