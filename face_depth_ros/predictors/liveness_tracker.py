# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Whether tracked faces live: the evidence of the last frames together, none without depth."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

from face_depth_ros.core.errors import SettingsError

MOST_LOG_ODDS = 6.0
"""No single frame says more than this."""


@dataclass(frozen=True)
class Evidence:
    """
    What a track has shown.

    :param log_odds: mean of the frames in the window: errors of neighbouring frames are alike, so
        that adding them up would claim more than they say
    :param frames: how many there are
    """

    log_odds: float
    frames: int


class LivenessTracker:
    """
    Keeps what each track has shown; one instance per camera, frames in order.

    :param window_s: how far back frames count
    """

    def __init__(self, window_s: float = 1.0) -> None:
        self._tracks: dict[str, deque[tuple[int, float]]] = {}
        self.tune(window_s)

    def tune(self, window_s: float) -> None:
        """
        Follow settings between frames; parameters as of the class.

        :raises SettingsError: out of its range
        """
        if not (math.isfinite(window_s) and window_s >= 0.0):
            raise SettingsError(f'got window_s = {window_s}, expected at least 0')
        self.window_s = window_s

    def update(self, stamp_ns: int, track_id: str, log_odds: float) -> Evidence:
        """
        Take a frame of a track in.

        :param track_id: '' = of no track, it stands for itself
        """
        value = min(max(log_odds, -MOST_LOG_ODDS), MOST_LOG_ODDS)
        if not track_id:
            return Evidence(value, 1)
        frames = self._tracks.setdefault(track_id, deque())
        if frames and frames[-1][0] > stamp_ns:
            frames.clear()  # time has jumped back: another recording
        frames.append((stamp_ns, value))
        while (stamp_ns - frames[0][0]) * 1e-9 > self.window_s:
            frames.popleft()
        return Evidence(sum(odds for _, odds in frames) / len(frames), len(frames))

    def forget(self, stamp_ns: int) -> None:
        """Forget the tracks of which nothing has been seen within the window."""
        self._tracks = {key: frames for key, frames in self._tracks.items()
                        if abs(stamp_ns - frames[-1][0]) * 1e-9 <= self.window_s}

    def drop(self, track_id: str) -> None:
        """Forget one track: its face was lost from sight, and may be another one after."""
        self._tracks.pop(track_id, None)

    def reset(self) -> None:
        """Forget all tracks."""
        self._tracks.clear()
