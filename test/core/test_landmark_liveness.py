# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT

from __future__ import annotations

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.landmark_liveness import (
    CHIN,
    depth_under,
    HOLE,
    is_frontal,
    JAW_COMES_NEARER,
    landmark_test,
    NEARER_THAN_NOSE,
    NOSE_TIP,
)
from face_depth_ros.evaluation.landmark_protocol import pad_error
import numpy as np
import pytest

SIZE = 68


def image(depths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image whose column i holds the depth of landmark i, and the landmarks."""
    depth = np.repeat(depths[None].astype(np.float32), 4, axis=0)
    return depth, np.stack([np.arange(SIZE) + 0.5, np.full(SIZE, 2.5)], axis=1)


def face() -> np.ndarray:
    """Return depths of a frontal face: nose nearest, jawline receding from the chin."""
    depths = np.full(SIZE, 0.55)
    depths[:17] = 0.56 + 0.005 * np.abs(np.arange(17) - CHIN)
    depths[NOSE_TIP] = 0.5
    return depths


def test_frontal_face_passes() -> None:
    test = landmark_test(*image(face()))
    assert test.error == 0.0
    assert set(test.failures) == {''}
    np.testing.assert_allclose(test.depths, face(), atol=1e-6)


def test_each_cause_is_told_and_counts_once() -> None:
    depths = face()
    depths[40] = np.nan
    depths[50] = 0.49
    depths[3] = depths[4] - 0.002
    test = landmark_test(*image(depths))
    assert test.failures[40] == HOLE
    assert test.failures[50] == NEARER_THAN_NOSE
    assert test.failures[3] == JAW_COMES_NEARER
    assert test.error == 3 / 68
    assert [test.count(cause) for cause in (HOLE, NEARER_THAN_NOSE, JAW_COMES_NEARER)] == [1, 1, 1]


@pytest.mark.parametrize(('side', 'other'), [(7, 6), (9, 10)])
def test_a_hole_in_the_jawline_fails_what_follows_it(side: int, other: int) -> None:
    depths = face()
    depths[side] = np.nan
    test = landmark_test(*image(depths))
    assert test.failures[side] == HOLE
    assert test.failures[other] == JAW_COMES_NEARER
    assert test.error == 2 / 68


def test_without_depth_at_the_nose_everything_fails() -> None:
    depths = face()
    depths[NOSE_TIP] = np.nan
    assert landmark_test(*image(depths)).error == 1.0


def test_tolerance_forgives_what_is_smaller() -> None:
    depths = face()
    depths[50] = depths[NOSE_TIP] - 0.002
    depths[3] = depths[4] - 0.006
    assert landmark_test(*image(depths), tolerance_m=0.004).failures[50] == ''
    assert landmark_test(*image(depths), tolerance_m=0.004).failures[3] == JAW_COMES_NEARER
    assert landmark_test(*image(depths), tolerance_m=0.01).error == 0.0


def test_says_what_the_paper_says_landmark_by_landmark() -> None:
    chance = np.random.default_rng(5)
    for _ in range(30):
        depths = face() + chance.normal(0.0, 0.01, SIZE)
        depths[chance.random(SIZE) < 0.1] = np.nan
        depth, points = image(depths)
        grey = np.where(np.isfinite(depths), depths, 9.0).astype(np.float32)
        failed = 0
        for i in range(SIZE):
            before = i + 1 if i < CHIN else i - 1
            jaw = i <= 16 and i != CHIN and grey[i] < grey[before]
            failed += bool(grey[i] == 9.0 or grey[i] < grey[NOSE_TIP] or jaw)
        assert landmark_test(depth, points).error == failed / SIZE
        d = np.where(np.isfinite(depth), (depth - 0.4) / 0.25, 1.0)
        assert pad_error(d, points) == failed / SIZE


def test_frontal_faces_have_the_nose_in_the_middle_whatever_the_roll() -> None:
    points = np.zeros((SIZE, 2))
    points[0], points[16], points[NOSE_TIP] = (10.0, 40.0), (90.0, 44.0), (52.0, 60.0)
    assert is_frontal(points)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert is_frontal(points @ turn)
    points[NOSE_TIP] = (80.0, 60.0)
    assert not is_frontal(points) and not is_frontal(points @ turn)
    assert not is_frontal(np.zeros((SIZE, 2)))


def test_points_outside_or_unknown_have_no_depth() -> None:
    depth = np.full((4, 4), 0.5, np.float32)
    points = np.array([[0.0, 0.0], [3.99, 3.99], [4.0, 1.0], [-0.1, 1.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(np.isfinite(depth_under(depth, points)),
                                  [True, True, False, False, False])


def test_refuses_other_shapes() -> None:
    depth, points = image(face())
    with pytest.raises(InvalidImageError, match='68 landmarks'):
        landmark_test(depth, points[:5])
    with pytest.raises(InvalidImageError, match='tolerance'):
        landmark_test(depth, points, tolerance_m=-1.0)
    with pytest.raises(InvalidImageError, match=r'\(H, W\)'):
        landmark_test(depth[None], points)
