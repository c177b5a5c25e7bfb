# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""An output topic: by reference inside the container, as a ROS message for whoever is outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import threading
from typing import Any, Generic, Protocol

from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.health import Health
from face_depth_ros.nodes.qos_events import INCOMPATIBLE_QOS, publisher_events
from face_depth_ros.nodes.topic_adapters import Adapter, V
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

OUTPUT_DEPTH = 5


class Output(Protocol):
    """What a node needs to know of an output, or of many that it gives as one."""

    topic: str

    @property
    def demand(self) -> int:
        """How many subscribers there are, in the process and outside."""

    @property
    def messages_sent(self) -> int:
        """ROS messages that were made and sent."""

    def encode(self, value: Any) -> Any:
        """Return the ROS message if anybody outside the process takes the topic, else None."""

    def send(self, value: Any, message: Any) -> None:
        """Hand a value on, and send the message that `encode` made of it."""

    def close(self) -> None:
        """Leave the topic."""


class TopicOutput(Generic[V]):
    """
    A publisher that knows whether anybody wants its values; once closed it does nothing.

    :param topic: relative name
    :param exchange: of the container, or None when the node runs alone or hand-off is off
    :param on_demand: called at once, on any thread, when a subscriber came or went
    :param matched_events: whether the middleware reports subscribers; else `demand` is polled
    """

    def __init__(self, node: Node, topic: str, adapter: Adapter[V], *, health: Health,
                 exchange: Exchange | None, on_demand: Callable[[], None],
                 matched_events: bool) -> None:
        self.topic = node.resolve_topic_name(topic)
        self._adapter = adapter
        self._node = node
        self._sent = 0
        self._closed = False
        self._closing = threading.Lock()

        def incompatible(policy: str) -> None:
            health.count(INCOMPATIBLE_QOS, f'a subscriber of {self.topic} asks for another '
                         f'{policy} than is offered; change it there')

        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=OUTPUT_DEPTH,
                         reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.VOLATILE)
        self._publisher = node.create_publisher(
            adapter.message_type, topic, qos, event_callbacks=publisher_events(
                on_demand if matched_events else None, incompatible))
        self._publication = None if exchange is None else exchange.advertise(
            self.topic, adapter.type_name, on_demand)

    @property
    def demand(self) -> int:
        """How many subscribers there are, in the process and outside."""
        local = 0 if self._publication is None else self._publication.subscriptions
        return local + self._subscribers_outside()

    @property
    def messages_sent(self) -> int:
        """ROS messages that were made and sent; values handed on by reference do not count."""
        return self._sent

    def close(self) -> None:
        """Leave the topic."""
        if self._publication is not None:
            self._publication.close()
        with self._closing:
            self._closed = True
            self._node.destroy_publisher(self._publisher)

    def encode(self, value: V) -> Any:
        """Return the ROS message if anybody outside the process takes the topic, else None."""
        if self._subscribers_outside() == 0:
            return None
        return self._adapter.to_message(value)

    def send(self, value: V, message: Any) -> None:
        """Hand a value on, and send the message that `encode` made of it."""
        if self._publication is not None:
            self._publication.deliver(value)
        if message is None:
            return
        with self._closing:
            if not self._closed:
                self._publisher.publish(message)
                self._sent += 1

    def _subscribers_outside(self) -> int:
        with self._closing:
            return 0 if self._closed else int(self._publisher.get_subscription_count())


def publish_together(values: Sequence[tuple[Output, Any]]) -> None:
    """
    Publish the outputs of one frame: all of them, or none when one cannot be encoded.

    :param values: pairs (output, value)
    """
    encoded = [(output, value, output.encode(value)) for output, value in values]
    for output, value, message in encoded:
        output.send(value, message)
