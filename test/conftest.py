# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What all tests share: ROS that stays on this machine, and one place that says what is skipped.

The environment is set when pytest loads this file, before any test imports rclpy, and child
processes inherit it.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path
import shutil
import socket
import tempfile

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / 'shared' / 'data'
# Held open to the end of the process: whoever has the port has the domain.
_DOMAIN_LOCKS: list[socket.socket] = []


def reserve_domain() -> int:
    """
    Reserve a ROS domain that no other test process on this machine has.

    DDS derives its UDP ports from the domain; the TCP port of the same number serves as a lock,
    which the system gives back however the process ends.

    :returns: 1 to 101, the range whose ports lie below those that Linux hands out.
    """
    first = os.getpid() % 101
    for step in range(101):
        domain = (first + step) % 101 + 1
        lock = socket.socket()
        try:
            lock.bind(('127.0.0.1', 7400 + 250 * domain))
        except OSError:
            lock.close()
            continue
        _DOMAIN_LOCKS.append(lock)
        return domain
    raise RuntimeError('all ROS domains from 1 to 101 are in use by test processes')


def keep_ros_on_this_machine() -> None:
    """Set discovery, domain, transport and logs for this process and its children."""
    logs = tempfile.mkdtemp(prefix='face_depth_ros_logs_')
    atexit.register(shutil.rmtree, logs, ignore_errors=True)
    os.environ.update({
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(reserve_domain()),
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds.xml'),
        'ROS_LOG_DIR': logs,
    })


keep_ros_on_this_machine()


def find_assets() -> Path | None:
    """Return the folder of the head assets: FACE_DEPTH_ASSETS, else beside the checkout."""
    if os.environ.get('FACE_DEPTH_ASSETS'):
        return Path(os.environ['FACE_DEPTH_ASSETS'])
    default = SHARED_DATA / 'face_assets'
    return default if default.is_dir() else None


def skip_reasons() -> dict[str, str]:
    """Return for each marker whose condition does not hold here: why, and what to do."""
    reasons = {}
    if find_assets() is None:
        reasons['assets'] = (
            f'no head assets: FACE_DEPTH_ASSETS is not set, and {SHARED_DATA / "face_assets"} is '
            'not there')
    if not Path('/dev/nvidiactl').exists():
        reasons['gpu'] = 'no NVIDIA GPU: /dev/nvidiactl is not there'
    return reasons


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here. `ros` is never skipped: every environment of ours has ROS."""
    reasons = skip_reasons()
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker) is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope='session')
def assets_folder() -> Path:
    """Folder of the head assets; for tests marked `assets`."""
    folder = find_assets()
    if folder is None:
        pytest.skip(skip_reasons()['assets'])
    return folder


@pytest.fixture(scope='session')
def real_recording() -> Path:
    """Folder with `bag` and `reference` of the real RGB-D recording; for tests marked `assets`."""
    folder = SHARED_DATA / 'sven_truedepth'
    if not folder.is_dir():
        pytest.skip(f'no real recording: {folder} is not there')
    return folder
