# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.core.errors import InvalidCameraInfoError
from face_depth_ros.nodes.camera_info_join import CameraInfoJoin, KEPT, WAIT_S
from face_depth_ros.nodes.camera_info_messages import camera_info_from_message
from fake_predictors import info_message
import pytest


class Join(CameraInfoJoin):
    def __init__(self):
        self.now, self.counted = 0.0, []
        super().__init__(lambda cause, _: self.counted.append(cause), lambda: self.now)

    def info(self, stamp):
        return [(f, i.stamp_ns) for f, i in self.add_info(camera_info_from_message(
            info_message(stamp)))]

    def frame(self, stamp):
        return [(f, i.stamp_ns) for f, i in self.add_frame(stamp, f'frame {stamp}')]

    def overdue(self):
        return [(f, i.stamp_ns) for f, i in self.take_overdue()]


def test_either_may_come_first():
    join = Join()
    assert join.frame(1) == [] and join.info(1) == [('frame 1', 1)]
    assert join.info(2) == [] and join.frame(2) == [('frame 2', 2)]
    assert join.frame(3) == [] and join.info(3) == [('frame 3', 3)]
    assert join.counted == []


def test_without_any_camera_info_a_frame_is_lost_when_the_next_comes():
    join = Join()
    assert join.frame(1) == [] and join.counted == []
    join.now = 100.0
    assert join.overdue() == []
    assert join.frame(2) == [] and join.counted == ['camera_info_missing']
    assert join.info(7) == [('frame 2', 7)]


def test_stamps_of_its_own_are_not_waited_for():
    join = Join()
    join.info(1000)
    assert join.frame(1) == [('frame 1', 1000)]
    assert join.frame(2) == [('frame 2', 1000)]
    assert join.counted == []


def test_one_that_fails_to_come_is_waited_for_only_a_moment():
    join = Join()
    join.info(1)
    assert join.frame(1) == [('frame 1', 1)]
    assert join.frame(2) == []
    join.now = 0.9 * WAIT_S
    assert join.overdue() == []
    join.now = 1.1 * WAIT_S
    assert join.overdue() == [('frame 2', 1)]
    assert join.overdue() == []
    assert join.counted == ['camera_info_late']
    assert join.frame(3) == [('frame 3', 1)]


def test_the_next_frame_ends_the_wait_and_order_is_kept():
    join = Join()
    join.info(1)
    join.frame(1)
    assert join.frame(2) == []
    join.info(4)
    assert join.frame(3) == [('frame 2', 4), ('frame 3', 4)]


def test_only_so_many_are_kept():
    join = Join()
    for stamp in range(1, KEPT + 2):
        join.info(stamp)
    assert join.at(1).stamp_ns == KEPT + 1 and join.at(2).stamp_ns == 2


def test_clear_forgets_all():
    join = Join()
    join.info(1)
    join.frame(1)
    join.frame(2)
    join.clear()
    assert join.at(1) is None and join.info(2) == []


def test_restamped_keeps_the_calibration():
    info = camera_info_from_message(info_message(1))
    new = info.restamped(9, 'other')
    assert (new.stamp_ns, new.frame_id, new.message.header.frame_id) == (9, 'other', 'other')
    assert new.message.k.tolist() == info.message.k.tolist()
    assert info.message.header.stamp.nanosec == 1
    assert new.intrinsics() == info.intrinsics()


def test_an_uncalibrated_camera_is_named():
    with pytest.raises(InvalidCameraInfoError, match='K = 0') as caught:
        camera_info_from_message(info_message(1, focal=0.0)).intrinsics()
    assert caught.value.cause == 'camera_info_k_zero'


class OptionalJoin(CameraInfoJoin):
    """One whose frames can do without."""

    def __init__(self):
        self.now, self.counted = 0.0, []
        super().__init__(lambda cause, _: self.counted.append(cause), lambda: self.now,
                         camera_info_from_message(info_message(0)))


def test_with_a_default_a_frame_waits_only_a_moment_for_the_first():
    join = OptionalJoin()
    assert join.add_frame(1, 'frame 1') == [] and join.waits
    join.now = 1.1 * WAIT_S
    (frame, info), = join.take_overdue()
    assert frame == 'frame 1' and info.stamp_ns == 0 and not join.waits
    assert join.add_frame(2, 'frame 2') == []
    assert [f for f, _ in join.add_frame(3, 'frame 3')] == ['frame 2']
    own = camera_info_from_message(info_message(3))
    assert join.add_info(own) == [('frame 3', own)]
    assert join.counted == []


def test_with_a_default_nothing_is_waited_for_that_is_not_awaited():
    join = OptionalJoin()
    join.awaited = False
    assert [f for f, _ in join.add_frame(1, 'frame 1')] == ['frame 1'] and not join.waits
    own = camera_info_from_message(info_message(2))
    assert join.add_info(own) == [] and join.add_frame(2, 'frame 2') == [('frame 2', own)]
    assert join.add_frame(3, 'frame 3') == [] and join.waits, 'now one comes with every frame'
