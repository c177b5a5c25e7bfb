# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Face components beside a camera, in one container.

ros2 launch face_depth_ros face_depth.launch.py
ros2 launch face_depth_ros face_depth.launch.py --show-args
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import ComposableNodeContainer, LoadComposableNodes, Node
from launch_ros.descriptions import ComposableNode
import yaml

from launch import LaunchContext, LaunchDescription

PACKAGE = 'face_depth_ros'
SHARE = Path(__file__).resolve().parents[1]
PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
"""Fast DDS 2 (Humble to Jazzy) and 3 (Kilted and later)."""

PLUGINS = {'face_detector': 'FaceDetector', 'depth_enhancer': 'DepthEnhancer',
           'depth_estimator': 'DepthEstimator', 'face_recognizer': 'FaceRecognizer',
           'expression_recognizer': 'ExpressionRecognizer',
           'liveness_detector': 'LivenessDetector', 'hri_publisher': 'HriPublisher'}
REMAPPINGS = {
    'face_detector': ('color/image_raw',),
    'depth_enhancer': ('color/camera_info', 'depth/image_raw', 'depth/camera_info'),
    'depth_estimator': ('color/image_raw', 'color/camera_info', 'depth/image_raw'),
    'face_recognizer': ('color/image_raw', 'color/camera_info'),
    'expression_recognizer': ('color/image_raw', 'color/camera_info'),
    'liveness_detector': ('color/image_raw', 'color/camera_info'),
    'hri_publisher': ('color/camera_info',)}
SWITCHES = {'estimator': 'depth_estimator', 'recognizer': 'face_recognizer',
            'expressions': 'expression_recognizer', 'liveness': 'liveness_detector',
            'hri': 'hri_publisher'}
"""Launch arguments that leave out a node."""
_NETWORKS = tuple(name for name in PLUGINS if name != 'hri_publisher')
OVERRIDES = {'backend': ('backend', _NETWORKS), 'precision': ('precision', _NETWORKS),
             'method': ('method', ('depth_enhancer',)),
             'estimator_model': ('model', ('depth_estimator',)),
             'recognizer_model': ('model', ('face_recognizer',)),
             'gallery': ('gallery', ('face_recognizer',)),
             'key_file': ('key_file', ('face_recognizer',)),
             'expression_model': ('model', ('expression_recognizer',)),
             'liveness_model': ('model', ('liveness_detector',)),
             'hri_prefix': ('prefix', ('hri_publisher',))}
"""Launch arguments that are parameters of nodes: of what name, and of which nodes."""

ARGUMENTS = (
    ('color_topic', '/camera/camera/color/image_raw', 'colour image'),
    ('color_info_topic', '/camera/camera/color/camera_info', 'calibration of the colour image'),
    ('depth_topic', '/camera/camera/aligned_depth_to_color/image_raw',
     'depth image on the pixels of the colour image (realsense-ros: align_depth.enable:=true)'),
    ('depth_info_topic', '/camera/camera/aligned_depth_to_color/camera_info',
     'calibration of the depth image'),
    ('namespace', 'face_depth', 'of the nodes and their topics'),
    ('container_name', 'face_depth_container', 'name of the container, in the same namespace'),
    ('start_container', 'true', 'false = load into a container of that name that runs already; '
     'a name that begins with / is absolute'),
    ('components', ','.join(PLUGINS), f'which to load, by commas, of: {", ".join(PLUGINS)}'),
    ('params_file', str(SHARE / 'config' / 'face_depth.yaml'), 'parameters of all nodes'),
    ('backend', '', 'auto, tensorrt or openvino; empty = as in params_file'),
    ('precision', '', 'auto, fp32, fp16, bf16 or int8; empty = as in params_file'),
    ('method', '', 'of depth_enhancer: network, a filter, DL-*, DDRNet-dn or None; empty = as in '
     'params_file'),
    ('estimator', 'true', 'false = load no depth_estimator, whatever components says'),
    ('estimator_model', '', 'of depth_estimator: ours, depthnet, cgan, or a ModelSpec; empty = as '
     'in params_file'),
    ('recognizer', 'true', 'false = load no face_recognizer, whatever components says'),
    ('recognizer_model', '', 'of face_recognizer: a ModelSpec; empty = as in params_file'),
    ('gallery', '', 'file with the people to recognise; empty = as in params_file'),
    ('key_file', '', "file with the gallery's key; empty = as in params_file"),
    ('expressions', 'true', 'false = load no expression_recognizer, whatever components says'),
    ('expression_model', '', 'of expression_recognizer: a ModelSpec; empty = as in params_file'),
    ('liveness', 'true', 'false = load no liveness_detector, whatever components says'),
    ('liveness_model', '', 'of liveness_detector: a ModelSpec; empty = as in params_file'),
    ('require_live', '', 'of face_recognizer, true or false: whom liveness_detector does not call '
     'live is unknown; empty = as in params_file'),
    ('hri', 'true', 'false = load no hri_publisher, whatever components says'),
    ('hri_prefix', '', 'of the topics of hri_publisher; empty = as in params_file'),
    ('hand_off', 'true', 'pass frames inside the container by reference'),
    ('rviz', 'false', 'start rviz2 too'),
)


def generate_launch_description() -> LaunchDescription:
    """Return the documented arguments, and what they start."""
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=description)
          for name, default, description in ARGUMENTS),
        OpaqueFunction(function=_start),
        Node(package='rviz2', executable='rviz2', condition=IfCondition(
            LaunchConfiguration('rviz')))])


def _start(context: LaunchContext) -> list[Any]:
    """Return the container and what is loaded into it."""
    values = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    names = [n.strip() for n in values['components'].split(',') if n.strip()]
    unknown = [n for n in names if n not in PLUGINS]
    if unknown or not names:
        raise RuntimeError(f'components is {values["components"]!r}, expected some of '
                           f'{", ".join(PLUGINS)}, by commas')
    for argument, node in SWITCHES.items():
        if not _is_true(values[argument]):
            names = [n for n in names if n != node]
    nodes = [_component(name, values) for name in names]
    if not _is_true(values['start_container']):
        namespace = values['namespace'].strip('/')
        container = values['container_name']
        if not container.startswith('/'):
            container = f'/{namespace}/{container}' if namespace else f'/{container}'
        return [LoadComposableNodes(target_container=container,
                                    composable_node_descriptions=nodes)]
    return [ComposableNodeContainer(
        name=values['container_name'], namespace=values['namespace'], package=PACKAGE,
        executable='component_container', composable_node_descriptions=nodes, output='both',
        additional_env=_profile())]


def _component(name: str, values: dict[str, str]) -> ComposableNode:
    """Return one component with its parameters and its camera topics."""
    topics = {'color/image_raw': values['color_topic'],
              'color/camera_info': values['color_info_topic'],
              'depth/image_raw': values['depth_topic'],
              'depth/camera_info': values['depth_info_topic']}
    overrides: dict[str, Any] = {
        parameter: values[argument] for argument, (parameter, of) in OVERRIDES.items()
        if name in of and values[argument]}
    if name == 'face_recognizer' and values['require_live']:
        overrides['require_live'] = _is_true(values['require_live'])
    return ComposableNode(
        package=PACKAGE, plugin=f'{PACKAGE}::{PLUGINS[name]}', name=name,
        namespace=values['namespace'],
        parameters=[{**_parameters_of(values['params_file'], values['namespace'], name),
                     **overrides}],
        remappings=[(topic, topics[topic]) for topic in REMAPPINGS[name]],
        extra_arguments=[{'use_intra_process_comms': _is_true(values['hand_off'])}])


def _parameters_of(path: str, namespace: str, name: str) -> dict[str, Any]:
    """
    Return what a parameter file says of one node.

    launch_ros matches only /** and full names for components; rcl also knows /**/name, which is
    what the file uses, so that it holds in any namespace.
    """
    content = yaml.safe_load(Path(path).read_text(encoding='utf-8')) or {}
    namespace = namespace.strip('/')
    full_name = f'/{namespace}/{name}' if namespace else f'/{name}'
    found: dict[str, Any] = {}
    for key in ('/**', f'/**/{name}', name, full_name):
        found.update((content.get(key) or {}).get('ros__parameters') or {})
    return found


def _profile() -> dict[str, str]:
    """Return the environment that gives Fast DDS enough shared memory for images."""
    if any(os.environ.get(v) for v in PROFILE_VARIABLES):
        return {}
    return dict.fromkeys(PROFILE_VARIABLES, str(SHARE / 'config' / 'fastdds.xml'))


def _is_true(text: str) -> bool:
    if text.lower() in ('true', '1'):
        return True
    if text.lower() in ('false', '0'):
        return False
    raise RuntimeError(f'got {text!r}, expected true or false')
