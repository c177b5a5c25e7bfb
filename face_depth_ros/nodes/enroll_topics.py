# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The topics `enroll` and `enroll/status`: a name in, one line out."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

NAME_TOPIC, STATUS_TOPIC = 'enroll', 'enroll/status'
_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5,
                  reliability=ReliabilityPolicy.RELIABLE)
PATIENCE_S = 2.0
"""So long after its time an enrolment without frames is given up."""


class EnrollTopics:
    """
    Takes names and tells results; while somebody is being enrolled it wants frames, as an output.

    :param begin: called on the executor with a name
    """

    def __init__(self, node: Node, begin: Callable[[str], None]) -> None:
        self.topic = node.resolve_topic_name(STATUS_TOPIC)
        self.messages_sent = 0
        self._node, self._begin = node, begin
        self._publisher = node.create_publisher(String, STATUS_TOPIC, _QOS)
        self._subscription = node.create_subscription(
            String, NAME_TOPIC, self._on_name, _QOS)
        self._deadline: float | None = None
        self._closed = False

    @property
    def demand(self) -> int:
        """1 while somebody is being enrolled."""
        return int(self._deadline is not None)

    @property
    def overdue(self) -> bool:
        """Whether an enrolment has gone on for too long, for want of frames."""
        return self._deadline is not None and time.monotonic() > self._deadline

    def expect(self, seconds: float) -> None:
        """Note that views are collected for so long."""
        self._deadline = time.monotonic() + seconds + PATIENCE_S

    def note_frame(self) -> None:
        """Have patience again: frames come, if slowly; they say themselves when time is up."""
        if self._deadline is not None:
            self._deadline = max(self._deadline, time.monotonic() + PATIENCE_S)

    def tell(self, line: str, *, over: bool) -> None:
        """
        Publish one line; on the executor.

        :param over: an enrolment has ended by it
        """
        if over:
            self._deadline = None
        if not self._closed:
            self._publisher.publish(String(data=line))
            self.messages_sent += 1

    def _on_name(self, message: Any) -> None:
        self._begin(message.data)

    def encode(self, value: Any) -> None:
        """Return nothing: no frame makes a message here."""

    def send(self, value: Any, message: Any) -> None:
        """Do nothing, likewise."""

    def close(self) -> None:
        """Leave both topics."""
        self._closed = True
        self._deadline = None
        self._node.destroy_publisher(self._publisher)
        self._node.destroy_subscription(self._subscription)
