# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Meshes in VRML: what is read, and all that may be wrong."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.vrml_mesh import read_vrml
import numpy as np
import pytest
from scan_files import vrml_text

POINTS = np.array([[0, 0, 0], [10, 0, 1], [10, 10, 2], [0, 10, 3], [-5, 5, 4]], float)
PLACES = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / 'mesh.wrl'
    path.write_text(text)
    return path


def test_polygons_become_fans_with_their_places_in_the_texture(tmp_path: Path) -> None:
    mesh = read_vrml(written(tmp_path, vrml_text(POINTS, [(0, 1, 2), (0, 2, 3, 4)], PLACES,
                                                 'some/where/skin.bmp')))
    np.testing.assert_allclose(mesh.points, POINTS)
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]
    assert mesh.texture_places is not None
    np.testing.assert_allclose(mesh.texture_places, PLACES[mesh.triangles])
    assert mesh.texture_name == 'skin.bmp'


def test_without_their_own_index_places_go_with_the_points(tmp_path: Path) -> None:
    text = vrml_text(POINTS, [(0, 1, 2)], PLACES).replace('texCoordIndex', 'unused')
    mesh = read_vrml(written(tmp_path, text.replace('coordIndex [\n0, 1, 2, -1', 'coordIndex [\n'
                                                    '0 1 2', 1)))
    assert mesh.texture_places is not None and mesh.texture_name is None
    np.testing.assert_allclose(mesh.texture_places, PLACES[[[0, 1, 2]]])


def test_a_mesh_without_a_texture(tmp_path: Path) -> None:
    assert read_vrml(written(tmp_path, vrml_text(POINTS, [(0, 1, 2)]))).texture_places is None


GOOD = vrml_text(POINTS, [(0, 1, 2), (2, 3, 4)], PLACES)


@pytest.mark.parametrize('text, reason', [
    ('', 'has no Coordinate, expected an IndexedFaceSet of VRML 2.0'),
    (GOOD.replace('coordIndex', 'lines'), 'has no coordIndex'),
    (GOOD + GOOD, 'has 2 lists of Coordinate, expected one mesh'),
    (GOOD.replace('10.0000 0.0000', 'ten 0.0000'), 'Coordinate is not a list of numbers'),
    (GOOD.replace('10.0000 0.0000', 'nan 0.0000'), 'Coordinate has 15 numbers, expected some t'),
    (GOOD.replace('10.0000 0.0000 1.0000,', ' 0.0 1.0,'), 'Coordinate has 14 numbers'),
    (GOOD.replace('0, 1, 2, -1', '0, 1, 7, -1', 1), 'coordIndex names the points -1 to 7, expec'),
    (GOOD.replace('0, 1, 2, -1', '0, 1, -1', 1), 'coordIndex has a polygon of 2 points'),
    (GOOD.replace('0, 1, 2, -1', '0, 1, 1.5, -1', 1), 'coordIndex has numbers that are not whole'),
    (GOOD.replace(' texCoordIndex [\n0, 1, 2, -1,', ' texCoordIndex [\n'),
     '1 triangles of 5 places in the texture for 2 triangles'),
])
def test_a_wrong_mesh_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_vrml(written(tmp_path, text))


def test_a_missing_mesh_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='absent.wrl is missing; is the copy'):
        read_vrml(tmp_path / 'absent.wrl')
