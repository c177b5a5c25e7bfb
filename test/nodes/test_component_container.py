# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The container through its three services, and the hand-off between what it holds."""

from __future__ import annotations

import functools
import gc
import re
import threading

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from face_depth_ros.nodes.component_container import ComponentContainer
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.face_detector import FaceDetectorNode
from fake_predictors import (
    color_message,
    depth_message,
    FakeDetector,
    FakeEnhancer,
    FakeEstimator,
    info_message,
)
import pytest
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_graph import wait_until
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros


class WithHandoff:
    """A component as an entry point gives it: callable, with the class' attributes."""

    takes_handoff = True

    def __init__(self, node, **options):
        self.default_name = node.default_name
        self._make = functools.partial(node, **options)

    def __call__(self, **options):
        return self._make(**options)


class Plain(Node):
    """A node that knows nothing of this package."""

    def __init__(self, **options):
        super().__init__('plain', **options)
        self.declare_parameter('answer', 0)
        self.create_publisher(Image, 'out', 1)


class Failing(Node):
    def __init__(self, **options):
        raise RuntimeError('no camera is plugged in')


class Unloadable:
    """An entry point whose module cannot be imported."""

    def load(self):
        raise ImportError('No module named nonsense')


COMPONENTS = {
    'fake::Detector': WithHandoff(FaceDetectorNode, open_detector=FakeDetector),
    'fake::Enhancer': WithHandoff(DepthEnhancerNode, open_enhancer=FakeEnhancer),
    'fake::Estimator': WithHandoff(DepthEstimatorNode, open_estimator=FakeEstimator),
    'fake::Plain': Plain, 'fake::Failing': Failing, 'fake::Unloadable': Unloadable()}


class Client:
    """The three services, as launch_ros calls them."""

    def __init__(self, graph):
        self.graph = graph
        self.node = graph.add(functools.partial(
            ComponentContainer, graph.spinner.executor, components=COMPONENTS))

    def load(self, plugin, package='fake', **request):
        request.setdefault('node_namespace', self.graph.namespace)
        return self._call(LoadNode, 'load_node', package_name=package, plugin_name=plugin,
                          **request)

    def unload(self, unique_id):
        return self._call(UnloadNode, 'unload_node', unique_id=unique_id)

    def list(self):
        response = self._call(ListNodes, 'list_nodes')
        return dict(zip(response.unique_ids, response.full_node_names, strict=True))

    def _call(self, service, name, **request):
        return self.graph.probe.call(
            service, self.graph.topic(f'component_container/_container/{name}'),
            service.Request(**request))


@pytest.fixture
def container(graph):
    return Client(graph)


def in_graph(graph, name):
    """Topics and services of the graph whose name contains something."""
    node = graph.probe.node
    both = node.get_topic_names_and_types() + node.get_service_names_and_types()
    return [n for n, _ in both if graph.namespace in n and name in n]


def test_ids_count_from_one_and_list_tells_what_is_there(graph, container):
    assert container.list() == {}
    first = container.load('fake::Plain')
    assert first.success and first.unique_id == 1 and first.error_message == ''
    assert first.full_node_name == graph.topic('plain')
    second = container.load('fake::Plain', node_name='other')
    assert (second.unique_id, second.full_node_name) == (2, graph.topic('other'))
    assert container.list() == {1: graph.topic('plain'), 2: graph.topic('other')}
    assert container.unload(1).success
    assert container.list() == {2: graph.topic('other')}
    assert container.load('fake::Plain').unique_id == 3


def test_name_namespace_remappings_and_parameters_are_obeyed(graph, container):
    response = container.load(
        'fake::Plain', node_name='renamed', node_namespace=graph.topic('deeper'),
        remap_rules=[f'out:={graph.topic("elsewhere")}'],
        parameters=[Parameter('answer', value=42).to_parameter_msg()])
    assert response.full_node_name == graph.topic('deeper/renamed')
    node = container.node._loaded[1].node
    assert node.get_parameter('answer').value == 42
    assert node.resolve_topic_name('out') == graph.topic('elsewhere')


@pytest.mark.parametrize('name', ['plain', ''])
def test_a_name_that_is_taken_is_refused_and_the_first_lives_on(graph, container, name):
    assert container.load('fake::Plain').success
    again = container.load('fake::Plain', node_name=name)
    assert not again.success and again.unique_id == 0
    assert f'fully qualified name {graph.topic("plain")} is already' in again.error_message
    assert container.list() == {1: graph.topic('plain')}
    assert container.load('fake::Plain', node_namespace=graph.topic('deeper')).success


def test_the_containers_own_name_is_taken_too(graph, container):
    assert 'already' in container.load('fake::Plain',
                                       node_name='component_container').error_message


@pytest.mark.parametrize('plugin,package,text', [
    ('fake::Failing', 'fake', 'Component constructor threw an exception: no camera is plugged in'),
    ('fake::Nothing', 'fake', 'Failed to find class with the requested plugin name'),
    ('fake::Plain', 'other', 'Could not find requested resource in ament index'),
    ('fake::Unloadable', 'fake', 'Failed to load library.*No module named nonsense'),
])
def test_what_cannot_be_loaded_says_why_and_the_container_lives(container, plugin, package, text):
    response = container.load(plugin, package)
    assert not response.success and re.search(text, response.error_message)
    assert response.unique_id == 0 and response.full_node_name == ''
    assert container.list() == {}
    assert container.load('fake::Plain').unique_id == 1


@pytest.mark.parametrize('request_fields,text', [
    ({'remap_rules': ['this is no rule']}, 'Component constructor threw an exception'),
    ({'node_name': '1 wrong name'}, 'Component constructor threw an exception'),
    ({'extra_arguments': [Parameter('use_intra_process_comms', value='yes').to_parameter_msg()]},
     "Extra component argument 'use_intra_process_comms' must be a boolean"),
])
def test_a_malformed_request_is_refused(container, request_fields, text):
    response = container.load('fake::Plain', **request_fields)
    assert not response.success and text in response.error_message
    assert container.load('fake::Plain').success


def test_a_parameter_out_of_its_range_is_refused(container):
    response = container.load('fake::Detector', parameters=[
        Parameter('max_faces', value=0).to_parameter_msg()])
    assert not response.success and 'max_faces' in response.error_message


def test_an_unknown_id_cannot_be_unloaded(container):
    response = container.unload(7)
    assert not response.success
    assert response.error_message == 'No node found with unique_id: 7'


def test_unloading_leaves_nothing_behind(graph, container):
    before = {t.name for t in threading.enumerate()}
    for _ in range(2):
        detector = container.load('fake::Detector')
        enhancer = container.load('fake::Enhancer')
        graph.subscribe(Image, 'depth_enhanced/image_raw')
        graph.advertise(color=Image, depth=Image, depth_info=CameraInfo)
        graph.wait_ready('face_detector', 'depth_enhancer')
        assert in_graph(graph, 'face_detector') and in_graph(graph, 'depth_enhancer')
        assert container.unload(detector.unique_id).success
        assert container.unload(enhancer.unique_id).success
        wait_until(lambda: not in_graph(graph, 'face_detector')
                   and not in_graph(graph, 'depth_enhancer')
                   and not in_graph(graph, 'detections'), 'clean graph')
        assert {t.name for t in threading.enumerate()} <= before
        assert container.node.exchange.empty
        del graph.probe.statuses[graph.topic('face_detector')]
        del graph.probe.statuses[graph.topic('depth_enhancer')]
    gc.collect()
    alive = [o for o in gc.get_objects() if isinstance(o, (FaceDetectorNode, DepthEnhancerNode))]
    assert len(alive) <= 1, 'at most the one that the idle executor still names'


def test_an_estimator_and_the_topics_of_its_faces_leave_nothing_behind(graph, container):
    before = {t.name for t in threading.enumerate()}
    for plugin in ('fake::Detector', 'fake::Estimator'):
        assert container.load(plugin).success
    graph.advertise(color=Image, color_info=CameraInfo, depth=Image)
    graph.subscribe(Image, 'mask')
    graph.wait_ready('face_detector', 'depth_estimator')
    estimator = container.node._loaded[2].node
    assert estimator.inputs[1].source == 'hand-off'
    graph.publish(color_info=info_message(1), depth=depth_message(1), color=color_message(1))
    assert set(graph.wait_stamp('mask', 1).data) == {0, 1}
    wait_until(lambda: in_graph(graph, 'landmarks/f00001'), 'the topic of a face')
    assert container.node._loaded[1].node.outputs[0].messages_sent == 0
    for unique_id in (2, 1):
        assert container.unload(unique_id).success
    wait_until(lambda: not any(in_graph(graph, n) for n in (
        'landmarks', 'depth_estimat', 'label_info', 'face_detector')), 'clean graph')
    assert {t.name for t in threading.enumerate()} <= before
    assert container.node.exchange.empty
    del estimator
    gc.collect()
    alive = [o for o in gc.get_objects() if isinstance(o, DepthEstimatorNode)]
    assert len(alive) <= 1, 'at most the one that the idle executor still names'


def load_pair(graph, container, **options):
    for plugin in ('fake::Enhancer', 'fake::Detector'):
        assert container.load(plugin, **options).success
    graph.advertise(color=Image, depth=Image, depth_info=CameraInfo)
    for topic in ('image_raw', 'confidence', 'provenance'):
        graph.subscribe(Image, f'depth_enhanced/{topic}')
    graph.wait_ready('face_detector', 'depth_enhancer')
    return {n.node.get_name(): n.node for n in container.node._loaded.values()}


def send(graph, stamp):
    graph.publish(depth_info=info_message(stamp), color=color_message(stamp, red=stamp),
                  depth=depth_message(stamp, 600 + stamp))
    return [graph.wait_stamp(f'depth_enhanced/{t}', stamp).data
            for t in ('image_raw', 'confidence', 'provenance')]


@pytest.mark.parametrize('request_fields', [
    {'log_level': 15},
    {'parameters': [ParameterMessage(name='max_faces', value=ParameterValue(type=99))]},
    {'extra_arguments': [ParameterMessage(name='x', value=ParameterValue(type=99))]}])
def test_a_request_that_cannot_be_read_is_refused_and_the_container_goes_on(
        container, request_fields):
    refused = container.load('fake::Detector', **request_fields)
    assert not refused.success and 'cannot be read' in refused.error_message
    assert container.load('fake::Detector', log_level=20).success
    assert len(container.list()) == 1


@pytest.mark.parametrize(('name', 'value', 'words'), [
    ('max_faces', 'many', 'max_faces'),
    ('max_rate', 1.0, 'max_rate is 1, expected 0 (every image) or 5 to 200'),
    ('qos_overrides.{}/color/image_raw.subscription.reliability', 'relaible', 'relaible')])
def test_a_node_that_fails_while_it_is_made_leaves_the_graph(
        graph, container, name, value, words):
    name = name.format(graph.namespace)
    wrong = [Parameter(name, value=value).to_parameter_msg()]
    refused = container.load('fake::Detector', parameters=wrong)
    assert not refused.success and words in refused.error_message
    wait_until(lambda: ('face_detector', graph.namespace) not in
               graph.probe.node.get_node_names_and_namespaces(), 'end of the node', 5.0)
    assert container.load('fake::Detector').success


HANDOFF_OFF = [Parameter('use_intra_process_comms', value=False).to_parameter_msg()]


def test_hand_off_and_dds_give_the_same(graph, container):
    nodes = load_pair(graph, container)
    detections = nodes['face_detector'].outputs[0]
    assert nodes['depth_enhancer'].inputs[1].source == 'hand-off'
    by_hand = [send(graph, stamp) for stamp in range(1, 6)]
    assert detections.messages_sent == 0, 'no message without a subscriber outside'
    for unique_id in container.list():
        container.unload(unique_id)
    graph.probe.received.clear()
    graph.probe.statuses.clear()
    nodes = load_pair(graph, container, extra_arguments=HANDOFF_OFF)
    assert nodes['depth_enhancer'].inputs[1].source == 'ros'
    assert [send(graph, stamp) for stamp in range(1, 6)] == by_hand
    assert nodes['face_detector'].outputs[0].messages_sent == 5


def test_no_dds_endpoint_joins_what_is_handed_off(graph, container):
    load_pair(graph, container)
    topic = graph.topic('detections')
    assert graph.probe.node.count_subscribers(topic) == 0
    assert graph.probe.node.count_publishers(topic) == 1, 'for those outside who may come'


def test_components_take_messages_from_outside_together(graph, container):
    load_pair(graph, container)
    assert container.load('fake::Estimator').success
    graph.subscribe(Image, 'depth_estimated/image_raw')
    graph.advertise(color_info=CameraInfo)
    graph.wait_ready('depth_estimator')
    for name in ('color/image_raw', 'color/camera_info', 'depth/image_raw', 'depth/camera_info'):
        assert graph.probe.node.count_subscribers(graph.topic(name)) == 1, name
    send(graph, 1)
    graph.publish(color_info=info_message(1))
    graph.wait_stamp('depth_estimated/image_raw', 1)
    detector_id = next(i for i, n in container.list().items() if n.endswith('face_detector'))
    container.unload(detector_id)
    assert container.load('fake::Detector').success
    del graph.probe.statuses[graph.topic('face_detector')]
    graph.wait_ready('face_detector', 'depth_enhancer', 'depth_estimator')
    send(graph, 2)


def test_what_an_unloaded_node_had_still_to_do_is_left_out(graph, container):
    assert container.load('fake::Estimator').success
    node = container.node._loaded[1].node

    def unload_meanwhile():
        node.on_executor(node._overdue.reset)
        container.node._unload(1)

    graph.spinner.call(unload_meanwhile)
    assert container.load('fake::Detector').success
    assert graph.spinner.failure is None


def test_a_name_that_the_container_uses_is_refused(graph, container):
    refused = container.load('fake::Plain', node_name='component_container_inputs')
    assert not refused.success and 'component_container_inputs is already in' in (
        refused.error_message)


def test_an_error_where_messages_come_in_ends_the_container(graph, container):
    nodes = load_pair(graph, container)

    def broken(_message):
        raise RuntimeError('a bug in a node')

    nodes['face_detector'].inputs[0].take = broken
    graph.publish(color=color_message(1))
    wait_until(lambda: graph.spinner.failure is not None, 'the end of the executor')
    assert str(graph.spinner.failure) == 'a bug in a node'
    graph.spinner.failure = None


def test_a_subscriber_outside_gets_messages_beside_the_hand_off(graph, container):
    nodes = load_pair(graph, container)
    send(graph, 1)
    subscription = graph.subscribe(Detection2DArray, 'detections')
    output = nodes['face_detector'].outputs[0]
    wait_until(lambda: output.demand == 2, 'match')
    send(graph, 2)
    assert len(graph.wait_stamp('detections', 2).detections) == 1
    assert output.messages_sent == 1
    graph.probe.unsubscribe(subscription)
    wait_until(lambda: output.demand == 1, 'end of the match')
    send(graph, 3)
    assert output.messages_sent == 1


def test_an_enhancer_follows_its_detector_in_and_out_of_the_container(graph, container):
    load_pair(graph, container)
    send(graph, 1)
    detector_id = next(i for i, n in container.list().items() if n.endswith('face_detector'))
    container.unload(detector_id)
    del graph.probe.statuses[graph.topic('face_detector')]
    enhancer = next(iter(container.node._loaded.values())).node
    wait_until(lambda: enhancer.inputs[1].source == 'ros', 'a ROS subscription')
    outside = graph.add(FaceDetectorNode, open_detector=FakeDetector)
    graph.wait_ready('face_detector', 'depth_enhancer')
    send(graph, 2)
    graph.spinner.remove(outside)
    del graph.probe.statuses[graph.topic('face_detector')]
    assert container.load('fake::Detector').success
    wait_until(lambda: enhancer.inputs[1].source == 'hand-off', 'the hand-off')
    graph.wait_ready('face_detector', 'depth_enhancer')
    send(graph, 3)


def test_a_publisher_outside_of_a_handed_off_topic_is_named(graph, container):
    load_pair(graph, container)
    graph.advertise(detections=Detection2DArray)
    values = graph.wait_status('depth_enhancer',
                               lambda _, v: v['problems'] == 'publisher_unheard')
    assert values['ready'] == 'true'
    assert '1 other publisher(s) outside are not heard' in graph.probe.statuses[
        graph.topic('depth_enhancer')].message


def test_a_chain_sleeps_when_nobody_listens_at_its_end(graph, container):
    assert container.load('fake::Detector').success
    assert container.load('fake::Enhancer').success
    subscription = graph.subscribe(Image, 'depth_enhanced/confidence')
    graph.advertise(color=Image, depth=Image, depth_info=CameraInfo)
    graph.wait_ready('face_detector', 'depth_enhancer')
    graph.probe.unsubscribe(subscription)
    for name in ('face_detector', 'depth_enhancer'):
        graph.wait_status(name, lambda _, v: v['wanted'] == 'false')
    wait_until(lambda: graph.probe.node.count_subscribers(graph.topic('color/image_raw')) == 0,
               'end of the subscriptions')
