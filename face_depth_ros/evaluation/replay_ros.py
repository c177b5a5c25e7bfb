# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Replay through the real thing: the nodes in their container process, driven over DDS.

Messages go out as the bag has them and are recorded as the nodes sent them, byte for byte. The
nodes run in a domain of their own on this machine, so that a robot's topics are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
import logging
import time

from composition_interfaces.srv import LoadNode
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from face_depth_ros.core.errors import BagError, FaceDepthError
from face_depth_ros.evaluation.bag_types import CAMERA_INFO, DETECTIONS, IMAGE
from face_depth_ros.evaluation.bags import FrameMessages
from face_depth_ros.evaluation.container_process import (
    changed_environment,
    ContainerProcess,
    OwnDomain,
)
from face_depth_ros.evaluation.frames_in_flight import FramesInFlight
from face_depth_ros.evaluation.output_messages import image_messages, NAMESPACE, OUTPUT_TYPES
from face_depth_ros.evaluation.replay_settings import EngineReport, PlayedFrame, ReplaySettings
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

_LOG = logging.getLogger(__name__)
_MESSAGE_CLASSES = {IMAGE: Image, CAMERA_INFO: CameraInfo, DETECTIONS: Detection2DArray}
_INPUTS = {'color_info': 'color/camera_info', 'depth_info': 'depth/camera_info',
           'color': 'color/image_raw', 'depth': 'depth/image_raw'}
"""Relative topic of each input; images go last, when what describes them is there."""
_COMPONENTS = {'face_detector': 'face_depth_ros::FaceDetector',
               'depth_enhancer': 'face_depth_ros::DepthEnhancer'}
_CONTAINER = 'replay_container'
_TOTALS = ('latency', 'work')
"""Times in diagnostics that are sums of others."""
_RELIABLE = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
_START_S = 60.0
_DIAGNOSTICS_PERIOD_S = 1.2
_READY_S = 900.0
"""A TensorRT engine may have to be built first."""


class RosPlayer:
    """
    Plays frames to the nodes and collects what they publish.

    :raises FaceDepthError: the container or a component does not come up
    """

    def __init__(self, settings: ReplaySettings) -> None:
        self._settings = settings
        self._domain = OwnDomain()
        environment = self._domain.environment()
        self._process = ContainerProcess(_CONTAINER, NAMESPACE, environment)
        self._context = Context()
        with changed_environment(environment):  # read when the context and its node are made
            rclpy.init(context=self._context, domain_id=self._domain.number,
                       signal_handler_options=SignalHandlerOptions.NO)
            self._node = Node('replay', namespace=NAMESPACE, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._flight = FramesInFlight(tuple(OUTPUT_TYPES.items()), settings.deadline_s)
        self._status: dict[str, dict[str, str]] = {name: {} for name in _COMPONENTS}
        self._failure = ''
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def play(self, frames: Iterable[FrameMessages]) -> Iterator[PlayedFrame]:
        """Play frame by frame, or at the bag's own pace, and report each frame in order."""
        first_log_ns = started = None
        for source in frames:
            if self._settings.realtime:
                if first_log_ns is None or started is None:
                    first_log_ns, started = source.color.log_ns, time.monotonic()
                due = started + (source.color.log_ns - first_log_ns) * 1e-9
                self._spin_until(lambda: False, due - time.monotonic())
                yield from self._flight.resolved(in_real_time=True)
            self._send(source)
            if not self._settings.realtime:
                self._spin_until(lambda: self._flight.settled, self._settings.deadline_s)
                yield from self._flight.resolved(in_real_time=False)
        self._spin_until(lambda: self._flight.settled, self._settings.deadline_s)
        yield from self._flight.resolved(in_real_time=self._settings.realtime, last=True)

    def engines(self) -> tuple[EngineReport, ...]:
        """Return the networks that the nodes say they run."""
        return tuple(
            EngineReport(s['engine.model'], s['engine.backend'], s['engine.precision'],
                         s['engine.device'], s['engine.sha256'])
            for s in self._status.values() if s.get('engine.backend', 'none') != 'none')

    def stages(self) -> dict[str, dict[str, float]]:
        """Return the nodes' own percentiles per stage, from their newest diagnostics."""
        self._spin_until(lambda: False, _DIAGNOSTICS_PERIOD_S)
        suffix = '_ms.p50'
        stages = [(node, key[:-len(suffix)]) for node, s in self._status.items() for key in s
                  if key.endswith(suffix) and key[:-len(suffix)] not in _TOTALS]
        names = [stage for _, stage in stages]
        return {stage if names.count(stage) == 1 else f'{node} {stage}':
                {q: float(self._status[node][f'{stage}_ms.{q}']) for q in ('p50', 'p95')}
                for node, stage in stages}

    def close(self) -> None:
        """End the container and leave the domain."""
        self._process.stop()
        self._executor.shutdown()
        self._node.destroy_node()
        if self._context.ok():
            rclpy.shutdown(context=self._context)
        self._domain.close()

    def _connect(self) -> None:
        """Make publishers and subscriptions, load the components, wait until nothing is lost."""
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 20)
        for topic, msgtype in OUTPUT_TYPES.items():
            self._node.create_subscription(
                _MESSAGE_CLASSES[msgtype], topic,
                partial(self._flight.receive, topic), _RELIABLE, raw=True)
        self._publishers = {
            key: self._node.create_publisher(CameraInfo if key.endswith('info') else Image,
                                             f'{NAMESPACE}/{topic}', _RELIABLE)
            for key, topic in _INPUTS.items()}
        self._load_components()
        if not self._spin_until(self._ready, _READY_S):
            raise self._error('the nodes did not become ready')
        if not self._spin_until(lambda: all(
                p.get_subscription_count() for k, p in self._publishers.items()
                if not k.endswith('info')), _START_S):
            raise self._error('the nodes did not subscribe to the camera topics')

    def _load_components(self) -> None:
        client = self._node.create_client(
            LoadNode, f'{NAMESPACE}/{_CONTAINER}/_container/load_node')
        if not self._spin_until(client.service_is_ready, _START_S):
            raise self._error('the container did not offer its services')
        for name, plugin in _COMPONENTS.items():
            request = LoadNode.Request(
                package_name='face_depth_ros', plugin_name=plugin, node_name=name,
                node_namespace=NAMESPACE,
                parameters=[p.to_parameter_msg() for p in self._parameters(name)])
            future = client.call_async(request)
            if not self._spin_until(future.done, _START_S):
                raise self._error(f'the container did not answer when asked for {plugin}')
            response = future.result()
            if not response.success:
                raise self._error(f'the container cannot load {plugin}: '
                                  f'{response.error_message}')

    def _parameters(self, name: str) -> list[Parameter]:
        values: dict[str, str | bool] = {'backend': self._settings.backend,
                                         'precision': self._settings.precision}
        if name == 'depth_enhancer':
            values['method'] = self._settings.method
            values['temporal'] = self._settings.temporal
        topics = _INPUTS.values() if name == 'depth_enhancer' else ['color/image_raw']
        # Frame by frame nothing may be lost on the way; sensor data QoS allows it.
        values |= {f'qos_overrides.{NAMESPACE}/{topic}.subscription.reliability': 'reliable'
                   for topic in topics}
        return [Parameter(key, value=value) for key, value in values.items()]

    def _ready(self) -> bool:
        if self._failure:
            raise self._error(f'a node cannot work: {self._failure}')
        return all(s.get('ready') == 'true' for s in self._status.values())

    def _send(self, source: FrameMessages) -> None:
        """Publish one frame; compressed images go out decoded, as the nodes take them."""
        depth_info = source.depth_info or source.color_info
        if depth_info is None:
            raise BagError('the bag has no camera_info, which the nodes need; record the topic '
                           'camera_info beside the images, or use --transport direct',
                           cause='bag_topic')
        try:
            color, depth = image_messages(source)
        except FaceDepthError as error:
            self._flight.refuse(source, error.cause)
            return
        # The colour's camera_info serves both where depth has none: they share one grid.
        parts = {'color_info': (source.color_info or depth_info).cdr,
                 'depth_info': depth_info.cdr, 'color': color, 'depth': depth}
        self._flight.send(source, self._refused())
        for key, publisher in self._publishers.items():
            publisher.publish(parts[key])

    def _refused(self) -> dict[str, int]:
        """Return how many frames the nodes say they refused, by cause."""
        counts: dict[str, int] = {}
        for status in self._status.values():
            for key, value in status.items():
                kind, _, cause = key.partition('.')
                if kind in ('count', 'noted'):  # noted: of frames that were published all the same
                    counts[cause] = counts.get(cause, 0) + (
                        int(value) if kind == 'count' else -int(value))
        return counts

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.rsplit('/', 1)[-1]
            if name in self._status:
                self._status[name] = {v.key: v.value for v in status.values}
                if status.level == DiagnosticStatus.ERROR:
                    self._failure = f'{status.name}: {status.message}'
        self._flight.note_refusals(self._refused())

    def _spin_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Handle ROS events until the condition holds; False when time is up."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not self._process.alive:
                raise self._error('the container ended')
            self._executor.spin_once(timeout_sec=min(left, 0.05))
        return True

    def _error(self, what: str) -> FaceDepthError:
        if self._failure:
            return FaceDepthError(what, cause='container')
        waiting = [f'{name}: {s.get("problems") or "no diagnostics yet"}'
                   for name, s in self._status.items() if s.get('ready') != 'true']
        state = f' ({"; ".join(waiting)})' if waiting else ''
        return FaceDepthError(f'{what}{state}; the end of its log: {self._process.log_end()}',
                              cause='container')
