# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The front of the morphable head as a mesh of few, evenly spread vertices.

Kept are vertices of the head itself, so that a shape of the small mesh is a shape of the head.
The first are the 68 landmarks, each next one is the farthest from all kept before. Every other
vertex then moves onto the kept one that is nearest along the surface; triangles of which two
corners meet vanish, the others are those of the small mesh. No hole can open this way.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.morphable_head import MorphableHead
import numpy as np

VERTICES = 3500
_FRONT = ('skin', 'left_brow', 'right_brow', 'nose', 'upper_lip', 'lower_lip')
_SLOT = 'face'
_BEHIND_CM = 0.0
"""What lies further back than this is side of the head."""


@dataclass(frozen=True)
class FaceMesh:
    """
    V vertices of the head, the first 68 of which are the landmarks.

    :param vertices: (V,) int64, indices of the head's vertices
    :param triangles: (T, 3) int64, indices of these V
    """

    vertices: np.ndarray
    triangles: np.ndarray


def face_mesh(head: MorphableHead, count: int = VERTICES) -> FaceMesh:
    """
    Choose the mesh; the same every time.

    :param count: vertices, at least the 68 landmarks
    :raises SettingsError: too few, or more than the front of the head has
    """
    chosen = np.isin(head.triangle_label, [head.label_names.index(name) for name in _FRONT])
    front = (head.neutral_cm[head.triangles, 2] > _BEHIND_CM).all(axis=1)
    triangles = head.triangles[chosen & front & head.slots(_SLOT)].astype(np.int64)
    landmarks = head.landmark_vertices
    members = np.concatenate([landmarks, np.setdiff1d(np.unique(triangles), landmarks)])
    if not len(landmarks) <= count <= len(members):
        raise SettingsError(f'a face mesh of {count} vertices, expected {len(landmarks)} (the '
                            f'landmarks) to {len(members)} (the front of the head)')
    number = np.full(len(head.neutral_cm), -1)
    number[members] = np.arange(len(members))
    triangles = number[triangles]
    points = head.neutral_cm[members].astype(np.float64)
    kept = spread(points, len(landmarks), count)
    owner = nearest_kept(points, triangles, kept)
    return FaceMesh(members[kept], without_collapsed(owner[triangles]))


def spread(points: np.ndarray, first: int, count: int) -> np.ndarray:
    """
    Return the first points and, one by one, the farthest from all taken before.

    :param points: (N, 3)
    :param first: how many of the first points are taken anyhow
    :returns: (count,) int64 indices
    """
    kept = list(range(first))
    distance = np.full(len(points), np.inf)
    for index in kept:
        distance = np.minimum(distance, np.square(points - points[index]).sum(axis=1))
    for _ in range(count - first):
        kept.append(int(distance.argmax()))
        distance = np.minimum(distance, np.square(points - points[kept[-1]]).sum(axis=1))
    return np.array(kept)


def nearest_kept(points: np.ndarray, triangles: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """
    Return for each point the position in `kept` of the nearest one along the edges.

    :param points: (N, 3); triangles: (T, 3); kept: (K,) indices of points
    :returns: (N,) int64
    """
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    distance = np.full(len(points), np.inf)
    owner = np.zeros(len(points), np.int64)
    distance[kept], owner[kept] = 0.0, np.arange(len(kept))
    while True:
        offered = distance[edges[:, 0]] + length
        order = np.argsort(-offered, kind='stable')  # the least offer is written last and stays
        best = np.full(len(points), np.inf)
        giver = np.zeros(len(points), np.int64)
        best[edges[order, 1]] = offered[order]
        giver[edges[order, 1]] = edges[order, 0]
        better = best < distance - 1e-9
        if not better.any():
            return owner
        owner[better] = owner[giver[better]]
        distance[better] = best[better]


def without_collapsed(triangles: np.ndarray) -> np.ndarray:
    """Return the triangles (T, 3) with three different corners, each once."""
    a, b, c = triangles.T
    left = triangles[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(left, axis=1), axis=0, return_index=True)
    return left[np.sort(first)]
