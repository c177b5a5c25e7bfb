#!/usr/bin/env python3
# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Make the Python environment that this package runs in.

    python3 requirements/setup_environment.py runtime|all [--venv .venv]

Needs nothing but the standard library. In the environment come, in this order: pinned
requirements, ROS 2 Jazzy from the Python package index, the interface packages built from
`interfaces/`, and this package itself, editable, with its compiled part. Where a ROS 2 is
sourced, that one is used: the environment then sees the system's packages, and nothing of ROS is
installed or built.

Each step leaves a stamp that holds a hash of all it depends on. A step whose stamp is current is
skipped, so a second run does nothing; a step that was broken off has no stamp and is done again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
import contextlib
from dataclasses import dataclass
import fcntl
import hashlib
import importlib.util
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / 'requirements'
INTERFACES = ROOT / 'interfaces'
NATIVE = Path('face_depth_ros', 'core', 'native')
SUPPORTED_PYTHON = ((3, 10), (3, 13))

# On a robot these come from the distribution (package.xml names them): cv_bridge and rclpy are
# compiled against its NumPy, and a second one in the environment would break them.
FROM_DISTRIBUTION = {
    'numpy': 'numpy', 'opencv-python-headless': 'cv2', 'pyyaml': 'yaml',
    'matplotlib': 'matplotlib',
}
# What only those need.
NEEDED_BY_DISTRIBUTION = {
    'contourpy', 'cycler', 'fonttools', 'kiwisolver', 'packaging', 'pillow', 'pyparsing',
    'python-dateutil', 'six', 'tzdata',
}


class SetupError(RuntimeError):
    """The environment cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Environment:
    """
    The virtual environment and where its ROS comes from.

    :param venv: its folder, absolute.
    :param ros_distro: name of the sourced ROS 2, empty where ROS comes from the package index.
    """

    venv: Path
    ros_distro: str

    @property
    def python(self) -> Path:
        return self.venv / 'bin' / 'python'

    def evaluate(self, expression: str) -> str:
        """Return what the environment's Python prints for an expression."""
        code = f'import os, sys, sysconfig; print({expression})'
        return run([self.python, '-c', code]).strip()

    def is_current(self, step: str, key: str) -> bool:
        stamp = self.venv / '.setup' / step
        return stamp.is_file() and stamp.read_text() == key

    def set_current(self, step: str, key: str) -> None:
        stamp = self.venv / '.setup' / step
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(key)


def say(text: str) -> None:
    print(f'[set-up] {text}', flush=True)


def run(command: Sequence[str | Path], extra_environment: dict[str, str] | None = None) -> str:
    """
    Run a command to its end.

    :param extra_environment: variables to set besides those of this process.
    :returns: its standard output.
    :raises SetupError: if it fails, with the end of what it wrote.
    """
    # Left by a Python of such an environment that called us: it would keep the new environment's
    # Python from finding its own libraries.
    variables = {k: v for k, v in os.environ.items() if k != '_ROS_WHEELS_BOOTSTRAP_COMPLETE'}
    variables.update(extra_environment or {})
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=variables, capture_output=True, text=True)
    if done.returncode != 0:
        end = '\n'.join((done.stdout + done.stderr).splitlines()[-30:])
        shown = ' '.join(str(part) for part in command)
        raise SetupError(f'this command failed with status {done.returncode}:\n  {shown}\n{end}')
    return done.stdout


def content_hash(paths: Iterable[Path], *more: str) -> str:
    """
    Hash files, their names, and some text.

    :param paths: files or folders (with all that lies below), all inside the project.
    """
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(p for p in [path, *path.rglob('*')] if p.is_file()):
            digest.update(f'{file.relative_to(ROOT)}\0'.encode())
            digest.update(file.read_bytes() + b'\0')
    for text in more:
        digest.update(text.encode() + b'\0')
    return digest.hexdigest()


def install_from_system(missing: str, *packages: str) -> None:
    """
    Install packages of the system if that is allowed here.

    :param missing: what is not there, for the message.
    :raises SetupError: with the command to run, if we may not or cannot install.
    """
    command = ['apt-get', 'install', '--yes', '--no-install-recommends', *packages]
    if os.geteuid() != 0 or shutil.which('apt-get') is None:
        raise SetupError(
            f'{missing} is missing on this machine, and only its administrator can install it. '
            f'Run\n  sudo {" ".join(command)}\n(or what your system has instead), then try again.')
    say(f'{missing} is missing: {" ".join(command)}')
    quiet = {'DEBIAN_FRONTEND': 'noninteractive'}
    try:
        run(command, quiet)
    except SetupError:
        # A fresh container knows no packages before its first update.
        run(['apt-get', 'update'])
        run(command, quiet)


def sourced_ros() -> str:
    """
    Name the ROS 2 that is sourced in this shell.

    :returns: for instance `jazzy`; empty if none is sourced.
    :raises SetupError: if one is sourced that this Python cannot use, or that lacks packages.
    """
    distro = os.environ.get('ROS_DISTRO', '')
    if not distro or not os.environ.get('AMENT_PREFIX_PATH'):
        return ''
    try:
        run([sys.executable, '-c', 'import rclpy'])
    except SetupError as error:
        raise SetupError(
            f'ROS 2 {distro} is sourced, but {sys.executable} cannot import its rclpy. Give make '
            'the Python of that ROS (make demo PYTHON=/usr/bin/python3), or use a shell in which '
            f'no ROS is sourced to take ROS from the package index.\n{error}') from error
    absent = []
    for module in [*FROM_DISTRIBUTION.values(), *(p.name for p in interface_packages())]:
        try:
            run([sys.executable, '-c', f'import {module}'])
        except SetupError:
            absent.append(module)
    if absent:
        raise SetupError(
            f'ROS 2 {distro} is sourced, but these Python modules are not there: '
            f'{", ".join(absent)}. Install what package.xml names:\n'
            '  rosdep install --from-paths . --ignore-src')
    return distro


def make_venv(venv: Path) -> Environment:
    """
    Create the virtual environment unless it exists.

    :raises SetupError: if one exists that was made for another Python or another ROS.
    """
    version = sys.version_info[:2]
    if not SUPPORTED_PYTHON[0] <= version <= SUPPORTED_PYTHON[1]:
        raise SetupError(
            f'{sys.executable} is Python {version[0]}.{version[1]}; this package needs 3.10 to '
            '3.13. Name another one: make demo PYTHON=python3.12')
    environment = Environment(venv, sourced_ros())
    key = f'Python {version[0]}.{version[1]}, ROS {environment.ros_distro or "from the index"}'
    if environment.is_current('environment', key):
        return environment
    stamp = venv / '.setup' / 'environment'
    if stamp.is_file():
        raise SetupError(
            f'{venv} was made for {stamp.read_text()}, and now it should be {key}. Remove it '
            f'(rm -r {venv}) and try again.')
    say(f'{venv}: {key}')
    if importlib.util.find_spec('ensurepip') is None:  # Debian leaves it out of its Python
        install_from_system('the Python module ensurepip', 'python3-venv')
    options = ['--system-site-packages'] if environment.ros_distro else []
    run([sys.executable, '-m', 'venv', *options, venv])
    environment.set_current('environment', key)
    return environment


def requirement_name(line: str) -> str:
    """Return the normalised package name of a line of a requirements file."""
    return re.sub(r'[-_.]+', '-', re.split(r'[=\[; ]', line, maxsplit=1)[0]).lower()


def requirements_for_robot(environment: Environment, name: str, folder: Path) -> list[str]:
    """
    Leave to the distribution what comes from there, and hold its NumPy fast.

    :param folder: where the reduced files are written.
    :returns: arguments for pip.
    """
    lines = []
    for file in ['runtime.txt'] if name == 'runtime' else ['runtime.txt', f'{name}.txt']:
        for line in (REQUIREMENTS / file).read_text().splitlines():
            left_out = requirement_name(line) in {*FROM_DISTRIBUTION, *NEEDED_BY_DISTRIBUTION}
            if line and not line.startswith(('#', '-r')) and not left_out:
                lines.append(line)
    numpy_version = environment.evaluate("__import__('numpy').__version__")
    (folder / 'requirements.txt').write_text('\n'.join(lines) + '\n')
    (folder / 'constraints.txt').write_text(f'numpy=={numpy_version}\n')
    return ['-r', str(folder / 'requirements.txt'), '-c', str(folder / 'constraints.txt')]


def install_requirements(environment: Environment, name: str) -> None:
    """
    Install a requirement set, and ROS with it, so that one resolution covers all.

    :param name: `runtime` or `all`; `all` includes `runtime`.
    """
    files = {'runtime': ['runtime'], 'all': ['runtime', 'all']}
    sources = {
        key: [*(REQUIREMENTS / f'{file}.txt' for file in names), REQUIREMENTS / 'ros.txt']
        for key, names in files.items()
    }
    hashes = {key: content_hash(paths) for key, paths in sources.items()}
    if environment.is_current(f'requirements-{name}', hashes[name]):
        return
    say(f'requirements/{name}.txt' + ('' if environment.ros_distro else ' and ROS 2 Jazzy'))
    with tempfile.TemporaryDirectory() as folder:
        if environment.ros_distro:
            chosen = requirements_for_robot(environment, name, Path(folder))
        else:
            chosen = ['-r', f'requirements/{name}.txt', '-r', 'requirements/ros.txt']
        run([environment.python, '-m', 'pip', 'install', '--quiet', '--progress-bar', 'off',
             '--disable-pip-version-check', *chosen])
    for key in files[name] if name != 'all' else files:
        environment.set_current(f'requirements-{key}', hashes[key])


def prepare_ros_prefix(environment: Environment) -> None:
    """
    Make the environment a ROS prefix that the builders of interfaces can use.

    The wheels' CMake files name the include folders of the machine that built them; ours are put
    in their place. A `.pth` file names the prefix to every Python of the environment.
    """
    include = environment.evaluate("sysconfig.get_paths()['include']")
    numpy_include = environment.evaluate("__import__('numpy').get_include()")
    for file in (environment.venv / 'share').rglob('*.cmake'):
        text = file.read_text()
        mended = re.sub(r'/opt/python/[^/;"]+/include/python[\d.]+', include, text)
        mended = re.sub(
            r'/opt/python/[^;" ]+/site-packages/numpy/_core/include', numpy_include, mended)
        if '/opt/python/' in mended:
            raise SetupError(f'{file} names a folder of another machine in an unknown form')
        if mended != text:
            file.write_text(mended)
    site_packages = Path(environment.evaluate("sysconfig.get_paths()['purelib']"))
    (site_packages / 'face_depth_ros_prefix.pth').write_text(
        "import os, sys; os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)\n")


def interface_packages() -> list[Path]:
    return sorted(path.parent for path in INTERFACES.glob('*/package.xml'))


def build_interface(environment: Environment, package: Path, library_path: str) -> None:
    """Build one interface package with plain CMake, and install it into the environment."""
    prefix = str(environment.venv)
    variables = {
        'CMAKE_PREFIX_PATH': prefix, 'AMENT_PREFIX_PATH': prefix, 'LD_LIBRARY_PATH': library_path,
        'PATH': f'{environment.venv / "bin"}{os.pathsep}{os.environ["PATH"]}',
    }
    generator = ['-G', 'Ninja'] if shutil.which('ninja') else []
    with tempfile.TemporaryDirectory(prefix=f'{package.name}-') as build:
        run(['cmake', *generator, '-S', package, '-B', build, '-DBUILD_TESTING=OFF',
             f'-DCMAKE_INSTALL_PREFIX={prefix}', f'-DPython3_EXECUTABLE={environment.python}'],
            variables)
        run(['cmake', '--build', build, '--parallel', str(os.cpu_count() or 1)], variables)
        run(['cmake', '--install', build], variables)


def build_interfaces(environment: Environment) -> None:
    """Build the packages of `interfaces/` that are not there in their present form."""
    keys = {
        package: content_hash([package, REQUIREMENTS / 'ros.txt'])
        for package in interface_packages()
    }
    stale = [
        package for package, key in keys.items()
        if not environment.is_current(f'interface-{package.name}', key)
    ]
    if not stale:
        return
    if shutil.which('cmake') is None:
        install_from_system('cmake', 'cmake')
    if not (shutil.which('c++') and shutil.which('cc')) and 'CXX' not in os.environ:
        install_from_system('a C++ compiler', 'build-essential')
    say('interfaces: ' + ', '.join(package.name for package in stale))
    prepare_ros_prefix(environment)
    library_path = environment.evaluate("os.environ['LD_LIBRARY_PATH']")
    # Side by side, because most of each build is one process that generates code.
    with ThreadPoolExecutor(max_workers=len(stale)) as pool:
        for _ in pool.map(lambda p: build_interface(environment, p, library_path), stale):
            pass
    for package in stale:
        environment.set_current(f'interface-{package.name}', keys[package])


def system_compilers() -> dict[str, str]:
    """Return what names the compilers of the system: a Python may name those that built it."""
    found = {'CC': shutil.which('cc'), 'CXX': shutil.which('c++')}
    return {name: path for name, path in found.items() if path and name not in os.environ}


def link(target: Path, path: Path) -> None:
    """Make `path` a link to `target`, whatever it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def install_package(environment: Environment) -> None:
    """
    Install this package, editable, with its console scripts in the environment's `bin`.

    As after `colcon build --symlink-install`, launch, config and models are links to the sources,
    the package stands in the ament index, and its executables in `lib/face_depth_ros`, where
    launch files look for them.
    """
    files = ('setup.py', 'setup.cfg', 'pyproject.toml', 'package.xml', NATIVE)
    key = content_hash([ROOT / file for file in files], str(ROOT))
    if environment.is_current('package', key):
        return
    say('face_depth_ros itself, editable')
    suffix = environment.evaluate("sysconfig.get_config_var('EXT_SUFFIX')")
    compiled = [ROOT / NATIVE.parent / f'_{source.stem}{suffix}'
                for source in sorted((ROOT / NATIVE).glob('*.cpp'))]
    for library in compiled:
        library.unlink(missing_ok=True)  # an older one would pass for the one that is made now
    run([environment.python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check',
         '--no-build-isolation', '--no-deps', '--editable', '.'], system_compilers())
    if not all(library.is_file() for library in compiled):
        say(f'{NATIVE} could not be compiled; faces will be worked on more slowly')
    share = environment.venv / 'share'
    marker = Path('resource', 'face_depth_ros')
    link(ROOT / marker, share / 'ament_index' / 'resource_index' / 'packages' / marker.name)
    for name in ('package.xml', 'launch', 'config', 'models'):
        link(ROOT / name, share / 'face_depth_ros' / name)
    commands = environment.evaluate(
        "*(e.name for e in __import__('importlib.metadata').metadata"
        ".distribution('face-depth-ros').entry_points if e.group == 'console_scripts')")
    for name in commands.split():
        link(environment.venv / 'bin' / name, environment.venv / 'lib' / 'face_depth_ros' / name)
    environment.set_current('package', key)


def require_libusb(environment: Environment) -> None:
    """See to it that librealsense finds the one library that its wheel leaves out."""
    try:
        environment.evaluate("__import__('ctypes').CDLL('libusb-1.0.so.0') and 'found'")
    except SetupError:
        install_from_system('libusb-1.0.so.0 (for pyrealsense2)', 'libusb-1.0-0')
        environment.evaluate("__import__('ctypes').CDLL('libusb-1.0.so.0') and 'found'")
    environment.set_current('libusb', 'found')


@contextlib.contextmanager
def locked(venv: Path) -> Iterator[None]:
    """Let one set-up at a time work on an environment."""
    venv.mkdir(parents=True, exist_ok=True)
    with (venv / '.setup.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('requirements', choices=('runtime', 'all'), help='what to install')
    parser.add_argument(
        '--venv', type=Path, default=ROOT / '.venv', help='the environment (default: %(default)s)')
    arguments = parser.parse_args()
    venv = arguments.venv.absolute()
    try:
        with locked(venv):
            environment = make_venv(venv)
            install_requirements(environment, arguments.requirements)
            if not environment.ros_distro:
                build_interfaces(environment)
            if not environment.is_current('libusb', 'found'):
                require_libusb(environment)
            install_package(environment)
    except SetupError as error:
        print(f'set-up failed: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
