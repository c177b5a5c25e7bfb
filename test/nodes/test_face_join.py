# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which depth and calibration a colour image goes on with, and how long it waits for them."""

from __future__ import annotations

from face_depth_ros.nodes.camera_info_join import WAIT_S
from face_depth_ros.nodes.camera_info_messages import camera_info_from_message
from face_depth_ros.nodes.face_join import FaceJoin, LIVENESS_WAITS
from face_depth_ros.nodes.topic_input import Arrival
from fake_predictors import info_message


class Join(FaceJoin):
    """Takes letters: c = colour, f = faces, d = depth, l = liveness, i = camera_info."""

    def __init__(self, *optional):
        self.now, self.counted = 0.0, []
        super().__init__(optional or ('depth',), lambda cause, _: self.counted.append(cause),
                         lambda: self.now)

    def feed(self, letters, stamp):
        keys = {'c': 'color', 'f': 'detections', 'd': 'depth',
                'l': 'liveness', 'e': 'estimate'}
        out = []
        for letter in letters:
            out += (self.add_info(camera_info_from_message(info_message(stamp)))
                    if letter == 'i' else
                    self.add(keys[letter], Arrival(stamp, '', 0.0, lambda: None)))
        return self.read(out)

    def overdue(self):
        return self.read(self.take_overdue())

    @staticmethod
    def read(sets):
        """Return (stamp, stamp of the depth, stamp of the calibration)."""
        for s in sets:
            assert s.color.stamp_ns == s.detections.stamp_ns
        return [(s.color.stamp_ns, s.depth and s.depth.stamp_ns, s.info and s.info.stamp_ns)
                for s in sets]


def test_all_of_one_stamp_goes_on_at_once_in_any_order():
    join = Join()
    for stamp, letters in enumerate(('cfdi', 'idfc', 'dcif', 'ficd'), start=1):
        assert join.feed(letters, stamp) == [(stamp, stamp, stamp)]
    assert not join.waits and not join.drops and not join.counted


def test_depth_is_waited_for_a_moment_and_never_taken_from_another_stamp():
    join = Join()
    join.feed('cfdi', 1)
    assert join.feed('cfi', 2) == [] and join.waits
    join.now = 0.5 * WAIT_S
    assert join.overdue() == []
    assert join.feed('d', 3) == []
    join.now = WAIT_S
    assert join.overdue() == [(2, None, 2)]
    assert join.feed('cfi', 3) == [(3, 3, 3)]


def test_the_wait_ends_within_a_tenth_of_a_second():
    join = Join()
    join.feed('cfdi', 1)
    join.feed('cfi', 2)
    looks = 0
    while not join.overdue():
        join.now += join.look_s
        looks += 1
    assert 0.5 * WAIT_S < join.now <= WAIT_S + 1e-9


def test_later_frames_do_not_cut_the_wait_short():
    join = Join()
    join.feed('cfdi', 1)
    assert join.feed('cfi', 2) == [] and join.feed('cfi', 3) == [] and join.feed('d', 2) == [
        (2, 2, 2)]
    assert join.feed('d', 3) == [(3, 3, 3)]


def test_what_is_not_expected_is_not_waited_for_but_taken():
    join = Join()
    join.expect((), info=False)
    assert not join.awaited
    assert join.feed('cf', 1) == [(1, None, None)]
    assert join.feed('dcf', 2) == [(2, 2, None)]
    join.expect({'depth'}, info=True)
    assert join.awaited == {'depth'} and join.feed('cf', 3) == []
    join.now = WAIT_S
    assert join.overdue() == [], 'the calibration may still come'
    assert join.feed('i', 3) == [(3, None, 3)]


def test_without_calibration_a_frame_goes_on_after_a_moment():
    join = Join()
    assert join.feed('cfd', 1) == [] and join.waits
    join.now = 1.1 * WAIT_S
    assert join.overdue() == [(1, 1, None)]


def test_the_latest_calibration_serves_where_none_comes_with_every_frame():
    join = Join()
    assert join.feed('i', 0) == [] and join.feed('cfd', 7) == [(7, 7, 0)]
    assert join.counted == []


def test_depth_that_is_not_used_is_not_joined():
    join = Join('estimate')
    join.expect({'depth'}, info=True)
    assert join.feed('cfi', 1) == [(1, None, 1)] and not join.awaited


def test_a_loop_of_a_bag_starts_over():
    join = Join()
    for stamp in (10, 20, 10, 20):
        assert join.feed('icfd', stamp) == [(stamp, stamp, stamp)]
    join.feed('cf', 30)
    join.clear()
    assert not join.waits and join.feed('icfd', 5) == [(5, 5, 5)]


def test_liveness_is_waited_for_longer_and_never_taken_from_another_stamp():
    join = Join('liveness', 'estimate')
    join.expect({'liveness'}, info=False)
    assert join.feed('cf', 1) == []
    join.now = 2 * WAIT_S
    assert join.overdue() == [], 'its node has waited too, and works on the frame'
    join.feed('cf', 2)
    assert join.feed('l', 1) == [(1, None, None)]
    join.now = 2 * WAIT_S + LIVENESS_WAITS * WAIT_S
    joined = join.take_overdue()
    assert [(s.color.stamp_ns, s.liveness) for s in joined] == [(2, None)]
    assert join.feed('l', 2) == [] and join.drops['late'] == 1
