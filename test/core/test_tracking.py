# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Tracking: crossing faces, misses, jumps; the assignment against brute force."""

from __future__ import annotations

import itertools
import math

from face_depth_ros.core import tracking
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.tracking import assign, FaceTracker
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

STEP_NS = 100_000_000


def face(x: float, y: float = 100.0, side: float = 60.0) -> Detection:
    """Return a detection at a place."""
    return Detection(FaceBox(x, y, side), 0.9)


def ids(detections: tuple[Detection, ...]) -> list[str]:
    """Return the numbers."""
    return [d.track_id for d in detections]


@given(st.integers(1, 5), st.integers(0, 3), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=300)
def test_assignment_is_the_best_of_all(rows: int, more: int, seed: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (rows, rows + more)
    cost = rng.integers(0, 4, shape).astype(float) if whole else rng.normal(size=shape)
    columns = assign(cost)
    assert len(set(columns)) == rows
    best = min(sum(cost[i, p[i]] for i in range(rows))
               for p in itertools.permutations(range(rows + more), rows))
    assert math.isclose(cost[range(rows), columns].sum(), best, abs_tol=1e-9)


def test_numbers_from_the_first_frame_on() -> None:
    tracker = FaceTracker()
    assert ids(tracker.update(0, [face(100), face(400)])) == ['f00001', 'f00002']
    assert ids(tracker.update(STEP_NS, [face(405), face(103)])) == ['f00002', 'f00001']
    assert tracker.update(2 * STEP_NS, []) == ()


def test_only_the_number_is_added() -> None:
    landmarks = np.zeros((5, 2), np.float32)
    (tracked,) = FaceTracker().update(0, [Detection(FaceBox(1, 2, 3, 0.5), 0.7, landmarks)])
    assert tracked.box == FaceBox(1, 2, 3, 0.5) and tracked.score == 0.7
    assert tracked.landmarks is landmarks


@pytest.mark.parametrize('hidden', [(), (9, 10, 11)])
def test_crossing_faces_keep_their_numbers(hidden: tuple[int, ...]) -> None:
    """Two faces walk through each other; in the middle one or both are unseen."""
    tracker = FaceTracker()
    for k in range(21):
        left, right = 100 + 15 * k, 400 - 15 * k
        seen = [face(left, 100), face(right, 110)]
        if k in hidden:
            seen = seen[:1] if k == 9 else []
        if k % 2:
            seen.reverse()
        tracked = tracker.update(k * STEP_NS, seen)
        for d in tracked:
            expected = 'f00001' if d.box.center_y == 100 else 'f00002'
            assert d.track_id == expected, k


def test_assignment_beats_the_greedy_choice() -> None:
    """Both faces move right by more than their gap: the nearest pair alone would swap them."""
    tracker = FaceTracker(gate=2.0)
    tracker.update(0, [face(100), face(160)])
    assert ids(tracker.update(STEP_NS, [face(150), face(210)])) == ['f00001', 'f00002']


def test_miss_shorter_than_the_limit_keeps_the_number() -> None:
    tracker = FaceTracker(max_missed_s=0.5)
    tracker.update(0, [face(100)])
    for k in range(1, 5):
        tracker.update(k * STEP_NS, [])
    assert ids(tracker.update(5 * STEP_NS, [face(110)])) == ['f00001']
    for k in range(6, 11):
        tracker.update(k * STEP_NS, [])
    assert ids(tracker.update(11 * STEP_NS, [face(110)])) == ['f00002']


def test_stamps_decide_and_not_the_number_of_frames() -> None:
    tracker = FaceTracker(max_missed_s=0.5)
    tracker.update(0, [face(100)])
    assert ids(tracker.update(600_000_000, [face(100)])) == ['f00002']


def test_moving_face_is_found_where_it_must_be() -> None:
    """Unseen for 0.4 s at 500 pixels a second: three sides away from where it was last."""
    tracker = FaceTracker()
    for k in range(5):
        tracker.update(k * STEP_NS, [face(100 + 50 * k)])
    assert ids(tracker.update(8 * STEP_NS, [face(100 + 50 * 8)])) == ['f00001']


@pytest.mark.parametrize('x, side', [(100 + 70, 60), (100, 170), (100, 20)])
def test_face_far_away_or_of_another_size_is_another_face(x: float, side: float) -> None:
    tracker = FaceTracker()
    tracker.update(0, [face(100)])
    assert ids(tracker.update(STEP_NS, [face(x, side=side)])) == ['f00002']


def test_backward_stamps_start_over_with_new_numbers() -> None:
    tracker = FaceTracker()
    for k in range(10):
        tracker.update(k * STEP_NS, [face(100), face(400)])
    assert ids(tracker.update(0, [face(100), face(400)])) == ['f00003', 'f00004']
    assert ids(tracker.update(STEP_NS, [face(101), face(401)])) == ['f00003', 'f00004']
    assert tracker.jumps == 1


def test_repeated_stamp_is_the_same_scene() -> None:
    tracker = FaceTracker()
    tracker.update(0, [face(100)])
    tracker.update(STEP_NS, [face(110)])
    assert ids(tracker.update(STEP_NS, [face(111)])) == ['f00001']
    assert ids(tracker.update(2 * STEP_NS, [face(120)])) == ['f00001']


def test_reset_keeps_counting() -> None:
    tracker = FaceTracker()
    tracker.update(5 * STEP_NS, [face(100)])
    tracker.reset()
    assert ids(tracker.update(0, [face(100)])) == ['f00002'] and tracker.jumps == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.lists(
    st.tuples(st.floats(-100, 700), st.floats(-100, 500), st.floats(1, 500)), max_size=6)),
    max_size=25))
@settings(deadline=None, max_examples=150)
def test_numbers_are_unique_and_never_come_back(
        frames: list[tuple[int, list[tuple[float, float, float]]]]) -> None:
    tracker = FaceTracker()
    last_seen: dict[str, int] = {}
    highest, previous = 0, 0
    for index, (stamp, boxes) in enumerate(frames):
        if stamp < previous:
            last_seen.clear()
        previous = stamp
        tracked = tracker.update(stamp * STEP_NS, [face(*box) for box in boxes])
        assert [d.box.center_x for d in tracked] == [b[0] for b in boxes]
        assert len(set(ids(tracked))) == len(tracked)
        for number in ids(tracked):
            if number in last_seen:
                assert stamp - last_seen[number] <= 5, index
            else:
                assert int(number[1:]) > highest
                highest = int(number[1:])
            last_seen[number] = stamp


@pytest.mark.parametrize('arguments', [{'max_missed_s': -0.1}, {'gate': 0.0},
                                       {'max_missed_s': float('nan')}])
def test_bad_settings(arguments: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match='expected the first >= 0 and the second > 0'):
        FaceTracker(**arguments)


def test_unseen_faces_do_not_make_the_assignment_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detections that flicker leave many tracks behind; rows cost their square, columns do not."""
    rows: list[int] = []

    def counted(cost: np.ndarray) -> list[int]:
        rows.append(len(cost))
        return assign(cost)

    monkeypatch.setattr(tracking, 'assign', counted)
    tracker = FaceTracker(max_missed_s=10.0)
    for k in range(20):
        tracker.update(k * STEP_NS, [face(1000 * (3 * k + i)) for i in range(3)])
    assert rows == [3] * 19
