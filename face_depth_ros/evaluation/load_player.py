# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A camera for the nodes in their container: frames of a bag, over and over, at a rate."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
import math
import struct
import time

from face_depth_ros.evaluation.bags import FrameMessages
from face_depth_ros.evaluation.frames_in_flight import FramesInFlight, stamp_of_cdr
from face_depth_ros.evaluation.replay_ros import camera_messages, RosPlayer
from face_depth_ros.evaluation.replay_settings import recorded_types, ReplaySettings
from rclpy.parameter import Parameter

JUDGEMENTS = ('detections', 'identities', 'expressions', 'liveness')
"""What is listened to, as a robot does: small messages. Depth stays inside the container."""
_WARM_UP_S, _SETTLE_S = 1.5, 2.5
"""Until nodes wait for what comes again, and until diagnostics have told of the last frames."""
_DIAGNOSED_S = 1.2
"""Diagnostics come once a second."""
_DEPTH = 'depth.'


class OutputTimes(FramesInFlight):
    """Notes when an output came, of whatever frame."""

    def __init__(self) -> None:
        super().__init__((), math.inf)
        self.came: dict[str, dict[int, float]] = defaultdict(dict)

    def receive(self, topic: str, cdr: bytes) -> None:
        """Note topic and stamp."""
        self.came[topic.rsplit('/', 1)[-1]].setdefault(stamp_of_cdr(cdr), time.monotonic())

    def receive_extra(self, topic: str, msgtype: str, cdr: bytes) -> None:
        """Leave out what is not always published."""


@dataclass(frozen=True)
class LoadRun:
    """
    What became of the frames that were sent in one go.

    :param seconds: from the first frame sent to when the next one would have been
    :param latency_s: of each of `JUDGEMENTS`, from sending the frame to receiving it, one for each
        that came
    :param depths: by node: the faces that it has judged, by the depth that it looked at
    """

    sent: int
    seconds: float
    latency_s: dict[str, list[float]]
    depths: dict[str, Counter[str]]


class LoadPlayer(RosPlayer):
    """
    Sends frames at a rate, whatever becomes of them.

    :param frames: with calibration, sent one after the other and again
    :param max_rate: of face_detector, Hz; 0 = no limit
    :raises FaceDepthError: as `RosPlayer`
    """

    def __init__(self, settings: ReplaySettings, frames: Sequence[FrameMessages],
                 max_rate: float = 0.0) -> None:
        self._times, self._max_rate = OutputTimes(), float(max_rate)
        self._frames = [camera_messages(f) for f in frames]
        self._next_ns = 10 ** 9
        super().__init__(settings, {t: kind for t, kind in recorded_types(settings).items()
                                    if t.rsplit('/', 1)[-1] in JUDGEMENTS}, self._times)

    def run(self, rate_hz: float, seconds: float) -> LoadRun:
        """Send frames for a while, a few before that do not count, and wait for the last."""
        self._send_all(rate_hz, _WARM_UP_S)
        self._spin_until(lambda: False, _DIAGNOSED_S)
        before, self._times.came = self._counts(), defaultdict(dict)
        sent, took = self._send_all(rate_hz, seconds)
        self._spin_until(lambda: False, _SETTLE_S)
        latency = {topic: [at - sent[stamp] for stamp, at in came.items() if stamp in sent]
                   for topic, came in self._times.came.items()}
        after = self._counts()
        return LoadRun(len(sent), took, latency,
                       {node: now - before[node] for node, now in after.items()})

    def _send_all(self, rate_hz: float, seconds: float) -> tuple[dict[int, float], float]:
        """Send frames; return when each went out, by its stamp, and the seconds of all."""
        sent: dict[int, float] = {}
        start, count = time.monotonic(), max(1, round(rate_hz * seconds))
        for i in range(count):
            self._spin_until(lambda: False, start + i / rate_hz - time.monotonic())
            stamp_ns = self._next_ns + round(i * 1e9 / rate_hz)
            sent[stamp_ns] = time.monotonic()
            parts = self._frames[i % len(self._frames)]
            for key, publisher in self._publishers.items():
                publisher.publish(_stamped(parts[key], stamp_ns))
        took = max(time.monotonic(), start + count / rate_hz) - start
        self._next_ns += round(1e9 * (count / rate_hz + 1.0))
        return sent, took

    def _parameters(self, name: str) -> list[Parameter]:
        return super()._parameters(name) + (
            [Parameter('max_rate', value=self._max_rate)] if name == 'face_detector' else [])

    def _listen_for_landmarks(self) -> None:
        """Leave them out: the topics of ever new tracks would be the load."""

    def _counts(self) -> dict[str, Counter[str]]:
        """Return the nodes' counts of `LoadRun.depths` so far, from their newest diagnostics."""
        return {node: Counter({key.removeprefix(_DEPTH): int(value)
                               for key, value in status.items() if key.startswith(_DEPTH)})
                for node, status in self._status.items()}


def _stamped(cdr: bytes, stamp_ns: int) -> bytes:
    """Return a serialised message that begins with a header under another stamp."""
    order = '<' if cdr[1] & 1 else '>'
    return cdr[:4] + struct.pack(f'{order}iI', *divmod(stamp_ns, 10 ** 9)) + cdr[12:]
