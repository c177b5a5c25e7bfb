# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Landmarks on a rigid head whose poses are known."""

from __future__ import annotations

from dataclasses import replace

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.crop_alignment import CropCamera
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.core.frames import Detection, Frame
from face_depth_ros.evaluation.estimation_faces import RealFace
from face_depth_ros.evaluation.estimation_landmarks import place_on_head, wandering_rows
import numpy as np
import pytest

CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)
BOX = FaceBox(150.0, 110.0, 110.0)
GRID = np.stack(np.meshgrid(np.linspace(80.5, 176.5, 17), np.linspace(70.5, 190.5, 4)), axis=-1)
POINTS = GRID.reshape(68, 2).astype(np.float32)


def face(pose: np.ndarray | None) -> RealFace:
    """Return a wall at 0.5 m."""
    depth = np.full((CROP_PX, CROP_PX), 0.5, np.float32)
    return RealFace(0, 0.0, np.zeros((CROP_PX, CROP_PX, 3), np.uint8), depth, None,
                    np.ones(depth.shape, bool), CropCamera.of(BOX, CROP_PX, CAMERA),
                    Detection(BOX, 0.9), Frame(1, 'camera'), pose)


POSE = np.column_stack([cv2.Rodrigues(np.array([0.1, 0.6, 0.2]))[0], [0.3, -0.1, 0.2]])


def test_places_are_those_of_the_surface_under_them() -> None:
    places = place_on_head(face(POSE), POINTS)
    pixels = POINTS @ BOX.image_from_crop(CROP_PX)[:, :2].T + BOX.image_from_crop(CROP_PX)[:, 2]
    expected = CAMERA.unproject(pixels, np.full(68, 0.5)) @ POSE[:, :3].T + POSE[:, 3]
    np.testing.assert_allclose(places, expected, atol=1e-5)


def test_what_is_off_the_surface_is_unknown() -> None:
    one = face(POSE)
    one.sensor[:100] = np.nan
    points = POINTS.copy()
    points[60] = -30.0
    points[61] = np.nan
    known = np.isfinite(place_on_head(one, points)).all(axis=1)
    assert not known[:17].any() and not known[60:62].any() and known[62:].all()
    assert np.isnan(place_on_head(replace(one, model_from_camera=None), points)).all()


def test_still_landmarks_do_not_wander_and_others_do() -> None:
    faces = [face(POSE) for _ in range(20)]
    # 4 px of 256 to the side every other time: 2 px from the middle, of a pixel of 0.716 mm.
    moved = [POINTS + np.array([2.0 * (-1) ** i, 0.0], np.float32) for i in range(20)]
    rows = wandering_rows(faces, {'still': [POINTS] * 20, 'moving': moved, 'none': [None] * 20})
    assert set(rows) == {'still', 'moving'}
    assert rows['still']['all'] == pytest.approx(0.0, abs=1e-4)
    step = 2.0 * 0.5 * (110.0 / CROP_PX) / 300.0 * 1e3
    assert rows['moving']['mouth'] == pytest.approx(step, rel=1e-3)
    assert rows['moving']['percent_of_box'] == pytest.approx(step / 2.2, rel=1e-3)


def test_nothing_without_poses_or_with_too_few_frames() -> None:
    assert wandering_rows([face(None)] * 9, {'row': [POINTS] * 9}) == {}
    few = wandering_rows([face(POSE)] * 3, {'row': [POINTS] * 3})
    assert few['row']['all'] is None and few['row']['percent_of_box'] is None
