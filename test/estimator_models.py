# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small estimators in the files of the large ones, and one with the outputs of ours."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml


def write_grey_model(folder: Path, name: str, size: int = 96, channels: int = 1,
                     mask: bool = False) -> Path:
    """
    Write a network that paints the mean of its input channels, 0 to 255, as -1 to 1.

    With `mask` it says nose where the crop is bright and background where it is dark.
    """
    tensors = {'k': np.full((1, channels, 1, 1), 1 / channels / 127.5, np.float32),
               'one': np.float32([-1.0])}
    nodes = [helper.make_node('Conv', ['in', 'k'], ['grey']),
             helper.make_node('Add', ['grey', 'one'], ['depth'])]
    outputs = {'depth': [1, size, size]}
    if mask:
        kernel = np.zeros((len(MASK_LABELS), 1, 1, 1), np.float32)
        kernel[MASK_LABELS.index('nose')] = 1.0
        tensors |= {'m': kernel, 'b': np.eye(len(MASK_LABELS), dtype=np.float32)[0]}
        nodes.append(helper.make_node('Conv', ['grey', 'm', 'b'], ['mask']))
        outputs['mask'] = [len(MASK_LABELS), size, size]
    return _write(folder, name, nodes, tensors, [channels, size, size], outputs)


def write_our_model(folder: Path, name: str = 'face_estimator', size: int = 32) -> Path:
    """
    Write a network with the outputs of the face estimator.

    Relief = red / 1000 sides; log_sigma = -3; mask = skin where green is above 100, else
    background; landmarks, visibility and confidence follow from the mean of blue.
    """
    def row(values: list[float]) -> np.ndarray:
        return np.float32(values).reshape(1, -1, 1, 1)

    skin = np.zeros((len(MASK_LABELS), 3, 1, 1), np.float32)
    skin[1, 1] = 0.1
    bias = np.full(len(MASK_LABELS), -50.0, np.float32)
    bias[:2] = 0.0, -10.0
    tensors = {
        'r': row([0.001, 0, 0]), 'z': row([0, 0, 0]), 'minus3': np.float32([-3.0]), 'm': skin,
        'mb': bias, 'blue': row([0, 0, 1 / 256]), 'shape': np.array([-1, 1], np.int64),
        'ones': np.ones((1, LANDMARK_COUNT), np.float32), 'ten': np.float32([10.0]),
        'half': np.float32([5.0]), 'flat': np.array([-1, LANDMARK_COUNT, 1], np.int64),
        'two': np.ones((1, 1, 2), np.float32)}
    nodes = [helper.make_node('Conv', ['in', 'r'], ['relief']),
             helper.make_node('Conv', ['in', 'z'], ['nothing']),
             helper.make_node('Add', ['nothing', 'minus3'], ['log_sigma']),
             helper.make_node('Conv', ['in', 'm', 'mb'], ['mask']),
             helper.make_node('Conv', ['in', 'blue'], ['b']),
             helper.make_node('GlobalAveragePool', ['b'], ['mean']),
             helper.make_node('Reshape', ['mean', 'shape'], ['share']),
             helper.make_node('MatMul', ['share', 'ones'], ['spread']),
             helper.make_node('Reshape', ['spread', 'flat'], ['column']),
             helper.make_node('MatMul', ['column', 'two'], ['landmarks']),
             helper.make_node('Mul', ['spread', 'ten'], ['tenfold']),
             helper.make_node('Sub', ['tenfold', 'half'], ['visibility']),
             helper.make_node('Mul', ['share', 'ten'], ['sure']),
             helper.make_node('Sub', ['sure', 'half'], ['confidence'])]
    one = [1, size, size]
    return _write(folder, name, nodes, tensors, [3, size, size], {
        'relief': one, 'log_sigma': one, 'mask': [len(MASK_LABELS), size, size],
        'landmarks': [LANDMARK_COUNT, 2], 'visibility': [LANDMARK_COUNT], 'confidence': [1]})


def _write(folder: Path, name: str, nodes: list[onnx.NodeProto], tensors: dict[str, np.ndarray],
           shape: list[int], outputs: dict[str, list[int]]) -> Path:
    """Write the ONNX file and its spec; return the path of the spec."""
    def value(label: str, dims: list[int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(label, TensorProto.FLOAT, ['n', *dims])

    graph = helper.make_graph(nodes, 'net', [value('in', shape)],
                              [value(label, dims) for label, dims in outputs.items()],
                              [numpy_helper.from_array(np.asarray(v), k)
                               for k, v in tensors.items()])
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)],
                                ir_version=8).SerializeToString()
    (folder / f'{name}.onnx').write_bytes(content)
    path = folder / f'{name}.yaml'
    path.write_text(yaml.safe_dump({
        'name': name, 'task': 'test', 'source': 'test', 'license': 'MIT', 'onnx': f'{name}.onnx',
        'sha256': hashlib.sha256(content).hexdigest(), 'opset': 17,
        'inputs': [_tensor('in', shape)],
        'outputs': [_tensor(label, dims) for label, dims in outputs.items()],
        'normalisation': {}, 'precisions': ['fp32'], 'trained': {}, 'parity': {}, 'metrics': {},
        'limits': {'face_from_grey': 64.0}}), encoding='utf-8')
    return path


def _tensor(name: str, shape: list[int]) -> dict[str, Any]:
    return {'name': name, 'dtype': 'float32', 'shape': [-1, *shape], 'layout': 'NCHW', 'unit': '1',
            'range': None, 'meaning': 'test'}
