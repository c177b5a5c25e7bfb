# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What every node is that looks at faces in colour: its inputs of one stamp come as one job."""

from __future__ import annotations

from collections.abc import Callable, Iterable
import threading
from typing import Any

from face_depth_ros.nodes.camera_info_join import WAIT_S
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.diagnostics import PERIOD_S
from face_depth_ros.nodes.face_join import FaceJoin, FaceSet
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.inside_topics import InsideInput
from face_depth_ros.nodes.topic_adapters import Adapter, CAMERA_INFO, COLOR, DETECTIONS
from face_depth_ros.nodes.topic_input import Arrival, TopicInput
from face_depth_ros.nodes.worker_node import P, S, STEADY_CLOCK, WorkerNode


class FaceSetNode(WorkerNode[S, P, FaceSet]):
    """
    Joins colour, detections and calibration with what a subclass can do without.

    An optional input is waited for only while it comes at all.

    :param color_transport: 'raw' or 'compressed'
    :param optional: keys of what is joined besides, of `face_join.OPTIONAL`; a subclass declares
        the input of each with `add_optional`
    :param kwargs: of `WorkerNode`
    """

    def __init__(self, node_name: str, settings_type: type[S], *, optional: Iterable[str],
                 **kwargs: Any) -> None:
        super().__init__(node_name, settings_type, **kwargs)
        self._intake = threading.Lock()
        self._join = FaceJoin(optional, self.health.count, wait_s=self.wait_s)
        self._looking = False
        self._optional: dict[str, TopicInput[Any]] = {}

    @property
    def wait_s(self) -> float:
        """How long what can be done without is waited for, seconds."""
        return WAIT_S

    def add_faces(self, color_transport: str) -> None:
        """Declare colour, detections and calibration; `color_transport` is raw or compressed."""
        self.add_input('color/image_raw', COLOR[color_transport], self._on_color)
        self.add_input('detections', DETECTIONS, self._adder('detections'))
        self._info_input = self.add_input('color/camera_info', CAMERA_INFO, self._on_info,
                                          required=False)

    def add_optional(self, key: str, topic: str, adapter: Adapter[Any],
                     make: type[TopicInput[Any]] = TopicInput) -> TopicInput[Any]:
        """Declare an input that is joined under a key where it comes."""
        self._optional[key] = self.add_input(topic, adapter, self._adder(key), required=False,
                                             make=make)
        return self._optional[key]

    def start(self) -> None:
        """Begin; the last thing that a subclass' constructor does."""
        self._overdue = self.create_timer(self._join.look_s, self._on_overdue, clock=STEADY_CLOCK)
        self._overdue.cancel()
        self.create_timer(PERIOD_S, self._on_look, clock=STEADY_CLOCK)
        super().start()

    def reset(self) -> None:
        """Forget what waits to be joined."""
        with self._intake:
            self._join.clear()
            self._expect()

    def look_around(self) -> None:
        """Do what is due once a second, whether the node works or not; on the executor."""

    def awaits(self, key: str) -> bool:
        """Whether frames wait for an optional input that has come before."""
        return key in self._join.awaited and self._optional[key].count > 0

    def join_values(self) -> dict[str, object]:
        """Return what diagnostics show of what could not be joined."""
        return {f'join.{cause}': n for cause, n in sorted(self._join.drops.items())}

    def _adder(self, key: str) -> Callable[[Arrival[Any]], None]:
        def add(arrival: Arrival[Any]) -> None:
            with self._intake:
                self._submit(self._join.add(key, arrival))
        return add

    def _on_color(self, arrival: Arrival[ImageFrame]) -> None:
        with self._intake:
            if self.in_order(arrival.stamp_ns):
                self._submit(self._join.add('color', arrival))

    def _on_info(self, arrival: Arrival[CameraInfoFrame]) -> None:
        with self._intake:
            self._submit(self._join.add_info(arrival.decode()))

    def _on_overdue(self) -> None:
        """Let go on what has waited; the timer runs only while something waits."""
        with self._intake:
            self._submit(self._join.take_overdue())
            if not self._join.waits:
                self._looking = False
                self._overdue.cancel()

    def _on_look(self) -> None:
        """Look whether optional inputs come at all."""
        self.look_around()
        if self._active:
            with self._intake:
                self._expect()

    def _expect(self) -> None:
        self._join.expect([k for k, i in self._optional.items() if self._comes(i)],
                          info=self._comes(self._info_input))

    def _comes(self, source: TopicInput[Any]) -> bool:
        if not source.is_open:  # of those outside nobody knows until it is
            return not isinstance(source, InsideInput) or source.offered
        return source.publishers > 0 and source.silent_for < self.settings.silence_timeout

    def _submit(self, sets: list[FaceSet]) -> None:
        for joined in sets:
            self.submit(joined, joined.color.arrived)
        if self._join.waits and not self._looking:
            self._looking = True
            self.on_executor(self._overdue.reset)
