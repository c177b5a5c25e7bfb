# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The launch file, run by the real launch_ros; skipped where that is not importable."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import sys

from composition_interfaces.srv import ListNodes
from drawn_estimators import write_estimators
from expression_graph import write_expression_model
from face_depth_ros.nodes.image_messages import depth_from_message
from fake_predictors import color_message, depth_message, info_message
from hri_msgs.msg import IdsList
import pytest
from rcl_interfaces.srv import GetParameters
from recognizer_graph import write_recognizer
from ros_graph import DEADLINE_S, Graph
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

launch_ros = pytest.importorskip(
    'launch_ros', reason='launch_ros is not importable: it comes with a ROS distribution, or from '
    'its sources on PYTHONPATH')
pytestmark = pytest.mark.ros

NODES = ('face_detector', 'depth_enhancer', 'depth_estimator', 'face_recognizer',
         'expression_recognizer', 'liveness_detector', 'hri_publisher')
FILE = Path(__file__).resolve().parents[2] / 'launch' / 'face_depth.launch.py'
RUNNER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = dict(a.split(':=', 1) for a in sys.argv[2:])
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments.items())]))
sys.exit(service.run())
"""


@contextlib.contextmanager
def launched(graph: Graph, **arguments: str) -> Iterator[subprocess.Popen]:
    """Run the launch file; ctrl-c must end it and all that it started."""
    arguments = {'namespace': graph.namespace.strip('/'),
                 'color_topic': graph.topic('camera/color/image_raw'),
                 'color_info_topic': graph.topic('camera/color/camera_info'),
                 'depth_topic': graph.topic('camera/depth/image_raw'),
                 'depth_info_topic': graph.topic('camera/depth/camera_info'), **arguments}
    environment = {k: v for k, v in os.environ.items() if 'DEFAULT_PROFILES_FILE' not in k}
    started = subprocess.Popen(
        [sys.executable, '-c', RUNNER, str(FILE),
         *(f'{k}:={v}' for k, v in arguments.items())],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True)
    try:
        yield started
    finally:
        for sign in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(started.pid, sign)
                started.communicate(timeout=DEADLINE_S)


def nodes_of(graph: Graph, container: str) -> list[str]:
    return graph.probe.call(ListNodes, graph.topic(f'{container}/_container/list_nodes'),
                            ListNodes.Request()).full_node_names


def parameters_of(graph: Graph, node: str, *names: str) -> list[str]:
    values = graph.probe.call(GetParameters, graph.topic(f'{node}/get_parameters'),
                              GetParameters.Request(names=names)).values
    return [v.string_value for v in values]


def test_all_components_come_up_and_a_frame_goes_through(graph, tmp_path, monkeypatch):
    write_estimators(tmp_path, ['cgan'])
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    recognizer, gallery = str(write_recognizer(tmp_path, 'small')), str(tmp_path / 'g.db')
    expressions = str(write_expression_model(tmp_path, 'small_expressions'))
    with launched(graph, precision='fp32', method='De-M2', estimator_model='cgan',
                  recognizer_model=recognizer, gallery=gallery, expression_model=expressions,
                  liveness_model='none_here', require_live='true',
                  hri_prefix=graph.topic('humans')) as process:
        for name, kind in (('color/image_raw', Image), ('color/camera_info', CameraInfo),
                           ('depth/image_raw', Image), ('depth/camera_info', CameraInfo)):
            graph.probe.publisher(kind, graph.topic(f'camera/{name}'))
        graph.subscribe(Image, 'depth_enhanced/image_raw')
        graph.subscribe(Image, 'depth_estimated/image_raw')
        for topic in ('identities', 'expressions', 'liveness'):
            graph.subscribe(Detection2DArray, topic)
        graph.subscribe(IdsList, 'humans/faces/tracked')
        graph.wait_ready(*NODES)
        assert nodes_of(graph, 'face_depth_container') == [graph.topic(n) for n in NODES]
        assert parameters_of(graph, 'expression_recognizer', 'model') == [expressions]
        assert parameters_of(graph, 'hri_publisher', 'prefix') == [graph.topic('humans')]
        assert parameters_of(graph, 'face_recognizer', 'model', 'gallery') == [
            recognizer, gallery]
        assert parameters_of(graph, 'face_detector', 'precision', 'backend', 'model') == [
            'fp32', 'auto', 'face_detector']
        assert parameters_of(graph, 'depth_enhancer', 'method') == ['De-M2']
        assert parameters_of(graph, 'depth_estimator', 'model', 'precision') == ['cgan', 'fp32']
        container = int(subprocess.run(
            ['pgrep', '-P', str(process.pid)], capture_output=True, text=True,
            check=True).stdout.split()[0])
        assert f'{FILE.parents[1]}/config/fastdds.xml' in Path(
            f'/proc/{container}/environ').read_text(encoding='utf-8')
        for node in NODES[1:]:
            status = graph.wait_status(node, lambda _, v: True)
            assert status[f'input.{graph.topic("detections")}'].startswith('hand-off')
        for topic, message in (('color/camera_info', info_message(5)),
                               ('depth/camera_info', info_message(5)),
                               ('color/image_raw', color_message(5)),
                               ('depth/image_raw', depth_message(5))):
            graph.probe.publish(graph.topic(f'camera/{topic}'), message)
        answer = graph.wait_stamp('depth_enhanced/image_raw', 5)
        assert depth_from_message(answer).array.shape == (48, 64)
        answer = graph.wait_stamp('depth_estimated/image_raw', 5)
        assert (answer.encoding, answer.width, answer.height) == ('32FC1', 64, 48)
        for topic in ('identities', 'expressions', 'liveness'):
            assert graph.wait_stamp(topic, 5).header == answer.header
        assert graph.wait_stamp('humans/faces/tracked', 5).ids == []
        graph.wait_status('liveness_detector', lambda status, _: (
            'model none_here cannot run' in status.message))
        for node in ('face_recognizer', 'expression_recognizer', 'liveness_detector'):
            status = graph.wait_status(node, lambda _, v: v['frames.processed'] != '0')
            assert status[f'input.{graph.topic("depth_estimated/faces")}'].startswith(
                'hand-off, 1 publisher(s)')
        status = graph.wait_status('face_recognizer', lambda _, v: True)
        assert status[f'input.{graph.topic("liveness")}'].startswith('hand-off')


def test_one_component_in_a_container_of_another_name_without_hand_off(graph, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('/**:\n  ros__parameters: {silence_timeout: 7.0}\n'
                   '/**/depth_enhancer:\n  ros__parameters: {method: Hf-L}\n', encoding='utf-8')
    with launched(graph, components=','.join(NODES[1:]), estimator='false', recognizer='false',
                  expressions='false', liveness='false', hri='false',
                  container_name='box', hand_off='false', params_file=str(own)):
        graph.wait_status('depth_enhancer', lambda _, v: v['state'] == 'active')
        assert nodes_of(graph, 'box') == [graph.topic('depth_enhancer')]
        assert parameters_of(graph, 'depth_enhancer', 'method') == ['Hf-L']
        with launched(graph, components='face_detector', container_name='box', hand_off='false',
                      start_container='false'):
            graph.wait_status('face_detector', lambda _, v: v['state'] == 'active')
            assert nodes_of(graph, 'box') == [graph.topic('depth_enhancer'),
                                              graph.topic('face_detector')]
            graph.subscribe(Image, 'depth_enhanced/image_raw')
            values = graph.wait_status('depth_enhancer', lambda _, v: v['wanted'] == 'true')
            assert values[f'input.{graph.topic("detections")}'].startswith('ros')


def test_an_unknown_component_is_named(graph):
    with launched(graph, components='face_detector,nose_counter') as process:
        output = process.communicate(timeout=DEADLINE_S)[0]
    assert process.returncode != 0
    assert "components is 'face_detector,nose_counter', expected some of face_detector" in output


def test_every_argument_is_documented():
    from launch.actions import DeclareLaunchArgument
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchContext
    entities = PythonLaunchDescriptionSource(str(FILE)).get_launch_description(
        LaunchContext()).entities
    declared = [e for e in entities if isinstance(e, DeclareLaunchArgument)]
    assert {e.name for e in declared} >= {'color_topic', 'depth_topic', 'namespace', 'backend',
                                          'container_name', 'components', 'params_file', 'rviz',
                                          'estimator', 'estimator_model', 'recognizer',
                                          'recognizer_model', 'gallery', 'key_file',
                                          'expressions', 'expression_model', 'liveness',
                                          'liveness_model', 'require_live', 'hri', 'hri_prefix'}
    assert all(e.description and e.default_value is not None for e in declared)
