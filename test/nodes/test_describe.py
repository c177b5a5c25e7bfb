# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What is written about topics and parameters is what the nodes have."""

from __future__ import annotations

from pathlib import Path
import sys

from face_depth_ros.nodes import describe, parameters
from face_depth_ros.nodes.absent_expressions import AbsentExpressionRecognizer
from face_depth_ros.nodes.absent_liveness import AbsentLivenessDetector
from face_depth_ros.nodes.absent_recognizer import AbsentRecognizer
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.expression_recognizer import ExpressionRecognizerNode
from face_depth_ros.nodes.face_detector import FaceDetectorNode
from face_depth_ros.nodes.face_recognizer import FaceRecognizerNode
from face_depth_ros.nodes.hri_publisher import HriPublisherNode
from face_depth_ros.nodes.liveness_detector import LivenessDetectorNode
from fake_predictors import FakeDetector, FakeEnhancer, FakeEstimator
import pytest
from rclpy.parameter import Parameter
import yaml

CONFIG = Path(__file__).resolve().parents[2] / 'config' / 'face_depth.yaml'


def test_the_parameter_file_is_the_one_made_from_the_schemas():
    assert CONFIG.read_text(encoding='utf-8') == describe.parameters_yaml() + '\n', (
        'python -m face_depth_ros.nodes.describe yaml > config/face_depth.yaml')


def test_the_parameter_file_holds_the_defaults_with_their_types():
    content = yaml.safe_load(CONFIG.read_text(encoding='utf-8'))
    for node in describe.NODES:
        values = content[f'/**/{node.default_name}']['ros__parameters']
        assert node.settings_type(**values) == node.settings_type()
        assert {k: type(v) for k, v in values.items()} == {
            f.name: type(f.default) for f, _ in parameters.schema(node.settings_type)}


@pytest.mark.ros
def test_the_table_of_topics_names_what_the_nodes_have(graph):
    nodes = {'face_detector': graph.add(FaceDetectorNode, open_detector=FakeDetector),
             'depth_enhancer': graph.add(DepthEnhancerNode, open_enhancer=FakeEnhancer),
             'depth_estimator': graph.add(DepthEstimatorNode, open_estimator=FakeEstimator),
             'face_recognizer': graph.add(
                 FaceRecognizerNode, open_recognizer=lambda **_: AbsentRecognizer(),
                 parameter_overrides=[Parameter('require_live', value=True)]),
             'expression_recognizer': graph.add(
                 ExpressionRecognizerNode,
                 open_recognizer=lambda **_: AbsentExpressionRecognizer()),
             'liveness_detector': graph.add(
                 LivenessDetectorNode, open_detector=lambda **_: AbsentLivenessDetector()),
             'hri_publisher': graph.add(HriPublisherNode)}
    assert set(nodes) == {node.default_name for node in describe.NODES}
    for name, node in nodes.items():
        has = {(i.topic, 'in' if i.required else 'in, optional') for i in node.inputs}
        has |= {(o.topic, 'out') for o in node.outputs}
        if name == 'depth_estimator':
            has.add((node.latched.topic_name, 'out, latched'))
        if name == 'face_recognizer':
            has.add((node._enrollment._subscription.topic_name, 'in'))
        if name == 'hri_publisher':
            has.add((node.landmark_inputs.topic, 'in, optional'))
        assert has == {(t if t.startswith('/') else graph.topic(t), direction)
                       for t, _, direction, of, _ in describe.TOPICS if of == name}


@pytest.mark.parametrize('what,line', [
    ('topics', '| depth_enhanced/provenance | sensor_msgs/Image | out | depth_enhancer |'),
    ('topics', '| mask/label_info | vision_msgs/LabelInfo | out, latched | depth_estimator |'),
    ('parameters', '| depth_enhancer | method | string | network |'),
    ('yaml', '/**/depth_enhancer:')])
def test_the_command_prints_each(what, line, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['describe', what])
    assert describe.main() == 0
    assert line in capsys.readouterr().out
