# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Stable numbers for faces from frame to frame.

Every face moves on at constant velocity until it is seen again; predicted and detected boxes are
paired so that the sum of all distances is least. A face has its number from its first frame on,
keeps it over short misses, and a number is never given twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
import numpy as np

_VELOCITY_GAIN = 0.5
"""Share of a new velocity that is believed once a track has one; tried on crossing faces."""

_SIZE_WEIGHT = 1.0
"""What a size ratio of e costs, in box sides: keeps a far face from taking a near one's number."""


@dataclass
class _Track:
    """
    A face that was seen, with its motion in the image.

    :param velocity: pixels per second, (2,)
    """

    track_id: str
    box: FaceBox
    seen_ns: int
    velocity: np.ndarray
    moving: bool = False

    def center_at(self, stamp_ns: int) -> np.ndarray:
        dt = (stamp_ns - self.seen_ns) * 1e-9
        return np.array([self.box.center_x, self.box.center_y]) + self.velocity * dt

    def see(self, box: FaceBox, stamp_ns: int) -> None:
        dt = (stamp_ns - self.seen_ns) * 1e-9
        if dt > 0:
            step = np.array([box.center_x - self.box.center_x, box.center_y - self.box.center_y])
            gain = _VELOCITY_GAIN if self.moving else 1.0
            self.velocity = self.velocity + gain * (step / dt - self.velocity)
            self.moving = True
        self.box, self.seen_ns = box, stamp_ns


class FaceTracker:
    """
    Give detections the number of the face that they continue.

    :param max_missed_s: a face unseen for longer is forgotten; it comes back with a new number
    :param gate: largest distance between predicted and detected box, in sides of the larger one,
        with the size ratio counted in; > 0
    :raises SettingsError: a parameter out of its range
    """

    def __init__(self, max_missed_s: float = 0.5, gate: float = 1.0) -> None:
        if not (max_missed_s >= 0 and gate > 0):
            raise SettingsError(f'got max_missed_s = {max_missed_s} and gate = {gate}, expected '
                                'the first >= 0 and the second > 0')
        self.max_missed_s = max_missed_s
        self.gate = gate
        self.jumps = 0
        """How often stamps ran back."""
        self._tracks: list[_Track] = []
        self._stamp_ns: int | None = None
        self._count = 0

    def update(self, stamp_ns: int, detections: Sequence[Detection]) -> tuple[Detection, ...]:
        """
        Track one frame. When stamps run back, all faces are forgotten and numbers go on.

        :returns: the detections in their order, each with its `track_id`
        """
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self._tracks.clear()
            self.jumps += 1
        self._stamp_ns = stamp_ns
        limit_ns = self.max_missed_s * 1e9
        self._tracks = [t for t in self._tracks if stamp_ns - t.seen_ns <= limit_ns]
        pairs = self._pairs(stamp_ns, detections)
        tracked = []
        for i, detection in enumerate(detections):
            track = pairs.get(i)
            if track is None:
                track = self._new_track(detection.box, stamp_ns)
            else:
                track.see(detection.box, stamp_ns)
            tracked.append(replace(detection, track_id=track.track_id))
        return tuple(tracked)

    def reset(self) -> None:
        """Forget all faces; numbers go on."""
        self._tracks.clear()
        self._stamp_ns = None

    def _new_track(self, box: FaceBox, stamp_ns: int) -> _Track:
        self._count += 1
        track = _Track(f'f{self._count:05d}', box, stamp_ns, np.zeros(2))
        self._tracks.append(track)
        return track

    def _pairs(self, stamp_ns: int, detections: Sequence[Detection]) -> dict[int, _Track]:
        """Return the track of each detection, by its index, that continues one."""
        tracks = list(self._tracks)
        n, m = len(tracks), len(detections)
        if not n or not m:
            return {}
        # Detections are the rows: they are few, while tracks that are unseen may be many. One more
        # column for each means that it is a new face, at the price of the gate.
        cost = np.full((m, n + m), self.gate)
        for j, track in enumerate(tracks):
            center = track.center_at(stamp_ns)
            for i, detection in enumerate(detections):
                cost[i, j] = _distance(track.box, center, detection.box)
        cost[:, :n][cost[:, :n] >= self.gate] = 1e6 * self.gate
        return {i: tracks[j] for i, j in enumerate(assign(cost)) if j < n}


def assign(cost: np.ndarray) -> list[int]:
    """
    Give every row a column of its own so that the sum of costs is least.

    Shortest augmenting paths with dual prices (the Hungarian method), O(rows^2 columns).

    :param cost: (n, m), finite, n <= m
    :returns: column of each row
    """
    n, m = cost.shape
    row_price, column_price = np.zeros(n), np.zeros(m)
    row_of = np.full(m, -1)
    for start in range(n):
        distance = np.full(m, math.inf)
        previous = np.full(m, -1)
        done = np.zeros(m, bool)
        column, row = -1, start
        while row >= 0:
            if column >= 0:
                done[column] = True
            reached = distance[column] if column >= 0 else 0.0
            through = reached + cost[row] - row_price[row] - column_price
            shorter = ~done & (through < distance)
            distance[shorter] = through[shorter]
            previous[shorter] = column
            column = int(np.argmin(np.where(done, math.inf, distance)))
            row = int(row_of[column])
        length = distance[column]
        for j in np.flatnonzero(done):
            row_price[row_of[j]] += length - distance[j]
            column_price[j] -= length - distance[j]
        row_price[start] += length
        while column >= 0:
            before = int(previous[column])
            row_of[column] = start if before < 0 else row_of[before]
            column = before
    result = [0] * n
    for j, i in enumerate(row_of):
        if i >= 0:
            result[i] = j
    return result


def _distance(box: FaceBox, center: np.ndarray, other: FaceBox) -> float:
    """Distance of centres in sides of the larger box, plus the weighted log ratio of sizes."""
    shift = math.hypot(center[0] - other.center_x, center[1] - other.center_y)
    return (shift / max(box.side, other.side)
            + _SIZE_WEIGHT * abs(math.log(box.side / other.side)))
