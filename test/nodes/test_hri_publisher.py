# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node hri_publisher: what REP-155 asks for, under which names and stamps."""

from __future__ import annotations

import math
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.expression_labels import EXPRESSIONS, HRI_EXPRESSIONS, VALENCE_AROUSAL
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Expression
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from face_depth_ros.nodes.expression_messages import (
    EXPRESSION_FRAMES,
    ExpressionFrame,
    expressions_to_message,
    FACE_EXPRESSION,
    face_expression_to_message,
    FaceExpression,
)
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.headers import header_of, stamp_of
from face_depth_ros.nodes.hri_messages import (
    FaceRegion,
    region_to_message,
    tracked_from_message,
    tracked_to_message,
    TrackedFaces,
)
from face_depth_ros.nodes.hri_publisher import HriPublisherNode
from face_depth_ros.nodes.inside_topics import EstimateFrame, ESTIMATES, ESTIMATES_TOPIC
from face_depth_ros.nodes.landmark_messages import FaceLandmarks, landmarks_to_message
from fake_predictors import info_message
from hri_msgs.msg import (
    Expression as ExpressionMessage,
)
from hri_msgs.msg import (
    FacialLandmarks,
    IdsList,
    NormalizedRegionOfInterest2D,
)
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
from rclpy.parameter import Parameter
from recognizer_graph import Scene
from ros_graph import wait_until
from sensor_msgs.msg import CameraInfo
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray

pytestmark = pytest.mark.ros

NAME = 'hri_publisher'
FRAME = 'camera_color_optical_frame'
STEP = 10**8
INPUTS = {'detections': Detection2DArray, 'color/camera_info': CameraInfo}
ADA = Detection(FaceBox(100.0, 120.0, 80.0), 0.9, track_id='f00001')
BO = Detection(FaceBox(220.0, 100.0, 60.0), 0.8, track_id='f00002')


def said(detection: Detection, label: str, probability: float = 0.7,
         **changes: Any) -> Expression:
    """Return an expression; the rest of the probability goes to neutral."""
    probabilities = np.zeros(7, np.float32)
    probabilities[EXPRESSIONS.index('neutral')] = 1.0 - probability
    probabilities[EXPRESSIONS.index(label)] += probability
    return Expression(detection, probabilities, label, **changes)


class Robot:
    """The node, a camera before it, and somebody who listens."""

    def __init__(self, graph: Any) -> None:
        self.graph, self.stamp, self.node = graph, 0, None

    def start(self, inputs=tuple(INPUTS), exchange=None, **overrides):
        graph = self.graph
        reliable = [Parameter(f'qos_overrides.{graph.topic(t)}.subscription.reliability',
                              value='reliable') for t in (*INPUTS, 'expressions')]
        settings = {'prefix': graph.topic('humans'), 'silence_timeout': 60.0, **overrides}
        self.node = graph.add(HriPublisherNode, exchange=exchange, parameter_overrides=[
            *(Parameter(k, value=v) for k, v in settings.items()), *reliable])
        for topic in inputs:
            graph.probe.publisher(INPUTS[topic], graph.topic(topic))
        graph.subscribe(IdsList, 'humans/faces/tracked')
        graph.wait_ready(NAME)
        wait_until(lambda: graph.spinner.call(lambda: self.node._tracked.demand), 'listener')
        return self

    def send(self, *faces: Detection) -> int:
        """Publish detections, with the calibration before them, and return the stamp."""
        self.stamp += STEP
        for topic, message in (('color/camera_info', info_message(self.stamp, 320, 240)),
                               ('detections', detections_to_message(DetectionFrame(
                                   self.stamp, FRAME, faces)))):
            publisher = self.graph.probe.publishers.get(self.graph.topic(topic))
            if publisher is not None:
                before = {i.topic: i.count for i in self.node.inputs}
                publisher.publish(message)
                name = self.graph.topic(topic)
                wait_until(lambda t=name, b=before: all(
                    i.count > b[t] for i in self.node.inputs if i.topic == t), topic)
        return self.stamp

    def show(self, *faces: Detection) -> list[str]:
        """Publish detections and return whom the node calls tracked."""
        answer = self.graph.wait_stamp('humans/faces/tracked', self.send(*faces))
        assert answer.header.frame_id == FRAME
        return list(answer.ids)

    def listen(self, kind: type, track: str, name: str) -> str:
        """Listen to a topic of a face that is in view, until the node knows."""
        topic = f'humans/faces/{track}/{name}'
        self.graph.subscribe(kind, topic)
        output = {'roi': self.node._regions, 'landmarks': self.node._landmarks,
                  'expression': self.node._expressions}[name]
        wait_until(lambda: track in output.tracks, 'topic of the face')
        wait_until(lambda: self.graph.spinner.call(lambda: output._present()[track].demand),
                   'listener')
        return topic

    def status(self, matches=lambda _s, _v: True):
        return self.graph.wait_status(NAME, matches)


@pytest.fixture
def robot(graph):
    return Robot(graph)


def test_the_region_is_the_upright_rectangle_around_the_box_within_the_image():
    box = FaceBox(100.0, 60.0, 40.0, math.pi / 4)
    roi = region_to_message(FaceRegion(7, FRAME, 200, 80, Detection(box, 0.5)))
    half = 20.0 * math.sqrt(2.0)
    assert (roi.xmin, roi.xmax) == pytest.approx(((100 - half) / 200, (100 + half) / 200))
    assert (roi.ymin, roi.ymax) == pytest.approx(((60 - half) / 80, 1.0)), 'cut off below'
    assert roi.c == pytest.approx(0.5) and stamp_of(roi.header) == 7


def test_ids_go_there_and_back():
    tracked = TrackedFaces(5, FRAME, ('f00001', 'f00007'))
    assert tracked_from_message(tracked_to_message(tracked)) == tracked


@pytest.mark.parametrize(('ours', 'theirs'), list(
    zip(EXPRESSIONS, HRI_EXPRESSIONS, strict=True)))
def test_expressions_have_the_names_of_hri_msgs(ours, theirs):
    message = face_expression_to_message(FaceExpression(
        9, FRAME, said(ADA, ours, valence=-0.25, arousal=0.5)))
    assert message.expression == theirs == getattr(ExpressionMessage, theirs.upper())
    assert (message.valence, message.arousal, stamp_of(message.header)) == (-0.25, 0.5, 9)
    assert message.confidence == pytest.approx(1.0 if ours == 'neutral' else 0.7)
    with pytest.raises(FaceDepthError, match='not read'):
        FACE_EXPRESSION.from_message(message)


def test_tracked_is_published_for_every_frame_and_empty_when_nobody_is_there(robot):
    robot.start()
    assert robot.show() == []
    assert robot.show(BO, ADA) == ['f00001', 'f00002'], 'largest first'
    assert robot.show(BO) == ['f00002']
    assert robot.show() == []
    messages = robot.graph.received('humans/faces/tracked')
    assert [stamp_of(m.header) for m in messages] == [STEP, 2 * STEP, 3 * STEP, 4 * STEP]


def test_global_names_whatever_the_namespace(graph):
    node = graph.add(HriPublisherNode)
    assert [o.topic for o in node.outputs] == ['/humans/faces/tracked'] + [
        f'/humans/faces/<track id>/{name}' for name in ('roi', 'landmarks', 'expression')]


def test_only_ids_that_can_be_topics_and_the_largest_of_many(robot):
    robot.start(max_faces=1)
    assert robot.show(ADA, BO) == ['f00001']
    odd = Detection(FaceBox(200.0, 100.0, 90.0), 0.9, track_id='1/2')
    assert robot.show(odd, BO) == ['f00002']
    robot.status(lambda _, v: v.get('count.track_id') == '1' and v['tracked'] == 'f00002')
    wait_until(lambda: 'f00002' in robot.node._regions.tracks, 'topic of the face')
    assert '1/2' not in robot.node._regions.tracks


def test_regions_by_topics_that_stay(robot):
    robot.start(keep_seconds=1.0)
    robot.show(ADA)
    topic = robot.listen(NormalizedRegionOfInterest2D, 'f00001', 'roi')
    publisher = robot.node._regions._present()['f00001']
    for faces in ((ADA,), (), (), (ADA,)):
        robot.show(*faces)
    roi = robot.graph.wait_stamp(topic, robot.stamp)
    assert (roi.xmin, roi.ymin, roi.xmax, roi.ymax) == pytest.approx(
        (60 / 320, 80 / 240, 140 / 320, 160 / 240))
    assert roi.c == pytest.approx(0.9) and roi.header.frame_id == FRAME
    assert [stamp_of(m.header) for m in robot.graph.received(topic)] == [2 * STEP, 5 * STEP]
    assert robot.node._regions._present()['f00001'] is publisher, 'kept while out of view'
    wait_until(lambda: 'f00001' not in robot.node._regions.tracks, 'end of the topic')


def test_expressions_are_listened_to_only_for_somebody(robot):
    robot.start()
    robot.show(ADA, BO)
    graph, expressions = robot.graph, robot.node._expression_input
    assert not expressions.is_open
    graph.probe.publisher(Detection2DArray, graph.topic('expressions'))
    topic = robot.listen(ExpressionMessage, 'f00001', 'expression')
    wait_until(lambda: graph.spinner.call(lambda: expressions.publishers), 'expressions')
    robot.show(ADA, BO)
    even = Expression(BO, np.full(7, 1 / 7, np.float32), 'neutral', cause='no_estimate')
    graph.probe.publish(graph.topic('expressions'), expressions_to_message(ExpressionFrame(
        robot.stamp, FRAME, (said(ADA, 'fear'), even))))
    message = graph.wait_stamp(topic, robot.stamp)
    valence, arousal = 0.7 * np.array(VALENCE_AROUSAL[EXPRESSIONS.index('fear')])
    assert message.expression == 'scared' and message.confidence == pytest.approx(0.7)
    assert (message.valence, message.arousal) == pytest.approx((valence, arousal))
    other = robot.listen(ExpressionMessage, 'f00002', 'expression')
    robot.show(BO)
    graph.probe.publish(graph.topic('expressions'), expressions_to_message(ExpressionFrame(
        robot.stamp, FRAME, (said(ADA, 'fear'), said(BO, 'happiness')))))
    assert graph.wait_stamp(other, robot.stamp).expression == 'happy'
    assert len(graph.received(topic)) == 1, 'of a face that is gone nothing is told'
    assert len(graph.received(other)) == 1, 'nothing where nothing could be seen'


def test_inside_a_container_valence_and_landmarks_come_by_reference(robot):
    exchange = Exchange()
    graph, scene = robot.graph, Scene(1)

    def offer(topic, adapter):
        return exchange.advertise(graph.topic(topic), adapter.type_name, lambda: None)

    expressions = offer('expressions', EXPRESSION_FRAMES)
    estimates = offer(ESTIMATES_TOPIC, ESTIMATES)
    robot.start(exchange=exchange)
    face = scene.detections[0]
    robot.show(face)
    topics = [robot.listen(ExpressionMessage, 'f00001', 'expression'),
              robot.listen(FacialLandmarks, 'f00001', 'landmarks')]
    wait_until(lambda: expressions.subscriptions and estimates.subscriptions, 'listening')
    robot.show(face)
    expressions.deliver(ExpressionFrame(robot.stamp, FRAME, (
        said(face, 'surprise', valence=0.9, arousal=-0.8),)))
    estimates.deliver(EstimateFrame(robot.stamp, FRAME, scene.estimated))
    message = graph.wait_stamp(topics[0], robot.stamp)
    assert message.expression == 'surprised'
    assert (message.valence, message.arousal) == pytest.approx((0.9, -0.8))
    points = graph.wait_stamp(topics[1], robot.stamp)
    assert (points.width, points.height) == (320, 240)
    nose = scene.estimated.faces[0].landmarks[30]
    place = points.landmarks[FacialLandmarks.NOSE]
    assert (320 * place.x, 240 * place.y) == pytest.approx(tuple(nose), abs=1e-3)
    assert robot.node.landmark_inputs.tracks == ()
    robot.status(lambda _, v: v['landmarks_from'] == 'inside')


def test_landmarks_of_another_process_come_by_their_topics(robot):
    robot.start(inputs=('detections',))
    graph = robot.graph
    robot.show(ADA)
    topic = robot.listen(FacialLandmarks, 'f00001', 'landmarks')
    regions = robot.listen(NormalizedRegionOfInterest2D, 'f00001', 'roi')
    publisher = graph.probe.publisher(FacialLandmarks, graph.topic('landmarks/f00001'))
    wait_until(publisher.get_subscription_count, 'subscription')
    robot.show(ADA)
    values = robot.status(lambda s, v: 'count.image_size' in v
                          and s.level == DiagnosticStatus.WARN)
    assert values['problems'] == 'image_size'
    assert values['landmarks_from'] == 'topics' and not graph.received(regions)
    face = FaceLandmarks(robot.stamp, FRAME, 320, 240, np.full((68, 2), 60.0, np.float32),
                         np.ones(68, np.float32))
    publisher.publish(landmarks_to_message(face))
    points = graph.wait_stamp(topic, robot.stamp)
    assert points.landmarks[5].y == pytest.approx(0.25)
    robot.show(ADA)
    assert graph.wait_stamp(regions, robot.stamp).xmax == pytest.approx(140 / 320), (
        'landmarks have told how large the image is')
    robot.show()
    wait_until(lambda: robot.node.landmark_inputs.tracks == (), 'end of listening')


def test_messages_that_cannot_be_used_are_counted_and_the_next_ones_go_on(robot):
    robot.start()
    graph = robot.graph
    broken = Detection2DArray(header=header_of(STEP, FRAME), detections=[
        Detection2D(id='f00001', bbox=BoundingBox2D(size_x=3.0, size_y=3.0))])
    graph.probe.publish(graph.topic('detections'), broken)
    robot.status(lambda s, v: v.get('count.detection_without_result') == '1'
                 and s.level == DiagnosticStatus.WARN)
    robot.stamp = STEP
    assert robot.show(ADA) == ['f00001']
    robot.stamp = 0
    assert robot.send(ADA) == STEP, 'a bag that starts over'
    graph.wait_stamp('humans/faces/tracked', STEP)


def test_calibration_alone_is_no_frame(robot):
    robot.start()
    graph = robot.graph
    for stamp in range(1, 6):
        graph.publish(color_info=info_message(stamp, 320, 240))
    topic = graph.topic('color/camera_info')
    values = robot.status(lambda _, v: '5 received' in v[f'input.{topic}'])
    assert values['frames.processed'] == '0'
    robot.show(ADA)
    robot.status(lambda _, v: v['frames.processed'] == '1')


def test_nobody_is_tracked_once_detections_end(robot):
    robot.start(silence_timeout=0.5)
    robot.show(ADA)
    graph = robot.graph
    graph.probe.wait_message(graph.topic('humans/faces/tracked'),
                             lambda m: not m.ids and stamp_of(m.header) > STEP)
    robot.status(lambda s, v: 'topic_silent' in s.message and v['tracked'] == '')


def test_a_node_that_is_deactivated_says_that_nobody_is_tracked(robot):
    robot.start()
    robot.show(ADA)
    graph = robot.graph

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert graph.probe.call(ChangeState, graph.topic(f'{NAME}/change_state'),
                                request).success

    change(Transition.TRANSITION_DEACTIVATE)
    graph.probe.wait_message(graph.topic('humans/faces/tracked'), lambda m: not m.ids)
    wait_until(lambda: not robot.node._regions.tracks, 'end of the topics')
    assert not any(i.is_open for i in robot.node.inputs)
    change(Transition.TRANSITION_CLEANUP)
    change(Transition.TRANSITION_CONFIGURE)
    change(Transition.TRANSITION_ACTIVATE)
    graph.wait_ready(NAME)
    assert robot.show(ADA, BO) == ['f00001', 'f00002']


def test_two_that_publish_on_one_prefix_are_named(robot):
    robot.start()
    robot.graph.probe.publisher(IdsList, robot.graph.topic('humans/faces/tracked'))
    wait_until(lambda: robot.node._others, 'the other publisher')
    robot.show(ADA)
    robot.status(lambda s, v: 'tracked_by_others' in s.message
                 and s.level == DiagnosticStatus.WARN)
