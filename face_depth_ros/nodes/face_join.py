# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A colour image and the detections of its stamp, with all that helps to look at its faces.

What can be done without is waited for only while it comes at all, and only for a moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
import math
import time
from typing import Any

from face_depth_ros.core.stamp_join import StampJoin
from face_depth_ros.nodes.camera_info_join import CameraInfoJoin, WAIT_S
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.detection_messages import DetectionFrame
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.inside_topics import EstimateFrame
from face_depth_ros.nodes.join_report import IMAGES_KEPT, JoinReport
from face_depth_ros.nodes.liveness_messages import LivenessFrame
from face_depth_ros.nodes.topic_input import Arrival
from sensor_msgs.msg import CameraInfo

REQUIRED = ('color', 'detections')
OPTIONAL = ('depth', 'estimate', 'enhanced', 'provenance', 'liveness')
LOOK_S = 0.02
"""How often to look for frames that have waited long enough, at most."""
_LOOK_LEAST_S, _LOOKS_PER_WAIT = 0.06, 5
JUDGE_WAIT_S = 0.3
"""
How long who judges faces waits for enhanced depth unless asked otherwise. It costs nothing while
that comes, in time or for a later frame; on two busy cores 0.1 s is too short for half of them.
"""
ESTIMATE_WAITS = 2.0
"""
How many times as long estimates are waited for: who does not wait for one makes it once more, and
where they are late since the processor is busy, that makes all later.
"""
LIVENESS_WAITS = 3.0
"""Likewise liveness: its node waits itself, and then has its work to do, perhaps elsewhere."""
_LONGER = {'estimate': ESTIMATE_WAITS, 'liveness': LIVENESS_WAITS}
_CAMERA_HZ = 90
"""As many frames may wait as such a camera sends meanwhile, and one."""
_NO_INFO = CameraInfoFrame(0, '', CameraInfo())


@dataclass(frozen=True)
class FaceSet:
    """
    What there is of one stamp; None = it has not come.

    :param depth: of the sensor
    :param info: calibration of the colour image, that of its stamp or the latest
    """

    color: Arrival[ImageFrame]
    detections: Arrival[DetectionFrame]
    depth: Arrival[ImageFrame] | None = None
    estimate: Arrival[EstimateFrame] | None = None
    enhanced: Arrival[ImageFrame] | None = None
    provenance: Arrival[ImageFrame] | None = None
    liveness: Arrival[LivenessFrame] | None = None
    info: CameraInfoFrame | None = None


class FaceJoin:
    """
    Joins them; not thread-safe. What goes on now is returned, oldest first.

    :param optional: what is joined at all, of OPTIONAL
    :param count: called with (cause, message) for what is not exact
    :param clock: seconds, monotonic
    :param wait_s: seconds that what can be done without is waited for; `look_s` follows it
    """

    def __init__(self, optional: Iterable[str], count: Callable[[str, str], None],
                 clock: Callable[[], float] = time.monotonic, wait_s: float = WAIT_S) -> None:
        keys = frozenset((*REQUIRED, *optional))
        self._wait_s = wait_s
        self.look_s = min(max(wait_s / _LOOKS_PER_WAIT, LOOK_S), _LOOK_LEAST_S)
        longest = wait_s * max([1.0, *(n for key, n in _LONGER.items() if key in keys)])
        self._sets = StampJoin(keys, required=REQUIRED, capacity=IMAGES_KEPT, clock=clock,
                               ready_capacity=1 + math.ceil(_CAMERA_HZ * longest))
        self._report = JoinReport(count, REQUIRED)
        self._infos: CameraInfoJoin[dict[str, Any]] = CameraInfoJoin(count, clock, _NO_INFO)

    @property
    def drops(self) -> Counter[str]:
        """How many values were lost, by the causes of StampJoin."""
        return self._sets.drops

    @property
    def waits(self) -> bool:
        """Whether a frame waits for what it can do without."""
        return self._sets.waits or self._infos.waits

    @property
    def awaited(self) -> frozenset[str]:
        """What is waited for besides the required."""
        return self._sets.awaited - self._sets.required

    def expect(self, optional: Iterable[str], *, info: bool) -> None:
        """Say what is worth waiting for from now on, of what is joined."""
        self._sets.awaited = self._sets.keys & (self._sets.required | frozenset(optional))
        self._infos.awaited = info

    def clear(self) -> None:
        """Forget what waits."""
        self._sets.clear()
        self._infos.clear()

    def add(self, key: str, arrival: Arrival[Any]) -> list[FaceSet]:
        """Take a value of REQUIRED, or of what is joined besides."""
        joined = self._sets.add(key, arrival.stamp_ns, arrival)
        self._report.look(self._sets.drops, bool(joined), key)
        return self._complete(joined)

    def add_info(self, info: CameraInfoFrame) -> list[FaceSet]:
        """Take the calibration of the colour image."""
        return [_joined(*pair) for pair in self._infos.add_info(info)]

    def take_overdue(self) -> list[FaceSet]:
        """Return what has waited long enough; called every `look_s`."""
        overdue = self._sets.take_overdue(self._wait_s - self.look_s, {
            key: n * self._wait_s - self.look_s for key, n in _LONGER.items()})
        self._report.look(self._sets.drops, bool(overdue))
        return self._complete(overdue) + [_joined(*pair) for pair in self._infos.take_overdue()]

    def _complete(self, joined: list[dict[str, Any]]) -> list[FaceSet]:
        return [_joined(*pair) for values in joined
                for pair in self._infos.add_frame(values['color'].stamp_ns, values)]


def _joined(values: dict[str, Any], info: CameraInfoFrame) -> FaceSet:
    return FaceSet(**values, info=None if info is _NO_INFO else info)
