# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A running node that judges faces, with a camera before it."""

from __future__ import annotations

from typing import Any

from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from face_depth_ros.nodes.image_messages import image_to_message, ImageFrame
from fake_predictors import info_message
import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from recognizer_graph import Scene
from ros_graph import Graph, wait_until
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

FRAME = 'camera_color_optical_frame'
STEP = 10**8
TOPICS = {'color': ('color/image_raw', Image), 'info': ('color/camera_info', CameraInfo),
          'detections': ('detections', Detection2DArray),
          'enhanced': ('depth_enhanced/image_raw', Image),
          'provenance': ('depth_enhanced/provenance', Image),
          'liveness': ('liveness', Detection2DArray)}
NEEDED = ('color', 'info', 'detections')
MEASURED = (*NEEDED, 'enhanced', 'provenance')


class SceneEstimator:
    """Knows the estimates of the scene that is shown."""

    scene = Scene()
    engine, confidence_threshold, crop = None, 0.5, 'box'
    calls = 0

    def __init__(self, **_: Any) -> None:
        """Take what a depth_estimator gives."""

    def estimate(self, color: Any, detections: Any, *, intrinsics: Any = None,
                 depth: Any = None) -> Any:
        SceneEstimator.calls += 1
        return SceneEstimator.scene.estimated

    def close(self) -> None:
        """Nothing is held."""


class JudgeRobot:
    """
    The node, whose inputs lose nothing.

    :param make: the class of the node
    :param output: its topic
    """

    def __init__(self, graph: Graph, make: Any, output: str) -> None:
        self.graph, self.make, self.output, self.stamp = graph, make, output, 0
        self.node: Any = None

    @property
    def name(self) -> str:
        return self.make.default_name

    @property
    def predictor(self) -> Any:
        return self.node._slot.present

    def reliable(self, keys: Any) -> list[Parameter]:
        return [Parameter(f'qos_overrides.{self.graph.topic(TOPICS[k][0])}.subscription'
                          '.reliability', value='reliable') for k in keys]

    def start(self, inputs: tuple[str, ...] = NEEDED, *, options: Any = None,
              ready: bool = True, **overrides: Any) -> JudgeRobot:
        """Run the node with publishers of these inputs, and listen to its output."""
        settings = {'silence_timeout': 60.0, **overrides}
        self.node = self.graph.add(self.make, **(options or {}), parameter_overrides=[
            Parameter(k, value=v) for k, v in settings.items()] + self.reliable(inputs))
        for key in inputs:
            self.graph.probe.publisher(TOPICS[key][1], self.graph.topic(TOPICS[key][0]))
        self.graph.subscribe(Detection2DArray, self.output)
        if ready:
            self.graph.wait_ready(self.name)
            self.wait_heard(inputs)
        return self

    def wait_heard(self, inputs: tuple[str, ...], node: Any = None) -> None:
        """Wait until a node, or this one, hears the publishers of these inputs."""
        for source in (node or self.node).inputs:
            if source.topic in {self.graph.topic(TOPICS[k][0]) for k in inputs}:
                wait_until(lambda s=source: self.graph.spinner.call(lambda: s.publishers),
                           source.topic)

    def start_estimator(self, exchange: Any) -> Any:
        """Run a depth_estimator of scenes in the same container; before `start`."""
        return self.graph.add(
            DepthEstimatorNode, open_estimator=SceneEstimator, exchange=exchange,
            parameter_overrides=self.reliable(('color', 'detections'))
            + [Parameter('use_depth', value=False)])

    def wait_estimator(self, estimator: Any) -> None:
        """Wait until its estimates come."""
        self.graph.wait_ready('depth_estimator')
        wait_until(lambda: all(self.graph.spinner.call(lambda i=i: i.publishers)
                               for i in estimator.inputs if i.required), 'inputs')
        wait_until(lambda: 'estimate' in self.node._join.awaited, 'waiting for estimates')

    def send(self, scene: Scene, **changes: Any) -> int:
        """Publish a frame; what is optional first."""
        SceneEstimator.scene = scene
        self.stamp += STEP
        stamp = self.stamp
        messages = {'info': info_message(stamp, 320, 240, 300.0), **changes,
                    'color': image_to_message(ImageFrame(stamp, FRAME, 'rgb8',
                                                         scene.color.copy())),
                    'detections': detections_to_message(DetectionFrame(
                        stamp, FRAME, tuple(scene.detections)))}
        before = {i.topic: i.count for i in self.node.inputs}
        for key, message in messages.items():
            if message is None:
                continue
            topic = self.graph.topic(TOPICS[key][0])
            self.graph.probe.publish(topic, message)
            if key not in ('color', 'detections'):
                wait_until(lambda t=topic: all(i.count > before[t] for i in self.node.inputs
                                               if i.topic == t), topic)
        return stamp

    def show(self, scene: Scene, **changes: Any) -> Any:
        """Publish a frame and return what comes of it."""
        return self.graph.wait_stamp(self.output, self.send(scene, **changes))

    def names(self, scene: Scene, **changes: Any) -> list[str]:
        """Return what is said first of each face."""
        return [d.results[0].hypothesis.class_id for d in self.show(scene, **changes).detections]

    def enhanced(self, scene: Scene, measured: int = 1, late: int = 0) -> dict[str, Any]:
        """
        Return the depth messages of the next frame.

        :param measured: provenance of all pixels
        :param late: nanoseconds that their stamp is off
        """
        stamp = self.stamp + STEP + late
        return {'enhanced': image_to_message(ImageFrame(stamp, FRAME, '32FC1',
                                                        scene.depth.copy())),
                'provenance': image_to_message(ImageFrame(
                    stamp, FRAME, 'mono8', np.full((240, 320), measured, np.uint8)))}

    def status(self, matches: Any = lambda _s, _v: True) -> dict[str, str]:
        return self.graph.wait_status(self.name, matches)

    def set(self, name: str, value: Any) -> Any:
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg()])
        return self.graph.probe.call(
            SetParameters, self.graph.topic(f'{self.name}/set_parameters'), request).results[0]
