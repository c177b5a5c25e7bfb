# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The 1 Hz message on /diagnostics: rates, latencies, drops, error counts, and what is missing.

Plain messages; the first failing precondition by name is the status' message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from face_depth_ros.nodes.health import HealthReport
from face_depth_ros.nodes.qos_events import INCOMPATIBLE_QOS
from face_depth_ros.nodes.topic_input import TopicInput
from face_depth_ros.nodes.topic_output import Output
from rclpy.node import Node

PERIOD_S = 1.0
Problem = tuple[str, str]
"""Name of a failing precondition, and a line for people."""


class Diagnostics:
    """
    Publishes the status of one node.

    :param node: its fully qualified name becomes the name of the status
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._since, self._frames = time.monotonic(), 0

    def publish(self, failure: str, problems: Sequence[Problem], good: str,
                values: Mapping[str, object]) -> None:
        """
        Send one status.

        :param failure: why the node cannot work at all, '' when it can: an error
        :param problems: failing preconditions; the first is the message of a warning
        :param good: what to say when there is neither
        :param values: shown as text
        """
        level, message = DiagnosticStatus.OK, good
        if failure:
            level, message = DiagnosticStatus.ERROR, failure
        elif problems:
            level, message = DiagnosticStatus.WARN, '{}: {}'.format(*problems[0])
        status = DiagnosticStatus(
            level=level, name=self._node.get_fully_qualified_name(), message=message,
            hardware_id='face_depth_ros',
            values=[KeyValue(key=k, value=_text(v)) for k, v in values.items()])
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def rate(self, frames: int) -> float:
        """Return frames per second since the last call that lies a period or more back."""
        now = time.monotonic()
        elapsed = now - self._since
        rate = (frames - self._frames) / elapsed if elapsed > 0 else 0.0
        if elapsed >= 0.9 * PERIOD_S:
            self._since, self._frames = now, frames
        return rate


def work_values(report: HealthReport, dropped: int, rate: float) -> dict[str, object]:
    """Return what is shown of a node's work."""
    values: dict[str, object] = {
        'frames.processed': report.frames, 'frames.dropped': dropped, 'rate_hz': rate}
    for stage, (p50, p95) in sorted(report.times_ms.items()):
        values[f'{stage}_ms.p50'] = p50
        values[f'{stage}_ms.p95'] = p95
    for cause, count in sorted(report.counts.items()):
        values[f'count.{cause}'] = count
        values[f'last.{cause}'] = report.texts[cause]
        if report.noted.get(cause):
            values[f'noted.{cause}'] = report.noted[cause]
    return values


def topic_values(inputs: Iterable[TopicInput], outputs: Iterable[Output]) -> dict[
        str, object]:
    """Return what is shown of a node's topics."""
    values: dict[str, object] = {}
    for i in inputs:
        values[f'input.{i.topic}'] = (
            f'{i.source}, {i.publishers} publisher(s), {i.count} received')
    for o in outputs:
        values[f'output.{o.topic}'] = (
            f'{o.demand} subscriber(s), {o.messages_sent} messages sent')
    return values


def input_problems(inputs: Iterable[TopicInput], silence_timeout: float) -> list[Problem]:
    """Return what is wrong with the inputs of a node that works."""
    problems = []
    for i in inputs:
        if i.unheard_publishers:
            problems.append(('publisher_unheard', (
                f'{i.topic} comes from inside the container; {i.unheard_publishers} other '
                'publisher(s) outside are not heard')))
        if i.publishers > 1:
            problems.append(('several_publishers', (
                f'{i.topic} has {i.publishers} publishers, whose messages are taken for one '
                'stream; stop all but one, or remap the topic')))
        if not i.required or i.silent_for < silence_timeout:
            continue
        reason = 'is silent' if i.publishers else 'has no publisher that fits'
        problems.append(('topic_silent', f'{i.topic} {reason}: no message for '
                         f'{i.silent_for:.1f} s; check its name, its publisher and its QoS'))
    return problems


def idle_problems(report: HealthReport, subscribed: Callable[[], bool]) -> list[Problem]:
    """
    Return why a node may be idle though somebody subscribes to its outputs.

    :param subscribed: whether somebody does; only asked where it matters
    """
    found = [p for p in recent_problems(report) if p[0] == INCOMPATIBLE_QOS]
    return found if found and subscribed() else []


def recent_problems(report: HealthReport) -> list[Problem]:
    """Return what went wrong since the last good frame."""
    return [(cause, report.texts[cause]) for cause in report.current]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'{value:.3f}' if isinstance(value, float) else str(value)
