# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Size and arithmetic of an ONNX network, read from its graph."""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.errors import EngineError
from face_depth_ros.core.model_spec import ModelSpec
import openvino as ov

_CONVOLUTIONS = ('Convolution', 'GroupConvolution')
_TRANSPOSED = ('ConvolutionBackpropData', 'GroupConvolutionBackpropData')
_GROUPED = ('GroupConvolution', 'GroupConvolutionBackpropData')


@dataclass(frozen=True)
class GraphCost:
    """
    What a network costs for one input.

    :param parameters: numbers in the constants that convolutions, matrix products, additions and
        multiplications read
    :param macs: multiply-adds of convolutions and matrix products
    """

    parameters: int
    macs: int


def graph_cost(spec: ModelSpec, shapes: dict[str, tuple[int, ...]] | None = None) -> GraphCost:
    """
    Count parameters and multiply-adds.

    :param shapes: of inputs that are dynamic beyond the batch; the batch is 1
    :raises ModelFileError: the ONNX file is missing or not the one of the spec
    :raises EngineError: a shape stays unknown
    """
    model = ov.Core().read_model(spec.read_onnx())
    wanted = {t.name: tuple(1 if s < 0 else s for s in t.shape) for t in spec.inputs}
    model.reshape({name: list((shapes or {}).get(name, shape)) for name, shape in wanted.items()})
    parameters: dict[str, int] = {}
    macs = 0
    for node in model.get_ops():
        kind = node.get_type_name()
        for source in (i.get_source_output().get_node() for i in node.inputs()):
            constant = _constant_of(source)
            if constant is not None and kind in (*_CONVOLUTIONS, *_TRANSPOSED, 'MatMul', 'Add',
                                                 'Multiply', 'Subtract'):
                size = math.prod(constant.get_output_shape(0))
                if size > 1:
                    parameters[constant.get_friendly_name()] = size
        if kind in (*_CONVOLUTIONS, *_TRANSPOSED, 'MatMul'):
            if any(o.get_partial_shape().is_dynamic for o in node.outputs()):
                raise EngineError(f'model {spec.name}: the shape of {node.get_friendly_name()} '
                                  'stays unknown; give the shapes of all inputs')
            macs += _macs(node, kind)
    return GraphCost(sum(parameters.values()), macs)


def _constant_of(node: ov.Node) -> ov.Node | None:
    """Return the constant behind a node, looking through conversions of its type and shape."""
    while node.get_type_name() in ('Convert', 'Reshape', 'Unsqueeze', 'FakeQuantize'):
        node = node.input(0).get_source_output().get_node()
    return node if node.get_type_name() == 'Constant' else None


def _macs(node: ov.Node, kind: str) -> int:
    output = tuple(node.get_output_shape(0))
    if kind == 'MatMul':
        shape = tuple(node.get_input_shape(0))
        transposed = bool(node.get_attributes().get('transpose_a', False))
        return math.prod(output) * shape[-2 if transposed else -1]
    kernel = tuple(node.get_input_shape(1))
    # Kernels are (out, in, ...), transposed ones (in, out, ...), grouped ones with groups first.
    if kind in _TRANSPOSED:
        source = tuple(node.get_input_shape(0))
        per_pixel = math.prod(kernel[2:] if kind in _GROUPED else kernel[1:])
        return math.prod(source) * per_pixel
    per_value = math.prod(kernel[2:] if kind in _GROUPED else kernel[1:])
    return math.prod(output) * per_value
