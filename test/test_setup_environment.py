# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The set-up script: when it works, when it does nothing, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
import subprocess
import sys
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the script as a module whose project is an empty folder."""
    spec = importlib.util.spec_from_file_location(
        'setup_environment', ROOT / 'requirements' / 'setup_environment.py')
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, 'ROOT', tmp_path)
    monkeypatch.setattr(module, 'INTERFACES', tmp_path / 'interfaces')
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    return module


def test_a_step_is_current_only_with_its_key(setup: ModuleType, tmp_path: Path) -> None:
    environment = setup.Environment(tmp_path, '')
    assert not environment.is_current('package', 'a')
    environment.set_current('package', 'a')
    assert environment.is_current('package', 'a')
    assert not environment.is_current('package', 'b')
    assert not environment.is_current('libusb', 'a')


def test_the_key_follows_content_and_names(setup: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / 'interfaces' / 'some_msgs'
    folder.mkdir(parents=True)
    (folder / 'A.msg').write_text('int8 a\n')
    first = setup.content_hash([folder])
    assert setup.content_hash([folder]) == first
    assert setup.content_hash([folder], 'more') != first
    (folder / 'A.msg').write_text('int8 b\n')
    second = setup.content_hash([folder])
    (folder / 'A.msg').rename(folder / 'B.msg')
    assert len({first, second, setup.content_hash([folder])}) == 3


@pytest.mark.parametrize(('line', 'name'), [
    ('PyYAML==6.0.3', 'pyyaml'),
    ('ros-rclpy[fastrtps]==7.1.6', 'ros-rclpy'),
    ('numpy==2.2.6; python_version < "3.11"', 'numpy'),
    ('typing_extensions==4.16.0', 'typing-extensions'),
])
def test_requirement_names_are_normalised(setup: ModuleType, line: str, name: str) -> None:
    assert setup.requirement_name(line) == name


def test_a_command_that_fails_is_shown_with_what_it_wrote(setup: ModuleType) -> None:
    with pytest.raises(setup.SetupError, match=r'status 3:\n  .*-c .*\nno such luck'):
        setup.run([sys.executable, '-c', 'import sys; print("no such luck"); sys.exit(3)'])


def test_compilers_are_those_of_the_system_unless_others_are_named(
        setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('CC', raising=False)
    monkeypatch.setenv('CXX', '/opt/own/c++')
    monkeypatch.setattr(setup.shutil, 'which', lambda name: f'/usr/bin/{name}')
    assert setup.system_compilers() == {'CC': '/usr/bin/cc'}
    monkeypatch.setattr(setup.shutil, 'which', lambda name: None)
    assert setup.system_compilers() == {}


def test_without_permission_it_says_what_to_install(
        setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(setup.SetupError, match='sudo apt-get install .* libusb-1.0-0'):
        setup.install_from_system('libusb-1.0.so.0', 'libusb-1.0-0')


def test_a_fresh_container_is_updated_before_the_second_try(
        setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], extra: dict[str, str] | None = None) -> str:
        commands.append(command[1:2])
        if len(commands) == 1:
            raise setup.SetupError('unable to locate the package')
        return ''

    monkeypatch.setattr(os, 'geteuid', lambda: 0)
    monkeypatch.setattr(setup.shutil, 'which', lambda name: f'/usr/bin/{name}')
    monkeypatch.setattr(setup, 'run', run)
    setup.install_from_system('libusb-1.0.so.0', 'libusb-1.0-0')
    assert commands == [['install'], ['update'], ['install']]


def test_an_environment_of_another_python_is_refused(setup: ModuleType, tmp_path: Path) -> None:
    environment = setup.Environment(tmp_path / 'venv', '')
    environment.venv.mkdir()
    environment.set_current('environment', 'Python 3.9, ROS from the index')
    with pytest.raises(setup.SetupError, match=r'was made for Python 3\.9.* Remove it \(rm -r'):
        setup.make_venv(environment.venv)


def test_an_unsupported_python_is_refused(
        setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, 'SUPPORTED_PYTHON', ((2, 6), (2, 7)))
    with pytest.raises(setup.SetupError, match='needs 3.10 to 3.13. Name another one'):
        setup.make_venv(tmp_path / 'venv')


def fake_python(folder: Path, *modules: str) -> Path:
    """Write a Python that can import only these modules."""
    cases = ''.join(f'"import {name}") exit 0;; ' for name in modules)
    python = folder / 'python'
    python.write_text(f'#!/bin/sh\ncase "$2" in {cases} esac\necho "not found: $2"; exit 1\n')
    python.chmod(0o755)
    return python


def test_a_sourced_ros_is_used(
        setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup.sourced_ros() == ''
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    modules = ['rclpy', *setup.FROM_DISTRIBUTION.values()]
    monkeypatch.setattr(sys, 'executable', str(fake_python(tmp_path, *modules)))
    assert setup.sourced_ros() == 'jazzy'


def test_a_sourced_ros_of_another_python_is_an_error(
        setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    monkeypatch.setattr(sys, 'executable', str(fake_python(tmp_path)))
    with pytest.raises(setup.SetupError, match='jazzy is sourced, but .* PYTHON=/usr/bin/python3'):
        setup.sourced_ros()


def test_a_sourced_ros_that_lacks_packages_is_an_error(
        setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / 'interfaces' / 'some_msgs'
    package.mkdir(parents=True)
    (package / 'package.xml').touch()
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    modules = ['rclpy', 'numpy', 'cv2', 'yaml']
    monkeypatch.setattr(sys, 'executable', str(fake_python(tmp_path, *modules)))
    with pytest.raises(setup.SetupError, match='not there: matplotlib, some_msgs. .*\n.*rosdep'):
        setup.sourced_ros()


def test_on_a_robot_numpy_stays_that_of_the_distribution(
        setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy
    environment = setup.Environment(tmp_path, 'jazzy')
    monkeypatch.setattr(type(environment), 'python', property(lambda self: Path(sys.executable)))
    arguments = setup.requirements_for_robot(environment, 'all', tmp_path)
    assert arguments[0] == '-r' and arguments[2] == '-c'
    assert Path(arguments[3]).read_text() == f'numpy=={numpy.__version__}\n'
    names = {setup.requirement_name(line) for line in Path(arguments[1]).read_text().splitlines()}
    assert {'openvino', 'pyrealsense2', 'rosbags', 'torch', 'pytest'} <= names
    assert not {'numpy', 'opencv-python-headless', 'matplotlib', 'pillow'} & names


def test_foreign_include_folders_are_replaced(
        setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ('set(a "/opt/python/cp311-cp311/include/python3.11;/opt/python/cp311-cp311/lib/'
            'python3.11/site-packages/numpy/_core/include")\n')
    file = tmp_path / 'share' / 'x' / 'x.cmake'
    file.parent.mkdir(parents=True)
    file.write_text(text)
    answers = {'numpy': '/here/numpy', 'include': '/here/include', 'purelib': str(tmp_path)}
    monkeypatch.setattr(
        setup.Environment, 'evaluate',
        lambda self, code: next(answer for key, answer in answers.items() if key in code))
    environment = setup.Environment(tmp_path, '')
    for _ in range(2):
        setup.prepare_ros_prefix(environment)
        assert file.read_text() == 'set(a "/here/include;/here/numpy")\n'
    file.write_text('set(a "/opt/python/elsewhere")\n')
    with pytest.raises(setup.SetupError, match='names a folder of another machine'):
        setup.prepare_ros_prefix(environment)


def test_a_library_built_earlier_does_not_pass_for_a_new_one(
        setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / setup.NATIVE.parent / '_shape_fitting.so'
    (tmp_path / setup.NATIVE).mkdir(parents=True)
    (tmp_path / setup.NATIVE / 'shape_fitting.cpp').touch()
    old.touch()
    monkeypatch.setattr(setup, 'run', lambda *_: '')  # a build that only warns
    monkeypatch.setattr(setup.Environment, 'evaluate',
                        lambda self, code: '.so' if 'EXT_SUFFIX' in code else '')
    setup.install_package(setup.Environment(tmp_path / 'venv', ''))
    assert not old.exists()
    assert 'could not be compiled' in capsys.readouterr().out


def test_a_finished_environment_is_left_alone() -> None:
    """What ran these tests is finished: another run must say nothing and change nothing."""
    stamps = Path(sys.prefix, '.setup')
    if not (stamps / 'package').is_file():
        pytest.skip('this Python is not an environment of `make test`')
    before = {file: file.stat().st_mtime_ns for file in stamps.iterdir()}
    done = subprocess.run(
        [Path(sys.base_prefix, 'bin', Path(sys.executable).name),
         ROOT / 'requirements' / 'setup_environment.py', 'all', '--venv', sys.prefix],
        capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    assert {file: file.stat().st_mtime_ns for file in stamps.iterdir()} == before
