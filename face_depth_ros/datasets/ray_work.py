# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Work on shards by a Ray cluster; the only file that imports ray.

Ray starts a task again whose process or machine died. A cluster of this machine alone is closed to
others: it listens on 127.0.0.1, wants a token, tells nobody of its use, and is gone afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
import fcntl
import logging
import os
from pathlib import Path
import socket
import tempfile
from typing import Any

from face_depth_ros.core.errors import DatasetError, FaceDepthError, SettingsError
from face_depth_ros.datasets.shard_work import ATTEMPTS, ShardJob, ShardMaker, ShardTask
import ray

LOCAL = 'local'
_OBJECT_STORE_BYTES = 80 << 20
"""About the least that Ray takes: shards do not travel through it."""
_ANSWER_S = 10.0
_LOG = logging.getLogger('augment_dataset')
_MAKER = ShardMaker()
"""Of a worker process; the models stay open from task to task."""
_claimed: list[int] = []


def make_on_ray(job: ShardJob, tasks: Iterable[ShardTask], workers: int,
                address: str) -> Iterator[dict[str, Any]]:
    """
    Make shards on a cluster.

    :param tasks: taken as workers become free
    :param workers: shards under way at the same time; 0 = as many as the cluster has CPUs
    :param address: of a running cluster, or `LOCAL` = start one of this machine
    :returns: the lines on the shards as they are done
    :raises SettingsError: an address of another form
    :raises DatasetError: no cluster answers, or a shard has killed `ATTEMPTS` processes
    :raises FaceDepthError: a worker says what it cannot do
    """
    with _cluster(workers, address):
        count = workers or max(1, int(ray.cluster_resources().get('CPU', 1)))
        shared, waiting = ray.put(job), iter(tasks)
        running: dict[Any, ShardTask] = {}
        while True:
            while len(running) < count and (task := next(waiting, None)) is not None:
                running[_make.remote(shared, task)] = task
            if not running:
                return
            done, _ = ray.wait(list(running))
            yield _answer(done[0], running.pop(done[0]))


@ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)
def _make(job: ShardJob, task: ShardTask) -> dict[str, Any] | FaceDepthError:
    """Make a shard on a worker, on a core of its own."""
    if not _claimed:
        _claimed.append(_claim_core())
    try:
        return _MAKER.make(job, task)
    except FaceDepthError as error:
        return error


def _answer(reference: Any, task: ShardTask) -> dict[str, Any]:
    try:
        answer = ray.get(reference)
    except ray.exceptions.RayError as error:
        raise DatasetError(
            f'shard {task.number}, from {task.images[0][1]} on, failed on its worker: '
            f'{str(error).strip().splitlines()[-1]}; see the logs of Ray there',
            cause='worker_died') from error
    if isinstance(answer, FaceDepthError):
        raise answer
    result: dict[str, Any] = answer
    return result


@contextmanager
def _cluster(workers: int, address: str) -> Iterator[None]:
    """Join a cluster, or start one of this machine and end it."""
    _check_answers(address)
    with tempfile.TemporaryDirectory(prefix='ray-', ignore_cleanup_errors=True) as folder:
        options: dict[str, Any] = {'address': address}
        if address == LOCAL:
            options.update(num_cpus=workers or None, include_dashboard=False,
                           object_store_memory=_OBJECT_STORE_BYTES, _temp_dir=folder)
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise DatasetError(f'no Ray cluster at {address!r}: {error}; see that it '
                               'runs Ray of this version and that RAY_AUTH_TOKEN is its',
                               cause='ray') from error
        try:
            resources = ray.cluster_resources()
            _LOG.info('Ray %s: %d machines, %d CPUs', ray.__version__,
                      sum(name.startswith('node:') and name.count(':') == 1 and
                          '__' not in name for name in resources), resources.get('CPU', 0))
            yield
        finally:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """See that something listens there: Ray itself waits for minutes."""
    if address in (LOCAL, 'auto'):
        return
    host, _, port = address.rpartition(':')
    if not host or not port.isdecimal() or '/' in host:
        raise SettingsError(f'the address of the Ray cluster is {address!r}, expected HOST:PORT, '
                            f'auto (the one of this machine) or {LOCAL}')
    try:
        socket.create_connection((host, int(port)), _ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise DatasetError(f'no Ray cluster at {address!r}: {error}; start one with `ray start '
                           f'--head`, or give {LOCAL}', cause='ray') from error


def _claim_core() -> int:
    """
    Keep this process to a core that no other worker on this machine has; return a handle on it.

    Engines take as many threads as a process may use cores: without this each worker would take
    all of them. The lock is the kernel's: it goes with the process.
    """
    for core in sorted(os.sched_getaffinity(0)):
        path = Path(tempfile.gettempdir()) / f'face_depth_ros-{os.getuid()}-core-{core}.lock'
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        os.sched_setaffinity(0, {core})
        return handle
    return -1
