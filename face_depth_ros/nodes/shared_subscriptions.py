# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Messages from outside a container, taken from the middleware once for all of its components.

rclpy copies every message for every subscription, and its executor looks at all of them whenever
anything comes: six components that each subscribe to one camera keep a core busy by that alone.
"""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Any, Protocol

from face_depth_ros.nodes.qos_events import MATCHED_EVENTS, subscription_events
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_check_compatible, QoSCompatibility, QoSProfile

# rclpy's ~/get_type_description outlives its node (Jazzy 7.1), which unloading must not allow
NO_TYPE_DESCRIPTION = Parameter('start_type_description_service', value=False)
_SPIN_S = 1.0

class Listener(Protocol):
    """What a component gives to hear a topic; called on a thread of its own, must return."""

    def take(self, message: Message) -> None:
        """Take a message."""

    def incompatible(self, policy: str) -> None:
        """Hear on which QoS policy a publisher was refused."""

    def changed(self) -> None:
        """Hear that a publisher came or went."""


class Message:
    """A ROS message that nobody may change, and what it was decoded to."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self._lock = threading.Lock()
        self._decoded: dict[Callable[[Any], Any], Any] = {}

    def decode(self, decoder: Callable[[Any], Any]) -> Any:
        """
        Return what a decoder makes of it, which is made once; on any thread.

        :raises FaceDepthError: those of the decoder, each time
        """
        with self._lock:
            if decoder not in self._decoded:
                self._decoded[decoder] = decoder(self.message)
            return self._decoded[decoder]


class SharedSubscription:
    """One component's part in a subscription; made by `SharedSubscriptions.join`."""

    def __init__(self, shared: _Shared, listener: Listener) -> None:
        self._shared, self._listener = shared, listener
        shared.listeners = (*shared.listeners, listener)  # a new tuple: the other thread reads it

    @property
    def ros(self) -> Any:
        """The subscription, which is others' as well."""
        return self._shared.ros

    def leave(self) -> None:
        """Hear nothing more; a second time does nothing, unless the listener came again."""
        self._shared.listeners = tuple(
            one for one in self._shared.listeners if one is not self._listener)
        self._shared.drop_unheard()


class SharedSubscriptions:
    """
    The subscriptions that the components of a container have together.

    They are of a node of their own, with an executor of its own: that of the components looks at
    some two hundred services, events and timers each time, which takes it milliseconds.

    :param container: named after it, in its namespace and context
    :param fail: called with what a listener raised, on the thread of the subscriptions
    """

    def __init__(self, container: Node, fail: Callable[[BaseException], None]) -> None:
        # no arguments of the process: names are resolved already, by those who join
        self._node = Node(f'{container.get_name()}_inputs', namespace=container.get_namespace(),
                          context=container.context, use_global_arguments=False,
                          enable_rosout=False, parameter_overrides=[NO_TYPE_DESCRIPTION])
        self._open: list[_Shared] = []
        self._fail, self._closing = fail, threading.Event()
        self._executor = SingleThreadedExecutor(context=container.context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name='inputs', daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Full name of the node."""
        return self._node.get_fully_qualified_name()

    @property
    def topics(self) -> tuple[str, ...]:
        """What is subscribed to now."""
        return tuple(shared.topic for shared in self._open)

    def join(self, topic: str, message_type: type, qos: QoSProfile,
             listener: Listener) -> SharedSubscription:
        """
        Hear a topic; joined and left on one thread only, that of the components.

        :param topic: resolved (absolute) name
        """
        for shared in self._open:
            if (shared.topic, shared.message_type) == (topic, message_type) and shared.qos == qos:
                part = SharedSubscription(shared, listener)
                shared.tell_refused(listener)
                return part
        shared = _Shared(self._node, topic, message_type, qos, self._drop)
        part = SharedSubscription(shared, listener)
        shared.open()  # once there is who hears: what is refused is told once
        self._open.append(shared)
        return part

    def close(self) -> None:
        """End; nothing comes any more."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._executor.create_task(lambda: None)  # lets spin_once return
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()

    def _drop(self, shared: _Shared) -> None:
        self._open.remove(shared)
        if self._closing.is_set():
            return
        # where the executor is: rclpy does not stand that what it gathers goes meanwhile
        self._executor.create_task(lambda: self._node.destroy_subscription(shared.ros))

    def _spin(self) -> None:
        try:
            while not self._closing.is_set():
                self._executor.spin_once(_SPIN_S)
        except ExternalShutdownException:
            return
        except BaseException as error:  # noqa: BLE001  (handed to who runs the container)
            self._fail(error)


class _Shared:
    """
    A subscription and who hears it.

    :param drop: called with it once nobody hears it any more
    """

    def __init__(self, node: Node, topic: str, message_type: type, qos: QoSProfile,
                 drop: Callable[[_Shared], None]) -> None:
        self.topic, self.message_type, self.qos = topic, message_type, qos
        self.listeners: tuple[Listener, ...] = ()
        self._node, self._drop, self._refused, self._dropped = node, drop, '', False
        self.ros: Any = None

    def open(self) -> None:
        """Subscribe."""
        self.ros = self._node.create_subscription(
            self.message_type, self.topic, self._on_message, self.qos,
            event_callbacks=subscription_events(
                self._on_change if MATCHED_EVENTS else None, self._on_incompatible))

    def tell_refused(self, listener: Listener) -> None:
        """Tell of a publisher that was refused before and is still there: events come once."""
        if self._refused and any(
                qos_check_compatible(publisher.qos_profile, self.qos)[0] == QoSCompatibility.ERROR
                for publisher in self._node.get_publishers_info_by_topic(self.topic)):
            listener.incompatible(self._refused)

    def drop_unheard(self) -> None:
        """Leave the topic once nobody hears it."""
        if not self._dropped and not self.listeners:
            self._dropped = True
            self._drop(self)

    def _on_message(self, message: Any) -> None:
        taken = Message(message)
        for listener in self.listeners:
            listener.take(taken)

    def _on_change(self) -> None:
        for listener in self.listeners:
            listener.changed()

    def _on_incompatible(self, policy: str) -> None:
        self._refused = policy
        for listener in self.listeners:
            listener.incompatible(policy)
