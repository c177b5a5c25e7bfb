# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A colour image and the detections of its stamp, with the depth and calibration that belong to it.

Depth and camera_info are waited for only while they come at all, and at most 0.1 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
import time
from typing import Any

from face_depth_ros.core.stamp_join import StampJoin
from face_depth_ros.nodes.camera_info_join import CameraInfoJoin, WAIT_S
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.detection_messages import DetectionFrame
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.topic_input import Arrival
from sensor_msgs.msg import CameraInfo

LOOK_S = 0.02
"""How often to look for frames that have waited long enough."""
_NO_INFO = CameraInfoFrame(0, '', CameraInfo())


@dataclass(frozen=True)
class ColorSet:
    """
    What there is of one stamp.

    :param depth: None when it has not come
    :param info: calibration of the colour image, that of its stamp or the latest; None when
        none has come
    """

    color: Arrival[ImageFrame]
    detections: Arrival[DetectionFrame]
    depth: Arrival[ImageFrame] | None
    info: CameraInfoFrame | None


class ColorJoin:
    """
    Joins them; not thread-safe. What goes on now is returned, oldest first.

    :param use_depth: whether depth is joined at all
    :param count: called with (cause, message) for what is not exact
    :param clock: seconds, monotonic
    """

    def __init__(self, use_depth: bool, count: Callable[[str, str], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        keys = ('color', 'detections', *(('depth',) if use_depth else ()))
        self._sets = StampJoin(keys, required=('color', 'detections'), clock=clock)
        self._infos: CameraInfoJoin[dict[str, Any]] = CameraInfoJoin(count, clock, _NO_INFO)

    @property
    def drops(self) -> Counter[str]:
        """How many values were lost, by the causes of StampJoin."""
        return self._sets.drops

    @property
    def waits(self) -> bool:
        """Whether a frame waits for depth or calibration."""
        return self._sets.waits or self._infos.waits

    @property
    def awaits_depth(self) -> bool:
        """Whether frames wait for the depth of their stamp."""
        return 'depth' in self._sets.awaited

    def expect(self, *, depth: bool, info: bool) -> None:
        """Say what is worth waiting for from now on."""
        optional = {'depth'} if depth else set()
        self._sets.awaited = self._sets.keys & (self._sets.required | optional)
        self._infos.awaited = info

    def clear(self) -> None:
        """Forget what waits."""
        self._sets.clear()
        self._infos.clear()

    def add(self, key: str, arrival: Arrival[Any]) -> list[ColorSet]:
        """Take a value: 'color', 'detections' or 'depth'."""
        return self._complete(self._sets.add(key, arrival.stamp_ns, arrival))

    def add_info(self, info: CameraInfoFrame) -> list[ColorSet]:
        """Take the calibration of the colour image."""
        return [_color_set(*pair) for pair in self._infos.add_info(info)]

    def take_overdue(self) -> list[ColorSet]:
        """Return what has waited long enough; called every `LOOK_S`."""
        passed = self._complete(self._sets.take_overdue(WAIT_S - LOOK_S))
        return passed + [_color_set(*pair) for pair in self._infos.take_overdue()]

    def _complete(self, joined: list[dict[str, Any]]) -> list[ColorSet]:
        return [_color_set(*pair) for values in joined
                for pair in self._infos.add_frame(values['color'].stamp_ns, values)]


def _color_set(values: dict[str, Any], info: CameraInfoFrame) -> ColorSet:
    return ColorSet(values['color'], values['detections'], values.get('depth'),
                    None if info is _NO_INFO else info)
