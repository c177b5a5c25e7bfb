# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The work on one shard, wherever it is done, and a pool of processes on this machine that does it.

A process that dies is replaced and its shard given out again; nothing of a half-done shard counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
import logging
import multiprocessing
from multiprocessing import connection
import os
from pathlib import Path
import signal
import stat
import threading
from typing import Any

from face_depth_ros.core.errors import DatasetError, FaceDepthError
from face_depth_ros.datasets.face_image_list import person_of
from face_depth_ros.datasets.face_shards import Entry, write_shard
from face_depth_ros.datasets.image_faces import (
    decode_photo,
    DescriberSource,
    FaceDescriber,
    FoundFace,
    LeftOut,
    UNREADABLE,
)

ATTEMPTS = 3
"""A shard that has killed so many processes would kill more."""
BATCH = 32
"""Faces of one inference."""
_LOG = logging.getLogger('augment_dataset')


@dataclass(frozen=True)
class ShardJob:
    """
    What is the same for all shards.

    :param root: folder of the images; out: folder of the data set
    :param identity: what the describer must be, see image_faces.DescriberSource
    """

    root: Path
    out: Path
    source: DescriberSource
    identity: tuple[tuple[str, str | int], ...]


@dataclass(frozen=True)
class ShardTask:
    """
    One shard.

    :param images: number in the list, and path, of each of its images
    """

    number: int
    images: tuple[tuple[int, str], ...]


class ShardMaker:
    """Makes shards in this process; the describer is opened with the first one."""

    def __init__(self) -> None:
        self._describer: FaceDescriber | None = None
        self._source: DescriberSource | None = None

    def make(self, job: ShardJob, task: ShardTask) -> dict[str, Any]:
        """
        Make one shard.

        :returns: the line on it, see face_shards
        :raises FaceDepthError: a model is missing here or another one than the job's, a folder is
            not to be seen from here, or the shard cannot be written
        """
        for folder in (job.root, job.out):
            if not folder.is_dir():
                raise DatasetError(f'{folder} is not there for a worker; every machine must see '
                                   'images and output under the same path')
        describer = self._opened(job)
        return write_shard(job.out, task.number, _entries(job, task, describer),
                           describer.engines)

    def close(self) -> None:
        """Release the describer; closing twice is allowed."""
        if self._describer is not None:
            self._describer.close()
        self._describer = self._source = None

    def _opened(self, job: ShardJob) -> FaceDescriber:
        if self._describer is None or self._source != job.source:
            self.close()
            here = job.source.identity()
            for name, wanted in job.identity:
                if here.get(name) != wanted:
                    raise DatasetError(f'a worker has {name} {here.get(name)}, the data set is '
                                       f'made with {wanted}; install the same version on every '
                                       'machine')
            self._describer, self._source = job.source.open(), job.source
        return self._describer


def make_in_process(job: ShardJob, tasks: Iterable[ShardTask]) -> Iterator[dict[str, Any]]:
    """Make shards here, one after the other."""
    maker = ShardMaker()
    try:
        for task in tasks:
            yield maker.make(job, task)
    finally:
        maker.close()


def make_in_pool(job: ShardJob, tasks: Iterable[ShardTask],
                 workers: int) -> Iterator[dict[str, Any]]:
    """
    Make shards in processes of this machine, each on its share of the cores.

    :param tasks: taken as processes become free
    :returns: the lines on the shards as they are done
    :raises DatasetError: a shard has killed `ATTEMPTS` processes
    :raises FaceDepthError: a process says what it cannot do
    """
    waiting = iter(tasks)
    again: list[ShardTask] = []
    deaths: dict[int, int] = {}
    shares = _core_shares(workers)
    pool: dict[int, _Worker] = {}
    try:
        while True:
            for place in range(workers):
                task = None if place in pool else (
                    again.pop() if again else next(waiting, None))
                if task is not None:
                    pool[place] = _Worker(job, shares[place])
                    pool[place].give(task)
            if not pool:
                return
            for place, worker in [(p, w) for p, w in pool.items() if w.has_news(pool.values())]:
                task, answer = worker.task, worker.take()
                if answer is None:
                    del pool[place]
                    again.append(_counted(task, deaths, worker.exit_code))
                    continue
                following = again.pop() if again else next(waiting, None)
                if following is None:
                    worker.stop()
                    del pool[place]
                else:
                    worker.give(following)
                yield answer
    finally:
        for worker in pool.values():
            worker.kill()


class _Worker:
    """A process that makes shards, seen from the one that gives them out."""

    def __init__(self, job: ShardJob, cores: set[int]) -> None:
        context = multiprocessing.get_context('spawn')
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, job, cores), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def exit_code(self) -> int | None:
        """Return how it ended: minus the signal's number."""
        self._process.join(5.0)
        return self._process.exitcode

    def give(self, task: ShardTask) -> None:
        """Give it a shard to make; a process that is dead says so when it is asked."""
        self.task = task
        try:
            self._pipe.send(task)
        except OSError:
            _LOG.warning('a worker died before it got shard %d', task.number)

    def has_news(self, among: Iterable[_Worker]) -> bool:
        """Wait until one of all workers has something to say; return whether this one has."""
        ready = connection.wait([w._pipe for w in among])
        return self._pipe in ready

    def take(self) -> dict[str, Any] | None:
        """Return the line on its shard, None if it died; raise what it could not do."""
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            return None
        if isinstance(answer, FaceDepthError):
            raise answer
        result: dict[str, Any] = answer
        return result

    def stop(self) -> None:
        """End it in peace."""
        self._pipe.close()
        self._process.join()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: connection.Connection, job: ShardJob, cores: set[int]) -> None:
    """Make the shards that come through the pipe, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the other end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.sched_setaffinity(0, cores)
    maker = ShardMaker()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            answer: Any = maker.make(job, task)
        except FaceDepthError as error:
            answer = error
        try:
            pipe.send(answer)
        except OSError:
            return


def _end_with_parent() -> None:
    """End this process at once when the one that started it does: nobody asked for its shard."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _entries(job: ShardJob, task: ShardTask, describer: FaceDescriber) -> Iterator[Entry]:
    """Yield what comes of the images of a shard, in their order."""
    images = iter(task.images)
    while part := list(islice(images, BATCH)):
        results = [_find(job.root / image, describer) for _, image in part]
        described = iter(describer.estimate([r for r in results if isinstance(r, FoundFace)]))
        for (number, image), result in zip(part, results, strict=True):
            yield Entry(number, image, person_of(image),
                        result if isinstance(result, LeftOut) else next(described))


def _find(path: Path, describer: FaceDescriber) -> FoundFace | LeftOut:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, without end
            return LeftOut(UNREADABLE, 'the file cannot be read: it is no regular file')
        raw = path.read_bytes()
    except PermissionError as error:
        return LeftOut(UNREADABLE, f'the file cannot be read: {error.strerror}')
    except FileNotFoundError as error:
        if path.is_symlink():
            return LeftOut(UNREADABLE, f'the link leads nowhere: {error.strerror}')
        raise DatasetError(f'{path} was listed and is gone; see to the disk or the network and '
                           'run it again') from error
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error}; see to the disk or the network and '
                           'run it again') from error
    photo = decode_photo(raw)
    return photo if isinstance(photo, LeftOut) else describer.find(photo)


def _counted(task: ShardTask, deaths: dict[int, int], exit_code: int | None) -> ShardTask:
    """Count the death of a process that had a shard; return the shard."""
    deaths[task.number] = deaths.get(task.number, 0) + 1
    if deaths[task.number] >= ATTEMPTS:
        raise DatasetError(
            f'shard {task.number} killed {ATTEMPTS} processes (the last ended with {exit_code}): '
            f'too little memory for so many workers, or one of its {len(task.images)} images, '
            f'{task.images[0][1]} to {task.images[-1][1]}; use fewer workers, or find the image '
            'with a smaller shard size in another folder', cause='worker_died')
    _LOG.warning('the worker on shard %d died (%s); the shard is made again', task.number,
                 exit_code)
    return task


def _core_shares(workers: int) -> list[set[int]]:
    """Return the CPUs of each worker: an equal share, or one of them where there are fewer."""
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[i::workers]) or {cores[i % len(cores)]} for i in range(workers)]
