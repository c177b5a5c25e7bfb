# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A network of a few convolutions as an ONNX file, and inputs for it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto


def conv_model(batch: str | int = 'n', channels: int = 8) -> bytes:
    """
    Two convolutions with a residual, (n, 2, 16, 16) 'image' and (n, 1) 'gain' -> 'out', 'mean'.

    Weights are small binary fractions, so that bfloat16 holds them exactly.
    """
    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((rng.integers(-4, 5, shape) / 16).astype(np.float32), name)

    nodes = [helper.make_node('Conv', ['image', 'w1'], ['a'], pads=[1, 1, 1, 1]),
             helper.make_node('Relu', ['a'], ['b']),
             helper.make_node('Conv', ['b', 'w2'], ['c'], pads=[1, 1, 1, 1]),
             helper.make_node('Add', ['c', 'image'], ['d']),
             helper.make_node('Reshape', ['gain', 'shape'], ['g']),
             helper.make_node('Mul', ['d', 'g'], ['out']),
             helper.make_node('ReduceMean', ['out'], ['mean'], axes=[1, 2, 3], keepdims=0)]
    tensors = [weights('w1', channels, 2, 3, 3), weights('w2', 2, channels, 3, 3),
               numpy_helper.from_array(np.array([-1, 1, 1, 1], np.int64), 'shape')]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, 'net', [value('image', TensorProto.FLOAT, [batch, 2, 16, 16]),
                       value('gain', TensorProto.FLOAT, [batch, 1])],
        [value('out', TensorProto.FLOAT, [batch, 2, 16, 16]),
         value('mean', TensorProto.FLOAT, [batch])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    return model.SerializeToString()


def feeds(batch: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return inputs for `conv_model`."""
    rng = np.random.default_rng(seed)
    return {'image': rng.random((batch, 2, 16, 16), np.float32),
            'gain': rng.random((batch, 1), np.float32)}


def quantised_model() -> bytes:
    """Return one convolution between quantise and dequantise nodes: 'image' -> 'out'."""
    rng = np.random.default_rng(0)
    array = numpy_helper.from_array
    tensors = [array(np.float32(1 / 255), 'sx'), array(np.uint8(0), 'zx'),
               array(np.float32(0.01), 'sw'), array(np.int8(0), 'zw'),
               array(rng.integers(-60, 60, (32, 2, 3, 3)).astype(np.int8), 'w')]
    nodes = [helper.make_node('QuantizeLinear', ['image', 'sx', 'zx'], ['q']),
             helper.make_node('DequantizeLinear', ['q', 'sx', 'zx'], ['d']),
             helper.make_node('DequantizeLinear', ['w', 'sw', 'zw'], ['dw']),
             helper.make_node('Conv', ['d', 'dw'], ['out'], pads=[1, 1, 1, 1])]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, 'net',
                              [value('image', TensorProto.FLOAT, ['n', 2, 16, 16])],
                              [value('out', TensorProto.FLOAT, ['n', 32, 16, 16])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 19)], ir_version=9)
    return model.SerializeToString()
