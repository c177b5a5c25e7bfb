# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The plan cache: keys, damage, two processes, permissions."""

from __future__ import annotations

from dataclasses import replace
import fcntl
import json
import os
from pathlib import Path
import stat
import subprocess
import sys
from typing import Any

import face_depth_ros
from face_depth_ros.core.errors import EngineError
from face_depth_ros.engines.engine_cache import cache_folder, PlanCache, PlanKey
import pytest

KEY = PlanKey('net', 'ab' * 32, '10.3.0', 'Orin (SM 8.7)', 'fp16',
              (('image', (1, 3, 8, 8), (1, 3, 8, 8), (4, 3, 8, 8)),), ('FP16',))


def loads(plan: bytes) -> str | None:
    """Load text; anything else is no plan."""
    return plan.decode() if plan.startswith(b'plan') else None


def refuse() -> bytes:
    raise AssertionError('built although the plan was there')


@pytest.mark.parametrize('change', [
    {'model': 'other'}, {'onnx_sha256': 'cd' * 32}, {'tensorrt': '10.4.0'},
    {'gpu': 'Orin (SM 8.9)'}, {'precision': 'fp32'}, {'flags': ('FP16', 'TF32')},
    {'shapes': (('image', (1, 3, 8, 8), (1, 3, 8, 8), (8, 3, 8, 8)),)}])
def test_every_part_of_the_key_matters(tmp_path: Path, change: dict[str, Any]) -> None:
    cache = PlanCache(tmp_path)
    cache.get(KEY, lambda: b'plan 1', loads)
    other = replace(KEY, **change)
    assert other.stem() != KEY.stem()
    assert cache.get(other, lambda: b'plan 2', loads)[0] == 'plan 2'
    assert cache.get(KEY, refuse, loads)[0] == 'plan 1'


def test_second_time_comes_from_the_cache(tmp_path: Path) -> None:
    plan, how = PlanCache(tmp_path).get(KEY, lambda: b'plan', loads)
    assert (plan, how.source, how.size) == ('plan', 'built', 4) and how.seconds >= 0
    plan, how = PlanCache(tmp_path).get(KEY, refuse, loads)
    assert (plan, how.source, how.seconds) == ('plan', 'cache', 0.0)
    sidecar = json.loads(how.path.with_suffix('.json').read_text())
    assert sidecar['key']['gpu'] == 'Orin (SM 8.7)' and sidecar['bytes'] == 4


@pytest.mark.parametrize('damage', ['cut', 'changed', 'no sidecar', 'sidecar not JSON',
                                    'sidecar a list', 'sidecar of another key', 'not a plan'])
def test_damaged_plan_is_built_again_once(tmp_path: Path, damage: str,
                                          caplog: pytest.LogCaptureFixture) -> None:
    content = b'rubbish' if damage == 'not a plan' else b'plan whole'
    cache = PlanCache(tmp_path)
    _, how = cache.get(KEY, lambda: content, lambda plan: 'anything')
    sidecar = how.path.with_suffix('.json')
    if damage == 'cut':
        how.path.write_bytes(b'plan wh')
    elif damage == 'changed':
        how.path.write_bytes(b'plan WHOLE')
    elif damage == 'no sidecar':
        sidecar.unlink()
    elif damage == 'sidecar not JSON':
        sidecar.write_text('{')
    elif damage == 'sidecar a list':
        sidecar.write_text('[]')
    elif damage == 'sidecar of another key':
        sidecar.write_text(sidecar.read_text().replace('10.3.0', '8.6.0'))
    plan, how = cache.get(KEY, lambda: b'plan new', loads)
    assert (plan, how.source, cache.rebuilt) == ('plan new', 'rebuilt', 1)
    assert caplog.text.count('does not load; it is built again') == 1
    assert cache.get(KEY, refuse, loads)[1].source == 'cache'


def test_plan_that_never_loads(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match='plan just built for model net does not load'):
        PlanCache(tmp_path).get(KEY, lambda: b'rubbish', loads)
    assert not list(tmp_path.glob('*.plan'))


def test_failing_build_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise EngineError('no tactic')
    with pytest.raises(EngineError, match='no tactic'):
        PlanCache(tmp_path).get(KEY, fail, loads)
    assert [p.suffix for p in tmp_path.iterdir()] == ['.lock']
    assert PlanCache(tmp_path).get(KEY, lambda: b'plan', loads)[0] == 'plan'


def test_write_that_fails_leaves_no_half_plan(tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(EngineError, match=r'cannot be written \(No space left.*FACE_DEPTH_CACHE'):
        PlanCache(tmp_path).get(KEY, lambda: b'plan', loads)
    assert [p.suffix for p in tmp_path.iterdir()] == ['.lock']


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    folder = tmp_path / 'deep' / 'cache'
    _, how = PlanCache(folder).get(KEY, lambda: b'plan', loads)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(EngineError, match='cannot be made .*FACE_DEPTH_CACHE'):
        PlanCache(tmp_path / 'file' / 'cache')


def test_folder_without_room_for_a_lock(tmp_path: Path) -> None:
    (tmp_path / f'{KEY.stem()}.lock').mkdir()
    with pytest.raises(EngineError, match='cannot be written .*FACE_DEPTH_CACHE'):
        PlanCache(tmp_path).get(KEY, lambda: b'plan', loads)


def test_a_folder_that_cannot_be_written_serves_what_it_has(tmp_path: Path) -> None:
    _, how = PlanCache(tmp_path).get(KEY, lambda: b'plan', loads)
    lock = how.path.with_suffix('.lock')
    lock.unlink()
    lock.mkdir()  # as on a read-only disk, no lock can be opened
    assert PlanCache(tmp_path).get(KEY, refuse, loads)[1].source == 'cache'


def test_folder_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_lock(descriptor: int, kind: int) -> None:
        raise OSError(37, 'No locks available')
    monkeypatch.setattr(fcntl, 'flock', refuse_lock)
    with pytest.raises(EngineError, match='takes no locks .No locks avail.*FACE_DEPTH_CACHE'):
        PlanCache(tmp_path).get(KEY, lambda: b'plan', loads)


def test_where_the_folder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/robot')
    monkeypatch.delenv('FACE_DEPTH_CACHE', raising=False)
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    assert cache_folder() == Path('/home/robot/.cache/face_depth_ros')
    monkeypatch.setenv('XDG_CACHE_HOME', 'relative: to be ignored')
    assert cache_folder() == Path('/home/robot/.cache/face_depth_ros')
    monkeypatch.setenv('XDG_CACHE_HOME', '/var/xdg')
    assert cache_folder() == Path('/var/xdg/face_depth_ros')
    monkeypatch.setenv('FACE_DEPTH_CACHE', '~/plans')
    assert cache_folder() == Path('/home/robot/plans')


_PROCESS = """
import logging, sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from face_depth_ros.engines.engine_cache import PlanCache, PlanKey
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format='%(message)s')
def build():
    print('building', flush=True)
    sys.stdin.readline()
    return b'plan of a process'
key = PlanKey('net', '', '', '', 'fp32', (), ())
print(PlanCache(Path({folder!r})).get(key, build, bytes.decode)[1].source, flush=True)
"""


def test_two_processes_build_once(tmp_path: Path) -> None:
    root = Path(face_depth_ros.__file__).parents[1]
    script = _PROCESS.format(root=str(root), folder=str(tmp_path))
    processes = []
    try:
        for says in ('building', 'another process builds'):
            process = subprocess.Popen([sys.executable, '-c', script], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
            processes.append(process)
            assert process.stdout.readline().startswith(says)
        sources = [process.communicate('go on\n', timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sources == ['built\n', 'cache\n']
