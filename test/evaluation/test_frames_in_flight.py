# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Outputs find their frames by stamp; what does not come is dropped with its cause, in order."""

from __future__ import annotations

import struct

from face_depth_ros.evaluation.bags import BagMessage, FrameMessages
from face_depth_ros.evaluation.frames_in_flight import FramesInFlight, stamp_of_cdr
import pytest

TOPICS = (('/a', 'A'), ('/b', 'B'))


class Clock:
    """A clock that stands still until it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def source(index: int) -> FrameMessages:
    message = BagMessage('/c', 'C', 10 * index, b'', None)
    return FrameMessages(index, 1000 + index, message, message)


def cdr(index: int) -> bytes:
    return b'\0\1\0\0' + struct.pack('<iI', 0, 1000 + index) + b'rest'


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flight(clock: Clock) -> FramesInFlight:
    return FramesInFlight(TOPICS, 5.0, clock)


def test_latency_runs_to_the_last_output(flight: FramesInFlight, clock: Clock) -> None:
    flight.send(source(0), {})
    clock.now += 0.010
    flight.receive('/b', cdr(0))
    assert not flight.settled
    clock.now += 0.020
    flight.receive('/a', cdr(0))
    assert flight.settled
    clock.now += 1.0
    played, = flight.resolved(in_real_time=False)
    assert played.latency_ms == pytest.approx(30.0)
    assert [(o.topic, o.msgtype, o.cdr) for o in played.outputs] == [
        ('/a', 'A', cdr(0)), ('/b', 'B', cdr(0))]
    assert (played.index, played.log_ns, played.cause) == (0, 0, '')


def test_repeated_and_unknown_outputs_change_nothing(flight: FramesInFlight) -> None:
    flight.send(source(0), {})
    flight.receive('/a', cdr(0))
    flight.receive('/a', cdr(0) + b'again')
    flight.receive('/b', cdr(7))
    assert not flight.settled
    flight.receive('/b', cdr(0))
    assert next(flight.resolved(in_real_time=False)).outputs[0].cdr == cdr(0)


def test_deadline(flight: FramesInFlight, clock: Clock) -> None:
    flight.send(source(0), {})
    flight.receive('/a', cdr(0))
    clock.now += 5.1
    assert flight.settled
    played, = flight.resolved(in_real_time=False)
    assert (played.cause, played.latency_ms, played.outputs) == ('deadline', None, ())


def test_in_real_time_a_newer_result_ends_the_wait_for_older_ones(flight: FramesInFlight) -> None:
    for i in range(3):
        flight.send(source(i), {})
    for topic in ('/a', '/b'):
        flight.receive(topic, cdr(1))
    assert [(p.index, p.cause) for p in flight.resolved(in_real_time=True)] == [
        (0, 'replaced'), (1, '')]
    assert not flight.settled
    assert [p.cause for p in flight.resolved(in_real_time=True, last=True)] == ['deadline']


def test_frame_by_frame_nothing_overtakes(flight: FramesInFlight) -> None:
    for i in range(2):
        flight.send(source(i), {})
    for topic in ('/a', '/b'):
        flight.receive(topic, cdr(1))
    assert not list(flight.resolved(in_real_time=False))


def test_a_refusal_is_blamed_on_the_frame_that_waits(flight: FramesInFlight) -> None:
    flight.send(source(0), {'invalid_depth': 3})
    flight.note_refusals({'invalid_depth': 3})
    assert not flight.settled
    flight.note_refusals({'invalid_depth': 4})
    assert flight.settled
    flight.send(source(1), {'invalid_depth': 4})
    flight.note_refusals({'invalid_depth': 4})
    assert [p.cause for p in flight.resolved(in_real_time=False)] == ['invalid_depth']
    assert not flight.settled


def test_a_frame_that_cannot_be_sent(flight: FramesInFlight) -> None:
    flight.refuse(source(0), 'image_compression')
    assert [p.cause for p in flight.resolved(in_real_time=False)] == ['image_compression']


def test_stamps_of_both_byte_orders() -> None:
    assert stamp_of_cdr(cdr(5)) == 1005
    assert stamp_of_cdr(b'\0\0\0\0' + struct.pack('>iI', 2, 5)) == 2_000_000_005


def test_an_extra_goes_with_its_frame_and_nobody_waits_for_it(flight: FramesInFlight) -> None:
    flight.receive_extra('/x', 'X', cdr(0))  # of no frame yet
    flight.send(source(0), {})
    flight.receive_extra('/x', 'X', cdr(1))  # of another frame
    assert flight.extras == frozenset()
    flight.receive_extra('/y', 'Y', cdr(0))
    flight.receive_extra('/x', 'X', cdr(0))
    flight.receive_extra('/x', 'X', cdr(0) + b'repeated')
    assert flight.extras == {'/x', '/y'}
    assert not flight.settled
    for topic, _ in TOPICS:
        flight.receive(topic, cdr(0))
    assert flight.settled
    played, = flight.resolved(in_real_time=False)
    assert [(o.topic, o.msgtype, o.cdr) for o in played.outputs] == [
        ('/a', 'A', cdr(0)), ('/b', 'B', cdr(0)), ('/x', 'X', cdr(0)), ('/y', 'Y', cdr(0))]
    flight.receive_extra('/x', 'X', cdr(0))
    assert flight.extras == frozenset()


def test_extras_of_a_dropped_frame_are_dropped(flight: FramesInFlight, clock: Clock) -> None:
    flight.send(source(0), {})
    flight.receive_extra('/x', 'X', cdr(0))
    clock.now += 6.0
    played, = flight.resolved(in_real_time=False)
    assert (played.cause, played.outputs) == ('deadline', ())
