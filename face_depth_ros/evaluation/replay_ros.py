# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Replay through the real thing: the nodes in their container process, driven over DDS.

Messages go out as the bag has them and are recorded as the nodes sent them, byte for byte. The
nodes run in a domain of their own on this machine, so that a robot's topics are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
import logging
import time
from typing import Any

from composition_interfaces.srv import LoadNode
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from face_depth_ros.core.errors import BagError, FaceDepthError
from face_depth_ros.evaluation.bag_types import (
    CAMERA_INFO,
    DETECTIONS,
    IMAGE,
    LABEL_INFO,
    LANDMARKS,
    message_types,
)
from face_depth_ros.evaluation.bags import FrameMessages
from face_depth_ros.evaluation.container_process import (
    changed_environment,
    ContainerProcess,
    OwnDomain,
)
from face_depth_ros.evaluation.frames_in_flight import FramesInFlight
from face_depth_ros.evaluation.output_messages import (
    DETECTIONS_TOPIC,
    image_messages,
    LABEL_INFO_TOPIC,
    LANDMARKS_PREFIX,
    NAMESPACE,
    OutputMessage,
)
from face_depth_ros.evaluation.replay_settings import (
    EngineReport,
    EnrollResult,
    EnrollWindow,
    OFF,
    PlayedFrame,
    recorded_types,
    ReplaySettings,
)
from hri_msgs.msg import FacialLandmarks
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray, LabelInfo

_LOG = logging.getLogger(__name__)
_MESSAGE_CLASSES = {IMAGE: Image, CAMERA_INFO: CameraInfo, DETECTIONS: Detection2DArray}
_INPUTS = {'color_info': 'color/camera_info', 'depth_info': 'depth/camera_info',
           'depth': 'depth/image_raw', 'color': 'color/image_raw'}
"""Relative topic of each input; images go last, when what describes them is there, and of them
colour, which some nodes work on after a short wait for the rest."""
_ESTIMATOR = 'depth_estimator'
_RECOGNIZER = 'face_recognizer'
_EXPRESSIONS = 'expression_recognizer'
_LIVENESS = 'liveness_detector'
_COMPONENTS = {'face_detector': 'face_depth_ros::FaceDetector',
               'depth_enhancer': 'face_depth_ros::DepthEnhancer',
               _ESTIMATOR: 'face_depth_ros::DepthEstimator',
               _LIVENESS: 'face_depth_ros::LivenessDetector',
               _RECOGNIZER: 'face_depth_ros::FaceRecognizer',
               _EXPRESSIONS: 'face_depth_ros::ExpressionRecognizer'}
_IMAGES_OF = {'face_detector': ('color',), 'depth_enhancer': ('depth',),
              _ESTIMATOR: ('color', 'depth'), _LIVENESS: ('color',), _RECOGNIZER: ('color',),
              _EXPRESSIONS: ('color',)}
"""The camera's images that each node takes; the container subscribes once for all of them."""
_GO_ON_WITHOUT = (_ESTIMATOR, _EXPRESSIONS, _LIVENESS)
_PATIENT = (_LIVENESS, _RECOGNIZER, _EXPRESSIONS)
_LONGEST_WAIT_S, _LONGEST_SILENCE_S = 5.0, 60.0
_WAIT_SHARE = 0.25
"""
Of the deadline these nodes wait so long for what they can do without: frame by frame no answer
shall depend on how busy the machine is. For liveness it is three times as long.
"""
_CONTAINER = 'replay_container'
_NO_INFO = 'bag_topic'
_TOTALS = ('latency', 'work')
"""Times in diagnostics that are sums of others."""
_RELIABLE = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
_LATCHED = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE,
                      durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
_START_S = 180.0
_DIAGNOSTICS_PERIOD_S = 1.2
_READY_S = 900.0
"""A TensorRT engine may have to be built first."""
_STATUS_S = 10.0
"""How long the result of an enrolment may take."""
_LANDMARKS_S = 1.0
"""How long landmarks may come after the rest of their frame, on a machine with much to do."""
_TRACKS_AHEAD, _TRACKS_BEHIND = 4, 16
"""Tracks whose landmarks are listened for before they begin, and after others have."""


class RosPlayer:
    """
    Plays frames to the nodes and collects what they publish.

    :param outputs: topics and types to listen to; None = all that a replay records
    :param flight: what takes the outputs; None = what matches them to frames
    :raises FaceDepthError: the container or a component does not come up
    """

    def __init__(self, settings: ReplaySettings, outputs: dict[str, str] | None = None,
                 flight: FramesInFlight | None = None) -> None:
        self._settings = settings
        self._domain = OwnDomain()
        environment = self._domain.environment()
        self._process = ContainerProcess(_CONTAINER, NAMESPACE, environment)
        try:
            self._join_domain(environment)
        except BaseException:
            self._process.stop()
            self._domain.close()
            raise
        self._outputs = recorded_types(settings) if outputs is None else outputs
        self._flight = flight or FramesInFlight(tuple(self._outputs.items()), settings.deadline_s)
        wanted = {_ESTIMATOR: settings.estimator != OFF, _RECOGNIZER: settings.recognizes,
                  _EXPRESSIONS: bool(settings.expression_model),
                  _LIVENESS: bool(settings.liveness_model)}
        self._components = [name for name in _COMPONENTS if wanted.get(name, True)]
        self._status: dict[str, dict[str, str]] = {name: {} for name in self._components}
        self._latched: list[OutputMessage] = []
        self._faces: frozenset[str] = frozenset()
        self._listened: dict[str, Subscription] = {}
        self._newest_track = 0
        self._heard: set[str] = set()
        self._met: set[str] = set()
        self._failure = ''
        self._windows = list(settings.enroll)
        self._asked: EnrollWindow | None = None
        self._enrolled: list[EnrollResult] = []
        self._first_ns: int | None = None
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _join_domain(self, environment: dict[str, str]) -> None:
        """Make the node that drives the others."""
        self._context = Context()
        with changed_environment(environment):  # read when the context and its node are made
            rclpy.init(context=self._context, domain_id=self._domain.number,
                       signal_handler_options=SignalHandlerOptions.NO)
            self._node = Node('replay', namespace=NAMESPACE, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def play(self, frames: Iterable[FrameMessages]) -> Iterator[PlayedFrame]:
        """Play frame by frame, or at the bag's own pace, and report each frame in order."""
        first_log_ns = started = None
        for source in frames:
            if self._settings.realtime:
                if first_log_ns is None or started is None:
                    first_log_ns, started = source.color.log_ns, time.monotonic()
                due = started + (source.color.log_ns - first_log_ns) * 1e-9
                self._spin_until(lambda: False, due - time.monotonic())
                yield from self._resolved()
            self._enroll(source.stamp_ns)
            self._send(source)
            if not self._settings.realtime:
                self._wait_for_frame()
                yield from self._resolved()
        self._wait_for_frame()
        if self._asked is not None:
            self._spin_until(lambda: self._asked is None, _STATUS_S)
        yield from self._resolved(last=True)

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

    def refusals(self) -> dict[str, int]:
        """Return the counts of what the estimator last said it left out or doubted, by cause."""
        status = self._status.get(_ESTIMATOR, {})
        return {key.partition('.')[2]: int(value) for key, value in status.items()
                if key.startswith('noted.') and int(value)}

    def enrollments(self) -> tuple[EnrollResult, ...]:
        """Return what became of the people to be introduced."""
        lost = [] if self._asked is None else [EnrollResult(self._asked, 'no status has come')]
        return tuple(self._enrolled + lost)

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
        if _ESTIMATOR in self._components:
            self._node.create_subscription(
                LabelInfo, LABEL_INFO_TOPIC, self._on_label_info, _LATCHED, raw=True)
            self._listen_for_landmarks()
        if _RECOGNIZER in self._components:
            self._enroll_publisher = self._node.create_publisher(
                String, f'{NAMESPACE}/enroll', _RELIABLE)
            self._node.create_subscription(String, f'{NAMESPACE}/enroll/status',
                                           self._on_enroll_status, _RELIABLE)
        for topic, msgtype in self._outputs.items():
            self._node.create_subscription(
                _MESSAGE_CLASSES[msgtype], topic, self._on_detections if topic == DETECTIONS_TOPIC
                else partial(self._flight.receive, topic), _RELIABLE, raw=True)
        self._publishers = {
            key: self._node.create_publisher(CameraInfo if key.endswith('info') else Image,
                                             f'{NAMESPACE}/{topic}', _RELIABLE)
            for key, topic in _INPUTS.items()}
        self._load_components()
        if not self._spin_until(self._ready, _READY_S):
            raise self._error('the nodes did not become ready')
        taken = {key for name in self._components for key in _IMAGES_OF[name]}
        if not self._spin_until(lambda: all(
                self._publishers[key].get_subscription_count() for key in taken), _START_S):
            raise self._error('the nodes did not subscribe to the camera topics')

    def _load_components(self) -> None:
        client = self._node.create_client(
            LoadNode, f'{NAMESPACE}/{_CONTAINER}/_container/load_node')
        if not self._spin_until(client.service_is_ready, _START_S):
            raise self._error('the container did not offer its services')
        for name in self._components:
            plugin = _COMPONENTS[name]
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
        values: dict[str, str | bool | float] = {'backend': self._settings.backend,
                                         'precision': self._settings.precision}
        if name == 'depth_enhancer':
            values['method'] = self._settings.method
            values['temporal'] = self._settings.temporal
        if name == _ESTIMATOR:
            values['model'] = self._settings.estimator
        if name == _EXPRESSIONS:
            values['model'] = self._settings.expression_model
        if name == _LIVENESS:
            values['model'] = self._settings.liveness_model
        if name == _RECOGNIZER:
            access = self._settings.access
            values['require_live'] = self._settings.require_live
            values |= {'model': self._settings.recognizer_model, 'gallery': access.path,
                       'key_file': access.key_file, 'plain': access.plain}
            for window in self._settings.enroll[:1]:
                values['enroll_seconds'] = window.end_s - window.start_s
        if not self._settings.realtime:
            # A topic that is called silent is not waited for; here the frames come as slowly as
            # the nodes work.
            values['silence_timeout'] = _LONGEST_SILENCE_S
            if name in _PATIENT:
                values['wait_s'] = min(_LONGEST_WAIT_S, _WAIT_SHARE * self._settings.deadline_s)
        topics = ['color/image_raw'] if name == 'face_detector' else _INPUTS.values()
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
        try:
            parts = camera_messages(source)
        except FaceDepthError as error:
            if error.cause == _NO_INFO:
                raise
            self._flight.refuse(source, error.cause)
            return
        self._flight.send(source, self._refused())
        for key, publisher in self._publishers.items():
            publisher.publish(parts[key])

    def _enroll(self, stamp_ns: int) -> None:
        """Ask for a person to be introduced whose time has come; wait for one whose is up."""
        self._first_ns = stamp_ns if self._first_ns is None else self._first_ns
        since = (stamp_ns - self._first_ns) * 1e-9
        if self._asked is not None and since > self._asked.end_s and not self._settings.realtime:
            self._spin_until(lambda: self._asked is None, _STATUS_S)
        due = [w for w in self._windows if w.start_s <= since]
        if due and self._asked is None:
            self._windows.remove(due[0])
            self._asked = due[0]
            self._enroll_publisher.publish(String(data=due[0].name))
            self._spin_until(lambda: self._status[_RECOGNIZER].get('enrolling') == due[0].name
                             or self._asked is None, _DIAGNOSTICS_PERIOD_S
                             if self._settings.realtime else _STATUS_S)

    def _on_enroll_status(self, message: String) -> None:
        if self._asked is not None:
            self._enrolled.append(EnrollResult(self._asked, message.data))
            self._asked = None

    def _wait_for_frame(self) -> None:
        """Wait for the newest frame's outputs, and for landmarks that its last ones had too."""
        self._spin_until(lambda: self._flight.settled, self._settings.deadline_s)
        awaited = self._heard & self._faces
        if not self._spin_until(lambda: awaited <= self._flight.extras, _LANDMARKS_S):
            # Not once more for a face that is left out from now on.
            self._heard -= awaited - self._flight.extras
        # A face's topic begins with the face: from its second frame on landmarks shall arrive.
        new = self._faces - self._met
        self._met |= new
        self._spin_until(lambda: all(self._node.count_publishers(t) for t in new), _LANDMARKS_S)

    def _resolved(self, *, last: bool = False) -> Iterator[PlayedFrame]:
        """Give what is decided; what was published once goes with the first frame after it."""
        for played in self._flight.resolved(in_real_time=self._settings.realtime, last=last):
            latched, self._latched = tuple(self._latched), []
            yield replace(played, outputs=latched + played.outputs)

    def _on_label_info(self, cdr: bytes) -> None:
        self._latched = [OutputMessage(LABEL_INFO_TOPIC, LABEL_INFO, bytes(cdr))]

    def _on_detections(self, cdr: bytes) -> None:
        self._flight.receive(DETECTIONS_TOPIC, cdr)
        if _ESTIMATOR in self._components:
            message: Any = message_types().deserialize_cdr(bytes(cdr), DETECTIONS)
            self._faces = frozenset(f'{LANDMARKS_PREFIX}{d.id}' for d in message.detections)
            self._listen_for_landmarks()

    def _listen_for_landmarks(self) -> None:
        """Subscribe to the landmarks of the faces seen and of those that come next."""
        self._newest_track = max([self._newest_track, *(
            int(t[-5:]) for t in self._faces if t[-5:].isdigit())])
        near = range(max(1, self._newest_track - _TRACKS_BEHIND),
                     self._newest_track + 1 + _TRACKS_AHEAD)
        wanted = self._faces | {f'{LANDMARKS_PREFIX}f{i:05d}' for i in near}
        for topic in self._listened.keys() - wanted:  # each costs a wait for any message
            self._node.destroy_subscription(self._listened.pop(topic))
        for topic in sorted(wanted - self._listened.keys()):
            self._listened[topic] = self._node.create_subscription(
                FacialLandmarks, topic, partial(self._on_landmarks, topic), _RELIABLE, raw=True)

    def _on_landmarks(self, topic: str, cdr: bytes) -> None:
        self._heard.add(topic)
        self._flight.receive_extra(topic, LANDMARKS, cdr)

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
                # Without its model such a node goes on and says nothing of any face; that is no
                # replay of what was asked for.
                empty = name in _GO_ON_WITHOUT and self._status[name].get('ready') == 'true' and (
                    self._status[name].get('model') == 'none')
                if status.level == DiagnosticStatus.ERROR or empty:
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


def camera_messages(source: FrameMessages) -> dict[str, bytes]:
    """
    Return what a camera sends of a frame, serialised, by the keys of `_INPUTS`.

    :raises BagError: there is no calibration
    :raises FaceDepthError: an image cannot be decoded
    """
    depth_info = source.depth_info or source.color_info
    if depth_info is None:
        raise BagError('the bag has no camera_info, which the nodes need; record the topic '
                       'camera_info beside the images, or use --transport direct', cause=_NO_INFO)
    color, depth = image_messages(source)
    # The colour's camera_info serves both where depth has none: they share one grid.
    return {'color_info': (source.color_info or depth_info).cdr, 'depth_info': depth_info.cdr,
            'color': color, 'depth': depth}
