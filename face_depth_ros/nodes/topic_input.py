# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""An input topic: from inside the container by reference, else a ROS subscription; lazily."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import time
from typing import Generic

from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.handoff import Subscription as HandoffSubscription
from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.nodes.health import Health
from face_depth_ros.nodes.qos_events import (
    INCOMPATIBLE_QOS,
    MATCHED_EVENTS,
    subscription_events,
)
from face_depth_ros.nodes.shared_subscriptions import Message, SharedSubscription
from face_depth_ros.nodes.topic_adapters import Adapter, V
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription


@dataclass(frozen=True)
class Arrival(Generic[V]):
    """
    One value that came in; a ROS message is decoded only when the value is asked for.

    :param arrived: time.monotonic() of the arrival
    """

    stamp_ns: int
    frame_id: str
    arrived: float
    decode: Callable[[], V]


class TopicInput(Generic[V]):
    """
    A subscription that exists only while its node works.

    While a component of the same container publishes the topic, it is taken from there alone and
    there is no ROS subscription; a publisher outside on the same topic is then not heard, which
    diagnostics say. What comes from outside is taken and decoded once for all components of a
    container.

    :param receive: called with every arrival, on any thread; must return at once
    :param on_change: called on any thread when the source or its publishers changed
    """

    def __init__(self, node: Node, topic: str, adapter: Adapter[V], *, health: Health,
                 receive: Callable[[Arrival[V]], None], exchange: Exchange | None,
                 on_change: Callable[[], None], required: bool = True) -> None:
        self.topic = node.resolve_topic_name(topic) + adapter.topic_suffix
        self.required = required
        self._node, self._adapter, self._health = node, adapter, health
        self._receive, self._exchange, self._on_change = receive, exchange, on_change
        self._handoff: HandoffSubscription | None = None
        self._ros: Subscription | SharedSubscription | None = None
        self._opened = 0.0
        self._last = 0.0
        self._count = 0
        self._declare()

    @property
    def is_open(self) -> bool:
        """Whether messages can come."""
        return self._ros is not None or self._handoff is not None

    @property
    def count(self) -> int:
        """Messages and values received so far."""
        return self._count

    @property
    def publishers(self) -> int:
        """How many publishers are heard now."""
        handoff, part = self._handoff, self._ros  # the executor may take them away meanwhile
        if handoff is not None and handoff.offered:
            return 1
        if part is None:
            return 0
        ros = part.ros if isinstance(part, SharedSubscription) else part
        if hasattr(ros, 'get_publisher_count'):
            return int(ros.get_publisher_count())
        return int(self._node.count_publishers(self.topic))  # Humble: announced, not matched

    @property
    def announced(self) -> bool:
        """Whether anybody says that it publishes the topic, heard or not."""
        return int(self._node.count_publishers(self.topic)) > 0

    @property
    def source(self) -> str:
        """Where values come from: 'closed', 'hand-off' or 'ros'."""
        if self._ros is not None:
            return 'ros'
        return 'hand-off' if self._handoff is not None else 'closed'

    @property
    def unheard_publishers(self) -> int:
        """Publishers outside the process that are shadowed by one inside."""
        if self._handoff is None or not self._handoff.offered:
            return 0
        local = self._exchange.publications(self._handoff.key) if self._exchange else 0
        return max(0, int(self._node.count_publishers(self.topic)) - local)

    @property
    def silent_for(self) -> float:
        """Seconds since the last message, or since opening; 0 while closed."""
        return time.monotonic() - max(self._opened, self._last) if self.is_open else 0.0

    def open(self) -> None:
        """Begin to receive, or follow a change of the source; only on the executor's thread."""
        if not self.is_open:
            self._opened = time.monotonic()
        if self._exchange is not None and self._handoff is None:
            self._handoff = self._exchange.subscribe(
                self.topic, self._adapter.type_name, self._on_value, self._on_change)
        inside = self._handoff is not None and self._handoff.offered
        if inside:
            self._leave()
        elif self._ros is None:
            self._ros = self._subscribe()

    def close(self) -> None:
        """Stop receiving; only on the executor's thread."""
        if self._handoff is not None:
            self._handoff.close()
            self._handoff = None
        self._leave()

    def take(self, message: Message) -> None:
        """Take a ROS message."""
        now = time.monotonic()
        header = message.message.header
        self._note(now)
        self._receive(Arrival(stamp_of(header), header.frame_id, now,
                              lambda: message.decode(self._adapter.from_message)))

    def incompatible(self, policy: str) -> None:
        """Count that a publisher was refused."""
        self._health.count(INCOMPATIBLE_QOS, (
            f'a publisher of {self.topic} offers another {policy} than this node asks for; '
            f'set the parameter qos_overrides.{self.topic}.subscription.{policy}'))

    def changed(self) -> None:
        """Pass on that a publisher came or went."""
        self._on_change()

    def _declare(self) -> None:
        """Declare and check the qos_overrides parameters, which only a subscription does."""
        subscription = self._create()
        self._qos = subscription.qos_profile
        self._node.destroy_subscription(subscription)

    def _subscribe(self) -> Subscription | SharedSubscription | None:
        if self._exchange is None or self._exchange.shared is None:
            return self._create()
        return self._exchange.shared.join(self.topic, self._adapter.message_type, self._qos, self)

    def _create(self) -> Subscription:
        return self._node.create_subscription(
            self._adapter.message_type, self.topic, lambda message: self.take(Message(message)),
            _sensor_data(), event_callbacks=subscription_events(
                self.changed if MATCHED_EVENTS else None, self.incompatible),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())

    def _leave(self) -> None:
        if isinstance(self._ros, SharedSubscription):
            self._ros.leave()
        elif self._ros is not None:
            self._node.destroy_subscription(self._ros)
        self._ros = None

    def _on_value(self, value: V) -> None:
        now = time.monotonic()
        self._note(now)
        self._receive(Arrival(value.stamp_ns, value.frame_id, now, lambda: value))

    def _note(self, now: float) -> None:
        self._last = now
        self._count += 1


def _sensor_data() -> QoSProfile:
    q = qos_profile_sensor_data
    return QoSProfile(history=q.history, depth=q.depth, reliability=q.reliability,
                      durability=q.durability)
