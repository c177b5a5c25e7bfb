# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small networks in the files of the paper's: those are large, and made by a command."""

from __future__ import annotations

from collections.abc import Iterable
import hashlib
from pathlib import Path

from face_depth_ros.predictors.enhancer_methods import PAPER_ENHANCERS
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml

SHAPE = [-1, 1, 256, 256]


def write_paper_models(folder: Path, methods: Iterable[str] = tuple(PAPER_ENHANCERS)) -> None:
    """Write model files; each smooths by a strength of its own, so that outputs differ."""
    for method in methods:
        name = PAPER_ENHANCERS[method]
        centre = 1.0 - 0.1 * (1 + list(PAPER_ENHANCERS).index(method))
        model = _smoothing(centre)
        (folder / f'{name}.onnx').write_bytes(model)
        (folder / f'{name}.yaml').write_text(yaml.safe_dump({
            'name': name, 'task': 'test', 'source': 'test', 'license': 'MIT',
            'onnx': f'{name}.onnx', 'sha256': hashlib.sha256(model).hexdigest(), 'opset': 17,
            'inputs': [_tensor('depth')], 'outputs': [_tensor('enhanced')],
            'normalisation': {'range_m': 0.25, 'hole_threshold': 0.99}, 'precisions': ['fp32'],
            'trained': {}, 'parity': {}, 'metrics': {}, 'limits': {}}), encoding='utf-8')


def _tensor(name: str) -> dict[str, object]:
    return {'name': name, 'dtype': 'float32', 'shape': SHAPE, 'layout': 'NCHW', 'unit': '25 cm',
            'range': [0.0, 1.0], 'meaning': 'test'}


def _smoothing(centre: float) -> bytes:
    """Return a 3 x 3 convolution that keeps `centre` of a pixel and takes the rest around it."""
    kernel = np.full((1, 1, 3, 3), (1.0 - centre) / 8.0, np.float32)
    kernel[0, 0, 1, 1] = centre
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node('Conv', ['depth', 'kernel'], ['enhanced'], pads=[1, 1, 1, 1])], 'net',
        [value('depth', TensorProto.FLOAT, ['n', *SHAPE[1:]])],
        [value('enhanced', TensorProto.FLOAT, ['n', *SHAPE[1:]])],
        [numpy_helper.from_array(kernel, 'kernel')])
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    return model.SerializeToString()
