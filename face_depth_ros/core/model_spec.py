# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The YAML that stands beside every ONNX file and says all that its users must know.

Predictors read shapes, normalisation and limits from it; nothing of them is repeated in code.
The form is described in models/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
import hashlib
import math
import os
from pathlib import Path
import re
import sys
from typing import Any

import face_depth_ros
from face_depth_ros.core.errors import ModelFileError, ModelSpecError
import yaml

REQUIRED_KEYS = ('name', 'task', 'source', 'license', 'onnx', 'sha256', 'opset', 'inputs',
                 'outputs', 'normalisation', 'precisions', 'trained', 'parity', 'metrics',
                 'limits')
PRECISIONS = ('fp32', 'fp16', 'bf16', 'int8')
_MAPPINGS = ('normalisation', 'trained', 'parity', 'metrics', 'limits')
_NOT_YAML = (yaml.YAMLError, AttributeError, LookupError, RecursionError, ValueError)
"""What PyYAML raises for damaged text: of a value that looks or is tagged wrong not its own."""


@dataclass(frozen=True)
class TensorSpec:
    """
    One input or output.

    :param shape: batch first, -1 where dynamic
    :param layout: for instance 'NCHW'
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str
    unit: str
    range: tuple[float, float] | None
    meaning: str


@dataclass(frozen=True)
class ModelSpec:
    """
    What an ONNX file is, eats and gives.

    :param path: the YAML file
    :param onnx: the ONNX file, beside the YAML
    :param sha256: of the ONNX file, hex
    :param precisions: in which the model may run, best accuracy first
    """

    name: str
    task: str
    source: str
    license: str
    path: Path
    onnx: Path
    sha256: str
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    normalisation: dict[str, Any]
    precisions: tuple[str, ...]
    trained: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> ModelSpec:
        """
        Read and check a spec.

        :raises ModelSpecError: not there, not YAML, incomplete, or with impossible values
        """
        path = Path(path)
        try:
            data = yaml.safe_load(path.read_text(encoding='utf-8'))
        except FileNotFoundError as error:
            raise ModelSpecError(
                f'no model spec at {path}; known models: {", ".join(known_models()) or "none"}'
            ) from error
        except OSError as error:
            raise ModelSpecError(f'{path} cannot be read ({error.strerror}); expected the YAML '
                                 'of a model') from error
        except _NOT_YAML as error:
            raise ModelSpecError(f'{path} is not readable YAML: {error}') from error
        if not isinstance(data, dict):
            raise ModelSpecError(f'{path} holds a {type(data).__name__}, expected a mapping')
        return _from_mapping(path, data)

    def number(self, key: str) -> float:
        """
        Return a number of `normalisation` or `limits`.

        :raises ModelSpecError: not there, or no finite number
        """
        value = {**self.limits, **self.normalisation}.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(
                value):
            raise ModelSpecError(f'{self.path}: {key} is {value!r}, expected a number under '
                                 'normalisation or limits; export the model again')
        return float(value)

    def read_onnx(self) -> bytes:
        """
        Return the ONNX file's bytes, checked against the spec's hash.

        :raises ModelFileError: not there, or another file than the spec describes
        """
        try:
            content = self.onnx.read_bytes()
        except OSError as error:
            raise ModelFileError(
                f'model {self.name}: cannot read {self.onnx} ({error.strerror}); reinstall the '
                'package or export the model again', cause='model_missing') from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise ModelFileError(
                f'model {self.name}: {self.onnx} has sha256 {digest[:12]}..., its spec says '
                f'{self.sha256[:12]}...; the file is corrupted or not the one described: '
                'reinstall the package or export the model again', cause='model_hash')
        return content


def find_model(name_or_path: str) -> ModelSpec:
    """
    Load a spec by its name (searched in `model_folders`) or by the path of its YAML.

    :raises ModelSpecError: as `ModelSpec.load`
    """
    if name_or_path.endswith(('.yaml', '.yml')) or os.sep in name_or_path:
        return ModelSpec.load(name_or_path)
    folders = model_folders()
    for folder in folders:
        if (folder / f'{name_or_path}.yaml').is_file():
            return ModelSpec.load(folder / f'{name_or_path}.yaml')
    raise ModelSpecError(
        f'no model named {name_or_path!r}; known models: {", ".join(known_models()) or "none"}; '
        f'searched {", ".join(str(f) for f in folders)}', cause='model_missing')


def model_folders() -> list[Path]:
    """Return where models are looked for: FACE_DEPTH_MODELS, the checkout, installed shares."""
    candidates = [Path(p) for p in os.environ.get('FACE_DEPTH_MODELS', '').split(os.pathsep) if p]
    candidates.append(Path(face_depth_ros.__file__).resolve().parents[1] / 'models')
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) + [sys.prefix]
    candidates += [Path(p) / 'share' / 'face_depth_ros' / 'models' for p in prefixes if p]
    return list(dict.fromkeys(c for c in candidates if c.is_dir()))


def known_models() -> list[str]:
    """Return the names that `find_model` knows, sorted."""
    return sorted({p.stem for folder in model_folders() for p in folder.glob('*.yaml')})


def _from_mapping(path: Path, data: dict[str, Any]) -> ModelSpec:
    missing = [k for k in REQUIRED_KEYS if k not in data]
    if missing:
        raise ModelSpecError(f'{path} lacks {", ".join(missing)}; see models/README.md')
    # What is left empty in YAML is None.
    data = {k: {} if k in _MAPPINGS and v is None else v for k, v in data.items()}
    for key in _MAPPINGS:
        if not isinstance(data[key], dict):
            raise ModelSpecError(f'{path}: {key} is {data[key]!r}, expected a mapping; see '
                                 'models/README.md')
    if not isinstance(data['precisions'], list):
        raise ModelSpecError(f'{path}: precisions is {data["precisions"]!r}, expected a list of '
                             f'some of {PRECISIONS}')
    unknown = [p for p in data['precisions'] if p not in PRECISIONS]
    if unknown or not data['precisions']:
        raise ModelSpecError(
            f'{path}: precisions are {data["precisions"]}, expected some of {PRECISIONS}')
    if not isinstance(data['sha256'], str) or not re.fullmatch('[0-9a-fA-F]{64}', data['sha256']):
        raise ModelSpecError(f'{path}: sha256 is {data["sha256"]!r}, expected 64 hex digits')
    if isinstance(data['opset'], bool) or not isinstance(data['opset'], int):
        raise ModelSpecError(f'{path}: opset is {data["opset"]!r}, expected a whole number')
    return ModelSpec(
        name=str(data['name']), task=str(data['task']), source=str(data['source']),
        license=str(data['license']), path=path, onnx=path.parent / str(data['onnx']),
        sha256=data['sha256'].lower(), opset=data['opset'],
        inputs=_tensors(path, 'inputs', data['inputs']),
        outputs=_tensors(path, 'outputs', data['outputs']),
        normalisation=dict(data['normalisation']), precisions=tuple(data['precisions']),
        trained=dict(data['trained']), parity=dict(data['parity']),
        metrics=dict(data['metrics']), limits=dict(data['limits']))


def _tensors(path: Path, key: str, items: Any) -> tuple[TensorSpec, ...]:
    try:
        return tuple(
            TensorSpec(str(i['name']), str(i['dtype']), tuple(int(s) for s in i['shape']),
                       str(i['layout']), str(i['unit']),
                       None if i['range'] is None else (float(i['range'][0]),
                                                        float(i['range'][1])),
                       str(i['meaning'])) for i in items)
    except (LookupError, OverflowError, TypeError, ValueError) as error:
        raise ModelSpecError(
            f'{path}: {key} must be a list of name, dtype, shape, layout, unit, range, meaning '
            f'(got a problem with {error!r})') from error
