# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The component container as a child process, and the ROS environment it runs in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import tempfile

import face_depth_ros
from face_depth_ros.core.errors import FaceDepthError

# The console script's function: the script itself lies elsewhere on a robot than in a virtual
# environment, and this process may not import nodes.
_PROGRAM = ('from face_depth_ros.nodes.component_container import main; '
            'raise SystemExit(main())')
_DOMAINS = 101
_FIRST_PORT, _PORTS_PER_DOMAIN, _UNICAST_OFFSET = 7400, 250, 10
_STOP_S = 10.0
_LOG_LINES = 8


class ContainerProcess:
    """
    A running container.

    :param name: of its node
    :param namespace: of its node, absolute
    :param environment: variables besides those of this process
    """

    def __init__(self, name: str, namespace: str, environment: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile(mode='w+', encoding='utf-8', errors='replace')
        self._process = subprocess.Popen(
            [sys.executable, '-c', _PROGRAM, '--ros-args', '-r', f'__node:={name}', '-r',
             f'__ns:={namespace}'],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C is ours to pass on, after the player has let go.
            start_new_session=True)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def log_end(self) -> str:
        """Return the last lines that the process wrote, in one line."""
        if self._log.closed:
            return 'closed'
        self._log.seek(0)
        lines = deque((line.strip() for line in self._log), maxlen=_LOG_LINES)
        return ' | '.join(filter(None, lines)) or 'nothing'

    def stop(self) -> None:
        """End the process, kindly first. Stopping twice is allowed."""
        if self.alive:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()


class OwnDomain:
    """
    A ROS domain of this process and its children, free when it was taken; `close` gives it back.

    Participants listen on UDP ports that follow from the domain (DDSI-RTPS 9.6.1); the TCP port
    of the domain's first number serves as a lock among those who reserve, until they end.

    :raises FaceDepthError: all are taken
    """

    def __init__(self) -> None:
        for i in range(_DOMAINS):
            domain = 1 + (os.getpid() + i) % _DOMAINS
            port = _FIRST_PORT + _PORTS_PER_DOMAIN * domain
            lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                lock.bind(('127.0.0.1', port))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(('', port + _UNICAST_OFFSET))
            except OSError:
                lock.close()
                continue
            self.number, self._lock = domain, lock
            return
        raise FaceDepthError(f'all ROS domains 1 to {_DOMAINS} are in use on this machine; end '
                             'some ROS processes and try again', cause='ros_domain')

    def environment(self) -> dict[str, str]:
        """Return what must be set where ROS starts: this domain, this machine, large segments."""
        values = {'ROS_DOMAIN_ID': str(self.number),
                  'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
                  'FASTRTPS_DEFAULT_PROFILES_FILE': str(_dds_profile())}
        if os.environ.get('ROS_DISTRO') == 'humble':  # does not know the discovery range
            values['ROS_LOCALHOST_ONLY'] = '1'
        return values

    def close(self) -> None:
        """Give the domain back. Closing twice is allowed."""
        self._lock.close()


@contextmanager
def changed_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _dds_profile() -> Path:
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) + [sys.prefix]
    folders = [Path(face_depth_ros.__file__).resolve().parents[1] / 'config']
    folders += [Path(p) / 'share' / 'face_depth_ros' / 'config' for p in prefixes if p]
    for folder in folders:
        if (folder / 'fastdds.xml').is_file():
            return folder / 'fastdds.xml'
    raise FaceDepthError(
        f'config/fastdds.xml is missing, without which DDS loses large images; searched '
        f'{", ".join(str(f) for f in folders)}; install the package again', cause='dds_profile')
