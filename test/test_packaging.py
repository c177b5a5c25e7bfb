# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What an installation promises: commands, components, dependencies, and the files beside them."""

from __future__ import annotations

import ast
from importlib import metadata
import os
from pathlib import Path
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ('replay', 'evaluate', 'gallery', 'build_engines', 'component_container',
            'face_detector', 'depth_enhancer', 'depth_estimator', 'face_recognizer',
            'expression_recognizer', 'liveness_detector', 'hri_publisher')
COMPONENTS = ('face_depth_ros::FaceDetector', 'face_depth_ros::DepthEnhancer',
              'face_depth_ros::DepthEstimator', 'face_depth_ros::FaceRecognizer',
              'face_depth_ros::ExpressionRecognizer', 'face_depth_ros::LivenessDetector',
              'face_depth_ros::HriPublisher')
# Not in the run time; nothing that a robot or `make demo` starts may need them.
DEVELOPMENT_ONLY = ('torch', 'lightning', 'numba', 'onnx', 'onnxruntime', 'scipy', 'ray')


def entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    return {e.name: e for e in metadata.distribution('face-depth-ros').entry_points
            if e.group == group}


def requirement_lines(name: str) -> list[str]:
    """Return the lines of a requirements file that name a package, those that it includes too."""
    lines = []
    for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
        if line.startswith('-r '):
            lines += requirement_lines(line.split()[1].removesuffix('.txt'))
        elif line and not line.startswith('#'):
            lines.append(line)
    return lines


def test_all_commands_are_installed() -> None:
    assert sorted(entry_points('console_scripts')) == sorted(COMMANDS)


@pytest.mark.ros
@pytest.mark.parametrize('name', COMMANDS)
def test_a_command_leads_to_a_function(name: str) -> None:
    assert callable(entry_points('console_scripts')[name].load())


@pytest.mark.parametrize('name', COMMANDS)
def test_a_command_is_where_launch_files_look_for_it(name: str) -> None:
    """`ros2 run` and launch files start lib/<package>/<command>."""
    assert os.access(Path(sys.prefix, 'lib', 'face_depth_ros', name), os.X_OK)


@pytest.mark.ros
@pytest.mark.parametrize('name', ['replay', 'evaluate', 'gallery', 'build_engines'])
def test_a_command_explains_itself(name: str) -> None:
    done = subprocess.run(
        [Path(sys.prefix, 'bin', name), '--help'], capture_output=True, text=True, timeout=120,
        check=False)
    assert done.returncode == 0, done.stderr
    assert name in done.stdout


def test_all_components_are_installed_under_their_qualified_names() -> None:
    assert sorted(entry_points('face_depth_ros.components')) == sorted(COMPONENTS)


@pytest.mark.ros
@pytest.mark.parametrize('name', COMPONENTS)
def test_a_component_is_a_node(name: str) -> None:
    from rclpy.node import Node
    assert issubclass(entry_points('face_depth_ros.components')[name].load(), Node)


@pytest.mark.ros
def test_the_package_stands_in_the_ament_index() -> None:
    prefixes = [Path(p) for p in [*os.environ['AMENT_PREFIX_PATH'].split(os.pathsep), sys.prefix]]
    marker = Path('share', 'ament_index', 'resource_index', 'packages', 'face_depth_ros')
    prefix = next(prefix for prefix in prefixes if (prefix / marker).is_file())
    share = prefix / 'share' / 'face_depth_ros'
    assert (share / 'package.xml').is_file()
    for folder in ('launch', 'config', 'models'):
        present = {file.name for file in (ROOT / folder).iterdir() if file.is_file()}
        assert {file.name for file in (share / folder).iterdir() if file.is_file()} == present


def test_one_version() -> None:
    manifest = ElementTree.parse(ROOT / 'package.xml')
    assert manifest.findtext('version') == metadata.version('face-depth-ros')
    assert manifest.findtext('export/build_type') == 'ament_python'


def test_every_ros_package_that_is_imported_is_a_dependency() -> None:
    manifest = ElementTree.parse(ROOT / 'package.xml')
    named = {element.text for element in manifest.iter('exec_depend')}
    imported = set()
    for file in (ROOT / 'face_depth_ros').rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split('.')[0])
    ros = {name for name in imported
           if name.endswith(('_msgs', '_interfaces')) or name in ('rclpy', 'cv_bridge')}
    assert 'rclpy' in ros
    assert ros <= named


@pytest.mark.parametrize('name', ['runtime', 'all', 'ros'])
def test_every_requirement_is_pinned(name: str) -> None:
    pinned = re.compile(r'[A-Za-z0-9._-]+(\[[a-z]+\])?==[0-9][^*\s]*(; python_version .+)?$')
    loose = [line for line in requirement_lines(name) if not pinned.match(line)]
    assert loose == []


@pytest.mark.parametrize('name', ['all', 'ros'])
def test_what_is_installed_is_what_is_pinned(name: str) -> None:
    from packaging.requirements import Requirement
    if os.environ.get('ROS_DISTRO'):
        pytest.skip('with a sourced ROS the distribution chooses some of the versions')
    wrong = []
    for line in requirement_lines(name):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            found = metadata.version(requirement.name)
            if not requirement.specifier.contains(found):
                wrong.append(f'{line}: {found} is installed')
    assert wrong == []


def test_the_run_time_names_no_development_package() -> None:
    names = {re.split(r'[=\[]', line)[0].lower() for line in requirement_lines('runtime')}
    assert not names & set(DEVELOPMENT_ONLY)


@pytest.mark.ros
def test_every_module_of_the_run_time_imports_without_development_packages() -> None:
    """A stray `import torch` would break `make demo`, where torch is not installed."""
    modules = [
        '.'.join(file.relative_to(ROOT).with_suffix('').parts)
        for layer in ('core', 'engines', 'filters', 'gallery', 'predictors', 'evaluation', 'nodes')
        for file in sorted((ROOT / 'face_depth_ros' / layer).glob('*.py'))
        # These are for installations that have what they wrap, and for evaluation on synthesis.
        if not file.name.startswith(('render_', 'synthetic_', 'tensorrt_', 'cuda_', 'cv_bridge_'))
    ]
    assert len(modules) > 30
    program = (
        'import importlib, sys\n'
        f'sys.modules.update(dict.fromkeys({DEVELOPMENT_ONLY!r}))\n'  # None: importing it fails
        f'for name in {modules!r}:\n'
        '    importlib.import_module(name)\n')
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_transport_profile_holds_several_large_frames() -> None:
    profile = ElementTree.parse(ROOT / 'config' / 'fastdds.xml')
    space = '{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}'
    segment = int(next(profile.iter(f'{space}segment_size')).text)
    frame = 1280 * 720 * (3 + 2)
    assert segment >= 5 * frame
    assert 2 * segment <= 64 * 2**20, 'two processes must fit into the /dev/shm of a container'


@pytest.mark.ros
def test_the_transport_profile_takes_effect() -> None:
    """A profile with a mistake in it is ignored by Fast DDS with no more than a line of log."""
    program = (
        'import pathlib, rclpy\n'
        'before = set(pathlib.Path("/dev/shm").iterdir())\n'
        'rclpy.init()\n'
        'node = rclpy.create_node("profile_probe")\n'
        'new = [f.stat().st_size for f in set(pathlib.Path("/dev/shm").iterdir()) - before]\n'
        'print("largest", max(new))\n'
        'rclpy.shutdown()\n')
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split('largest')[1]) >= 32 * 2**20
