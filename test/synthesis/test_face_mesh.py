# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The face mesh keeps the landmarks, is spread evenly, is a surface, and has no new holes."""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.face_mesh import (
    face_mesh,
    FaceMesh,
    nearest_kept,
    spread,
    without_collapsed,
)
from face_depth_ros.synthesis.morphable_head import MorphableHead
import numpy as np
import pytest


@pytest.fixture(scope='module')
def head(assets_folder) -> MorphableHead:
    return MorphableHead(FaceAssets(assets_folder))


@pytest.fixture(scope='module')
def mesh(head: MorphableHead) -> FaceMesh:
    return face_mesh(head)


@pytest.mark.assets
def test_the_mesh_begins_with_the_landmarks_and_uses_every_vertex(
        head: MorphableHead, mesh: FaceMesh) -> None:
    assert mesh.vertices.shape == (3500,)
    assert mesh.vertices[:68].tolist() == head.landmark_vertices.tolist()
    assert len(np.unique(mesh.vertices)) == 3500
    assert np.unique(mesh.triangles).tolist() == list(range(3500))


@pytest.mark.assets
def test_the_mesh_is_a_surface_of_even_edges(head: MorphableHead, mesh: FaceMesh) -> None:
    """Each edge has one or two triangles, two over most of the face."""
    edges = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]],
                            mesh.triangles[:, [2, 0]]])
    pairs, sides = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    assert sides.max() == 2
    assert (sides == 1).mean() < 0.03
    points = head.neutral_cm[mesh.vertices]
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    assert length.max() < 1.2
    assert np.percentile(length, 1) > 0.25 * np.median(length)


@pytest.mark.assets
def test_triangles_face_outwards_and_lie_in_front(head: MorphableHead, mesh: FaceMesh) -> None:
    points = head.neutral_cm[mesh.vertices]
    assert points[:, 2].min() > -0.5
    corners = points[mesh.triangles].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = (normal * (corners.mean(axis=1) - [0.0, 1.0, 2.0])).sum(axis=1) > 0.0
    assert outwards.mean() > 0.95


@pytest.mark.assets
@pytest.mark.parametrize('count', [67, 100_000])
def test_a_mesh_that_cannot_be_is_refused(head: MorphableHead, count: int) -> None:
    with pytest.raises(SettingsError, match=f'{count} vertices, expected 68 .* to 7567'):
        face_mesh(head, count)


def test_spread_takes_the_farthest_each_time() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [10, 0, 0], [4, 0, 0]])
    assert spread(points, 1, 4).tolist() == [0, 2, 3, 1]
    assert spread(points, 2, 2).tolist() == [0, 1]


def test_the_nearest_is_along_the_surface_not_through_the_air() -> None:
    """A strip bent to a hairpin: its ends are near, but far apart along it."""
    points = np.array([[0, 0, 0], [5, 0, 0], [10, 0, 0], [10, 1, 0], [5, 1, 0], [1, 1, 0.0]])
    triangles = np.array([[0, 1, 2], [2, 3, 4], [3, 4, 5]])
    assert nearest_kept(points, triangles, np.array([0, 3])).tolist() == [0, 0, 1, 1, 1, 1]


def test_collapsed_and_repeated_triangles_vanish() -> None:
    triangles = np.array([[0, 1, 2], [0, 0, 2], [2, 0, 1], [3, 1, 2]])
    assert without_collapsed(triangles).tolist() == [[0, 1, 2], [3, 1, 2]]
