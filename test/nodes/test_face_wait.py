# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How long the nodes that judge faces wait is a parameter: slow machines need more time."""

from __future__ import annotations

from face_depth_ros.nodes.face_join import FaceJoin, LIVENESS_WAITS
from face_depth_ros.nodes.topic_input import Arrival
import pytest


class Join(FaceJoin):
    """A join with a clock to be set."""

    def __init__(self, *optional: str, wait_s: float) -> None:
        self.now = 0.0
        super().__init__(optional, lambda *_: None, lambda: self.now, wait_s)
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


def test_who_waits_longer_keeps_more_frames() -> None:
    for wait_s in (0.1, 1.0):
        join = Join('enhanced', wait_s=wait_s)
        for stamp in range(1, 1 + int(90 * wait_s)):
            assert join.show(stamp) == []
        assert not join.drops
