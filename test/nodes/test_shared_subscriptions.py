# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""One subscription for all who hear a topic: messages, decoding, QoS, errors and the end."""

from __future__ import annotations

import sys
import threading

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.nodes.shared_subscriptions import Message, SharedSubscriptions
from fake_predictors import color_message
import pytest
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from ros_graph import wait_until
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros

RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)


class Ear:
    def __init__(self, error: Exception | None = None) -> None:
        self.messages, self.refused, self.changes, self._error = [], [], 0, error

    def take(self, message: Message) -> None:
        if self._error is not None:
            raise self._error
        self.messages.append(message)

    def incompatible(self, policy: str) -> None:
        self.refused.append(policy)

    def changed(self) -> None:
        self.changes += 1


class Container:
    """What the components of a container have together, without the components."""

    def __init__(self, graph) -> None:
        self.graph, self.failures = graph, []
        node = graph.add(lambda **options: Node('container', **options))
        self.shared = SharedSubscriptions(node, self.failures.append)
        self.topic = graph.topic('color/image_raw')

    def join(self, qos=qos_profile_sensor_data, ear=None):
        ear = ear or Ear()
        return ear, self.shared.join(self.topic, Image, qos, ear)

    def subscribers(self) -> int:
        return self.graph.probe.node.count_subscribers(self.topic)

    def publish(self, stamp: int, *ears: Ear) -> None:
        self.graph.publish(color=color_message(stamp))
        wait_until(lambda: all(e.messages and e.messages[-1].message.header.stamp.nanosec == stamp
                               for e in ears), f'message {stamp}')


@pytest.fixture
def container(graph):
    made = Container(graph)
    yield made
    made.shared.close()


def test_all_hear_each_message_once_by_one_subscription(graph, container):
    graph.advertise(color=Image)
    (first, _), (second, part) = container.join(), container.join()
    wait_until(graph.probe.publishers[container.topic].get_subscription_count, 'a match')
    assert container.subscribers() == 1 and container.shared.topics == (container.topic,)
    assert part.ros.get_publisher_count() == 1
    container.publish(1, first, second)
    container.publish(2, first, second)
    assert len(first.messages) == len(second.messages) == 2
    assert first.messages[0] is second.messages[0]
    assert first.changes and threading.current_thread().name != 'inputs'


def test_who_leaves_hears_no_more_and_the_last_closes_it(graph, container):
    graph.advertise(color=Image)
    (first, part), (second, other) = container.join(), container.join()
    wait_until(graph.probe.publishers[container.topic].get_subscription_count, 'a match')
    container.publish(1, first, second)
    part.leave()
    part.leave()
    container.publish(2, second)
    assert len(first.messages) == 1
    other.leave()
    assert container.shared.topics == ()
    wait_until(lambda: container.subscribers() == 0, 'end of the subscription')
    again, _ = container.join()
    wait_until(graph.probe.publishers[container.topic].get_subscription_count, 'a match')
    container.publish(3, again)


def test_coming_and_going_while_messages_come_breaks_nothing(graph, container):
    graph.advertise(color=Image)
    sending = threading.Event()

    def send():
        while not sending.wait(0.0005):
            graph.publish(color=color_message(1))

    sender = threading.Thread(target=send)
    container.join(RELIABLE)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the threads meet everywhere
    sender.start()
    try:
        for _ in range(1000):
            container.join()[1].leave()
    finally:
        sys.setswitchinterval(before)
        sending.set()
        sender.join()
    last, _ = container.join()
    wait_until(lambda: container.subscribers() == 2, 'the end of all others')
    container.publish(2, last)
    assert container.failures == []


def test_another_qos_is_another_subscription(container):
    container.join()
    _, part = container.join(RELIABLE)
    wait_until(lambda: container.subscribers() == 2, 'two subscriptions')
    part.leave()
    wait_until(lambda: container.subscribers() == 1, 'one subscription')


def test_who_comes_later_is_told_of_a_refused_publisher_while_it_is_there(graph, container):
    wanted = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
    publisher = graph.probe.spinner.call(lambda: graph.probe.node.create_publisher(
        Image, container.topic, qos_profile_sensor_data))
    first, _ = container.join(wanted)
    wait_until(lambda: first.refused == ['reliability'], 'event')
    assert container.join(wanted)[0].refused == ['reliability']
    graph.probe.spinner.call(lambda: graph.probe.node.destroy_publisher(publisher))
    wait_until(lambda: graph.probe.node.count_publishers(container.topic) == 0, 'its end')
    assert container.join(wanted)[0].refused == []


def test_what_a_listener_raises_is_handed_on(graph, container):
    graph.advertise(color=Image)
    container.join(ear=Ear(ValueError('a bug')))
    wait_until(graph.probe.publishers[container.topic].get_subscription_count, 'a match')
    graph.publish(color=color_message(1))
    wait_until(lambda: [str(e) for e in container.failures] == ['a bug'], 'the error')


def test_a_message_is_decoded_once_whoever_asks():
    calls = []

    def decoder(message):
        calls.append(message)
        return [message]

    message = Message('x')
    found = []
    threads = [threading.Thread(target=lambda: found.append(message.decode(decoder)))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == ['x'] and all(one is found[0] for one in found)
    assert message.decode(str.upper) == 'X'


def test_a_message_that_cannot_be_decoded_says_so_to_each():
    def decoder(_message):
        raise InvalidImageError('broken')

    message = Message('x')
    for _ in range(2):
        with pytest.raises(InvalidImageError, match='broken'):
            message.decode(decoder)
