# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The camera_info that belongs to an image: that of its stamp, else the latest."""

from __future__ import annotations

from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame

KEPT = 10


class CameraInfoMemory:
    """The last few messages of one camera_info topic."""

    def __init__(self) -> None:
        self._latest: CameraInfoFrame | None = None
        self._by_stamp: dict[int, CameraInfoFrame] = {}

    def add(self, info: CameraInfoFrame) -> None:
        """Remember one, in place of the oldest."""
        self._latest = info
        self._by_stamp.pop(info.stamp_ns, None)
        self._by_stamp[info.stamp_ns] = info
        while len(self._by_stamp) > KEPT:
            self._by_stamp.pop(next(iter(self._by_stamp)))

    def at(self, stamp_ns: int) -> CameraInfoFrame | None:
        """Return the one for an image; None when none has come."""
        return self._by_stamp.get(stamp_ns, self._latest)

    def clear(self) -> None:
        """Forget all."""
        self._latest = None
        self._by_stamp.clear()
