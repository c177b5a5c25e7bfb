# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Meshes: depth under pixels, normals, PLY files, and meshes that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import InvalidImageError, SettingsError
from face_depth_ros.core.surface_mesh import mesh_depth, vertex_normals, write_ply
import numpy as np
import pytest

SQUARE = np.array([[0.0, 0.0, 5.0], [8.0, 0.0, 13.0], [8.0, 8.0, 13.0], [0.0, 8.0, 5.0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def test_a_slanted_square_has_its_plane_as_depth_without_a_crack() -> None:
    depth = mesh_depth(SQUARE, HALVES, 10, 9)
    assert depth.shape == (9, 10) and depth.dtype == np.float32
    np.testing.assert_allclose(depth[:8, :8], np.tile(5.5 + np.arange(8), (8, 1)), atol=1e-5)
    assert np.isnan(depth[8]).all() and np.isnan(depth[:, 8:]).all()


def test_the_nearer_surface_hides_the_farther_whatever_their_order_and_side() -> None:
    far = SQUARE + (0.0, 0.0, 20.0)
    both = np.concatenate([far, SQUARE])
    for triangles in (np.concatenate([HALVES, HALVES + 4]),
                      np.concatenate([HALVES + 4, HALVES])[:, ::-1]):
        np.testing.assert_array_equal(mesh_depth(both, triangles, 8, 8),
                                      mesh_depth(SQUARE, HALVES, 8, 8))


def test_what_lies_outside_or_has_no_area_is_not_drawn() -> None:
    line = np.array([[1.0, 1.0, 1.0], [5.0, 5.0, 1.0], [3.0, 3.0, 1.0]])
    assert np.isnan(mesh_depth(line, np.array([[0, 1, 2]]), 8, 8)).all()
    assert np.isnan(mesh_depth(SQUARE + (100.0, 0.0, 0.0), HALVES, 8, 8)).all()
    partly = mesh_depth(SQUARE - (4.0, 4.0, 0.0), HALVES, 8, 8)
    assert np.isfinite(partly[:4, :4]).all() and np.isfinite(partly).sum() == 16
    assert np.isnan(mesh_depth(SQUARE, HALVES[:0], 4, 4)).all()


def test_normals_are_those_of_the_plane_and_of_nothing_zero() -> None:
    vertices = np.concatenate([SQUARE, [[50.0, 50.0, 50.0]]])
    normals = vertex_normals(vertices, HALVES)
    np.testing.assert_allclose(normals[:4], np.tile(np.array([-1.0, 0, 1]) / np.sqrt(2), (4, 1)),
                               atol=1e-12)
    assert not normals[4].any()


@pytest.mark.parametrize('colored', [False, True])
def test_a_ply_file_holds_the_mesh(tmp_path: Path, colored: bool) -> None:
    colors = np.arange(12, dtype=np.uint8).reshape(4, 3) if colored else None
    write_ply(tmp_path / 'a.ply', SQUARE, HALVES, colors)
    header, body = (tmp_path / 'a.ply').read_bytes().split(b'end_header\n')
    assert header.startswith(b'ply\nformat binary_little_endian 1.0\nelement vertex 4\n')
    assert (b'property uchar red' in header) == colored
    assert b'element face 2\nproperty list uchar int vertex_indices\n' in header
    row = 15 if colored else 12
    assert len(body) == 4 * row + 2 * 13
    vertices = np.stack([np.frombuffer(body, '<f4', 3, i * row) for i in range(4)])
    np.testing.assert_array_equal(vertices, SQUARE.astype(np.float32))
    if colored:
        assert list(body[12:15]) == [0, 1, 2]
    assert np.frombuffer(body, '<i4', 3, 4 * row + 1).tolist() == [0, 1, 2]
    assert body[4 * row] == 3


@pytest.mark.parametrize(('changes', 'message'), [
    ({'vertices': SQUARE[:, :2]}, r'vertices of a mesh have shape \(4, 2\)'),
    ({'triangles': HALVES[:, :2]}, r'triangles of a mesh have shape \(2, 2\)'),
    ({'vertices': SQUARE * np.nan}, 'hold NaN or infinity'),
    ({'triangles': HALVES + 2}, 'triangles name the vertices 2 to 5, expected 0 to 3'),
    ({'colors': np.zeros((4, 3))}, r'colours of 4 vertices are \(4, 3\) float64'),
    ({'colors': np.zeros((3, 3), np.uint8)}, r'colours of 4 vertices are \(3, 3\) uint8'),
])
def test_a_mesh_that_is_none_is_refused(tmp_path: Path, changes: dict[str, Any],
                                        message: str) -> None:
    values = {'vertices': SQUARE, 'triangles': HALVES, **changes}
    with pytest.raises(InvalidImageError, match=message):
        write_ply(tmp_path / 'a.ply', **values)
    assert not (tmp_path / 'a.ply').exists()


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='cannot write the mesh .*No such file or directory'):
        write_ply(tmp_path / 'no' / 'a.ply', SQUARE, HALVES)
