# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Small networks in the files of the estimators, and faces that they can estimate.

On a photo whose brightness is the grey depth image, a grey network of gain 1 says the truth.
"""

from __future__ import annotations

from collections.abc import Iterable
import hashlib
from pathlib import Path

from face_depth_ros.core.face_photo import (
    BOX_SIDE_M,
    CROP_PX,
    FacePhoto,
    FAR_M,
    NEAR_M,
    relief_to_grey,
)
from face_depth_ros.evaluation.face_photo_samples import FaceSample
from face_depth_ros.predictors.estimator_methods import ESTIMATORS
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml

GAINS = {'depthnet': 1.0, 'depthnet_no_mask': 0.95, 'cgan': 0.9, 'ae': 0.85, 'pix2pix': 0.8,
         'cui_fcn': 0.7}
"""How bright the depth images of each are, against the photo."""
SIZES = {'depthnet': 32, 'depthnet_no_mask': 32, 'cgan': 96, 'ae': 96, 'pix2pix': 256,
         'cui_fcn': 64, 'ours': 64}
_GREY = ('cgan', 'ae')
_OURS_LIKE = ('relief', 'log_sigma', 'mask', 'landmarks', 'visibility', 'confidence')
_VALUE = helper.make_tensor_value_info
_FACE_FROM = 20.0
"""Photos are brighter than this on the face."""


def write_estimators(folder: Path, names: Iterable[str] = tuple(ESTIMATORS)) -> None:
    """Write the model files of some estimators."""
    for name in names:
        model = _ours(SIZES[name]) if name == 'ours' else _painter(
            SIZES[name], 1 if name in _GREY else 3, GAINS[name], name == 'depthnet')
        graph = onnx.load_from_string(model).graph
        spec = ESTIMATORS[name]
        (folder / f'{spec}.onnx').write_bytes(model)
        (folder / f'{spec}.yaml').write_text(yaml.safe_dump({
            'name': spec, 'task': 'test', 'source': 'test', 'license': 'MIT',
            'onnx': f'{spec}.onnx', 'sha256': hashlib.sha256(model).hexdigest(), 'opset': 17,
            'inputs': [_tensor(t) for t in graph.input],
            'outputs': [_tensor(t) for t in graph.output], 'normalisation': {},
            'precisions': ['fp32'], 'trained': {}, 'parity': {}, 'metrics': {},
            'limits': {'face_from_grey': 64.0}}), encoding='utf-8')


def drawn_face(identity: int = 0, yaw: float = 0.0, covered: bool = False, radius: int = 90,
               ) -> FaceSample:
    """
    A dome whose brightness is its depth, with a mouth, in the middle of the crop.

    Landmarks lie in the middle; half of them are visible.
    """
    y, x = np.mgrid[:CROP_PX, :CROP_PX] + 0.5 - CROP_PX / 2
    distance = np.hypot(x, y)
    relief = np.where(distance < radius, -0.05 + 0.06 * (distance / radius) ** 2, np.nan)
    mask = (distance < radius).astype(np.uint8)
    mask[np.hypot(x, y - 40) < 12] = 6
    relief = relief.astype(np.float32)
    color = np.repeat(np.rint(relief_to_grey(relief)).astype(np.uint8)[..., None], 3, axis=2)
    points = np.full((68, 2), CROP_PX / 2, np.float32)
    photo = FacePhoto(color, relief, mask, points, np.arange(68) < 34, yaw, 0.0, 0.0, identity)
    return FaceSample(photo, covered)


def _tensor(value: onnx.ValueInfoProto) -> dict[str, object]:
    shape = [d.dim_value or -1 for d in value.type.tensor_type.shape.dim]
    return {'name': value.name, 'dtype': 'float32', 'shape': shape, 'layout': 'NCHW', 'unit': '1',
            'range': None, 'meaning': 'test'}


def _painter(size: int, channels: int, gain: float, mask: bool) -> bytes:
    """Paint the mean of the channels; a mask has skin where that is bright."""
    weights = np.full((1, channels, 1, 1), gain / channels / 127.5, np.float32)
    nodes = [helper.make_node('Conv', ['color', 'w', 'b'], ['depth'])]
    tensors = [numpy_helper.from_array(weights, 'w'),
               numpy_helper.from_array(np.full(1, -1.0, np.float32), 'b')]
    outputs = [_VALUE('depth', TensorProto.FLOAT, ['n', 1, size, size])]
    if mask:
        nodes += [helper.make_node('Conv', ['color', 'mw', 'mb'], ['logits']),
                  helper.make_node('Sigmoid', ['logits'], ['mask'])]
        tensors += _mask_weights(channels)
        outputs.append(_VALUE('mask', TensorProto.FLOAT, ['n', 7, size, size]))
    return _model(nodes, tensors, outputs, size, channels)


def _ours(size: int) -> bytes:
    """Say the truth of a drawn face: relief in box sides, skin, points in the middle."""
    step = (FAR_M - NEAR_M) / 255.0 / BOX_SIDE_M
    array = numpy_helper.from_array
    tensors = [array(np.full((1, 3, 1, 1), -step / 3, np.float32), 'rw'),
               array(np.full(1, FAR_M / BOX_SIDE_M, np.float32), 'rb'), *_mask_weights(3),
               array(np.zeros((1, 3, 1, 1), np.float32), 'sw'),
               array(np.full(1, -5.0, np.float32), 'sb'),
               array(np.zeros((1, 136), np.float32), 'zero136'),
               array(np.full(136, 0.5, np.float32), 'half136'),
               array(np.ones((1, 68), np.float32), 'one68'),
               array(np.array([-1, 68, 2], np.int64), 'points'),
               array(np.full((1, 1), 0.2, np.float32), 'cw'),
               array(np.full(1, -3.0, np.float32), 'cb')]
    nodes = [helper.make_node('Conv', ['color', 'rw', 'rb'], ['relief']),
             helper.make_node('Conv', ['color', 'mw', 'mb'], ['mask']),
             helper.make_node('Conv', ['color', 'sw', 'sb'], ['log_sigma']),
             helper.make_node('ReduceMean', ['color'], ['mean'], axes=[1, 2, 3], keepdims=0),
             helper.make_node('Reshape', ['mean', 'column'], ['level']),
             helper.make_node('MatMul', ['level', 'zero136'], ['none']),
             helper.make_node('Add', ['none', 'half136'], ['flat']),
             helper.make_node('Reshape', ['flat', 'points'], ['landmarks']),
             helper.make_node('MatMul', ['level', 'one68'], ['visibility']),
             helper.make_node('Gemm', ['level', 'cw', 'cb'], ['confidence'])]
    tensors.append(array(np.array([-1, 1], np.int64), 'column'))
    shapes = {'relief': [1, size, size], 'log_sigma': [1, size, size], 'mask': [7, size, size],
              'landmarks': [68, 2], 'visibility': [68], 'confidence': [1]}
    return _model(nodes, tensors, [_VALUE(name, TensorProto.FLOAT, ['n', *shapes[name]])
                                   for name in _OURS_LIKE], size, 3)


def _mask_weights(channels: int) -> list[onnx.TensorProto]:
    weights = np.zeros((7, channels, 1, 1), np.float32)
    bias = np.full(7, -9.0, np.float32)
    weights[0], weights[1] = -0.1 / channels, 0.1 / channels
    bias[0], bias[1] = 0.1 * _FACE_FROM, -0.1 * _FACE_FROM
    return [numpy_helper.from_array(weights, 'mw'), numpy_helper.from_array(bias, 'mb')]


def _model(nodes: list[onnx.NodeProto], tensors: list[onnx.TensorProto],
           outputs: list[onnx.ValueInfoProto], size: int, channels: int) -> bytes:
    name = 'grey' if channels == 1 else 'color'
    for node in nodes:
        node.input[:] = [name if i == 'color' else i for i in node.input]
    graph = helper.make_graph(
        nodes, 'net', [_VALUE(name, TensorProto.FLOAT, ['n', channels, size, size])], outputs,
        tensors)
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    return model.SerializeToString()
