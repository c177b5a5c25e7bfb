# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A small network with its spec, and stand-ins for TensorRT and CUDA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import hashlib
import importlib
from pathlib import Path
import sys
from types import SimpleNamespace
from typing import Any

from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines import engine_factory
import pytest
from small_network import conv_model
import yaml

FAKES = Path(__file__).parent / 'fakes'
FAKES_CUDA12 = Path(__file__).parent / 'fakes_cuda12'
_REAL_OR_FAKE = ('tensorrt', 'cuda')
_OURS = tuple(f'face_depth_ros.engines.{m}'
              for m in ('tensorrt_engine', 'tensorrt_builder', 'cuda_memory'))

MakeSpec = Callable[..., ModelSpec]


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Return a function that writes a model with its spec and loads it."""

    def make(content: bytes | None = None, batch: int = -1, name: str = 'net',
             **changes: Any) -> ModelSpec:
        content = conv_model() if content is None else content
        (tmp_path / f'{name}.onnx').write_bytes(content)

        def tensor(name: str, *shape: int) -> dict[str, Any]:
            return {'name': name, 'dtype': 'float32', 'shape': list(shape), 'layout': 'NCHW',
                    'unit': '1', 'range': None, 'meaning': 'test'}

        data = {'name': name, 'task': 'test', 'source': 'none', 'license': 'MIT',
                'onnx': f'{name}.onnx', 'sha256': hashlib.sha256(content).hexdigest(), 'opset': 17,
                'inputs': [tensor('image', batch, 2, 16, 16), tensor('gain', batch, 1)],
                'outputs': [tensor('out', batch, 2, 16, 16), tensor('mean', batch)],
                'normalisation': {}, 'precisions': ['fp32', 'bf16', 'fp16'], 'trained': {},
                'parity': {}, 'metrics': {}, 'limits': {}} | changes
        (tmp_path / f'{name}.yaml').write_text(yaml.safe_dump(data))
        return ModelSpec.load(tmp_path / f'{name}.yaml')
    return make


@pytest.fixture
def clean_modules() -> Iterator[None]:
    """Import TensorRT, CUDA and our users of them afresh; put things back afterwards."""
    kept = _take_modules()
    engine_factory._logged.clear()
    yield
    _take_modules()
    sys.modules.update(kept)


@pytest.fixture
def fake_gpu(clean_modules: None, monkeypatch: pytest.MonkeyPatch,
             tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Put stand-ins for TensorRT and CUDA in place; nothing of theirs may be left at the end."""
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setenv('FACE_DEPTH_CACHE', str(tmp_path / 'cache'))
    importlib.invalidate_caches()
    cudart = importlib.import_module('cuda.bindings.runtime')
    tensorrt = importlib.import_module('tensorrt')
    yield SimpleNamespace(cudart=cudart, trt=tensorrt, cache=tmp_path / 'cache')
    assert not cudart.live, 'memory, streams or graphs were not freed'


def _take_modules() -> dict[str, Any]:
    names = [n for n in sys.modules if n.split('.')[0] in _REAL_OR_FAKE or n in _OURS]
    return {n: sys.modules.pop(n) for n in names}
