# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node depth_enhancer with its real predictor, and frames with a face for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_depth_ros.core.depth import depth_to_metres, metres_to_depth
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from face_depth_ros.nodes.image_messages import depth_from_message, image_to_message, ImageFrame
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from fake_predictors import FRAME_ID, info_message
import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_graph import Graph
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

SIZE, FOCAL = 256, 820.0
BOX = FaceBox(128.0, 128.0, 256.0)
FACES = (Detection(BOX, 0.9, track_id='f00001'),)
OUTPUTS = {'depth_enhanced/image_raw': Image, 'depth_enhanced/camera_info': CameraInfo,
           'depth_enhanced/confidence': Image, 'depth_enhanced/provenance': Image}
COMPARISON = 'depth_enhanced/comparison'
_PAIRS = Path(__file__).parent / 'data' / 'enhancement_pairs.npz'


def face_mm(index: int = 0) -> np.ndarray:
    """Return a rendered face with noise and holes at 0.7 m, (256, 256) uint16 mm, 0 invalid."""
    with np.load(_PAIRS) as pairs:
        codes = pairs['degraded'][index].astype(np.float32)
    return np.where(codes < 65535, np.rint(700.0 + 250.0 * codes / 65534.0), 0).astype(np.uint16)


def add_enhancer(graph: Graph, **overrides: Any) -> DepthEnhancerNode:
    """Add the node, whose inputs lose nothing, with publishers and subscribers of main topics."""
    inputs = {'depth': 'depth/image_raw', 'depth_info': 'depth/camera_info',
              'detections': 'detections'}
    reliable = {f'qos_overrides.{graph.topic(t)}.subscription.reliability': 'reliable'
                for t in inputs.values()}
    settings = {'precision': 'fp32', 'silence_timeout': 60.0, **reliable, **overrides}
    node = graph.add(DepthEnhancerNode, parameter_overrides=[
        Parameter(k, value=v) for k, v in settings.items()])
    graph.advertise(depth=Image, depth_info=CameraInfo, detections=Detection2DArray)
    for topic, message_type in OUTPUTS.items():
        graph.subscribe(message_type, topic)
    graph.wait_ready('depth_enhancer')
    return node


def send(graph: Graph, stamp: int, wire: np.ndarray,
         faces: tuple[Detection, ...] = FACES) -> None:
    """Publish a frame; uint16 is millimetres, float32 metres, whatever it holds."""
    encoding = '16UC1' if wire.dtype == np.uint16 else '32FC1'
    height, width = wire.shape
    graph.publish(
        depth=image_to_message(ImageFrame(stamp, FRAME_ID, encoding, wire)),
        depth_info=info_message(stamp, width=width, height=height, focal=FOCAL),
        detections=detections_to_message(DetectionFrame(stamp, FRAME_ID, faces)))


def answer(graph: Graph, stamp: int) -> dict[str, np.ndarray]:
    """Wait for all main outputs of a frame; return depth as on the wire and both maps."""
    got = {topic: graph.wait_stamp(topic, stamp) for topic in OUTPUTS}
    return {topic.split('/')[1]: depth_from_message(message).array
            for topic, message in got.items() if isinstance(message, Image)}


def direct_answers(methods: tuple[str, ...], wire: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the predictor alone makes of a frame of millimetres, by method."""
    enhancer = DepthEnhancer(method='None', precision='fp32')
    try:
        depth = depth_to_metres(wire, '16UC1')
        results = {}
        for method in methods:
            enhancer.set_method(method)
            results[method] = metres_to_depth(enhancer.enhance(depth, FACES).depth, '16UC1')
        return results
    finally:
        enhancer.close()


def set_parameter(graph: Graph, name: str, value: object) -> Any:
    """Set a parameter as a person would, from another process; return the result."""
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return graph.probe.call(SetParameters, graph.topic('depth_enhancer/set_parameters'),
                            request).results[0]
