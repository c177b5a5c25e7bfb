# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""States through the services of a running node: failures are reported and can be mended."""

from __future__ import annotations

import threading

from diagnostic_msgs.msg import DiagnosticStatus
from face_depth_ros.nodes import managed_node
from face_depth_ros.nodes.face_detector import FaceDetectorNode
from fake_predictors import BrokenPredictor, color_message, FakeDetector
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_graph import Graph, wait_until
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros

MANUAL = [Parameter('autostart', value=False)]


def change(graph: Graph, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return graph.probe.call(
        ChangeState, graph.topic('face_detector/change_state'), request).success


def state(graph: Graph) -> str:
    return graph.probe.call(GetState, graph.topic('face_detector/get_state'),
                            GetState.Request()).current_state.label


def set_parameter(graph: Graph, name: str, value: object):
    request = SetParameters.Request(
        parameters=[Parameter(name, value=value).to_parameter_msg()])
    return graph.probe.call(SetParameters, graph.topic('face_detector/set_parameters'),
                            request).results[0]


def test_autostart_reaches_active(graph):
    graph.add(FaceDetectorNode, open_detector=FakeDetector)
    wait_until(lambda: state(graph) == 'active', 'active state')


def test_without_autostart_each_step_waits_to_be_asked(graph):
    node = graph.add(FaceDetectorNode, open_detector=FakeDetector, parameter_overrides=MANUAL)
    assert state(graph) == 'unconfigured'
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert state(graph) == 'inactive'
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    assert state(graph) == 'active'
    detector = node._slot.present
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    assert change(graph, Transition.TRANSITION_CLEANUP)
    assert state(graph) == 'unconfigured'
    assert detector.closed and node._slot.present is None
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    assert change(graph, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert state(graph) == 'finalized'
    assert node._slot.present is None


def test_a_failed_load_is_reported_and_the_node_can_be_configured_again(graph):
    BrokenPredictor.broken = True
    graph.add(FaceDetectorNode, open_detector=BrokenPredictor)
    values = graph.wait_status(
        'face_detector', lambda s, _: s.level == DiagnosticStatus.ERROR)
    message = graph.probe.statuses[graph.topic('face_detector')].message
    assert message == 'cannot configure: model x: cannot read x.onnx (No such file or directory)'
    assert values['count.model_missing'] == '1' and values['state'] == 'unconfigured'
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    assert state(graph) == 'unconfigured'
    BrokenPredictor.broken = False
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    values = graph.wait_status('face_detector', lambda s, _: s.level == DiagnosticStatus.OK)
    assert values['state'] == 'active' and values['count.model_missing'] == '2'


def test_a_model_that_is_not_there_can_be_replaced_by_parameter(graph):
    opened = []

    def open_detector(**settings):
        opened.append(settings['model'])
        if settings['model'] == 'gone':
            raise RuntimeError('a bug in the predictor')
        return FakeDetector(**settings)

    graph.add(FaceDetectorNode, open_detector=open_detector,
              parameter_overrides=[Parameter('model', value='gone')])
    values = graph.wait_status('face_detector', lambda s, _: s.level == DiagnosticStatus.ERROR)
    assert values['last.internal_error'] == 'a bug in the predictor'
    assert set_parameter(graph, 'model', 'here').successful
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert opened == ['gone', 'here']
    result = set_parameter(graph, 'model', 'another')
    assert not result.successful and 'can only change while the node is unconfigured' in (
        result.reason)


def test_a_subscriber_of_other_qos_is_still_named_once_the_node_is_active(graph):
    node = graph.add(FaceDetectorNode, open_detector=FakeDetector, parameter_overrides=MANUAL)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.probe.spinner.call(lambda: graph.probe.node.create_subscription(
        Detection2DArray, graph.topic('detections'), lambda _: None, latched))
    wait_until(lambda: 'incompatible_qos' in node.health.report().counts, 'event of the QoS')
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    graph.wait_status('face_detector', lambda s, v: (
        v['state'] == 'active' and s.level == DiagnosticStatus.WARN
        and 'asks for another durability than is offered' in s.message))


def test_an_impossible_transition_is_refused_and_the_node_lives(graph):
    graph.add(FaceDetectorNode, open_detector=FakeDetector, parameter_overrides=MANUAL)
    assert not change(graph, Transition.TRANSITION_ACTIVATE)
    assert state(graph) == 'unconfigured'
    assert change(graph, Transition.TRANSITION_CONFIGURE)


def test_the_executor_is_free_while_an_engine_loads(graph):
    gate, loading = threading.Event(), threading.Event()

    def slow(**settings):
        loading.set()
        assert gate.wait(30.0)
        return FakeDetector(**settings)

    graph.add(FaceDetectorNode, open_detector=slow)
    assert loading.wait(30.0)
    try:
        assert state(graph) == 'configuring'
        graph.wait_status('face_detector', lambda _, v: v['state'] == 'configuring')
    finally:
        gate.set()
    wait_until(lambda: state(graph) == 'active', 'active state')


def test_an_error_in_the_background_is_counted_and_transitions_go_on(graph):
    node = graph.add(FaceDetectorNode, open_detector=FakeDetector)
    wait_until(lambda: state(graph) == 'active', 'active state')

    def broken(_detector):
        raise RuntimeError('a bug in the predictor')

    node.between_frames(broken)
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    values = graph.wait_status('face_detector', lambda _, v: 'count.internal_error' in v)
    assert 'a bug in the predictor' in values['last.internal_error']


def test_what_opens_only_after_the_node_has_gone_is_closed(graph, monkeypatch):
    monkeypatch.setattr(managed_node, 'CLOSE_TIMEOUT_S', 0.1)
    gate, loading, opened = threading.Event(), threading.Event(), []

    def slow(**settings):
        loading.set()
        assert gate.wait(30.0)
        opened.append(FakeDetector(**settings))
        return opened[-1]

    node = graph.add(FaceDetectorNode, open_detector=slow)
    assert loading.wait(30.0)
    graph.spinner.remove(node)
    gate.set()
    wait_until(lambda: opened and opened[0].closed, 'end of the engine')


def test_a_result_that_comes_after_deactivation_is_dropped(graph):
    node = graph.add(FaceDetectorNode, open_detector=FakeDetector)
    graph.advertise(color=Image)
    graph.subscribe(Detection2DArray, 'detections')
    graph.wait_ready('face_detector')
    detector = node._slot.present
    detector.gate.clear()
    graph.publish(color=color_message(1))
    wait_until(lambda: node.inputs[0].count, 'arrival')
    wait_until(lambda: node.work.mailbox._busy, 'work')
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    detector.gate.set()
    values = graph.wait_status('face_detector', lambda _, v: 'count.result_outdated' in v)
    assert values['frames.processed'] == '0' and graph.received('detections') == []
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    graph.wait_ready('face_detector')
    graph.publish(color=color_message(1))
    graph.wait_stamp('detections', 1)
