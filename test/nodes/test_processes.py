# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The executables, each in its own process, with the shipped models where they need one."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import sys

from composition_interfaces.srv import ListNodes, LoadNode
from expression_graph import write_expression_model
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from fake_predictors import color_message, depth_message, FRAME_ID, info_message
import pytest
from rclpy.parameter import Parameter
from ros_graph import DEADLINE_S, Graph
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros

FAILING_COMPONENT = """
class Broken:
    def __init__(self, **options):
        raise RuntimeError('made to fail')
"""


@contextlib.contextmanager
def process(module: str, graph: Graph, *arguments: str, path: Path | None = None,
            stop: int = signal.SIGINT) -> Iterator[subprocess.Popen]:
    """Run `main` of a module as its console script does; it must end with 0 after a signal."""
    environment = dict(os.environ)
    if path is not None:
        environment['PYTHONPATH'] = os.pathsep.join(
            [str(path), *filter(None, [environment.get('PYTHONPATH')])])
    code = f'import sys; from face_depth_ros.nodes.{module} import main; sys.exit(main())'
    started = subprocess.Popen(
        [sys.executable, '-c', code, *arguments, '--ros-args', '-r', f'__ns:={graph.namespace}'],
        env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield started
        started.send_signal(stop)
        errors = started.communicate(timeout=DEADLINE_S)[1]
        assert started.returncode == 0, errors
        assert 'Traceback' not in errors, errors
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


def test_the_nodes_run_alone_and_end_with_zero(graph):
    method = ['--ros-args', '-p', 'method:=De-M2', '--']
    with process('face_detector', graph), process('depth_enhancer', graph, *method,
                                                  stop=signal.SIGTERM):
        graph.advertise(color=Image, depth=Image, depth_info=CameraInfo)
        graph.subscribe(Detection2DArray, 'detections')
        graph.subscribe(Image, 'depth_enhanced/image_raw')
        graph.wait_ready('face_detector', 'depth_enhancer')
        size = {'width': 160, 'height': 120}
        graph.publish(depth_info=info_message(1, **size), color=color_message(1, **size),
                      depth=depth_message(1, **size))
        assert graph.wait_stamp('detections', 1).detections == []
        assert graph.wait_stamp('depth_enhanced/image_raw', 1).data == depth_message(
            1, **size).data
        values = graph.wait_status('face_detector', lambda _, v: v['frames.processed'] == '1')
        assert values['engine.backend'] in ('openvino', 'tensorrt')
        assert len(values['engine.sha256']) == 64
        assert graph.wait_status('depth_enhancer', lambda _, v: True)['method'] == 'De-M2'


def test_a_node_that_judges_faces_runs_alone_and_estimates_them_itself(graph, tmp_path):
    model = ['--ros-args', '-p', f'model:={write_expression_model(tmp_path)}', '--']
    with process('expression_recognizer', graph, *model):
        graph.advertise(color=Image, color_info=CameraInfo, detections=Detection2DArray)
        graph.subscribe(Detection2DArray, 'expressions')
        graph.wait_ready('expression_recognizer')
        box = Detection(FaceBox(80.0, 60.0, 80.0), 0.9, track_id='f00001')
        size = {'width': 160, 'height': 120}
        graph.publish(color_info=info_message(1, **size), color=color_message(1, **size),
                      detections=detections_to_message(DetectionFrame(1, FRAME_ID, (box,))))
        face = graph.wait_stamp('expressions', 1).detections[0]
        assert (face.id, face.bbox.size_x, len(face.results)) == ('f00001', 80.0, 7)
        values = graph.wait_status('expression_recognizer',
                                   lambda _, v: v['frames.processed'] == '1')
        assert values['count.unseen_no_face'] == '1', 'a red square is none'


@pytest.mark.parametrize('executor', ['single_threaded', 'events'])
def test_a_container_finds_components_by_entry_points(graph, tmp_path, executor):
    (tmp_path / 'strange_components.py').write_text(FAILING_COMPONENT, encoding='utf-8')
    info = tmp_path / 'strange_components-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: strange_components\n'
                                   'Version: 1.0\n', encoding='utf-8')
    (info / 'entry_points.txt').write_text(
        '[face_depth_ros.components]\nstrange_components::Broken = strange_components:Broken\n',
        encoding='utf-8')

    def load(package, plugin, **fields):
        return graph.probe.call(
            LoadNode, graph.topic('component_container/_container/load_node'),
            LoadNode.Request(package_name=package, plugin_name=plugin,
                             node_namespace=graph.namespace, **fields))

    with process('component_container', graph, '--executor', executor, path=tmp_path):
        broken = load('strange_components', 'strange_components::Broken')
        assert not broken.success and 'made to fail' in broken.error_message
        assert load('face_depth_ros', 'face_depth_ros::FaceDetector').success
        assert load('face_depth_ros', 'face_depth_ros::DepthEnhancer', parameters=[
            Parameter('method', value='De-M2').to_parameter_msg()]).success
        listed = graph.probe.call(
            ListNodes, graph.topic('component_container/_container/list_nodes'),
            ListNodes.Request())
        assert listed.full_node_names == [graph.topic('face_detector'),
                                          graph.topic('depth_enhancer')]
        graph.advertise(color=Image, depth=Image, depth_info=CameraInfo)
        graph.subscribe(Image, 'depth_enhanced/confidence')
        graph.wait_ready('face_detector', 'depth_enhancer')
        graph.publish(depth_info=info_message(1), color=color_message(1), depth=depth_message(1))
        graph.wait_stamp('depth_enhanced/confidence', 1)


FAILING_INPUTS = """
import sys, threading
from face_depth_ros.nodes.component_container import ComponentContainer
from face_depth_ros.nodes.process import run

def make(executor):
    container = ComponentContainer(executor)
    threading.Timer(0.3, container._fail, [RuntimeError('a bug in a node')]).start()
    return container

sys.exit(run(make, sys.argv[1], []))
"""


@pytest.mark.parametrize('executor', ['single_threaded', 'events'])
def test_a_container_whose_inputs_fail_says_why_and_ends_with_one(executor):
    done = subprocess.run([sys.executable, '-c', FAILING_INPUTS, executor], text=True,
                          stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1, done.stderr
    assert 'Traceback' in done.stderr and 'a bug in a node' in done.stderr


def test_a_node_that_cannot_start_says_why_and_ends_with_one(graph):
    code = 'import sys; from face_depth_ros.nodes.face_detector import main; sys.exit(main())'
    done = subprocess.run([sys.executable, '-c', code, '--ros-args', '-p', 'max_faces:=0'],
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1
    assert 'cannot start' in done.stderr and 'max_faces' in done.stderr
