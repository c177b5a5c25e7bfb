# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node depth_estimator with a small predictor, over DDS."""

from __future__ import annotations

import threading

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from estimator_graph import (
    add_estimator,
    answer,
    face,
    faces_message,
    INPUTS,
    NAME,
    OUTPUTS,
    painted,
    send,
    set_parameter,
)
from face_depth_ros.core.face_photo import MASK_LABELS, MASK_RGB
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.nodes.mask_messages import LATCHED
from fake_predictors import color_message, depth_message, FakeEstimator, FRAME_ID, info_message
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from ros_graph import wait_until
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray, LabelInfo

pytestmark = pytest.mark.ros


def test_the_whole_set_comes_with_stamp_and_frame_of_the_colour_image(graph):
    add_estimator(graph)
    send(graph, 5, face(), face(10.0, 10.0, 8.0, track='f00002'))
    got = answer(graph, 5)
    for topic in OUTPUTS:
        assert graph.wait_stamp(topic, 5).header.frame_id == FRAME_ID
    faces = painted() | painted(8, 10, 10)
    np.testing.assert_allclose(got['depth_estimated/image_raw'],
                               np.where(faces, np.float32(0.7), np.nan), rtol=1e-6)
    np.testing.assert_allclose(got['depth_estimated/uncertainty'],
                               np.where(faces, np.float32(0.01), np.nan), rtol=1e-6)
    np.testing.assert_array_equal(got['mask'], faces)
    assert got['depth_estimated/camera_info'].k.tolist() == info_message(5).k.tolist()
    assert graph.received('depth_estimated/image_raw')[0].encoding == '32FC1'
    assert graph.received('mask')[0].encoding == 'mono8'
    values = graph.wait_status(NAME, lambda s, v: v['frames.processed'] == '1'
                               and s.level == DiagnosticStatus.OK)
    assert values['model'] == 'ours' and values['sensor_depth'] == 'used'


def test_millimetres_are_rounded_and_0_where_nothing_is(graph):
    add_estimator(graph, encoding='16UC1')
    for stamp, measured_mm, expected in ((5, 700.4, 700), (6, 700.6, 701)):
        send(graph, stamp, depth=depth_message(stamp, measured_mm, '32FC1'))
        np.testing.assert_array_equal(answer(graph, stamp)['depth_estimated/image_raw'],
                                      np.where(painted(), expected, 0))
    assert {m.encoding for m in graph.received('depth_estimated/image_raw')} == {'16UC1'}
    assert graph.received('depth_estimated/uncertainty')[0].encoding == '32FC1'


def test_nobody_there_gives_an_empty_frame(graph):
    add_estimator(graph)
    send(graph, 5, detections=faces_message(5))
    got = answer(graph, 5)
    assert np.isnan(got['depth_estimated/image_raw']).all()
    assert np.isnan(got['depth_estimated/uncertainty']).all()
    assert not got['mask'].any()


def test_only_what_is_subscribed_becomes_a_message(graph):
    node = graph.add(DepthEstimatorNode, open_estimator=FakeEstimator)
    graph.advertise(**INPUTS)
    graph.subscribe(Image, 'mask')
    graph.wait_ready(NAME)
    send(graph, 5)
    graph.wait_stamp('mask', 5)
    assert {o.topic.removeprefix(graph.topic('')): o.messages_sent for o in node.outputs} == {
        'depth_estimated/image_raw': 0, 'depth_estimated/camera_info': 0,
        'depth_estimated/uncertainty': 0, 'mask': 1, 'mask/color': 0, 'landmarks/<track id>': 0}


def test_nothing_is_listened_to_while_nobody_wants_anything(graph):
    node = graph.add(DepthEstimatorNode, open_estimator=FakeEstimator)
    graph.probe.spinner.call(lambda: graph.probe.node.create_subscription(
        LabelInfo, graph.topic('mask/label_info'), lambda _: None, LATCHED))
    graph.wait_status(NAME, lambda _, v: v['state'] == 'active' and v['wanted'] == 'false')
    assert [i.source for i in node.inputs] == ['closed'] * 4
    wait_until(lambda: graph.probe.statuses.pop(graph.topic(NAME), None), 'the next status')
    wait_until(lambda: graph.probe.statuses.get(graph.topic(NAME)), 'the one after it')
    assert 'depth' in node._join.awaited, 'depth is expected until it is known that none comes'


def test_whoever_comes_later_still_gets_the_names_of_the_labels(graph):
    add_estimator(graph)
    send(graph, 5)
    answer(graph, 5)
    topic = graph.topic('mask/label_info')
    graph.probe.spinner.call(lambda: graph.probe.node.create_subscription(
        LabelInfo, topic, graph.probe.received[topic].append, LATCHED))
    info = graph.probe.wait_message(topic)
    assert [(c.class_id, c.class_name) for c in info.class_map] == list(enumerate(MASK_LABELS))


def test_the_mask_in_colours_is_made_on_demand(graph):
    node = add_estimator(graph)
    send(graph, 5)
    answer(graph, 5)
    graph.subscribe(Image, 'mask/color')
    wait_until(lambda: node._color_mask.demand, 'demand')
    send(graph, 6)
    message = graph.wait_stamp('mask/color', 6)
    assert message.encoding == 'rgb8'
    picture = np.frombuffer(message.data, np.uint8).reshape(48, 64, 3)
    expected = np.where(painted()[..., None], MASK_RGB[1], MASK_RGB[0])
    np.testing.assert_array_equal(picture, expected)
    assert [stamp_of(m.header) for m in graph.received('mask/color')] == [6]


def test_all_faces_of_a_frame_go_through_in_one_call(graph):
    node = add_estimator(graph, max_faces=2)
    sides = (8.0, 20.0, 6.0, 12.0)
    send(graph, 5, *(face(side=s, track=f'f{int(s):05d}') for s in sides))
    answer(graph, 5)
    (_, detections, intrinsics, depth), = node._slot.present.calls
    assert [d.box.side for d in detections] == [20.0, 12.0]
    assert intrinsics.fx == 60.0
    np.testing.assert_allclose(depth, 0.7, rtol=1e-6)
    values = graph.wait_status(NAME, lambda s, v: 'count.max_faces' in v
                               and s.level == DiagnosticStatus.OK)
    assert 'the 2 largest of 4 faces are estimated' in values['last.max_faces']
    assert set_parameter(graph, 'max_faces', 3).successful
    wait_until(lambda: node.settings.max_faces == 3, 'parameter')
    send(graph, 6, *(face(side=s) for s in sides))
    answer(graph, 6)
    assert len(node._slot.present.calls[1][1]) == 3


def test_threshold_and_crop_follow_at_run_time_without_another_engine(graph):
    node = add_estimator(graph, confidence_threshold=0.3)
    estimator = node._slot.present
    assert estimator.settings == {
        'model': 'ours', 'backend': 'auto', 'precision': 'auto', 'confidence_threshold': 0.3,
        'crop': 'box'}
    for name, value in (('confidence_threshold', 0.8), ('crop', 'dynamic')):
        assert set_parameter(graph, name, value).successful
        wait_until(lambda n=name, v=value: getattr(estimator, n) == v, name)
    assert node._slot.present is estimator
    refused = set_parameter(graph, 'crop', 'tight')
    assert not refused.successful and 'expected one of box, dynamic' in refused.reason


def test_a_dynamic_crop_without_depth_is_said(graph):
    add_estimator(graph, crop='dynamic')
    send(graph, 5, depth=None)
    answer(graph, 5)
    values = graph.wait_status(NAME, lambda _, v: 'count.dynamic_crop' in v)
    assert 'cropped by the boxes of their detections' in values['last.dynamic_crop']
    send(graph, 6)
    answer(graph, 6)
    graph.wait_status(NAME, lambda s, v: s.level == DiagnosticStatus.OK
                      and v['count.dynamic_crop'] == '1')


def test_ready_means_that_all_who_publish_are_heard(graph):
    depth = graph.topic('depth/image_raw')
    graph.add(DepthEstimatorNode, open_estimator=FakeEstimator, parameter_overrides=[
        Parameter(f'qos_overrides.{depth}.subscription.reliability', value='reliable')])
    unheard = graph.probe.spinner.call(lambda: graph.probe.node.create_publisher(
        Image, depth, qos_profile_sensor_data))
    graph.advertise(color=Image, detections=Detection2DArray)
    graph.subscribe(Image, 'mask')
    graph.wait_status(NAME, lambda _, v: v['wanted'] == 'true' and v['ready'] == 'false'
                      and '1 publisher(s)' in v[f'input.{graph.topic("color/image_raw")}']
                      and '1 publisher(s)' in v[f'input.{graph.topic("detections")}']
                      and 'count.incompatible_qos' in v)
    graph.probe.spinner.call(lambda: graph.probe.node.destroy_publisher(unheard))
    graph.wait_ready(NAME)


def test_a_looping_bag_goes_on(graph):
    add_estimator(graph)
    for stamp in (10, 20, 30, 10, 20):
        before = len(graph.received('mask'))
        send(graph, stamp)
        wait_until(lambda n=before: len(graph.received('mask')) > n, 'answer')
    assert [stamp_of(m.header) for m in graph.received('mask')] == [10, 20, 30, 10, 20]
    values = graph.wait_status(NAME, lambda _, v: v['frames.processed'] == '5')
    assert values['count.stamp_backward'] == '1'


def test_the_model_changes_without_losing_a_frame(graph, monkeypatch):
    monkeypatch.setattr('face_depth_ros.nodes.depth_estimator.find_estimator', lambda name: None)
    opened, gate = [], threading.Event()

    def open_estimator(**settings):
        if settings['model'] == 'depthnet':
            assert gate.wait(30.0)
        opened.append(FakeEstimator(**settings))
        return opened[-1]

    node = add_estimator(graph, open_estimator=open_estimator)
    labels = []
    for stamp in range(1, 31):
        if stamp == 10:
            assert set_parameter(graph, 'model', 'depthnet').successful
        if stamp == 20:
            gate.set()
            wait_until(lambda: node._slot.present.settings['model'] == 'depthnet', 'new model')
        send(graph, stamp)
        labels.append(int(answer(graph, stamp)['mask'].max()))
    assert labels == [1] * 19 + [2] * 11
    assert opened[0].closed and not opened[1].closed
    values = graph.wait_status(NAME, lambda _, v: v['frames.processed'] == '30')
    assert values['frames.dropped'] == '0' and values['model'] == 'depthnet'


def test_compressed_images(graph):
    node = graph.add(DepthEstimatorNode, open_estimator=FakeEstimator, parameter_overrides=[
        Parameter('color_transport', value='compressed'),
        Parameter('depth_transport', value='compressedDepth')])
    graph.advertise(compressed_color=CompressedImage, compressed_depth=CompressedImage,
                    color_info=CameraInfo, detections=Detection2DArray)
    graph.subscribe(Image, 'depth_estimated/image_raw')
    graph.wait_ready(NAME)
    color = cv2.imencode('.png', np.full((48, 64, 3), (30, 20, 10), np.uint8))[1].tobytes()
    depth = cv2.imencode('.png', np.full((48, 64), 900, np.uint16))[1].tobytes()
    header = color_message(5).header
    send(graph, 5, color=None, depth=None,
         compressed_color=CompressedImage(header=header, format='png', data=color),
         compressed_depth=CompressedImage(
             header=header, format='16UC1; compressedDepth png', data=bytes(12) + depth))
    message = graph.wait_stamp('depth_estimated/image_raw', 5)
    image = np.frombuffer(message.data, np.float32).reshape(48, 64)
    np.testing.assert_allclose(image[painted()], 0.9, rtol=1e-6)
    assert node._slot.present.calls[0][0][0, 0].tolist() == [10, 20, 30]
