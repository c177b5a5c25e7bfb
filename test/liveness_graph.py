# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A small liveness network in the files of a real one: what stands out in the middle lives."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml

_VALUE = helper.make_tensor_value_info
LIMITS = {'live_threshold': 0.7, 'spoof_threshold': 0.3, 'least_measured': 0.6,
          'most_pad_error': 0.6}
KINDS = 'live, flat print, small bust'


def write_liveness_model(folder: Path, name: str = 'liveness_detector', **changes: Any) -> Path:
    """
    Write a network with our inputs and outputs.

    The log-odds grow by 5 for each 3 cm by which the middle of the face stands out, from -4; of
    attacks, those whose box measures less than 22 cm are small busts.

    :param changes: of the spec
    :returns: the YAML
    """
    kinds = np.zeros((3, 3), np.float32)
    kinds[0] = (0.0, 9.0, -9.0)
    tensors = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in (
        ('start', [0, 46, 42]), ('end', [1, 62, 54]), ('axes', [1, 2, 3]))]
    tensors += [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in (
        ('gain', 5.0), ('shift', -4.0), ('nothing', 0.0))]
    tensors.append(numpy_helper.from_array(kinds, 'kinds'))
    nodes = [
        helper.make_node('Slice', ['planes', 'start', 'end', 'axes'], ['middle']),
        helper.make_node('ReduceMax', ['middle'], ['nose'], axes=[2, 3], keepdims=0),
        helper.make_node('Mul', ['nose', 'gain'], ['grown']),
        helper.make_node('Add', ['grown', 'shift'], ['odds']),
        helper.make_node('ReduceMean', ['points'], ['place'], axes=[1, 2], keepdims=0),
        helper.make_node('Mul', ['place', 'nothing'], ['none']),
        helper.make_node('Unsqueeze', ['none', 'column'], ['added']),
        helper.make_node('Add', ['odds', 'added'], ['log_odds']),
        helper.make_node('MatMul', ['scalars', 'kinds'], ['logits']),
        helper.make_node('Softmax', ['logits'], ['species'], axis=1)]
    tensors.append(numpy_helper.from_array(np.array([1], np.int64), 'column'))
    inputs = [_VALUE('planes', TensorProto.FLOAT, ['n', 4, 96, 96]),
              _VALUE('points', TensorProto.FLOAT, ['n', 68, 4]),
              _VALUE('scalars', TensorProto.FLOAT, ['n', 3])]
    outputs = [_VALUE('log_odds', TensorProto.FLOAT, ['n', 1]),
               _VALUE('species', TensorProto.FLOAT, ['n', 3])]
    graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{name}.onnx').write_bytes(content)
    spec = {'name': name, 'task': 'liveness', 'source': 'test', 'license': 'MIT',
            'onnx': f'{name}.onnx', 'sha256': hashlib.sha256(content).hexdigest(), 'opset': 17,
            'inputs': [_tensor(t, 'test') for t in inputs],
            'outputs': [_tensor(outputs[0], 'test'), _tensor(outputs[1], KINDS)],
            'normalisation': {}, 'precisions': ['fp32'], 'trained': {}, 'parity': {},
            'metrics': {}, 'limits': dict(LIMITS), **changes}
    path = folder / f'{name}.yaml'
    path.write_text(yaml.safe_dump(spec), encoding='utf-8')
    return path


def _tensor(value: Any, meaning: str) -> dict[str, Any]:
    shape = [d.dim_value or -1 for d in value.type.tensor_type.shape.dim]
    return {'name': value.name, 'dtype': 'float32', 'shape': shape, 'layout': 'test', 'unit': '1',
            'range': None, 'meaning': meaning}
