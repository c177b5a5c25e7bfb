# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Built plans on disk, so that a network is optimised once for each machine.

A plan is valid for one network, TensorRT version, GPU, precision and set of shapes; all of them
are in its key. Beside `<stem>.plan` lies `<stem>.json` with the key in clear and the plan's hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import fcntl
import hashlib
import json
import logging
import os
from pathlib import Path
import tempfile
import time
from typing import Any, TypeVar

from face_depth_ros.core.errors import EngineError

_LOG = logging.getLogger(__name__)

Loaded = TypeVar('Loaded')


@dataclass(frozen=True)
class PlanKey:
    """
    Everything that a plan depends on.

    :param gpu: name of the GPU and its SM version
    :param shapes: for each input its least, usual and largest shape
    :param flags: builder settings, sorted
    """

    model: str
    onnx_sha256: str
    tensorrt: str
    gpu: str
    precision: str
    shapes: tuple[tuple[str, tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...]
    flags: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the key as it stands in the sidecar file."""
        return json.loads(json.dumps(asdict(self)))

    def stem(self) -> str:
        """Return the file name without ending: readable in front, unique at the end."""
        text = json.dumps(self.as_json(), sort_keys=True)
        readable = ''.join(c if c.isalnum() else '_' for c in self.model)
        return f'{readable}-{self.precision}-{hashlib.sha256(text.encode()).hexdigest()[:24]}'


@dataclass(frozen=True)
class CachedPlan:
    """
    How a plan was come by.

    :param source: 'cache', 'built', or 'rebuilt' = there was one but it did not load
    :param seconds: that building took, 0 from the cache
    """

    path: Path
    source: str
    seconds: float
    size: int


class PlanCache:
    """
    A folder of plans; several processes may use it at once.

    `rebuilt` counts plans that were found but did not load.

    :param folder: None = `cache_folder()`
    :raises EngineError: the folder cannot be made
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder() if folder is None else folder
        self.rebuilt = 0
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f'the folder {self.folder} for built engines cannot be made ({error.strerror}); '
                'set FACE_DEPTH_CACHE to one that can be written', cause='engine_cache') from error

    def get(self, key: PlanKey, build: Callable[[], bytes],
            load: Callable[[bytes], Loaded | None]) -> tuple[Loaded, CachedPlan]:
        """
        Load the plan, building it first where there is none that loads.

        Another process that wants the same plan meanwhile waits and then finds it here. A plan
        that is there needs no lock: a folder that cannot be written serves too.

        :param load: returns None for a plan that it cannot use
        :raises EngineError: a plan is to be built and the folder cannot be written or locked, or
            a fresh plan does not load either
        """
        path = self.folder / f'{key.stem()}.plan'
        cached = self._cached(path, key, load)
        if cached is not None:
            return cached
        with self._locked(path.with_suffix('.lock')):
            cached = self._cached(path, key, load)
            if cached is not None:
                return cached
            found = path.exists()
            if found:
                self.rebuilt += 1
                _LOG.warning('the plan %s does not load; it is built again', path)
            start = time.monotonic()
            plan = build()
            seconds = time.monotonic() - start
            loaded = load(plan)
            if loaded is None:
                raise EngineError(f'the plan just built for model {key.model} does not load; '
                                  'TensorRT says why in the log', cause='engine_plan')
            self._write(path, key, plan, seconds)
            return loaded, CachedPlan(path, 'rebuilt' if found else 'built', seconds, len(plan))

    def _cached(self, path: Path, key: PlanKey, load: Callable[[bytes], Loaded | None],
                ) -> tuple[Loaded, CachedPlan] | None:
        """Load the plan that is there, None where there is none that loads."""
        plan = self._read(path, key)
        loaded = None if plan is None else load(plan)
        if plan is None or loaded is None:
            return None
        return loaded, CachedPlan(path, 'cache', 0.0, len(plan))

    def _read(self, path: Path, key: PlanKey) -> bytes | None:
        """Return a plan whose sidecar agrees with key and content, None for any other."""
        try:
            plan = path.read_bytes()
            sidecar = json.loads(path.with_suffix('.json').read_text(encoding='utf-8'))
            agrees = (sidecar['key'] == key.as_json()
                      and sidecar['sha256'] == hashlib.sha256(plan).hexdigest())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return plan if agrees else None

    def _write(self, path: Path, key: PlanKey, plan: bytes, seconds: float) -> None:
        sidecar = {'key': key.as_json(), 'sha256': hashlib.sha256(plan).hexdigest(),
                   'bytes': len(plan), 'build_seconds': round(seconds, 1)}
        try:
            # The plan last: without its own sidecar it does not count.
            _replace(path.with_suffix('.json'), json.dumps(sidecar, indent=1).encode())
            _replace(path, plan)
        except OSError as error:
            raise EngineError(f'the plan {path} cannot be written ({error.strerror}); free space '
                              'or set FACE_DEPTH_CACHE to another folder',
                              cause='engine_cache') from error

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """Hold a lock between processes; the system frees it when a process dies."""
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise EngineError(f'the folder {self.folder} for built engines cannot be written '
                              f'({error.strerror}); set FACE_DEPTH_CACHE to another one',
                              cause='engine_cache') from error
        try:
            try:
                _lock(descriptor, path)
            except OSError as error:
                raise EngineError(f'the folder {self.folder} for built engines takes no locks '
                                  f'({error.strerror}); set FACE_DEPTH_CACHE to another one',
                                  cause='engine_cache') from error
            yield
        finally:
            os.close(descriptor)


def cache_folder() -> Path:
    """Return FACE_DEPTH_CACHE, else face_depth_ros in the user's XDG cache folder."""
    own = os.environ.get('FACE_DEPTH_CACHE')
    if own:
        return Path(own).expanduser()
    base = Path(os.environ.get('XDG_CACHE_HOME', ''))
    return (base if base.is_absolute() else Path.home() / '.cache') / 'face_depth_ros'


def _lock(descriptor: int, path: Path) -> None:
    """Wait until the lock file is this process's."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _LOG.info('another process builds %s; waiting for it', path.with_suffix('.plan'))
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _replace(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, readable by its owner alone."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(descriptor, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
