# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Estimated beside measured depth: whose pixels count, and what is said where there are none."""

from __future__ import annotations

import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.estimate_analysis import (
    FaceEstimateScore,
    named_faces,
    score_faces,
    summarise_estimates,
)
from face_depth_ros.evaluation.output_messages import OutputEstimate
from face_depth_ros.evaluation.replay_settings import EstimateNote
import numpy as np
import pytest

LEFT = Detection(FaceBox(20.0, 20.0, 20.0), 0.9, None, 'f00001')
RIGHT = Detection(FaceBox(60.0, 20.0, 20.0), 0.8, None, 'f00002')
CAMERA = CameraIntrinsics(80, 40, 80.0, 80.0, 40.0, 20.0)
MEASURED = np.full((40, 80), 0.6, np.float32)


def estimate(depth: np.ndarray, face: np.ndarray) -> OutputEstimate:
    depth = np.where(face, depth, np.float32(np.nan)).astype(np.float32)
    return OutputEstimate(depth, np.where(face, np.float32(0.02), depth), face.astype(np.uint8))


def area(*boxes: Detection) -> np.ndarray:
    face = np.zeros((40, 80), bool)
    for d in boxes:
        x = int(d.box.center_x)
        face[12:28, x - 8:x + 8] = True
    return face


def test_offset_and_shape_are_told_apart() -> None:
    slope = np.zeros((40, 80), np.float32)
    slope[:, 12:28] = np.where(np.arange(16) % 2, 0.003, -0.003)
    score, = score_faces(estimate(MEASURED + 0.02 + slope, area(LEFT)), MEASURED, [LEFT], [],
                         CAMERA)
    assert (score.mask_pixels, score.depth_pixels, score.compared) == (256, 256, 256)
    assert score.offset_mm == pytest.approx(20.0, abs=1e-2)
    assert score.shape_rmse_mm == pytest.approx(3.0, abs=1e-2)
    assert score.rmse_mm == pytest.approx(math.hypot(20.0, 3.0), abs=1e-2)
    assert score.sigma_mm == pytest.approx(20.0, abs=1e-3)
    assert (score.cause, score.other_surface) == ('', 0.0)


def test_another_surface_is_left_out_and_counted() -> None:
    measured = MEASURED.copy()
    measured[12:16, 12:28] = 2.0
    measured[16, 12:28] = np.nan
    score, = score_faces(estimate(MEASURED - 0.01, area(LEFT)), measured, [LEFT], [], CAMERA)
    assert score.compared == 256 - 5 * 16
    assert score.other_surface == pytest.approx(4 / 15)
    assert score.offset_mm == pytest.approx(-10.0, abs=1e-2)


def test_two_surfaces_of_which_neither_is_the_middle() -> None:
    measured = MEASURED.copy()
    measured[12:28, 12:20] = 2.0
    score, = score_faces(estimate(MEASURED, area(LEFT)), measured, [LEFT], [], CAMERA)
    assert (score.compared, score.depth_pixels) == (0, 256)
    assert math.isnan(score.rmse_mm)


def test_each_face_has_its_own_pixels_and_note() -> None:
    depth = MEASURED.copy()
    depth[:, 40:] += 0.03
    notes = [EstimateNote('f00002', 0.7, 'head_size'), EstimateNote('f00001', 0.9, 'sensor', 'x')]
    left, right = score_faces(estimate(depth, area(LEFT, RIGHT)), MEASURED, [LEFT, RIGHT], notes,
                              CAMERA)
    assert (left.offset_mm, right.offset_mm) == pytest.approx((0.0, 30.0), abs=1e-2)
    assert (left.placement, left.confidence, left.cause) == ('sensor', 0.9, 'x')
    assert (right.placement, right.confidence, right.cause) == ('head_size', 0.7, '')


def test_why_something_is_missing() -> None:
    nothing = estimate(MEASURED, area())
    unplaced = estimate(MEASURED * np.nan, area())
    unplaced.mask[area(LEFT)] = 1
    beside = estimate(MEASURED, area(LEFT))

    def cause(*arguments) -> str:
        score, = score_faces(*arguments)
        return score.cause

    assert cause(None, MEASURED, [LEFT], [], CAMERA) == 'not_estimated'
    assert cause(nothing, MEASURED, [LEFT], [], CAMERA) == 'not_estimated'
    assert cause(unplaced, MEASURED, [LEFT], [], None) == 'no_intrinsics'
    assert cause(unplaced, MEASURED, [LEFT], [], CAMERA) == 'no_depth'
    # The pixels in the box of a face that was left out are its neighbour's.
    score, = score_faces(beside, MEASURED, [LEFT], [EstimateNote('f00001', cause='no_face')],
                         CAMERA)
    assert (score.mask_pixels, score.depth_pixels, score.cause) == (0, 0, 'no_face')


def test_summary_counts_frames_and_names_faces() -> None:
    good = FaceEstimateScore('f00001', 10, 10, confidence=0.9, compared=10, offset_mm=4.0,
                             rmse_mm=5.0, shape_rmse_mm=3.0)
    doubtful = FaceEstimateScore('f00001', 10, 10, 'contradicts', confidence=0.7, compared=10,
                                 offset_mm=-2.0, rmse_mm=3.0, shape_rmse_mm=2.0)
    masked = FaceEstimateScore('f00002', 10, 0, 'no_intrinsics')
    missing = FaceEstimateScore('f00003', 0, 0, 'no_face')
    found = summarise_estimates([(0, (good,)), (1, ()), (2, (doubtful, masked)), (3, (missing,))],
                                {'no_face': 1})
    assert [found[k] for k in ('frames_with_face', 'frames_with_depth_and_mask',
                               'frames_with_mask', 'faces')] == [3, 1, 2, 4]
    assert found['without_by_cause'] == {'no_intrinsics': 1, 'no_face': 1}
    assert (found['offset_mm'], found['offset_abs_mm'], found['rmse_mm']) == (1.0, 3.0, 4.0)
    assert (found['confidence_mean'], found['confidence_min']) == (pytest.approx(0.8), 0.7)
    assert named_faces(found) == 'frame 3 f00002 (no_intrinsics), frame 4 f00003 (no_face)'
    assert named_faces(found, at_most=1) == 'frame 3 f00002 (no_intrinsics) and 1 more'
    assert named_faces(summarise_estimates([(0, (good,))], {})) == ''


def test_nobody_there() -> None:
    found = summarise_estimates([(0, ()), (1, ())], {})
    assert (found['frames_with_face'], found['faces'], found['tracks']) == (0, 0, {})
    assert math.isnan(found['rmse_mm'])
