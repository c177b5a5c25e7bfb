# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Model specs: what is read, where they are looked for, every way in which one can be wrong."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import ModelFileError, ModelSpecError
from face_depth_ros.core.model_spec import (
    find_model,
    known_models,
    model_folders,
    ModelSpec,
    REQUIRED_KEYS,
)
import pytest
import yaml

CONTENT = b'not really ONNX'


def data(**changes: Any) -> dict[str, Any]:
    """Return the content of a whole spec."""
    tensor = {'name': 'depth', 'dtype': 'float32', 'shape': [-1, 1, 256, 256], 'layout': 'NCHW',
              'unit': '1', 'range': [0, 1], 'meaning': 'normalised depth'}
    return {'name': 'enhancer', 'task': 'depth_enhancement', 'source': 'ours', 'license': 'MIT',
            'onnx': 'enhancer.onnx', 'sha256': hashlib.sha256(CONTENT).hexdigest(), 'opset': 17,
            'inputs': [tensor], 'outputs': [tensor | {'name': 'out', 'range': None}],
            'normalisation': {'span_m': 0.25}, 'precisions': ['fp32', 'bf16'],
            'trained': {'seed': 1}, 'parity': {'max_abs': 1e-6}, 'metrics': {}, 'limits': {},
            } | changes


def write(folder: Path, content: Any, name: str = 'enhancer') -> Path:
    """Write a spec and its ONNX file."""
    folder.mkdir(exist_ok=True)
    (folder / 'enhancer.onnx').write_bytes(CONTENT)
    path = folder / f'{name}.yaml'
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_reads_everything(tmp_path: Path) -> None:
    spec = ModelSpec.load(write(tmp_path, data()))
    assert spec.name == 'enhancer' and spec.precisions == ('fp32', 'bf16') and spec.opset == 17
    (tensor,) = spec.inputs
    assert tensor.shape == (-1, 1, 256, 256) and tensor.range == (0.0, 1.0)
    assert spec.outputs[0].range is None and spec.normalisation == {'span_m': 0.25}
    assert spec.onnx == tmp_path / 'enhancer.onnx' and spec.read_onnx() == CONTENT
    assert spec.trained == {'seed': 1} and spec.parity == {'max_abs': 1e-6}


@pytest.mark.parametrize('key', REQUIRED_KEYS)
def test_missing_key(tmp_path: Path, key: str) -> None:
    content = data()
    del content[key]
    with pytest.raises(ModelSpecError, match=f'lacks {key}; see models/README.md'):
        ModelSpec.load(write(tmp_path, content))


@pytest.mark.parametrize('content, message', [
    ('', 'holds a NoneType, expected a mapping'), ('- 1\n- 2', 'holds a list, expected a mapping'),
    ('a: [1, 2', 'is not readable YAML'),
    (data(precisions=['fp32', 'fp8']), r"precisions are \['fp32', 'fp8'\], expected some of"),
    (data(precisions=[]), r'precisions are \[\]'),
    (data(sha256='abc'), "sha256 is 'abc', expected 64 hex digits"),
    (data(sha256=5), 'sha256 is 5, expected'),
    (data(inputs=[{'name': 'depth'}]), 'inputs must be a list of name, dtype, shape'),
    (data(outputs=[data()['inputs'][0] | {'shape': ['n']}]), 'outputs must be a list'),
    (data(inputs=[data()['inputs'][0] | {'range': 3}]), 'inputs must be a list'),
    (data(inputs=None), 'inputs must be a list'),
    (data(inputs=[data()['inputs'][0] | {'range': [1]}]), 'inputs must be a list'),
    (data(inputs=[data()['inputs'][0] | {'shape': [math.inf]}]), 'inputs must be a list'),
    (data(sha256='z' * 64), "sha256 is 'zzz.*expected 64 hex digits"),
    (data(opset='seventeen'), "opset is 'seventeen', expected a whole number"),
    (data(opset=None), 'opset is None, expected a whole number'),
    ('trained: 2026-02-30', 'is not readable YAML: day is out of range'),
    ('opset: !!int x', 'is not readable YAML'), ('opset: !!bool x', 'is not readable YAML'),
    ('opset: !!timestamp x', 'is not readable YAML'), ('[' * 5000, 'is not readable YAML'),
    (data(limits=[1]), r'limits is \[1\], expected a mapping'),
    (data(precisions='fp32'), "precisions is 'fp32', expected a list")])
def test_unusable_specs(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ModelSpecError, match=message):
        ModelSpec.load(write(tmp_path, content))


def test_a_hash_in_capitals_is_the_same_hash(tmp_path: Path) -> None:
    spec = ModelSpec.load(write(tmp_path, data(sha256=data()['sha256'].upper())))
    assert spec.read_onnx() == CONTENT


def test_what_is_left_empty_is_an_empty_mapping(tmp_path: Path) -> None:
    spec = ModelSpec.load(write(tmp_path, data(limits=None, trained=None)))
    assert spec.limits == spec.trained == {}


def test_a_folder_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match='cannot be read .*expected the YAML of a model'):
        ModelSpec.load(tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / 'x.yaml').write_bytes(b'\xff\xfe\x00rubbish')
    with pytest.raises(ModelSpecError, match='is not readable YAML'):
        ModelSpec.load(tmp_path / 'x.yaml')


def test_no_such_spec(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match='no model spec at .*none.yaml; known models: '):
        ModelSpec.load(tmp_path / 'none.yaml')


def test_onnx_file_missing_or_changed(tmp_path: Path) -> None:
    spec = ModelSpec.load(write(tmp_path, data()))
    spec.onnx.write_bytes(CONTENT + b'!')
    with pytest.raises(ModelFileError, match='has sha256 .*its spec says .*export') as caught:
        spec.read_onnx()
    assert caught.value.cause == 'model_hash'
    spec.onnx.unlink()
    with pytest.raises(ModelFileError, match='cannot read .*No such file.*reinstall') as caught:
        spec.read_onnx()
    assert caught.value.cause == 'model_missing'


def test_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, data())
    write(tmp_path / 'more', data(name='second'), 'second')
    monkeypatch.setenv('FACE_DEPTH_MODELS', f'{tmp_path}:{tmp_path / "more"}:{tmp_path}/none')
    assert find_model('enhancer').path == path and find_model(str(path)).path == path
    assert find_model('second').name == 'second'
    assert model_folders()[:2] == [tmp_path, tmp_path / 'more']
    assert {'enhancer', 'second'} <= set(known_models())
    with pytest.raises(ModelSpecError, match="no model named 'third'; known models: .*enhancer.*"
                                             'searched ') as caught:
        find_model('third')
    assert caught.value.cause == 'model_missing'


def test_first_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ('a', 'b'):
        write(tmp_path / folder, data(license=folder))
    monkeypatch.setenv('FACE_DEPTH_MODELS', f'{tmp_path}/b:{tmp_path}/a')
    assert find_model('enhancer').license == 'b'


def test_installed_share_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'share' / 'face_depth_ros' / 'models'
    folder.mkdir(parents=True)
    write(folder, data(name='installed'), 'installed')
    monkeypatch.delenv('FACE_DEPTH_MODELS', raising=False)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    assert find_model('installed').path.parent == folder


def test_numbers_of_limits_and_normalisation(tmp_path: Path) -> None:
    limits = {'threshold': 0.3, 'input': 'one face', 'largest': math.nan}
    spec = ModelSpec.load(write(tmp_path, data(limits=limits)))
    assert spec.number('threshold') == 0.3 and spec.number('span_m') == 0.25
    with pytest.raises(ModelSpecError, match="input is 'one face', expected a number"):
        spec.number('input')
    with pytest.raises(ModelSpecError, match='largest is nan, expected a number'):
        spec.number('largest')
    with pytest.raises(ModelSpecError, match='absent is None, expected a number'):
        spec.number('absent')
