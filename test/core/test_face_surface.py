# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Measured skin: which pixels are kept, where the rays go, and depth from relief."""

from __future__ import annotations

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.face_surface import depth_of_relief, face_surface, halved
import numpy as np
import pytest

CAMERA = np.array([[400.0, 0.0, 40.0], [0.0, 400.0, 60.0]])
LANDMARKS = np.tile([[44.0, 52.0]], (68, 1))


def test_skin_alone_is_kept_and_landmarks_become_slopes() -> None:
    mask = np.array([[MASK_LABELS.index(name) for name in (
        'skin', 'brows', 'nose', 'mouth', 'eyes', 'glasses', 'background', 'skin')]] * 8, np.uint8)
    depth = np.full((8, 8), 0.7, np.float32)
    depth[0, 0] = np.nan
    surface = face_surface(depth, mask, CAMERA, LANDMARKS)
    assert np.isfinite(surface.depth).sum(axis=0).tolist() == [7, 8, 8, 8, 0, 0, 0, 8]
    np.testing.assert_allclose(surface.landmarks[0], (0.01, -0.02))
    np.testing.assert_array_equal(surface.pixel_of_slope, CAMERA)


def test_fine_grids_are_halved_with_their_camera() -> None:
    depth = np.full((192, 192), 0.5, np.float32)
    depth[:2, :2] = (0.4, np.nan), (0.4, 0.4)
    depth[2, :2] = np.nan
    surface = face_surface(depth, np.ones((192, 192), np.uint8), CAMERA, LANDMARKS)
    assert surface.depth.shape == (96, 96)
    assert surface.depth[0, 0] == pytest.approx(0.4) and np.isnan(surface.depth[1, 0])
    np.testing.assert_allclose(surface.pixel_of_slope, CAMERA / 2)
    np.testing.assert_allclose(surface.landmarks[0], (0.01, -0.02))
    assert halved(np.full((4, 4), np.nan, np.float32)).shape == (2, 2)


def test_depth_is_where_the_relief_lies_along_the_ray_to_the_head() -> None:
    position = np.array([0.1, -0.05, 0.8])
    depth = depth_of_relief(np.zeros((32, 32), np.float32), position, CAMERA / 4)
    rows, columns = np.mgrid[:32, :32] + 0.5
    slopes = np.stack([(columns - 10.0) / 100.0, (rows - 15.0) / 100.0], axis=2)
    points = np.concatenate([slopes, np.ones((32, 32, 1))], axis=2) * depth[..., None]
    along = points @ position / np.linalg.norm(position)
    np.testing.assert_allclose(along, np.linalg.norm(position), rtol=1e-6)
    shifted = depth_of_relief(np.full((32, 32), 0.02, np.float32), position, CAMERA / 4)
    assert (shifted > depth).all()
    assert np.isnan(depth_of_relief(np.full((2, 2), np.nan, np.float32), position, CAMERA)).all()


@pytest.mark.parametrize(('depth', 'camera', 'marks', 'said'), [
    (np.zeros((8, 6)), CAMERA, LANDMARKS, 'one square grid'),
    (np.zeros((8, 8)), CAMERA[:, :2], LANDMARKS, r'expected \(2, 3\)'),
    (np.zeros((8, 8)), CAMERA, LANDMARKS[:5], r'\(68, 2\)'),
    (np.zeros((8, 8)), CAMERA * 0.0, LANDMARKS, 'can be inverted'),
    (np.zeros((8, 8)), CAMERA * np.nan, LANDMARKS, 'can be inverted')])
def test_what_is_no_crop_is_refused(depth: np.ndarray, camera: np.ndarray, marks: np.ndarray,
                                    said: str) -> None:
    with pytest.raises(InvalidImageError, match=said):
        face_surface(depth, np.zeros(depth.shape, np.uint8), camera, marks)
