# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The camera_info that belongs to a frame: that of its stamp, else the latest.

Messages of different topics come in any order. So a frame waits for the camera_info of its own
stamp, but only where the camera sends one with every frame, and only for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Generic, TypeVar

from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame

T = TypeVar('T')

KEPT = 100
"""More than the images that wait for their detections meanwhile."""
WAIT_S = 0.1


class CameraInfoJoin(Generic[T]):
    """
    Pairs frames with their camera_info; not thread-safe.

    :param count: called with (cause, message) for what is lost or not exact
    :param clock: seconds, monotonic
    :param default: what frames go on with where none has come; None = they are left out
    """

    def __init__(self, count: Callable[[str, str], None],
                 clock: Callable[[], float] = time.monotonic,
                 default: CameraInfoFrame | None = None) -> None:
        self._count, self._clock, self._default = count, clock, default
        self.awaited = True
        """Whether a frame waits for the first one; it always waits where there is no default."""
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._latest: CameraInfoFrame | None = None
        self._by_stamp: dict[int, CameraInfoFrame] = {}
        self._held: tuple[int, T, float] | None = None
        self._with_every_frame = False

    @property
    def waits(self) -> bool:
        """Whether a frame waits."""
        return self._held is not None

    def at(self, stamp_ns: int) -> CameraInfoFrame | None:
        """Return what is known now for a stamp; None when nothing has come."""
        return self._by_stamp.get(stamp_ns, self._latest)

    def add_info(self, info: CameraInfoFrame) -> list[tuple[T, CameraInfoFrame]]:
        """Take a camera_info; returns the frames that can go on."""
        self._latest = info
        self._by_stamp.pop(info.stamp_ns, None)
        self._by_stamp[info.stamp_ns] = info
        while len(self._by_stamp) > KEPT:
            self._by_stamp.pop(next(iter(self._by_stamp)))
        return self._release(give_up=False)

    def add_frame(self, stamp_ns: int, frame: T) -> list[tuple[T, CameraInfoFrame]]:
        """Take a frame; returns the frames that can go on. One that still waits waits no more."""
        passed = self._release(give_up=True)
        self._held = (stamp_ns, frame, self._clock())
        return passed + self._release(give_up=False)

    def take_overdue(self) -> list[tuple[T, CameraInfoFrame]]:
        """Return the frame that has waited long enough, if there is any camera_info for it."""
        if self._held is None or self._clock() - self._held[2] < WAIT_S:
            return []
        if self._latest is None and self._default is None:
            return []
        return self._release(give_up=True)

    def _release(self, give_up: bool) -> list[tuple[T, CameraInfoFrame]]:
        """Let the held frame go if its camera_info is there, or if it is to wait no longer."""
        if self._held is None:
            return []
        stamp_ns, frame, _ = self._held
        info = self.at(stamp_ns)
        exact = info is not None and info.stamp_ns == stamp_ns
        awaited = self._with_every_frame
        if info is None:
            awaited = self.awaited or self._default is None
        if awaited and not (exact or give_up):
            return []
        self._held = None
        if info is None and self._default is not None:
            return [(frame, self._default)]
        if info is None:
            self._count('camera_info_missing', (
                'a frame was left out: no camera_info has come for the depth image; check that '
                'depth/camera_info is remapped and published'))
            return []
        if self._with_every_frame and not exact:
            self._count('camera_info_late', (
                f'no camera_info of the stamp {stamp_ns} ns has come; the latest is used, of '
                f'{info.stamp_ns} ns'))
        self._with_every_frame = exact
        return [(frame, info)]
