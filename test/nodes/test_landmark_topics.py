# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The topics landmarks/<track id>: who has one, how long, and that listening wakes the node."""

from __future__ import annotations

from estimator_graph import add_estimator, answer, face, INPUTS, NAME, send, set_parameter
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.landmark_messages import FaceLandmarks
from face_depth_ros.nodes.landmark_outputs import AWAY_S, LandmarkFrame, LandmarkOutputs
from fake_predictors import FakeEstimator
from hri_msgs.msg import FacialLandmarks
import numpy as np
import pytest
from ros_graph import wait_until


class FakeTopic:
    """An output that notes what happens to it."""

    def __init__(self, topic):
        self.topic, self.sent, self.closed = f'/ns/{topic}', [], False
        self.demand, self.messages_sent = 1, 0

    def encode(self, value):
        return f'message of {value.stamp_ns}'

    def send(self, value, message):
        assert not self.closed
        self.sent.append(message)
        self.messages_sent += 1

    def close(self):
        self.closed = True


class FakeGraph:
    """The part of a node that is asked who listens."""

    def __init__(self):
        self.subscribers = {}

    def resolve_topic_name(self, name):
        return f'/ns/{name}'

    def get_topic_names_and_types(self):
        return [(topic, []) for topic in ('/ns/mask', *self.subscribers)]

    def count_subscribers(self, topic):
        return self.subscribers[topic]


class Topics(LandmarkOutputs):
    """Landmark topics whose executor runs when it is asked to."""

    def __init__(self, limit=3):
        self.now, self.limit, self.counted, self.demands = 0.0, limit, [], 0
        self.opened, self.tasks, self.graph = {}, [], FakeGraph()

        class Health:
            count = staticmethod(lambda cause, text, **how: self.counted.append((cause, how)))

        def on_demand():
            self.demands += 1

        super().__init__(self.graph, self.open_topic, health=Health, on_demand=on_demand,
                         on_executor=self.tasks.append, limit=lambda: self.limit,
                         clock=lambda: self.now)

    def open_topic(self, topic):
        assert topic not in self.opened or self.opened[topic].closed
        self.opened[topic] = FakeTopic(topic)
        return self.opened[topic]

    def publish(self, stamp, *tracks):
        faces = {t: FaceLandmarks(stamp, '', 8, 8, np.zeros((68, 2)), np.zeros(68))
                 for t in tracks}
        frame = LandmarkFrame(stamp, '', faces)
        self.send(frame, self.encode(frame))

    def run(self):
        while self.tasks:
            self.tasks.pop()()


def test_a_face_has_its_topic_as_long_as_it_is_in_view():
    topics = Topics()
    topics.publish(1, 'f00001')
    assert topics.tracks == ()
    topics.run()
    topics.publish(2, 'f00001', 'f00002')
    topics.run()
    topics.publish(3, 'f00001', 'f00002')
    assert not topics.tasks, 'nothing changes any more'
    assert topics.opened['landmarks/f00001'].sent == ['message of 2', 'message of 3']
    assert topics.opened['landmarks/f00002'].sent == ['message of 3']
    assert (topics.demand, topics.messages_sent) == (2, 3)
    assert topics.topic == '/ns/landmarks/<track id>'


def test_a_topic_is_closed_once_its_face_has_been_away():
    topics = Topics()
    for stamp in range(4):
        topics.now = stamp * 0.9 * AWAY_S
        topics.publish(stamp, 'f00001', *(['f00002'] if stamp == 0 else []))
        topics.run()
        topics.look()
    assert topics.tracks == ('f00001',)
    assert topics.opened['landmarks/f00002'].closed
    assert not topics.opened['landmarks/f00001'].closed
    assert topics.messages_sent == 3
    topics.now += 1.1 * AWAY_S
    topics.look()
    assert topics.tracks == () and topics.messages_sent == 3


def test_there_are_never_more_topics_than_the_limit():
    topics = Topics(limit=2)
    for stamp, tracks in enumerate((('a', 'b'), ('b', 'c'), ('c', 'd'))):
        topics.now = float(stamp)
        topics.publish(stamp, *tracks)
        topics.run()
        assert topics.tracks == tracks
    assert topics.opened['landmarks/a'].closed
    topics.limit = 1
    topics.look()
    assert len(topics.tracks) == 1


@pytest.mark.parametrize('track', ['', '1', 'ü', 'a/b', '{node}', '~', 'a b', 'y' * 65])
def test_a_track_id_that_is_no_name_gets_no_topic(track):
    topics = Topics()
    topics.publish(1, track, 'f00001')
    topics.run()
    assert topics.tracks == ('f00001',)
    assert topics.counted == [('track_id', {'problem': False})]


def test_whoever_listens_to_a_face_to_come_counts():
    topics = Topics()
    topics.look()
    assert topics.demand == 0 and topics.demands == 0
    topics.graph.subscribers['/ns/landmarks/f00007'] = 2
    topics.look()
    topics.look()
    assert topics.demand == 2 and topics.demands == 1
    topics.graph.subscribers['/ns/landmarks/f00007'] = 0
    topics.look()
    assert topics.demand == 0 and topics.demands == 2


def test_closed_for_good_nothing_opens_any_more():
    topics = Topics()
    topics.publish(1, 'f00001')
    topics.run()
    topics.publish(2, 'f00002')
    topics.close()
    topics.run()
    topics.publish(3, 'f00001')
    topics.run()
    topics.look()
    assert topics.tracks == () and topics.opened['landmarks/f00001'].closed
    assert list(topics.opened) == ['landmarks/f00001']


@pytest.mark.ros
def test_each_face_has_a_topic_of_its_own(graph):
    node = add_estimator(graph)
    faces = (face(), face(10.0, 10.0, 8.0, track='f00002'), face(50.0, 40.0, 6.0, track=''))
    send(graph, 5, *faces)
    answer(graph, 5)
    wait_until(lambda: set(node._landmarks.tracks) == {'f00001', 'f00002'}, 'topics')
    names = {f'landmarks/f0000{i}' for i in (1, 2)}
    for name in names:
        graph.subscribe(FacialLandmarks, name)
    wait_until(lambda: node._landmarks.demand == 2, 'demand')
    send(graph, 6, *faces)
    right, left = (graph.wait_stamp(name, 6) for name in sorted(names))
    assert (right.width, right.height) == (64, 48)
    assert (right.landmarks[0].x, right.landmarks[0].y) == pytest.approx((40 / 64, 24 / 48))
    assert (left.landmarks[0].x, left.landmarks[0].y) == pytest.approx((14 / 64, 10 / 48))
    assert [p.c for p in right.landmarks[:68]] == pytest.approx(np.linspace(0, 1, 68), abs=1e-6)
    assert set_parameter(graph, 'max_faces', 1).successful
    wait_until(lambda: len(node._landmarks.tracks) == 1, 'one topic')
    wait_until(lambda: not node._landmarks.tracks, 'the faces are away')
    send(graph, 7, *faces)
    answer(graph, 7)
    wait_until(lambda: node._landmarks.tracks == ('f00001',), 'the larger face')


@pytest.mark.ros
def test_a_listener_alone_wakes_the_node_and_gets_its_face(graph):
    node = graph.add(DepthEstimatorNode, open_estimator=FakeEstimator)
    graph.advertise(**INPUTS)
    listener = graph.subscribe(FacialLandmarks, 'landmarks/f00001')
    graph.wait_ready(NAME)
    topic = graph.topic('landmarks/f00001')
    for stamp in range(1, 500):
        send(graph, stamp)
        wait_until(lambda n=stamp: node.health.report().frames >= n, 'a frame')
        if graph.probe.received[topic]:
            break
    assert graph.probe.received[topic]
    graph.probe.unsubscribe(listener)
    graph.wait_status(NAME, lambda _, v: v['wanted'] == 'false')
    assert all(i.source == 'closed' for i in node.inputs)
    graph.spinner.remove(node)
    assert not [t for t, _ in graph.probe.node.get_topic_names_and_types()
                if t.startswith(graph.topic('landmarks/')) and graph.probe.node.count_publishers(
                    t)]
