# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.synthesis import shapes
import numpy as np
import pytest


def signed_volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    """Volume of a closed mesh, positive if its triangles are counter-clockwise from outside."""
    a, b, c = (vertices[triangles[:, corner]].astype(np.float64) for corner in range(3))
    return float(np.einsum('ti,ti->t', a, np.cross(b, c)).sum() / 6.0)


def test_sphere_is_closed_and_faces_outwards():
    vertices, triangles = shapes.sphere(60, 90)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1.0, atol=1e-6)
    assert signed_volume(vertices, triangles) == pytest.approx(4.0 / 3.0 * np.pi, rel=0.01)


def test_hand_and_torso_face_outwards():
    assert signed_volume(*shapes.hand()) > 100.0
    vertices, triangles = shapes.torso()
    assert signed_volume(vertices - vertices.mean(axis=0), triangles) > 10_000.0
    assert vertices[:, 1].max() < -10.0  # below the chin


def test_sheet_faces_forward_with_its_texture_upright():
    vertices, triangles, uv = shapes.sheet()
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    assert np.all(np.cross(b - a, c - a)[:, 2] > 0)
    np.testing.assert_allclose(uv, (vertices[:, :2] + 1.0) / 2.0)
