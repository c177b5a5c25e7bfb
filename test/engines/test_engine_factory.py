# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which backend is taken, and what is said of it."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from pathlib import Path
import sys
from types import SimpleNamespace
from typing import Any

from face_depth_ros.core.errors import BackendUnavailableError, SettingsError
from face_depth_ros.engines import choose_backend, open_engine
from face_depth_ros.engines.engine_factory import unavailable_reason
import pytest
from small_network import feeds


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that hides a package."""
    find = importlib.util.find_spec

    def hide(*packages: str) -> None:
        monkeypatch.setattr(importlib.util, 'find_spec',
                            lambda name, *a: None if name in packages else find(name, *a))
    return hide


def test_auto_takes_tensorrt_where_it_can(fake_gpu: SimpleNamespace, make_spec: Any) -> None:
    with open_engine(make_spec()) as engine:
        assert engine.backend == 'tensorrt'
        assert engine.choice == ('tensorrt (fp16) on Fake Orin (SM 8.7), TensorRT 10.3.0: a CUDA '
                                 'device and the tensorrt package are there')


@pytest.mark.parametrize('package, how', [('tensorrt', 'python3-libnvinfer'),
                                          ('cuda', 'pip install cuda-python')])
def test_auto_without_a_package(fake_gpu: SimpleNamespace, without: Any, make_spec: Any,
                                package: str, how: str) -> None:
    without(package)
    with open_engine(make_spec()) as engine:
        assert engine.backend == 'openvino'
        assert f'the package {package} is not installed' in engine.choice and how in engine.choice
    with pytest.raises(BackendUnavailableError, match=f'tensorrt cannot be used: .*{package} is'):
        open_engine(make_spec(), 'tensorrt')


def test_auto_without_a_device(fake_gpu: SimpleNamespace, make_spec: Any) -> None:
    fake_gpu.cudart.device_count = 0
    assert choose_backend() == ('openvino', 'tensorrt cannot be used: there is no CUDA device')
    fake_gpu.cudart.fail['cudaGetDeviceCount'] = 35
    assert 'no CUDA device can be used: cudaErrorInsufficientDriver' in choose_backend()[1]


def test_packages_that_do_not_load(clean_modules: None, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'cuda').mkdir()
    (tmp_path / 'cuda' / '__init__.py').write_text('')
    (tmp_path / 'tensorrt.py').write_text("raise ImportError('libnvinfer.so.10 not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert 'installed but do not load' in (unavailable_reason('tensorrt') or '')


def test_older_cuda_python(clean_modules: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / 'fakes_cuda12'))
    importlib.invalidate_caches()
    module = importlib.import_module('face_depth_ros.engines.cuda_memory')
    assert module.cudart.LAYOUT == 'cuda.cudart'
    assert module.no_device_reason() == 'there is no CUDA device'


def test_without_any_backend(without: Any, make_spec: Any) -> None:
    without('tensorrt', 'openvino')
    with pytest.raises(BackendUnavailableError,
                       match='tensorrt: the package tensorrt .*openvino: .*pip install openvino'):
        open_engine(make_spec())


def test_unknown_settings(make_spec: Any) -> None:
    with pytest.raises(SettingsError, match="named 'onnxruntime'; expected auto, openvino or"):
        open_engine(make_spec(), 'onnxruntime')
    with pytest.raises(SettingsError, match='max_batch is 0, expected at least 1'):
        open_engine(make_spec(), max_batch=0)


def test_choice_is_logged_once(clean_modules: None, make_spec: Any, without: Any,
                               caplog: pytest.LogCaptureFixture) -> None:
    without('tensorrt')
    caplog.set_level(logging.INFO, 'face_depth_ros.engines')
    for _ in range(3):
        open_engine(make_spec(), precision='fp32').close()
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 1 and lines[0].startswith('model net runs in openvino (fp32) on ')


def test_tensorrt_is_not_imported_where_it_is_not_asked_for(clean_modules: None,
                                                            make_spec: Any) -> None:
    with open_engine(make_spec(), 'openvino') as engine:
        assert engine(feeds(1))['out'].shape == (1, 2, 16, 16)
        assert engine.choice.endswith('asked for by name')
    assert 'tensorrt' not in sys.modules
