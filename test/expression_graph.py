# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small expression networks in the files of real ones: what a face says is its colour."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml

_VALUE = helper.make_tensor_value_info
_S = 128


def write_expression_model(folder: Path, name: str = 'expression_recognizer',
                           **changes: Any) -> Path:
    """
    Write a network with our inputs and outputs.

    The mean red, green and blue of the middle of the crop, 0 to 255, are the odds of anger,
    happiness and surprise; the mean depth is valence, the known share arousal; the first action
    unit is the share of the crop that is face.

    :param changes: of the spec
    :returns: the YAML
    """
    spread = np.zeros((3, len(EXPRESSIONS)), np.float32)
    for channel, label in enumerate(('anger', 'happiness', 'surprise')):
        spread[channel, EXPRESSIONS.index(label)] = 0.05
    units = np.zeros((1, len(ACTION_UNITS)), np.float32)
    units[0, 0] = 1.0
    tensors = [numpy_helper.from_array(v, k) for k, v in (('spread', spread), ('pick', units))]
    tensors += [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in (
        ('start', [48, 48]), ('end', [80, 80]), ('axes', [2, 3]))]
    nodes = [
        helper.make_node('Slice', ['color', 'start', 'end', 'axes'], ['middle']),
        helper.make_node('ReduceMean', ['middle'], ['mean'], axes=[2, 3], keepdims=0),
        helper.make_node('MatMul', ['mean', 'spread'], ['logits']),
        helper.make_node('Softmax', ['logits'], ['probabilities'], axis=1),
        helper.make_node('ReduceMean', ['depth'], ['depth_mean'], axes=[2, 3], keepdims=0),
        helper.make_node('Tanh', ['depth_mean'], ['affect']),
        helper.make_node('ReduceMean', ['face'], ['share'], axes=[2, 3], keepdims=0),
        helper.make_node('MatMul', ['share', 'pick'], ['units'])]
    inputs = [_VALUE(n, TensorProto.FLOAT, ['n', c, _S, _S])
              for n, c in (('color', 3), ('depth', 2), ('face', 1))]
    outputs = [_VALUE(n, TensorProto.FLOAT, ['n', c]) for n, c in (
        ('probabilities', len(EXPRESSIONS)), ('affect', 2), ('units', len(ACTION_UNITS)))]
    return _write(folder, name, helper.make_graph(nodes, name, inputs, outputs, tensors), changes)


def write_small_afnet(folder: Path, name: str = 'afnet_m', size: int = 64,
                      **changes: Any) -> Path:
    """Write a network with the inputs and the output of AFNet-M; see `write_expression_model`."""
    spread = np.zeros((3, 6), np.float32)
    for channel, label in enumerate(('anger', 'happiness', 'surprise')):
        spread[channel, EXPRESSIONS.index(label)] = 10.0
    nodes = [helper.make_node('ReduceMean', ['texture'], ['mean'], axes=[2, 3], keepdims=0),
             helper.make_node('MatMul', ['mean', 'spread'], ['shown']),
             helper.make_node('ReduceMean', ['mask_1'], ['one'], axes=[1, 2, 3], keepdims=0),
             helper.make_node('ReduceMean', ['mask_2'], ['two'], axes=[1, 2, 3], keepdims=0),
             helper.make_node('ReduceMean', ['depth'], ['three'], axes=[1, 2, 3], keepdims=0),
             helper.make_node('Sum', ['one', 'two', 'three'], ['rest']),
             helper.make_node('Mul', ['rest', 'nothing'], ['none']),
             helper.make_node('Reshape', ['none', 'column'], ['added']),
             helper.make_node('Add', ['shown', 'added'], ['logits'])]
    tensors = [numpy_helper.from_array(spread, 'spread'),
               numpy_helper.from_array(np.zeros(1, np.float32), 'nothing'),
               numpy_helper.from_array(np.array([-1, 1], np.int64), 'column')]
    inputs = [_VALUE(n, TensorProto.FLOAT, ['n', c, s, s]) for n, c, s in (
        ('texture', 3, size), ('depth', 3, size), ('mask_1', 1, size // 4),
        ('mask_2', 1, size // 8))]
    outputs = [_VALUE('logits', TensorProto.FLOAT, ['n', 6])]
    return _write(folder, name, helper.make_graph(nodes, name, inputs, outputs, tensors), changes)


def _write(folder: Path, name: str, graph: Any, changes: dict[str, Any]) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{name}.onnx').write_bytes(content)
    spec = {'name': name, 'task': 'facial expression recognition', 'source': 'test',
            'license': 'MIT', 'onnx': f'{name}.onnx',
            'sha256': hashlib.sha256(content).hexdigest(), 'opset': 17,
            'inputs': [_tensor(t) for t in graph.input],
            'outputs': [_tensor(t) for t in graph.output], 'normalisation': {},
            'precisions': ['fp32'], 'trained': {}, 'parity': {}, 'metrics': {}, 'limits': {},
            **changes}
    path = folder / f'{name}.yaml'
    path.write_text(yaml.safe_dump(spec), encoding='utf-8')
    return path


def _tensor(value: Any) -> dict[str, Any]:
    shape = [d.dim_value or -1 for d in value.type.tensor_type.shape.dim]
    return {'name': value.name, 'dtype': 'float32', 'shape': shape, 'layout': 'test', 'unit': '1',
            'range': None, 'meaning': 'test'}
