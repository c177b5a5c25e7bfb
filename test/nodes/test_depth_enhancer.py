# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node depth_enhancer with a small predictor, over DDS."""

from __future__ import annotations

import itertools
import re
import threading

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from face_depth_ros.core.errors import FilterError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from face_depth_ros.nodes.image_messages import depth_from_message
from face_depth_ros.nodes.join_report import IMAGES_KEPT
from fake_predictors import depth_message, FakeEnhancer, FRAME_ID, info_message
import numpy as np
import pytest
from rclpy.parameter import Parameter
from ros_graph import wait_until
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros

OUTPUTS = {'depth_enhanced/image_raw': Image, 'depth_enhanced/camera_info': CameraInfo,
           'depth_enhanced/confidence': Image, 'depth_enhanced/provenance': Image}


def faces_message(stamp_ns, faces=1, center=32.0):
    return detections_to_message(DetectionFrame(stamp_ns, FRAME_ID, tuple(
        Detection(FaceBox(center, 24.0, 16.0), 0.9, track_id=f'f{i:05d}')
        for i in range(1, faces + 1))))


def send(graph, stamp, **changes):
    messages = {'depth_info': info_message(stamp), 'depth': depth_message(stamp),
                'detections': faces_message(stamp), **changes}
    graph.publish(**{k: m for k, m in messages.items() if m is not None})


def make(graph, *, transport='raw', **overrides):
    node = graph.add(DepthEnhancerNode, open_enhancer=overrides.pop('open_enhancer', FakeEnhancer),
                     parameter_overrides=[Parameter(k, value=v) for k, v in overrides.items()])
    graph.advertise(depth=Image, depth_info=CameraInfo, detections=Detection2DArray)
    for topic, message_type in OUTPUTS.items():
        graph.subscribe(message_type, topic)
    graph.wait_ready('depth_enhancer')
    return node


def wait_set(graph, stamp):
    return {topic: graph.wait_stamp(topic, stamp) for topic in OUTPUTS}


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_the_whole_set_comes_with_stamp_frame_and_encoding_of_the_depth(graph, encoding):
    make(graph)
    send(graph, 5, depth=depth_message(5, 700, encoding), detections=faces_message(5, 2))
    got = wait_set(graph, 5)
    for message in got.values():
        assert message.header.frame_id == FRAME_ID
    image = depth_from_message(got['depth_enhanced/image_raw'])
    assert image.encoding == encoding
    np.testing.assert_allclose(image.array, 702 if encoding == '16UC1' else 0.702, rtol=1e-6)
    info = got['depth_enhanced/camera_info']
    assert info.k.tolist() == info_message(5).k.tolist()
    assert got['depth_enhanced/confidence'].encoding == 'mono8'
    assert set(got['depth_enhanced/provenance'].data) == {1}
    assert set(got['depth_enhanced/confidence'].data) == {255}


def test_nobody_there_passes_the_depth_on(graph):
    make(graph)
    send(graph, 5, detections=faces_message(5, 0))
    got = wait_set(graph, 5)
    assert got['depth_enhanced/image_raw'].data == depth_message(5).data


def test_only_what_is_subscribed_becomes_a_message(graph):
    node = graph.add(DepthEnhancerNode, open_enhancer=FakeEnhancer)
    graph.advertise(depth=Image, depth_info=CameraInfo, detections=Detection2DArray)
    graph.subscribe(Image, 'depth_enhanced/confidence')
    graph.wait_ready('depth_enhancer')
    send(graph, 5)
    graph.wait_stamp('depth_enhanced/confidence', 5)
    assert {o.topic.split('/')[-1]: o.messages_sent for o in node.outputs} == {
        'image_raw': 0, 'camera_info': 0, 'confidence': 1, 'provenance': 0, 'comparison': 0}


def test_the_first_frame_waits_for_its_camera_info(graph):
    make(graph)
    send(graph, 5, depth_info=None)
    values = graph.wait_status('depth_enhancer', lambda _, v: '1 received' in v[
        f'input.{graph.topic("detections")}'] and '1 received' in v[
        f'input.{graph.topic("depth/image_raw")}'])
    assert values['frames.processed'] == '0'
    graph.publish(depth_info=info_message(5))
    wait_set(graph, 5)


def test_frames_without_any_camera_info_are_counted(graph):
    make(graph)
    send(graph, 5, depth_info=None)
    send(graph, 6, depth_info=None)
    values = graph.wait_status('depth_enhancer', lambda _, v: 'count.camera_info_missing' in v)
    assert 'no camera_info has come for the depth image' in values['last.camera_info_missing']
    send(graph, 7)
    wait_set(graph, 7)


def test_the_latest_camera_info_serves_until_that_of_the_stamp_comes(graph):
    node = make(graph)
    send(graph, 5)
    wait_set(graph, 5)
    send(graph, 6, depth_info=None)
    assert wait_set(graph, 6)['depth_enhanced/camera_info'].k[0] == 60.0
    values = graph.wait_status('depth_enhancer', lambda _, v: 'count.camera_info_late' in v)
    assert 'the latest is used, of 5 ns' in values['last.camera_info_late']
    graph.publish(depth_info=info_message(7, focal=61.0))
    wait_until(lambda: node.inputs[2].count == 2, 'camera_info')
    send(graph, 7, depth_info=None)
    assert wait_set(graph, 7)['depth_enhanced/camera_info'].k[0] == 61.0


def colourised(stamp):
    return Image(header=depth_message(stamp).header, encoding='bgr8', width=2, height=2, step=6,
                 data=bytes(12))


def cut(stamp):
    message = depth_message(stamp)
    message.data = message.data[:-1]
    return message


def outside(stamp):
    message = faces_message(stamp)
    message.detections[0].bbox.center.position.x = float('inf')
    return message


def zero_sized(stamp):
    return Image(header=depth_message(stamp).header, encoding='16UC1')


@pytest.mark.parametrize('changes,cause,text', [
    ({'depth': colourised}, 'depth_encoding', "depth encoding 'bgr8' is not known.*colorizer"),
    ({'depth': zero_sized}, 'image_size', 'the image has no pixels: got 0 x 0'),
    ({'depth': cut}, 'image_length', 'bytes, expected step'),
    ({'depth': lambda s: depth_message(s, width=32, height=24)}, 'camera_info_size',
     'depth is 32 x 24, its camera_info says 64 x 48'),
    ({'depth_info': lambda s: info_message(s, focal=0.0)}, 'camera_info_k_zero', 'K = 0'),
    ({'depth_info': lambda s: info_message(s, focal=float('nan'))}, 'invalid_camera_info',
     'not usable'),
    ({'depth_info': lambda s: info_message(s, width=0)}, 'invalid_camera_info', 'no image size'),
    ({'detections': outside}, 'invalid_face_box', 'a face box is not usable'),
])
def test_bad_input_is_counted_by_cause_and_the_next_good_frame_works(graph, changes, cause, text):
    make(graph)
    send(graph, 5, **{k: f(5) for k, f in changes.items()})
    values = graph.wait_status('depth_enhancer', lambda s, v: f'count.{cause}' in v
                               and s.level == DiagnosticStatus.WARN)
    assert values[f'count.{cause}'] == '1'
    assert re.search(text, values[f'last.{cause}'])
    send(graph, 6)
    wait_set(graph, 6)
    assert all(len(graph.received(topic)) == 1 for topic in OUTPUTS)
    graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.OK)


def test_colour_and_depth_of_different_size_are_named(graph):
    make(graph)
    graph.advertise(color_info=CameraInfo)
    graph.wait_ready('depth_enhancer')
    graph.publish(color_info=info_message(5, width=128, height=96))
    wait_until(lambda: graph.spinner.nodes[0].inputs[3].count, 'colour camera_info')
    send(graph, 5)
    values = graph.wait_status('depth_enhancer', lambda _, v: 'count.sizes_differ' in v)
    assert 'depth is 64 x 48, colour 128 x 96' in values['last.sizes_differ']
    graph.publish(color_info=info_message(6))
    wait_until(lambda: graph.spinner.nodes[0].inputs[3].count == 2, 'colour camera_info')
    send(graph, 6)
    wait_set(graph, 6)


@pytest.mark.parametrize('depth,text', [
    (lambda s: depth_message(s, 0), '3072 zeros, 0 saturated'),
    (lambda s: depth_message(s, 65535), '0 zeros, 3072 saturated'),
    (lambda s: depth_message(s, float('nan'), '32FC1'), '3072 NaN, 0 infinite'),
    (lambda s: depth_message(s, float('inf'), '32FC1'), '0 NaN, 3072 infinite'),
])
def test_depth_without_a_valid_pixel_is_passed_on_and_named(graph, depth, text):
    make(graph)
    send(graph, 5, depth=depth(5))
    wait_set(graph, 5)
    values = graph.wait_status('depth_enhancer', lambda s, v: v['problems'] == 'depth_all_invalid')
    assert text in values['last.depth_all_invalid']
    send(graph, 6)
    wait_set(graph, 6)
    graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.OK)


def test_a_looping_bag_goes_on(graph):
    make(graph)
    for stamp in (10, 20, 30, 10, 20):
        before = len(graph.received('depth_enhanced/image_raw'))
        send(graph, stamp)
        wait_until(lambda n=before: len(graph.received('depth_enhanced/image_raw')) > n, 'answer')
    got = [m.header.stamp.nanosec for m in graph.received('depth_enhanced/image_raw')]
    assert got == [10, 20, 30, 10, 20]
    values = graph.wait_status('depth_enhancer', lambda _, v: v['frames.processed'] == '5')
    assert values['count.stamp_backward'] == '1'


def test_a_result_older_than_a_jump_back_is_dropped(graph):
    gate = threading.Event()

    class Slow(FakeEnhancer):
        def enhance(self, *frame, **how):
            assert gate.wait(30.0)
            return super().enhance(*frame, **how)

    node = make(graph, open_enhancer=Slow)
    send(graph, 100)
    wait_until(lambda: node.work.mailbox._busy, 'work')
    send(graph, 10)
    wait_until(lambda: node.inputs[1].count == 2 and node.inputs[0].count == 2, 'arrival')
    gate.set()
    wait_set(graph, 10)
    assert [m.header.stamp.nanosec for m in graph.received('depth_enhanced/image_raw')] == [10]
    graph.wait_status('depth_enhancer', lambda _, v: v.get('count.result_outdated') == '1')


def test_depth_waits_for_detections_that_come_half_a_second_late(graph):
    make(graph, **{f'qos_overrides.{graph.topic(t)}.subscription.reliability': 'reliable'
                   for t in ('depth/image_raw', 'detections', 'depth/camera_info')},
         **{f'qos_overrides.{graph.topic("depth/image_raw")}.subscription.depth': 50,
            f'qos_overrides.{graph.topic("depth/camera_info")}.subscription.depth': 50})
    for stamp in range(1, 1 + IMAGES_KEPT):
        send(graph, stamp, detections=None)
    graph.wait_status('depth_enhancer', lambda _, v: f'{IMAGES_KEPT} received' in v[
        f'input.{graph.topic("depth/image_raw")}'])
    graph.publish(detections=faces_message(1))
    wait_set(graph, 1)


def test_stamps_that_are_never_equal_are_a_warning_by_name(graph):
    make(graph)
    stamps = itertools.count(2, 2)

    def told():
        stamp = next(stamps)
        send(graph, stamp, detections=faces_message(stamp + 1))
        status = graph.probe.statuses.get(graph.topic('depth_enhancer'))
        return status and status.message.startswith('stamps_unequal') and status

    status = wait_until(told, 'warning')
    assert status.level == DiagnosticStatus.WARN
    assert 'no depth and detections of one stamp' in status.message


def test_the_method_changes_without_losing_a_frame(graph):
    opened, gate = [], threading.Event()

    def open_enhancer(**settings):
        if settings['method'] == 'De-M2':
            assert gate.wait(30.0)
        opened.append(FakeEnhancer(**settings))
        return opened[-1]

    node = make(graph, open_enhancer=open_enhancer)
    methods = []
    for stamp in range(1, 31):
        if stamp == 10:
            result = graph.spinner.call(lambda: node.set_parameters(
                [Parameter('method', value='De-M2')]))
            assert result[0].successful
        if stamp == 20:
            gate.set()
            wait_until(lambda: node._slot.present.method == 'De-M2', 'new method')
        send(graph, stamp)
        methods.append(graph.wait_stamp('depth_enhanced/provenance', stamp).data[0])
    assert methods == [1] * 19 + [2] * 11
    assert opened[0].closed and not opened[1].closed
    values = graph.wait_status('depth_enhancer', lambda _, v: v['frames.processed'] == '30')
    assert values['frames.dropped'] == '0' and values['method'] == 'De-M2'


def test_a_method_that_cannot_be_opened_leaves_the_old_one(graph):
    def open_enhancer(**settings):
        if settings['method'] == 'Hf-L':
            raise FilterError('pyrealsense2 is not installed')
        return FakeEnhancer(**settings)

    node = make(graph, open_enhancer=open_enhancer)
    graph.spinner.call(lambda: node.set_parameters([Parameter('method', value='Hf-L')]))
    values = graph.wait_status('depth_enhancer', lambda _, v: 'count.filter' in v)
    assert 'stay as they were: pyrealsense2 is not installed' in values['last.filter']
    wait_until(lambda: node.get_parameter('method').value == 'network', 'old parameter')
    send(graph, 5)
    assert wait_set(graph, 5)['depth_enhanced/provenance'].data[0] == 1
    refused = graph.spinner.call(lambda: node.set_parameters([Parameter('method', value='Nope')]))
    assert not refused[0].successful and 'expected one of network, De-M2' in refused[0].reason


def test_compressed_depth(graph):
    node = graph.add(DepthEnhancerNode, open_enhancer=FakeEnhancer, parameter_overrides=[
        Parameter('depth_transport', value='compressedDepth')])
    graph.advertise(compressed_depth=CompressedImage, depth_info=CameraInfo,
                    detections=Detection2DArray)
    graph.subscribe(Image, 'depth_enhanced/image_raw')
    graph.wait_ready('depth_enhancer')
    assert node.inputs[0].topic.endswith('depth/image_raw/compressedDepth')
    coded = cv2.imencode('.png', np.full((48, 64), 700, np.uint16))[1].tobytes()
    send(graph, 5, depth=None, compressed_depth=CompressedImage(
        header=depth_message(5).header, format='16UC1; compressedDepth png',
        data=bytes(12) + coded))
    message = graph.wait_stamp('depth_enhanced/image_raw', 5)
    assert set(depth_from_message(message).array.ravel()) == {701}
