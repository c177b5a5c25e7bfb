# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How long the nodes that judge faces wait is a parameter: slow machines need more time."""

from __future__ import annotations

from face_depth_ros.nodes.face_join import ESTIMATE_WAITS, FaceJoin, LIVENESS_WAITS
from face_depth_ros.nodes.join_report import IMAGES_KEPT
from face_depth_ros.nodes.topic_input import Arrival
import pytest


class Join(FaceJoin):
    """A join with a clock to be set."""

    def __init__(self, *optional: str, wait_s: float) -> None:
        self.now = 0.0
        self.counted: list[str] = []
        super().__init__(optional, lambda cause, _: self.counted.append(cause),
                         lambda: self.now, wait_s)
        self.expect(optional, info=False)

    def show(self, stamp: int, *keys: str) -> list[int]:
        return [s.color.stamp_ns for key in ('color', 'detections', *keys)
                for s in self.add(key, Arrival(stamp, '', 0.0, lambda: None))]


@pytest.mark.parametrize('wait_s', [0.05, 0.1, 2.0])
def test_depth_is_waited_for_as_long_as_is_asked_for(wait_s: float) -> None:
    join = Join('enhanced', wait_s=wait_s)
    assert join.show(1) == []
    join.now = 0.5 * wait_s
    assert join.take_overdue() == []
    join.now = wait_s
    found, = join.take_overdue()
    assert found.color.stamp_ns == 1 and found.enhanced is None
    assert join.show(2, 'enhanced') == [2]


def test_liveness_is_waited_for_longer() -> None:
    join = Join('enhanced', 'liveness', wait_s=0.4)
    join.show(1, 'enhanced')
    join.now = 2 * 0.4
    assert join.take_overdue() == []
    join.now = LIVENESS_WAITS * 0.4
    assert len(join.take_overdue()) == 1


def test_estimates_are_waited_for_longer_than_enhanced_depth() -> None:
    join = Join('enhanced', 'estimate', wait_s=0.3)
    join.show(1, 'estimate')
    join.show(2, 'enhanced')
    join.now = 0.3
    assert [s.color.stamp_ns for s in join.take_overdue()] == [1]
    join.now = ESTIMATE_WAITS * 0.3 - join.look_s - 0.01
    assert join.take_overdue() == []
    join.now = ESTIMATE_WAITS * 0.3
    assert [s.color.stamp_ns for s in join.take_overdue()] == [2]


def test_a_later_frame_that_is_whole_ends_the_wait() -> None:
    join = Join('enhanced', 'estimate', wait_s=0.3)
    assert join.show(1) == [] and join.show(2, 'enhanced', 'estimate') == [1, 2]


def test_who_waits_longer_keeps_more_frames() -> None:
    for wait_s in (0.1, 1.0):
        join = Join('enhanced', wait_s=wait_s)
        for stamp in range(1, 1 + int(90 * wait_s)):
            assert join.show(stamp) == []
        assert not join.drops


def test_images_wait_for_detections_that_come_half_a_second_late() -> None:
    join = Join('enhanced', wait_s=0.1)
    join.expect((), info=False)
    found = []
    for stamp in range(1, 46):
        found += join.add('color', Arrival(stamp, '', 0.0, lambda: None))
        if stamp > 15:
            found += join.add('detections', Arrival(stamp - 15, '', 0.0, lambda: None))
    assert [s.color.stamp_ns for s in found] == list(range(1, 31))
    assert join.counted == []


def test_images_without_detections_are_few_and_no_stamps_are_blamed() -> None:
    join = Join('enhanced', 'estimate', wait_s=5.0)
    for stamp in range(1, 200):
        join.add('color', Arrival(stamp, '', 0.0, lambda: None))
    assert join.drops['overflow'] == 199 - IMAGES_KEPT and join.counted == []


def test_frames_that_go_on_overdue_are_no_reason_to_warn() -> None:
    join = Join('enhanced', wait_s=0.1)
    for stamp in range(1, 400, 2):
        join.show(stamp)
        join.add('color', Arrival(stamp + 1, '', 0.0, lambda: None))
        join.drops['overflow'] += 1  # one is lost now and then
        join.now += 1.0
        assert len(join.take_overdue()) == 1
    assert join.counted == []


def test_stamps_that_are_never_equal_are_told_of() -> None:
    join = Join('enhanced', wait_s=0.1)
    join.expect((), info=False)
    for stamp in range(2, 200, 2):
        join.add('color', Arrival(stamp, '', 0.0, lambda: None))
        join.add('detections', Arrival(stamp + 1, '', 0.0, lambda: None))
    assert set(join.counted) == {'stamps_unequal'}


def test_frames_that_a_slow_detector_skips_are_no_reason_to_warn() -> None:
    join = Join('enhanced', wait_s=0.1)
    join.expect((), info=False)
    found = []
    for stamp in range(1, 301):
        join.add('color', Arrival(stamp, '', 0.0, lambda: None))
        if stamp > 30 and stamp % 30 == 0:
            found += join.add('detections', Arrival(stamp - 14, '', 0.0, lambda: None))
    assert len(found) == 9 and join.drops['overflow'] and join.counted == []
