# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Frames that were published and whose outputs are being waited for; knows nothing of ROS."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
import struct
import time

from face_depth_ros.evaluation.bags import FrameMessages
from face_depth_ros.evaluation.output_messages import OutputMessage
from face_depth_ros.evaluation.replay_settings import PlayedFrame

DEADLINE = 'deadline'
REPLACED = 'replaced'
"""A newer frame took its place in a node's mailbox."""


@dataclass
class _Flight:
    source: FrameMessages
    sent_s: float
    refused_before: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    extras: dict[str, OutputMessage] = field(default_factory=dict)
    arrival_s: dict[str, float] = field(default_factory=dict)
    cause: str = ''


class FramesInFlight:
    """
    Matches outputs to frames by their stamps.

    :param expected: topic and type of each output of a frame
    :param deadline_s: how long a frame may take
    :param clock: seconds, monotonic
    """

    def __init__(self, expected: tuple[tuple[str, str], ...], deadline_s: float,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._expected = dict(expected)
        self._deadline_s = deadline_s
        self._clock = clock
        self._flights: deque[_Flight] = deque()

    def send(self, source: FrameMessages, refused: Mapping[str, int]) -> None:
        """
        Note that a frame goes out now.

        :param refused: the nodes' counts of refused frames so far, by cause
        """
        self._flights.append(_Flight(source, self._clock(), dict(refused)))

    def refuse(self, source: FrameMessages, cause: str) -> None:
        """Note a frame that cannot be sent at all."""
        self._flights.append(_Flight(source, self._clock(), cause=cause))

    def receive(self, topic: str, cdr: bytes) -> None:
        """Take an output; one for no waiting frame is ignored, as is a repeated one."""
        stamp_ns = stamp_of_cdr(cdr)
        for flight in self._flights:
            if flight.source.stamp_ns == stamp_ns and topic not in flight.outputs:
                flight.outputs[topic] = bytes(cdr)
                flight.arrival_s[topic] = self._clock()
                return

    def receive_extra(self, topic: str, msgtype: str, cdr: bytes) -> None:
        """Take an output that a frame may have or not; no frame waits for it."""
        stamp_ns = stamp_of_cdr(cdr)
        for flight in self._flights:
            if flight.source.stamp_ns == stamp_ns:
                flight.extras.setdefault(topic, OutputMessage(topic, msgtype, bytes(cdr)))
                return

    @property
    def extras(self) -> frozenset[str]:
        """Return the topics of the extras that the newest frame has."""
        return frozenset(self._flights[-1].extras if self._flights else ())

    def note_refusals(self, counts: Mapping[str, int]) -> None:
        """Blame a refusal that the nodes report on the oldest frame that waits."""
        for flight in self._flights:
            if flight.cause or self._whole(flight):
                continue
            risen = [c for c, n in counts.items() if n > flight.refused_before.get(c, 0)]
            if risen:
                flight.cause = risen[0]
                for later in self._flights:
                    later.refused_before = dict(counts)
            return

    @property
    def settled(self) -> bool:
        """Whether the newest frame has its outputs, or will not get them."""
        return not self._flights or self._over(self._flights[-1])

    def resolved(self, *, in_real_time: bool, last: bool = False) -> Iterator[PlayedFrame]:
        """
        Take out what is decided, in the order of sending.

        :param in_real_time: nodes may skip a frame for a newer one, so a frame is over as soon
            as a later one has come through
        :param last: nothing will come any more
        """
        while self._flights:
            flight = self._flights[0]
            if not self._over(flight):
                passed = in_real_time and any(self._whole(f) for f in self._flights)
                if not (passed or last):
                    return
                flight.cause = REPLACED if passed else DEADLINE
            self._flights.popleft()
            yield self._played(flight)

    def _whole(self, flight: _Flight) -> bool:
        return flight.outputs.keys() == self._expected.keys()

    def _over(self, flight: _Flight) -> bool:
        return (bool(flight.cause) or self._whole(flight)
                or self._clock() - flight.sent_s > self._deadline_s)

    def _played(self, flight: _Flight) -> PlayedFrame:
        source = flight.source
        if not self._whole(flight):
            return PlayedFrame(source.index, source.stamp_ns, source.color.log_ns,
                               cause=flight.cause or DEADLINE)
        latency_ms = 1e3 * (max(flight.arrival_s.values()) - flight.sent_s)
        outputs = tuple(OutputMessage(topic, msgtype, flight.outputs[topic])
                        for topic, msgtype in self._expected.items())
        outputs += tuple(flight.extras[topic] for topic in sorted(flight.extras))
        return PlayedFrame(source.index, source.stamp_ns, source.color.log_ns, latency_ms,
                           outputs=outputs)


def stamp_of_cdr(cdr: bytes) -> int:
    """Return the stamp, nanoseconds, of a serialised message that begins with a header."""
    order = '<' if cdr[1] & 1 else '>'
    sec, nanosec = struct.unpack_from(f'{order}iI', cdr, 4)
    return int(sec) * 10 ** 9 + int(nanosec)
