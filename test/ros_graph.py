# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What tests have beside the nodes: it publishes, listens and waits, through real DDS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
import itertools
import os
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from face_depth_ros.nodes.headers import stamp_of
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

DEADLINE_S = 30.0


class Spinner:
    """
    An executor on a thread of its own.

    :param context: that of another spinner, which outlives this one; without it one of its own
    """

    def __init__(self, context: Context | None = None) -> None:
        self.context = context or Context()
        self._owns_context = context is None
        if self._owns_context:
            rclpy.init(context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self._stop = threading.Event()
        self.nodes: list[Node] = []
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._spin, name='test executor', daemon=True)
        self._thread.start()

    def add(self, node: Node) -> Node:
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def call(self, function: Callable[[], Any]) -> Any:
        """Run something on the executor's thread and return what it returns."""
        task = self.executor.create_task(function)
        wait_until(task.done, 'a task on the executor')
        return task.result()

    def remove(self, node: Node) -> None:
        def destroy() -> None:
            self.executor.remove_node(node)
            node.destroy_node()
        self.nodes.remove(node)
        self.call(destroy)

    def close(self) -> None:
        self._stop.set()
        self.executor.create_task(lambda: None)
        self._thread.join(DEADLINE_S)
        for node in reversed(self.nodes):
            node.destroy_node()
        self.executor.shutdown()
        if self._owns_context:
            self.context.try_shutdown()
        if self.failure is not None:
            raise self.failure

    def _spin(self) -> None:
        try:
            while not self._stop.is_set():
                self.executor.spin_once()
        except BaseException as error:  # noqa: BLE001  (raised again by close)
            self.failure = error


def wait_until(predicate: Callable[[], Any], what: str, timeout: float = DEADLINE_S) -> Any:
    """Return the first true value of a predicate, or fail at the deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'no {what} within {timeout} s')
        time.sleep(0.005)


class Probe:
    """The test's own node: publishers, subscribers that keep what they get, service calls."""

    def __init__(self, context: Context, name: str = 'probe') -> None:
        self.spinner = Spinner(context)
        self.node = Node(name, context=self.spinner.context)
        self.received: dict[str, list[Any]] = defaultdict(list)
        self.statuses: dict[str, Any] = {}
        self.publishers: dict[str, Any] = {}
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 100)
        self.spinner.add(self.node)

    def subscribe(self, message_type: type, topic: str, reliable: bool = True) -> Any:
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE if reliable
                         else ReliabilityPolicy.BEST_EFFORT)
        return self.spinner.call(lambda: self.node.create_subscription(
            message_type, topic, self.received[topic].append, qos))

    def unsubscribe(self, subscription: Any) -> None:
        self.spinner.call(lambda: self.node.destroy_subscription(subscription))

    def publisher(self, message_type: type, topic: str) -> Any:
        if topic not in self.publishers:
            self.publishers[topic] = self.spinner.call(
                lambda: self.node.create_publisher(message_type, topic, 50))
        return self.publishers[topic]

    def publish(self, topic: str, message: Any) -> None:
        self.publisher(type(message), topic).publish(message)

    def wait_message(self, topic: str, matches: Callable[[Any], bool] = lambda _: True,
                     timeout: float = DEADLINE_S) -> Any:
        def find() -> Any:
            return next((m for m in list(self.received[topic]) if matches(m)), None)
        return wait_until(find, f'message on {topic}', timeout)

    def wait_status(self, name: str, matches: Callable[[Any, dict[str, str]], bool],
                    timeout: float = DEADLINE_S) -> dict[str, str]:
        """Wait for diagnostics of a node; `matches` gets the status and its values."""
        def find() -> Any:
            status = self.statuses.get(name)
            if status is None:
                return None
            values = {v.key: v.value for v in status.values}
            return values if matches(status, values) else None
        try:
            return wait_until(find, f'matching diagnostics of {name}', timeout)
        except AssertionError as error:
            raise AssertionError(f'{error}; last: {self.statuses.get(name)}') from None

    def wait_ready(self, name: str) -> dict[str, str]:
        return self.wait_status(name, lambda _s, v: v['ready'] == 'true')

    def call(self, service_type: type, name: str, request: Any) -> Any:
        client = self.spinner.call(lambda: self.node.create_client(service_type, name))
        try:
            wait_until(client.service_is_ready, f'service {name}')
            future = client.call_async(request)
            wait_until(future.done, f'answer of {name}')
            return future.result()
        finally:
            self.spinner.call(lambda: self.node.destroy_client(client))

    def close(self) -> None:
        self.spinner.close()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.statuses[status.name] = status


class Graph:
    """
    Nodes under test in a namespace of their own, and a probe beside them.

    Both are of one DDS participant, whose endpoints find each other without discovery: between two
    participants of one process Fast DDS now and then, under load, never tells of a subscription.
    Tests that start processes have real discovery.
    """

    _count = itertools.count(1)

    def __init__(self) -> None:
        self.namespace = f'/t{os.getpid()}_{next(self._count)}'
        self.spinner = Spinner()
        self.probe = Probe(self.spinner.context)

    def add(self, make: Callable[..., Node], **options: Any) -> Any:
        """Make a node in the namespace and spin it."""
        options.setdefault('namespace', self.namespace)
        return self.spinner.add(self.spinner.call(
            lambda: make(context=self.spinner.context, **options)))

    def topic(self, name: str) -> str:
        return f'{self.namespace}/{name}'

    def subscribe(self, message_type: type, topic: str) -> Any:
        return self.probe.subscribe(message_type, self.topic(topic))

    def publish(self, **messages: Any) -> None:
        """Publish messages; `color=` stands for the topic color/image_raw."""
        for name, message in messages.items():
            self.probe.publish(self.topic(TOPICS[name]), message)

    def advertise(self, **types: type) -> None:
        for name, message_type in types.items():
            self.probe.publisher(message_type, self.topic(TOPICS[name]))

    def wait_ready(self, *names: str) -> None:
        """Wait until nodes are ready, and the probe's publishers have matched too."""
        for name in names:
            self.probe.wait_ready(self.topic(name))
        for topic, publisher in list(self.probe.publishers.items()):
            wait_until(publisher.get_subscription_count, f'subscriber of {topic}')

    def wait_status(self, name: str, matches: Callable[[Any, dict[str, str]], bool]) -> dict[
            str, str]:
        return self.probe.wait_status(self.topic(name), matches)

    def wait_stamp(self, topic: str, stamp_ns: int) -> Any:
        return self.probe.wait_message(
            self.topic(topic), lambda m: stamp_of(m.header) == stamp_ns)

    def received(self, topic: str) -> list[Any]:
        return self.probe.received[self.topic(topic)]

    def close(self) -> None:
        try:
            self.probe.close()
        finally:
            self.spinner.close()


TOPICS = {'color': 'color/image_raw', 'color_info': 'color/camera_info',
          'depth': 'depth/image_raw', 'depth_info': 'depth/camera_info',
          'detections': 'detections', 'compressed_color': 'color/image_raw/compressed',
          'compressed_depth': 'depth/image_raw/compressedDepth'}
