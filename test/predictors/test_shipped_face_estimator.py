# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The shipped face estimator on rendered test faces, as they are and as bad input has them."""

from __future__ import annotations

import math

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.metrics import landmark_nme
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.face_photo_samples import load_faces
from face_depth_ros.predictors.depth_estimator import DepthEstimator
import numpy as np
import pytest

FRAME_PX = 400
BOX = FaceBox(FRAME_PX / 2, FRAME_PX / 2, CROP_PX)
CAMERA = CameraIntrinsics(FRAME_PX, FRAME_PX, 600.0, 600.0, FRAME_PX / 2, FRAME_PX / 2)


@pytest.fixture(name='estimator', scope='module')
def shipped_estimator():
    estimator = DepthEstimator()
    yield estimator
    estimator.close()


@pytest.fixture(name='faces', scope='module')
def stored_faces():
    """Return the stored faces that look into the camera within 45 degrees."""
    faces = load_faces(checkout_data('face_photos.npz')).samples
    return [face.photo for face in faces if abs(face.photo.yaw) < 45.0][:8]


def framed(color: np.ndarray) -> np.ndarray:
    """Lay a crop into the middle of a grey frame."""
    frame = np.full((FRAME_PX, FRAME_PX, 3), 110, np.uint8)
    start = (FRAME_PX - CROP_PX) // 2
    frame[start:start + CROP_PX, start:start + CROP_PX] = color
    return frame


def scores(estimator, faces, change) -> tuple[float, float]:
    """Return landmark NME in percent and IoU of the face area, each the median over the faces."""
    nme, overlap = [], []
    start = (FRAME_PX - CROP_PX) // 2
    for photo in faces:
        found = estimator.estimate(framed(change(photo.color)), [Detection(BOX, 0.9)],
                                   intrinsics=CAMERA)
        assert len(found.faces) == 1, found.skipped
        nme.append(landmark_nme(found.faces[0].landmarks - start, photo.landmarks, CROP_PX))
        mask = found.mask[start:start + CROP_PX, start:start + CROP_PX] > 0
        truth = photo.mask > 0
        overlap.append((mask & truth).sum() / (mask | truth).sum())
        assert np.isfinite(found.depth[found.mask > 0]).all()
        assert (found.uncertainty[found.mask > 0] > 0).all()
    return float(np.median(nme)), float(np.median(overlap))


def unchanged(color: np.ndarray) -> np.ndarray:
    return color


def dark(color: np.ndarray) -> np.ndarray:
    return (color * 0.12).astype(np.uint8)


def overexposed(color: np.ndarray) -> np.ndarray:
    return np.clip(color.astype(np.float32) * 1.8 + 20.0, 0.0, 255.0).astype(np.uint8)


def grey(color: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(color, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


@pytest.mark.parametrize(('change', 'nme', 'overlap'), [
    (unchanged, 2.5, 0.90), (grey, 3.5, 0.88), (dark, 3.5, 0.85), (overexposed, 3.5, 0.85)])
def test_light_and_colour_cost_little(estimator, faces, change, nme, overlap):
    got_nme, got_overlap = scores(estimator, faces, change)
    assert got_nme < nme
    assert got_overlap > overlap


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_turned_face_is_the_same_face_in_a_turned_box(estimator, faces, turns):
    frame = framed(faces[0].color)
    upright = estimator.estimate(frame, [Detection(BOX, 0.9)], intrinsics=CAMERA)
    # np.rot90 turns against the clock, roll counts with it.
    box = FaceBox(BOX.center_x, BOX.center_y, BOX.side, -turns * math.pi / 2)
    turned = estimator.estimate(np.ascontiguousarray(np.rot90(frame, turns)),
                                [Detection(box, 0.9)], intrinsics=CAMERA)
    back = np.rot90(turned.mask, -turns)
    both = ((back > 0) & (upright.mask > 0)).sum() / ((back > 0) | (upright.mask > 0)).sum()
    assert both > 0.98
    assert turned.faces[0].distance_m == pytest.approx(upright.faces[0].distance_m, rel=0.01)


def test_a_face_cut_by_the_border_keeps_its_visible_part(estimator, faces):
    frame = framed(faces[0].color)
    cut = FRAME_PX // 2
    camera = CameraIntrinsics(FRAME_PX - cut, FRAME_PX, 600.0, 600.0, FRAME_PX / 2 - cut,
                              FRAME_PX / 2)
    box = FaceBox(BOX.center_x - cut, BOX.center_y, BOX.side)
    whole = estimator.estimate(frame, [Detection(BOX, 0.9)], intrinsics=CAMERA).mask[:, cut:] > 0
    found = estimator.estimate(np.ascontiguousarray(frame[:, cut:]), [Detection(box, 0.9)],
                               intrinsics=camera)
    assert len(found.faces) == 1
    part = found.mask > 0
    assert (part & whole).sum() / (part | whole).sum() > 0.85


def test_what_is_no_face_gets_no_depth(estimator):
    crops = load_faces(checkout_data('face_photos.npz')).negatives
    chance = np.random.default_rng(0)
    for level in (0, 110, 255):  # a lens cap, a wall, the sun; a camera's noise on each
        blank = np.full((CROP_PX, CROP_PX, 3), level, np.uint8)
        noisy = np.clip(blank + chance.normal(0.0, 5.0, blank.shape), 0, 255).astype(np.uint8)
        crops += [blank, noisy]
    for crop in crops:
        found = estimator.estimate(framed(crop), [Detection(BOX, 0.9)], intrinsics=CAMERA)
        assert not found.faces and np.isnan(found.depth).all() and not found.mask.any()
        assert found.skipped[0].cause == 'no_face'
