# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Alignments against known motions, against a general optimiser, and on what has no answer."""

from __future__ import annotations

from collections.abc import Callable

import cv2
from face_depth_ros.core.errors import AlignmentError
from face_depth_ros.core.similarity_alignment import (
    align_robustly,
    align_similarity,
    depth_offset,
    depth_scale_and_offset,
    rms_distance,
    Similarity,
)
import numpy as np
import pytest

TURN = np.array([0.3, -0.7, 0.2])
MOTION = Similarity(1.3, cv2.Rodrigues(TURN)[0], np.array([0.1, -0.4, 2.0]))


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(200, 3)) * (0.07, 0.09, 0.02)


def test_a_known_similarity_is_found(points: np.ndarray) -> None:
    found = align_similarity(points, MOTION.moved(points))
    assert found.scale == pytest.approx(1.3, rel=1e-12)
    np.testing.assert_allclose(found.rotation, MOTION.rotation, atol=1e-12)
    np.testing.assert_allclose(found.translation, MOTION.translation, atol=1e-12)
    assert found.turn == pytest.approx(np.linalg.norm(TURN))


def test_moved_keeps_the_shape() -> None:
    grid = np.zeros((4, 5, 3), np.float32)
    np.testing.assert_allclose(MOTION.moved(grid)[2, 3], MOTION.translation)
    assert MOTION.moved(grid).shape == (4, 5, 3)


def test_no_motion_nearby_is_better(points: np.ndarray) -> None:
    random = np.random.default_rng(2)
    target = MOTION.moved(points) + random.normal(size=points.shape) * 0.01
    weights = random.uniform(0.1, 2.0, len(points))
    best = align_similarity(points, target, weights)

    def cost(motion: Similarity) -> float:
        return float(weights @ np.square(motion.moved(points) - target).sum(axis=1))

    least = cost(best)
    for _ in range(300):
        step = random.normal(size=7) * 1e-3
        other = Similarity(best.scale * (1.0 + step[0]),
                           cv2.Rodrigues(step[1:4])[0] @ best.rotation,
                           best.translation + step[4:])
        assert cost(other) > least


def test_a_weight_counts_as_often_as_it_says(points: np.ndarray) -> None:
    target = MOTION.moved(points) + np.random.default_rng(3).normal(size=points.shape) * 0.02
    times = np.random.default_rng(4).integers(0, 4, len(points))
    weighted = align_similarity(points, target, times)
    repeated = align_similarity(np.repeat(points, times, axis=0),
                                np.repeat(target, times, axis=0))
    assert weighted.scale == pytest.approx(repeated.scale)
    np.testing.assert_allclose(weighted.rotation, repeated.rotation, atol=1e-10)
    np.testing.assert_allclose(weighted.translation, repeated.translation, atol=1e-10)


def test_points_of_a_plane_suffice(points: np.ndarray) -> None:
    flat = points * (1.0, 1.0, 0.0)
    found = align_similarity(flat, MOTION.moved(flat))
    np.testing.assert_allclose(found.rotation, MOTION.rotation, atol=1e-9)


def test_a_mirrored_shape_is_not_mirrored_back(points: np.ndarray) -> None:
    mirrored = points * (-1.0, 1.0, 1.0)
    found = align_similarity(points, mirrored)
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)
    assert found.scale > 0
    assert rms_distance(found.moved(points), mirrored) > 0.01


def test_the_rest_of_a_tilt_is_the_shape(points: np.ndarray) -> None:
    """What a similarity cannot explain stays, however the points were moved before."""
    shape = points + np.random.default_rng(5).normal(size=points.shape) * 0.004
    still = rms_distance(align_similarity(points, shape).moved(points), shape)
    tilted = MOTION.moved(points)
    after = rms_distance(align_similarity(tilted, shape).moved(tilted), shape)
    assert after == pytest.approx(still, rel=1e-9)
    assert 0.004 < still < 0.008


def test_outliers_do_not_move_the_robust_alignment(points: np.ndarray) -> None:
    target = MOTION.moved(points)
    target[::4] += np.random.default_rng(6).normal(size=(50, 3)) * 0.3 + 0.2
    robust = align_robustly(points, target)
    assert robust.scale == pytest.approx(1.3, rel=1e-6)
    np.testing.assert_allclose(robust.rotation, MOTION.rotation, atol=1e-6)
    assert abs(align_similarity(points, target).scale - 1.3) > 0.01


def test_robust_and_plain_agree_on_normal_noise(points: np.ndarray) -> None:
    target = MOTION.moved(points) + np.random.default_rng(7).normal(size=points.shape) * 0.002
    robust, plain = align_robustly(points, target), align_similarity(points, target)
    assert robust.scale == pytest.approx(plain.scale, rel=5e-3)


def test_rms_distance_is_that_of_points() -> None:
    first = np.zeros((2, 3))
    second = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    assert rms_distance(first, second) == pytest.approx(np.sqrt((25.0 + 1.0) / 2.0))


def test_depth_alignments_are_those_of_a_line_fit() -> None:
    random = np.random.default_rng(8)
    depth = random.uniform(0.3, 0.5, 100)
    truth = 1.2 * depth - 0.05 + random.normal(size=100) * 0.003
    scale, offset = depth_scale_and_offset(depth, truth)
    np.testing.assert_allclose((scale, offset), np.polyfit(depth, truth, 1), rtol=1e-9)
    assert depth_offset(depth, truth) == pytest.approx(np.polyfit(depth, truth - depth, 0)[0])


LINE = np.outer(np.arange(5.0), (1.0, 2.0, 3.0)) + 0.3
SPREAD = np.random.default_rng(9).normal(size=(5, 3))


@pytest.mark.parametrize(('call', 'message'), [
    (lambda: align_similarity(SPREAD[:, :2], SPREAD[:, :2]), r'expected \(N, 3\) both'),
    (lambda: align_similarity(SPREAD, SPREAD[:4]), r'shapes \(5, 3\) and \(4, 3\)'),
    (lambda: align_similarity(SPREAD[:2], SPREAD[:2]), '2 points cannot .* at least 3'),
    (lambda: align_similarity(SPREAD * np.nan, SPREAD), 'NaN or infinity'),
    (lambda: align_similarity(np.full((5, 3), 0.3), SPREAD), 'all source points lie in one place'),
    (lambda: align_similarity(SPREAD, np.full((5, 3), 0.3)), 'all target points lie in one place'),
    (lambda: align_similarity(LINE, LINE), 'one line, which fixes no rotation'),
    (lambda: align_similarity(SPREAD, LINE), 'one line, which fixes no rotation'),
    (lambda: align_similarity(SPREAD, SPREAD, np.ones(4)), 'weights must be 5 finite numbers'),
    (lambda: align_similarity(SPREAD, SPREAD, -np.ones(5)), 'weights must be 5 finite numbers'),
    (lambda: align_similarity(SPREAD, SPREAD, np.array([1, 1, 0, 0, 0])), '2 points have a wei'),
    (lambda: align_robustly(LINE, LINE), 'one line'),
    (lambda: rms_distance(SPREAD[:0], SPREAD[:0]), '0 points cannot be compared'),
    (lambda: depth_offset(SPREAD, SPREAD), r'expected \(N,\) both'),
    (lambda: depth_offset(np.array([np.nan]), np.array([1.0])), 'NaN or infinity'),
    (lambda: depth_scale_and_offset(np.ones(1), np.ones(1)), 'at least 2'),
    (lambda: depth_scale_and_offset(np.full(4, 0.7), np.arange(4.0)), 'all depth is the same'),
])
def test_what_has_no_answer_is_said(call: Callable[[], object], message: str) -> None:
    with pytest.raises(AlignmentError, match=message) as caught:
        call()
    assert caught.value.cause == 'alignment'
