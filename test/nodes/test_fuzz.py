# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Thousands of malformed messages to the running nodes: they live and answer the next good one."""

from __future__ import annotations

from array import array
from collections import Counter
import functools

import cv2
from drawn_estimators import write_estimators
from expression_graph import write_expression_model
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.absent_liveness import AbsentLivenessDetector
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from face_depth_ros.nodes.expression_recognizer import ExpressionRecognizerNode
from face_depth_ros.nodes.face_detector import FaceDetectorNode
from face_depth_ros.nodes.face_recognizer import FaceRecognizerNode
from face_depth_ros.nodes.liveness_detector import LivenessDetectorNode
from fake_predictors import color_message, depth_message, FakeDetector, FRAME_ID, info_message
from malformed_messages import MalformedMessages
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from recognizer_graph import write_recognizer
from ros_graph import wait_until
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

pytestmark = [pytest.mark.ros, pytest.mark.slow]

SEED = 20260401
FACES = (Detection(FaceBox(32.0, 24.0, 20.0), 0.9, track_id='f00001'),
         Detection(FaceBox(50.0, 40.0, 12.0), 0.9, track_id='f00002'))
ROUNDS = 260
GOOD_EVERY = 100
JUDGED = ('raw/identities', 'raw/expressions', 'raw/liveness')
CAUSES = {'image_size', 'image_step', 'image_length', 'image_encoding', 'image_compression',
          'depth_encoding', 'depth_all_invalid', 'camera_info_k_zero', 'invalid_camera_info',
          'camera_info_size', 'sizes_differ', 'invalid_face_box', 'face_box_not_square',
          'face_box_outside', 'detection_without_result', 'stamp_repeated', 'stamp_backward',
          'depth_missing', 'track_id'}
"""What must have been met, or the generator has become tame."""


def packed_png(message, channels):
    """Return the data of a compressed message with the same picture."""
    dtype = np.uint8 if channels == 3 else np.uint16
    image = np.frombuffer(message.data, dtype).reshape(message.height, message.width, channels)
    coded = cv2.imencode('.png', np.ascontiguousarray(image[..., ::-1]))[1].tobytes()
    return array('B', coded if channels == 3 else bytes(12) + coded)


class Fuzzed:
    """
    Two detectors and two enhancers, with raw and compressed inputs, and one of each other node.

    All but the packed detector and the one of liveness have real predictors; compressed images
    are decoded before any predictor sees them. The networks of those that judge are small ones.
    """

    def __init__(self, graph):
        self.graph = graph
        self.malformed = MalformedMessages(SEED)
        self.fed = 0
        self.detector = self._add(FaceDetectorNode, 'raw')
        self.packed_detector = self._add(
            functools.partial(FaceDetectorNode, open_detector=FakeDetector), 'packed',
            color_transport='compressed')
        self.enhancer = self._add(DepthEnhancerNode, 'raw')
        self.packed_enhancer = self._add(DepthEnhancerNode, 'packed', method='Sp-HfU',
                                         depth_transport='compressedDepth')
        self.estimator = self._add(DepthEstimatorNode, 'raw')
        self.recognizer = self._add(FaceRecognizerNode, 'raw', gallery='/tmp/none', plain=True)
        self._add(ExpressionRecognizerNode, 'raw')
        self._add(functools.partial(LivenessDetectorNode,
                                    open_detector=lambda **_: AbsentLivenessDetector()), 'raw')
        self.nodes = graph.spinner.nodes
        for topic in ('raw/found', 'packed/found', *JUDGED):
            graph.subscribe(Detection2DArray, topic)
        for topic in ('raw/depth_enhanced/image_raw', 'packed/depth_enhanced/image_raw',
                      'raw/depth_estimated/image_raw', 'raw/mask/color'):
            graph.subscribe(Image, topic)
        for name, kind in (('color/image_raw', Image), ('depth/image_raw', Image),
                           ('color/image_raw/compressed', CompressedImage),
                           ('depth/image_raw/compressedDepth', CompressedImage),
                           ('depth/camera_info', CameraInfo), ('color/camera_info', CameraInfo),
                           ('detections', Detection2DArray)):
            graph.probe.publisher(kind, graph.topic(name))
        graph.wait_ready('raw/face_detector', 'packed/face_detector', 'raw/depth_enhancer',
                         'packed/depth_enhancer', 'raw/depth_estimator',
                         'raw/face_recognizer', 'raw/expression_recognizer',
                         'raw/liveness_detector')

    def _add(self, node, prefix, **overrides):
        """Inputs are shared and reliable, so that nothing that was fed is lost on the way."""
        topics = ('color/image_raw', 'color/image_raw/compressed', 'depth/image_raw',
                  'depth/image_raw/compressedDepth', 'depth/camera_info', 'color/camera_info',
                  'detections')
        rules = [a for t in topics[:3:2] + topics[4:6]
                 for a in ('-r', f'{t}:={self.graph.topic(t)}')]
        found = 'detections:=' + self.graph.topic(
            f'{prefix}/found' if prefix == 'packed' and node is not DepthEnhancerNode
            or node is FaceDetectorNode else 'detections')
        return self.graph.add(
            node, namespace=self.graph.topic(prefix), start_parameter_services=False,
            cli_args=['--ros-args', *rules, '-r', found],
            parameter_overrides=[
                Parameter('start_type_description_service', value=False),
                *(Parameter(k, value=v) for k, v in overrides.items()),
                *(Parameter(f'qos_overrides.{self.graph.topic(t)}.subscription.reliability',
                            value='reliable') for t in topics),
                *(Parameter(f'qos_overrides.{self.graph.topic(t)}.subscription.depth', value=50)
                  for t in topics)])

    def publish(self, **messages):
        names = {'color': 'color/image_raw', 'depth': 'depth/image_raw',
                 'packed_color': 'color/image_raw/compressed', 'info': 'depth/camera_info',
                 'packed_depth': 'depth/image_raw/compressedDepth',
                 'color_info': 'color/camera_info', 'detections': 'detections'}
        before = self.arrived()
        expected = Counter({self.graph.topic(names[k]): 1 for k in messages})
        for name, message in messages.items():
            self.graph.probe.publish(self.graph.topic(names[name]), message)
        self.fed += len(messages)
        wait_until(lambda: all(self.arrived()[t] - before[t] >= n for t, n in expected.items()),
                   f'arrival of {sorted(messages)}')
        wait_until(lambda: all(n.work.mailbox.wait_idle(0.1) for n in self.nodes), 'end of work')

    def arrived(self):
        """Messages of each topic at the node that has received fewest."""
        counts = {}
        for node in self.nodes:
            for i in node.inputs:
                counts[i.topic] = min(counts.get(i.topic, i.count), i.count)
        return counts

    def feed_malformed(self):
        make, stamp = self.malformed, self.malformed.next_stamp()
        self.publish(
            color=make.color(stamp), depth=make.depth(stamp), info=make.info(stamp),
            color_info=info_message(stamp) if stamp % 2 else make.info(stamp),
            detections=make.detections(stamp), packed_color=make.compressed(stamp, False),
            packed_depth=make.compressed(stamp, True))
        # the other parts whole, so that what is malformed is also looked at
        stamp = make.next_stamp()
        self.publish(color=make.color(stamp), color_info=make.info(stamp),
                     detections=detections_to_message(DetectionFrame(stamp, FRAME_ID, FACES)))
        stamp = make.next_stamp()
        self.publish(depth=make.depth(stamp), info=info_message(stamp),
                     color=color_message(stamp), color_info=info_message(stamp),
                     detections=detections_to_message(DetectionFrame(stamp, FRAME_ID, ())))
        stamp = make.next_stamp()
        self.publish(depth=depth_message(stamp), info=info_message(stamp),
                     color=color_message(stamp), color_info=info_message(stamp),
                     detections=make.detections(stamp))

    def feed_torn(self, rng):
        """Messages cut or invented below the level of fields; the middleware refuses them."""
        whole = serialize_message(color_message(5))
        publisher = self.graph.probe.publishers[self.graph.topic('color/image_raw')]
        for _ in range(20):
            publisher.publish(whole[:rng.integers(8, len(whole))])
            publisher.publish(b'\x00\x01\x00\x00' + rng.integers(0, 256, 300, np.uint8).tobytes())

    def expect_good(self, stamp):
        """Send a good frame to all and wait for all answers."""
        for topic in list(self.graph.probe.received):
            self.graph.probe.received[topic].clear()
        color = CompressedImage(header=color_message(stamp).header, format='png',
                                data=packed_png(color_message(stamp), 3))
        depth = CompressedImage(header=color_message(stamp).header,
                                format='16UC1; compressedDepth png',
                                data=packed_png(depth_message(stamp), 1))
        self.publish(color=color_message(stamp), depth=depth_message(stamp),
                     info=info_message(stamp), color_info=info_message(stamp),
                     detections=detections_to_message(DetectionFrame(stamp, FRAME_ID, ())),
                     packed_color=color, packed_depth=depth)
        for prefix in ('raw', 'packed'):
            self.graph.wait_stamp(f'{prefix}/found', stamp)
            answer = self.graph.wait_stamp(f'{prefix}/depth_enhanced/image_raw', stamp)
            assert answer.data == depth_message(stamp).data
        for topic in ('raw/depth_estimated/image_raw', 'raw/mask/color', *JUDGED):
            self.graph.wait_stamp(topic, stamp)


    def wait_for_missing_depth(self):
        """Send frames without depth until one has waited in vain, however busy the machine."""
        def missed():
            stamp = self.malformed.next_stamp()
            self.publish(color=color_message(stamp), color_info=info_message(stamp),
                         detections=detections_to_message(DetectionFrame(stamp, FRAME_ID, FACES)))
            return self.estimator.health.report().counts.get('depth_missing', 0) > 0

        wait_until(missed, 'a frame that goes on without depth')


def test_malformed_messages_do_no_lasting_harm(graph, tmp_path, monkeypatch):
    write_estimators(tmp_path, ['ours'])
    write_recognizer(tmp_path)
    write_expression_model(tmp_path)
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    fuzzed = Fuzzed(graph)
    rng = np.random.default_rng(SEED)
    for n in range(ROUNDS):
        fuzzed.feed_malformed()
        if n % GOOD_EVERY == GOOD_EVERY - 1:
            fuzzed.feed_torn(rng)
            fuzzed.expect_good(10**12 + n)
    fuzzed.wait_for_missing_depth()
    assert fuzzed.fed >= 5000
    assert graph.spinner.failure is None
    counts = Counter()
    for node in fuzzed.nodes:
        assert node.state_label == 'active'
        counts.update(node.health.report().counts)
    assert not counts['internal_error'], [n.health.report().texts for n in fuzzed.nodes]
    assert set(counts) >= CAUSES, f'not met: {CAUSES - set(counts)}'
    fuzzed.expect_good(2 * 10**12)
