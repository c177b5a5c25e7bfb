# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node depth_estimator, whose inputs lose nothing, and frames for it."""

from __future__ import annotations

from typing import Any

from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from face_depth_ros.nodes.image_messages import image_readers
from fake_predictors import color_message, depth_message, FakeEstimator, FRAME_ID, info_message
import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_graph import Graph, TOPICS, wait_until
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

NAME = 'depth_estimator'
OUTPUTS = {'depth_estimated/image_raw': Image, 'depth_estimated/camera_info': CameraInfo,
           'depth_estimated/uncertainty': Image, 'mask': Image}
INPUTS = {'color': Image, 'color_info': CameraInfo, 'depth': Image,
          'detections': Detection2DArray}
_TOPICS = ('color/image_raw', 'color/camera_info', 'depth/image_raw', 'detections')
_READ_DEPTH = image_readers()[1]


def face(x: float = 32.0, y: float = 24.0, side: float = 16.0, roll: float = 0.0,
         score: float = 0.9, track: str = 'f00001') -> Detection:
    return Detection(FaceBox(x, y, side, roll), score, track_id=track)


def faces_message(stamp_ns: int, *faces: Detection) -> Detection2DArray:
    return detections_to_message(DetectionFrame(stamp_ns, FRAME_ID, faces))


def add_estimator(graph: Graph, *, inputs: dict[str, type] | None = None,
                  **overrides: Any) -> DepthEstimatorNode:
    """Add the node with publishers of these inputs (all) and subscribers of its main outputs."""
    options = {'open_estimator': overrides.pop('open_estimator', FakeEstimator)}
    reliable = {f'qos_overrides.{graph.topic(t)}.subscription.reliability': 'reliable'
                for t in _TOPICS if t != 'depth/image_raw' or overrides.get('use_depth', True)}
    settings = {'silence_timeout': 60.0, **reliable, **overrides}
    node = graph.add(DepthEstimatorNode, **options, parameter_overrides=[
        Parameter(k, value=v) for k, v in settings.items()])
    given = INPUTS if inputs is None else inputs
    graph.advertise(**given)
    for topic, message_type in OUTPUTS.items():
        graph.subscribe(message_type, topic)
    graph.wait_ready(NAME)
    heard = {graph.topic(TOPICS[name]) for name in given}
    for source in node.inputs:  # readiness does not wait for optional ones
        if source.topic in heard:
            wait_until(lambda s=source: graph.spinner.call(lambda: s.publishers), source.topic)
    return node


def send(graph: Graph, stamp: int, *faces: Detection, **changes: Any) -> None:
    """
    Publish a frame with one face, or these; `color=None` and so on leave a message out.

    What the node can do without is there before the rest: it does not wait for long.
    """
    node = next(n for n in graph.spinner.nodes if isinstance(n, DepthEstimatorNode))
    messages = {'color_info': info_message(stamp), 'depth': depth_message(stamp),
                'color': color_message(stamp),
                'detections': faces_message(stamp, *(faces or (face(),))), **changes}
    given = {k: m for k, m in messages.items() if m is not None}
    counts = {i.topic: i.count for i in node.inputs if i.is_open}
    for name in [n for n in ('color_info', 'depth', 'compressed_depth') if n in given]:
        topic = graph.topic(TOPICS[name])
        graph.publish(**{name: given.pop(name)})
        wait_until(lambda t=topic: all(i.count > counts[t] for i in node.inputs
                                       if i.topic == t and t in counts), topic)
    graph.publish(**given)


def answer(graph: Graph, stamp: int) -> dict[str, Any]:
    """Wait for the whole set of a frame; images as arrays as they stand on the wire."""
    got = {topic: graph.wait_stamp(topic, stamp) for topic in OUTPUTS}
    return {topic: _READ_DEPTH(m) if isinstance(m, Image) else m for topic, m in got.items()}


def painted(box_side: int = 16, x: int = 32, y: int = 24) -> np.ndarray:
    """Return where FakeEstimator paints a face, (48, 64) bool."""
    area = np.zeros((48, 64), bool)
    half = box_side // 2
    area[y - half:y + half, x - half:x + half] = True
    return area


def set_parameter(graph: Graph, name: str, value: Any) -> Any:
    """Set a parameter through the node's service; return the result."""
    request = SetParameters.Request(parameters=[
        Parameter(name, value=value).to_parameter_msg()])
    return graph.probe.call(SetParameters, graph.topic(f'{NAME}/set_parameters'),
                            request).results[0]
