# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node face_detector with a small predictor, over DDS."""

from __future__ import annotations

from array import array

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from face_depth_ros.nodes.face_detector import FaceDetectorNode
from fake_predictors import color_message, depth_message, FakeDetector, FRAME_ID
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import wait_until
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros


@pytest.fixture
def detector(graph):
    """Return a detector that is ready, with a subscriber of its detections."""
    node = graph.add(FaceDetectorNode, open_detector=FakeDetector)
    graph.advertise(color=Image)
    graph.subscribe(Detection2DArray, 'detections')
    graph.wait_ready('face_detector')
    return node


def test_every_frame_gets_an_array_with_its_stamp_and_frame(graph, detector):
    graph.publish(color=color_message(5, red=160, blue=80))
    message = graph.wait_stamp('detections', 5)
    assert message.header.frame_id == FRAME_ID
    face = message.detections[0]
    assert (face.bbox.center.position.x, face.bbox.center.position.y) == (20.0, 10.0)
    assert face.id == 'f00001'
    graph.publish(color=color_message(6, red=0, blue=0))
    assert graph.wait_stamp('detections', 6).detections == []
    graph.publish(color=color_message(7, red=161, blue=80))
    assert graph.wait_stamp('detections', 7).detections[0].id == 'f00001'


def test_it_works_only_while_somebody_subscribes(graph):
    node = graph.add(FaceDetectorNode, open_detector=FakeDetector)
    graph.advertise(color=Image)
    graph.wait_status('face_detector', lambda s, v: v['state'] == 'active'
                      and s.message == 'idle: nobody subscribes to its outputs')
    topic = graph.topic('color/image_raw')
    assert graph.probe.node.count_subscribers(topic) == 0
    subscription = graph.subscribe(Detection2DArray, 'detections')
    graph.wait_ready('face_detector')
    graph.publish(color=color_message(1))
    graph.wait_stamp('detections', 1)
    graph.probe.unsubscribe(subscription)
    wait_until(lambda: graph.probe.node.count_subscribers(topic) == 0, 'end of the subscription')
    assert not node.inputs[0].is_open


def test_demand_is_polled_where_there_are_no_events(graph):
    graph.add(FaceDetectorNode, open_detector=FakeDetector, matched_events=False)
    graph.advertise(color=Image)
    subscription = graph.subscribe(Detection2DArray, 'detections')
    graph.wait_ready('face_detector')
    graph.publish(color=color_message(1))
    graph.wait_stamp('detections', 1)
    graph.probe.unsubscribe(subscription)
    graph.wait_status('face_detector', lambda _, v: v['wanted'] == 'false')


def test_the_latest_frame_wins_and_drops_are_counted(graph, detector):
    fake = detector._slot.present
    fake.gate.clear()
    for stamp in range(1, 7):
        graph.publish(color=color_message(stamp))
        wait_until(lambda n=stamp: detector.inputs[0].count == n, 'arrival')
        if stamp == 1:
            wait_until(lambda: detector.work.mailbox._busy, 'work')
    fake.gate.set()
    graph.wait_stamp('detections', 6)
    values = graph.wait_status('face_detector', lambda _, v: v['frames.processed'] == '2')
    assert values['frames.dropped'] == '4'
    assert [m.header.stamp.nanosec for m in graph.received('detections')] == [1, 6]


def wrong_step():
    message = color_message(10)
    message.step -= 1
    return message


def wrong_length():
    message = color_message(10)
    message.data = array('B', bytes(message.data)[:-5])
    return message


def zero_sized():
    return Image(header=color_message(10).header, encoding='rgb8')


def unknown_encoding():
    message = color_message(10)
    message.encoding = 'yuv_nonsense'
    return message


@pytest.mark.parametrize('make,cause,text', [
    (zero_sized, 'image_size', 'the image has no pixels: got 0 x 0'),
    (wrong_step, 'image_step', 'is 191 bytes, expected at least 192'),
    (wrong_length, 'image_length', 'has 9211 bytes, expected'),
    (unknown_encoding, 'image_encoding', "encoding 'yuv_nonsense' is not known"),
    (lambda: depth_message(10), 'image_encoding', 'depth encoding 16UC1'),
])
def test_a_bad_image_is_counted_by_cause_and_the_next_good_one_works(graph, detector, make, cause,
                                                                     text):
    graph.publish(color=make())
    values = graph.wait_status('face_detector', lambda s, v: f'count.{cause}' in v
                               and s.level == DiagnosticStatus.WARN)
    assert values[f'count.{cause}'] == '1' and text in values[f'last.{cause}']
    assert graph.probe.statuses[graph.topic('face_detector')].message.startswith(f'{cause}: ')
    graph.publish(color=color_message(11))
    graph.wait_stamp('detections', 11)
    assert len(graph.received('detections')) == 1
    graph.wait_status('face_detector', lambda s, v: s.level == DiagnosticStatus.OK
                      and v['frames.processed'] == '1')


def test_repeated_stamps_are_refused_and_backward_ones_begin_anew(graph, detector):
    for number, stamp in enumerate((10, 20, 20, 30, 10, 20), 1):
        graph.publish(color=color_message(stamp))
        # One that comes while another waits would replace it, and nothing would be repeated.
        wait_until(lambda n=number: detector.inputs[0].count >= n, 'arrival')
        wait_until(lambda: detector.work.mailbox.wait_idle(1.0), 'end of work')
        if stamp != 20:
            wait_until(lambda s=stamp: any(m.header.stamp.nanosec == s
                                           for m in graph.received('detections')), 'answer')
    values = graph.wait_status('face_detector', lambda _, v: v['frames.processed'] == '5')
    assert values['count.stamp_repeated'] == '1' and values['count.stamp_backward'] == '1'
    assert 'has the stamp 20 ns of the one before' in values['last.stamp_repeated']
    got = [m.header.stamp.nanosec for m in graph.received('detections')]
    assert got == [10, 20, 30, 10, 20]
    ids = [m.detections[0].id for m in graph.received('detections')]
    assert ids == ['f00001'] * 3 + ['f00002'] * 2


def test_a_bug_in_the_predictor_costs_one_frame(graph, detector):
    fake = detector._slot.present
    fake.detect, detect = lambda color: 1 / 0, fake.detect
    graph.publish(color=color_message(1))
    values = graph.wait_status('face_detector', lambda _, v: 'count.internal_error' in v)
    assert 'ZeroDivisionError' in values['last.internal_error']
    fake.detect = detect
    graph.publish(color=color_message(2))
    graph.wait_stamp('detections', 2)


def test_a_silent_topic_is_named(graph):
    graph.add(FaceDetectorNode, open_detector=FakeDetector,
              parameter_overrides=[Parameter('silence_timeout', value=0.2)])
    graph.subscribe(Detection2DArray, 'detections')
    topic = graph.topic('color/image_raw')
    graph.wait_status('face_detector', lambda s, v: v['problems'] == 'topic_silent'
                      and f'{topic} has no publisher that fits' in s.message)
    graph.advertise(color=Image)
    graph.wait_status('face_detector', lambda s, _: f'{topic} is silent: no message' in s.message)
    graph.wait_ready('face_detector')
    graph.publish(color=color_message(1))
    graph.wait_stamp('detections', 1)


def test_incompatible_qos_is_named_on_both_sides(graph):
    topic = graph.topic('color/image_raw')
    graph.add(FaceDetectorNode, open_detector=FakeDetector, parameter_overrides=[
        Parameter(f'qos_overrides.{topic}.subscription.reliability', value='reliable')])
    graph.subscribe(Detection2DArray, 'detections')
    graph.probe.spinner.call(lambda: graph.probe.node.create_publisher(
        Image, topic, QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)))
    values = graph.wait_status('face_detector', lambda _, v: 'count.incompatible_qos' in v)
    assert f'qos_overrides.{topic}.subscription.reliability' in values['last.incompatible_qos']
    graph.probe.spinner.call(lambda: graph.probe.node.create_subscription(
        Detection2DArray, graph.topic('detections'), lambda _: None,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)))
    values = graph.wait_status('face_detector', lambda _, v: v['count.incompatible_qos'] == '2')
    assert 'a subscriber of' in values['last.incompatible_qos']


def test_threshold_and_number_of_faces_follow_at_run_time(graph, detector):
    fake = detector._slot.present
    assert (fake.confidence_threshold, fake.max_faces) == (0.25, 16)
    results = graph.spinner.call(lambda: detector.set_parameters([
        Parameter('confidence_threshold', value=0.7), Parameter('max_faces', value=3)]))
    assert all(r.successful for r in results)
    wait_until(lambda: (fake.confidence_threshold, fake.max_faces) == (0.7, 3), 'new settings')
    graph.spinner.call(lambda: detector.set_parameters(
        [Parameter('confidence_threshold', value=0.0)]))
    wait_until(lambda: fake.confidence_threshold == 0.25, "the model's own threshold")
    refused = graph.spinner.call(lambda: detector.set_parameters(
        [Parameter('confidence_threshold', value=1.5)]))
    assert not refused[0].successful and 'range' in refused[0].reason


def test_compressed_colour(graph):
    graph.add(FaceDetectorNode, open_detector=FakeDetector,
              parameter_overrides=[Parameter('color_transport', value='compressed')])
    graph.advertise(compressed_color=CompressedImage)
    graph.subscribe(Detection2DArray, 'detections')
    graph.wait_ready('face_detector')
    header = color_message(9).header
    graph.publish(compressed_color=CompressedImage(header=header, format='jpeg',
                                                   data=array('B', b'garbage')))
    graph.wait_status('face_detector', lambda _, v: v.get('count.image_compression') == '1')
    header.stamp.nanosec = 10
    coded = cv2.imencode('.png', np.full((8, 8, 3), 40, np.uint8))[1]
    graph.publish(compressed_color=CompressedImage(header=header, format='png',
                                                   data=array('B', coded.tobytes())))
    assert graph.wait_stamp('detections', 10).detections[0].bbox.center.position.x == 5.0


def test_a_subscriber_of_other_qos_is_why_nobody_seems_to_subscribe(graph):
    graph.add(FaceDetectorNode, open_detector=FakeDetector)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.probe.spinner.call(lambda: graph.probe.node.create_subscription(
        Detection2DArray, graph.topic('detections'), lambda _: None, latched))
    values = graph.wait_status('face_detector', lambda s, _: (
        s.level == DiagnosticStatus.WARN
        and 'asks for another durability than is offered' in s.message))
    assert values['wanted'] == 'false' and values['problems'] == 'incompatible_qos'


def test_two_cameras_on_one_topic_are_named(graph):
    graph.add(FaceDetectorNode, open_detector=FakeDetector)
    graph.advertise(color=Image)
    graph.probe.spinner.call(lambda: graph.probe.node.create_publisher(
        Image, graph.topic('color/image_raw'), 5))
    graph.subscribe(Detection2DArray, 'detections')
    values = graph.wait_status('face_detector', lambda s, _: (
        s.level == DiagnosticStatus.WARN and 'color/image_raw has 2 publishers' in s.message))
    assert values['problems'] == 'several_publishers'


def test_no_more_images_are_looked_at_than_asked_for(graph, detector):
    result, = graph.spinner.call(lambda: detector.set_parameters([
        Parameter('max_rate', value=10.0)]))
    assert result.successful, result.reason
    wait_until(lambda: detector.settings.max_rate == 10.0, 'the rate')
    period_ns = 33_333_333
    for i in range(10):
        graph.publish(color=color_message(1 + i * period_ns))
        wait_until(lambda n=i: detector.inputs[0].count == n + 1, 'arrival')
        if i % 3 == 0:
            graph.wait_stamp('detections', 1 + i * period_ns)
    assert [m.header.stamp.nanosec for m in graph.received('detections')] == [
        1 + i * period_ns for i in (0, 3, 6, 9)]
    values = graph.wait_status('face_detector', lambda _, v: v['frames.processed'] == '4')
    assert values['skipped_for_rate'] == '6' and values['frames.dropped'] == '0'


def test_a_rate_at_which_tracks_would_break_is_refused(graph, detector):
    refused, = graph.spinner.call(lambda: detector.set_parameters([
        Parameter('max_rate', value=1.0)]))
    assert not refused.successful
    assert refused.reason == 'max_rate is 1, expected 0 (every image) or 5 to 200'
