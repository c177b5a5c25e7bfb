# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Views of faces, good and bad in one way each."""

from __future__ import annotations

from pathlib import Path

import cv2
from face_depth_ros.core.face_quality import face_quality, pose_of_landmarks
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
from face_depth_ros.evaluation.face_photo_samples import load_faces
import numpy as np
import pytest

PHOTOS = [s for s in load_faces(
    Path(__file__).parents[1] / 'data' / 'face_photos.npz').samples]
FRONTAL = next(s.photo for s in PHOTOS if abs(s.photo.yaw) < 20 and abs(s.photo.pitch) < 8
               and not s.covered and s.photo.color[s.photo.mask > 0].mean() > 60)


def rated(photo=FRONTAL, side=112.0, color=None, mask=None, visibility=None, landmarks=None):
    color = photo.color if color is None else color
    return face_quality(cv2.resize(color, (112, 112), interpolation=cv2.INTER_AREA),
                        photo.mask if mask is None else mask, side,
                        photo.landmarks if landmarks is None else landmarks,
                        photo.visible.astype(float) if visibility is None else visibility)


def test_a_frontal_face_in_good_light_is_good():
    found = rated()
    assert found.score > 0.7 and found.cause == ''
    assert abs(found.yaw) < 30


@pytest.mark.parametrize(('cause', 'change'), [
    ('too_small', {'side': 20.0}),
    ('blurred', {'color': cv2.GaussianBlur(FRONTAL.color, (0, 0), 7)}),
    ('dark', {'color': FRONTAL.color // 16}),
    ('bright', {'color': np.full_like(FRONTAL.color, 255)}),
    ('covered', {'visibility': np.full(68, 0.3)}),
    ('covered', {'mask': np.where(np.arange(256)[:, None] < 60, FRONTAL.mask, 0).astype(
        np.uint8)})])
def test_what_is_wrong_has_a_name(cause, change):
    found = rated(**change)
    # A white face has no slopes either.
    assert found.cause in ((cause, 'blurred') if cause == 'bright' else (cause,))
    assert found.score < 0.5 < rated().score


def test_profiles_are_told_by_their_landmarks():
    photos = [s.photo for s in PHOTOS]
    profiles = [p for p in photos if abs(p.yaw) > 65]
    assert profiles and all(rated(p).cause == 'profile' for p in profiles)
    frontal = [p for p in photos if abs(p.yaw) < 20 and abs(p.pitch) < 10]
    assert frontal and all(rated(p).cause != 'profile' for p in frontal)


@pytest.mark.parametrize(('yaw', 'pitch'), [(0, 0), (30, 0), (-60, 0), (0, 25), (0, -25),
                                            (40, 15)])
def test_the_pose_of_the_mean_head(yaw, pitch):
    a, b = np.deg2rad([yaw, pitch])
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    points = MEAN_LANDMARKS_M @ (nod @ turn).T * 500
    found = pose_of_landmarks(points[:, :2] + (50, 60))
    assert found[0] == pytest.approx(yaw, abs=1.0)
    assert found[1] == pytest.approx(pitch, abs=1.0)


def test_landmarks_that_tell_nothing():
    assert np.isnan(pose_of_landmarks(np.full((68, 2), np.nan))).all()
    assert np.isnan(pose_of_landmarks(np.zeros((68, 2)))).all()
    assert rated(landmarks=np.full((68, 2), np.nan)).cause == ''


def test_light_hardly_matters_to_sharpness():
    assert rated(color=FRONTAL.color // 2).cause == ''
