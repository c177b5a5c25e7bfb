# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which frames to take so that there are no more than so many a second."""

from __future__ import annotations

_JITTER = 0.1
"""A frame may come by this share of the wanted period too early."""
_MOST = 2.0


class RateLimit:
    """
    Chooses frames by their stamps, evenly: on average no more than a rate.

    `skipped` counts those that were not taken.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._last_ns: int | None = None
        self._credit = 0.0

    def takes(self, stamp_ns: int, rate_hz: float) -> bool:
        """
        Say whether to take a frame; the first is taken, and one whose stamp runs back.

        :param rate_hz: 0 = all
        """
        last_ns, self._last_ns = self._last_ns, stamp_ns
        if rate_hz <= 0.0 or last_ns is None or stamp_ns < last_ns:
            self._credit = 0.0
            return True
        self._credit = min(_MOST, self._credit + 1e-9 * (stamp_ns - last_ns) * rate_hz)
        if self._credit < 1.0 - _JITTER:
            self.skipped += 1
            return False
        self._credit -= 1.0
        return True
