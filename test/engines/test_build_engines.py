# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command build_engines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from face_depth_ros.engines.build_engines import main
import pytest


def test_builds_then_finds(fake_gpu: SimpleNamespace, make_spec: Any,
                           capsys: pytest.CaptureFixture[str]) -> None:
    path = str(make_spec().path)
    for origin in ('built', 'cache'):
        assert main([path, '--batch', '2']) == 0
        title, row = capsys.readouterr().out.splitlines()
        assert title.split() == ['model', 'backend', 'precision', 'device', 'plan', 'seconds']
        assert row.split()[:3] == ['net', 'tensorrt', 'fp16'] and origin in row.split()
    assert len(list(fake_gpu.cache.glob('net-fp16-*.plan'))) == 1


def test_all_models_by_default(fake_gpu: SimpleNamespace, make_spec: Any,
                               monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str]) -> None:
    spec = make_spec()
    make_spec(name='second')
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(spec.path.parent))
    monkeypatch.setattr('face_depth_ros.engines.build_engines.known_models',
                        lambda: ['net', 'second'])
    assert main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        'model', 'net', 'second']


def test_without_a_gpu(fake_gpu: SimpleNamespace, make_spec: Any,
                       capsys: pytest.CaptureFixture[str]) -> None:
    fake_gpu.cudart.device_count = 0
    assert main([str(make_spec().path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ''
    assert 'backend tensorrt cannot be used: there is no CUDA device' in captured.err


def test_one_bad_model_does_not_stop_the_others(make_spec: Any,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['no_such_model', str(make_spec().path), '--backend', 'openvino']) == 1
    captured = capsys.readouterr()
    assert "error: no_such_model: no model named 'no_such_model'" in captured.err
    assert captured.out.splitlines()[1].split()[:2] == ['net', 'openvino']


def test_no_models_at_all(monkeypatch: pytest.MonkeyPatch,
                          capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr('face_depth_ros.engines.build_engines.known_models', list)
    assert main([]) == 1
    assert 'no models found; give the path of a spec' in capsys.readouterr().err
