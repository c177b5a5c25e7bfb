# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Peaks to faces."""

from __future__ import annotations

import math

from face_depth_ros.core.detection_decoding import (
    CANDIDATES,
    circle_overlap,
    decode_faces,
    distinct_faces,
    find_peaks,
)
from face_depth_ros.core.errors import InvalidImageError
import numpy as np
import pytest


def empty_maps(height: int = 12, width: int = 16) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return maps without a face."""
    box = np.zeros((5, height, width), np.float32)
    box[4] = 1.0
    return (np.zeros((height, width), np.float32), box,
            np.zeros((10, height, width), np.float32))


def decode(maps: tuple[np.ndarray, np.ndarray, np.ndarray], **settings: object) -> tuple:
    """Decode with the numbers of the shipped network."""
    return decode_faces(*maps, **{'stride': 8, 'side_unit': 32.0, 'threshold': 0.5,
                                  'max_faces': 16, **settings})


def test_a_cell_says_where_its_face_is() -> None:
    score, box, landmarks = maps = empty_maps()
    score[3, 5] = 0.9
    box[:, 3, 5] = (0.25, -0.5, math.log(2.0), 3.0 * math.sin(0.4), 3.0 * math.cos(0.4))
    landmarks[:, 3, 5] = (-0.1, 0.2, 0.1, 0.2, 0.0, 0.3, -0.1, 0.4, 0.1, 0.4)
    (face,) = decode(maps)
    assert face.score == pytest.approx(0.9)
    assert (face.box.center_x, face.box.center_y) == pytest.approx((46.0, 24.0))
    assert face.box.side == pytest.approx(64.0)
    assert face.box.roll == pytest.approx(0.4, abs=1e-6)
    assert face.landmarks.dtype == np.float32
    assert face.landmarks[0] == pytest.approx((46.0 - 6.4, 24.0 + 12.8), abs=1e-4)


def test_best_first_and_limited() -> None:
    score, _, _ = maps = empty_maps()
    for value, place in ((0.6, (1, 1)), (0.9, (1, 13)), (0.7, (10, 1)), (0.4, (10, 13))):
        score[place] = value
    assert [round(face.score, 1) for face in decode(maps)] == [0.9, 0.7, 0.6]
    assert [round(face.score, 1) for face in decode(maps, max_faces=1)] == [0.9]
    assert len(decode(maps, threshold=0.0)) <= CANDIDATES


def test_a_face_seen_twice_is_one_face() -> None:
    score, box, _ = maps = empty_maps()
    score[5, 5], score[5, 8] = 0.8, 0.7
    box[2] = math.log(4.0)  # 128 px wide, the peaks are 24 px apart
    assert [round(face.score, 1) for face in decode(maps)] == [0.8]
    box[2] = math.log(0.5)  # 16 px wide
    assert len(decode(maps)) == 2


def test_a_small_face_beside_the_middle_of_a_large_one_stays() -> None:
    centres, sides = np.array([[100.0, 100.0], [180.0, 60.0]]), np.array([160.0, 30.0])
    assert distinct_faces(centres, sides, 16) == [0, 1]


def test_cells_that_are_not_finite_are_left_out() -> None:
    score, box, landmarks = maps = empty_maps()
    score[2, 2], score[2, 12], score[8, 2] = 0.9, 0.8, 0.7
    box[0, 2, 2] = np.nan
    landmarks[3, 2, 12] = np.inf
    assert [round(face.score, 1) for face in decode(maps)] == [0.7]


def test_nothing_is_found_in_nothing() -> None:
    assert decode(empty_maps()) == ()


def test_a_score_that_is_not_a_number_is_no_peak() -> None:
    score = np.full((4, 4), np.nan, np.float32)
    assert len(find_peaks(score, 0.1)[0]) == 0


def test_maps_must_belong_together() -> None:
    score, box, landmarks = empty_maps()
    with pytest.raises(InvalidImageError, match='do not belong together'):
        decode((score, box[:4], landmarks))
    with pytest.raises(InvalidImageError, match=r'expected \(h, w\)'):
        decode((score[None], box, landmarks))


def test_circle_overlap_against_counting() -> None:
    generator = np.random.default_rng(3)
    points = generator.uniform(-4.0, 4.0, (400_000, 2))
    for distance, a, b in ((0.0, 1.0, 2.0), (0.5, 1.0, 1.0), (1.2, 2.0, 1.0), (2.5, 1.0, 2.0),
                           (3.5, 1.0, 1.0)):
        in_a = np.hypot(points[:, 0], points[:, 1]) < a
        in_b = np.hypot(points[:, 0] - distance, points[:, 1]) < b
        counted = (in_a & in_b).sum() / (in_a | in_b).sum()
        assert circle_overlap(np.array(distance), np.array(a), b) == pytest.approx(
            counted, abs=0.01)


def test_circle_overlap_of_a_circle_with_itself() -> None:
    assert circle_overlap(np.zeros(2), np.array([1.0, 50.0]), np.array([1.0, 50.0])) == (
        pytest.approx(1.0))
