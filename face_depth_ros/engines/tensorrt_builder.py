# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
From an ONNX file to a TensorRT plan, for TensorRT 8.6 to 11.

Up to TensorRT 10 a precision is allowed to the builder by flags, and it takes it where that is
faster; from 11 on a network runs in the types that its ONNX file has, and only the file decides.
Not yet run on a GPU.
"""

from __future__ import annotations

from collections import Counter, deque
import json
import logging
from typing import Any

from face_depth_ros.core.errors import EngineError, ModelFileError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines.engine_cache import PlanKey
import tensorrt as trt

_LOG = logging.getLogger(__name__)

_WORKSPACE_BYTES = 1 << 30
_TACTIC_SOURCES = ('EDGE_MASK_CONVOLUTIONS', 'JIT_CONVOLUTIONS')
"""Those that need neither cuDNN nor cuBLAS."""

_FLAGS = {'fp32': (), 'fp16': ('FP16',), 'bf16': ('BF16',), 'int8': ('INT8', 'FP16')}
_LEAST_SM = {'int8': 61, 'fp16': 53, 'bf16': 80, 'fp32': 0}
"""Fastest precision first. Each from the first GPU that has it at more than float32's speed."""

_SLOW_FP16_SM = 61
_TYPE_NAMES = {'int8': ('int8',), 'bf16': ('bf16', 'bfloat16'), 'fp16': ('fp16', 'half'),
               'fp32': ('fp32', 'float')}
_PRODUCTS = ('conv', 'gemm', 'matmul', 'matrix')


class Logger(trt.ILogger):
    """Hands TensorRT's messages to Python's logging; keeps the latest errors for our own."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: deque[str] = deque(maxlen=3)

    def log(self, severity: Any, message: str) -> None:
        """Take one message; TensorRT's INFO is our DEBUG: it says much."""
        levels = {'INTERNAL_ERROR': logging.ERROR, 'ERROR': logging.ERROR,
                  'WARNING': logging.WARNING}
        level = levels.get(severity.name, logging.DEBUG)
        if level == logging.ERROR:
            self.errors.append(message)
        _LOG.log(level, 'TensorRT: %s', message)

    def last_errors(self) -> str:
        """Return the latest errors in one line and forget them."""
        text = ' | '.join(self.errors) or 'TensorRT gave no reason'
        self.errors.clear()
        return text


def strongly_typed() -> bool:
    """Whether this TensorRT takes precisions from the ONNX file alone (11 and later)."""
    return not hasattr(trt.BuilderFlag, 'FP16')


def supported_precisions(sm: int) -> tuple[str, ...]:
    """
    Precisions that this TensorRT and this GPU have, fastest first.

    :param sm: compute capability times ten
    """
    found = []
    for precision, least in _LEAST_SM.items():
        has_flags = all(hasattr(trt.BuilderFlag, f) for f in _FLAGS[precision])
        from_file = strongly_typed() and precision == 'int8'  # quantised in the file
        if sm >= least and (has_flags or from_file):
            if not (precision == 'fp16' and sm == _SLOW_FP16_SM):
                found.append(precision)
    return tuple(found)


def plan_key(spec: ModelSpec, gpu: str, precision: str, max_batch: int) -> PlanKey:
    """
    Return the key under which the plan that `build_plan` makes is kept.

    :raises EngineError: an input with a dynamic size other than its batch
    """
    shapes = []
    for t in spec.inputs:
        if any(s < 0 for s in t.shape[1:]):
            raise EngineError(f'input {t.name!r} of model {spec.name} has the shape {t.shape}; '
                              'TensorRT is given models in which only the batch is dynamic')
        least, most = (1, max_batch) if t.shape[0] < 0 else (t.shape[0], t.shape[0])
        shapes.append((t.name, (least, *t.shape[1:]), (least, *t.shape[1:]),
                       (most, *t.shape[1:])))
    flags = [*_builder_flags(precision), *(f'tactics={s}' for s in _tactic_sources()),
             f'workspace={_WORKSPACE_BYTES}', 'verbosity=DETAILED']
    return PlanKey(spec.name, spec.sha256, trt.__version__, gpu, precision, tuple(shapes),
                   tuple(sorted(flags)))


def build_plan(key: PlanKey, onnx: bytes, logger: Logger) -> bytes:
    """
    Build; takes from seconds to minutes.

    :param onnx: content of the file
    :raises ModelFileError: TensorRT cannot read the ONNX file
    :raises EngineError: it cannot build the network
    """
    _LOG.info('building model %s for %s in %s; this takes up to a few minutes, once', key.model,
              key.gpu, key.precision)
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags())
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        errors = ' | '.join(str(parser.get_error(i).desc()) for i in range(parser.num_errors))
        raise ModelFileError(
            f'model {key.model}: TensorRT {trt.__version__} cannot read its ONNX file: '
            f'{errors or logger.last_errors()}', cause='model_format')
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    config.set_tactic_sources(sum(1 << int(getattr(trt.TacticSource, s))
                                  for s in _tactic_sources()))
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if key.precision == 'fp32':
        config.clear_flag(trt.BuilderFlag.TF32)  # it is on by default and is not float32
    for flag in _builder_flags(key.precision):
        config.set_flag(getattr(trt.BuilderFlag, flag))
    if any(-1 in tuple(network.get_input(i).shape) for i in range(network.num_inputs)):
        profile = builder.create_optimization_profile()
        for name, least, usual, most in key.shapes:
            profile.set_shape(name, least, usual, most)
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f'TensorRT {trt.__version__} cannot build model {key.model} for '
                          f'{key.gpu} in {key.precision}: {logger.last_errors()}',
                          cause='engine_build')
    return bytes(plan)


def running_precision(engine: Any) -> str | None:
    """
    Precision of most matrix products of a built engine, of all layers if none is named as one.

    :param engine: trt.ICudaEngine
    :returns: None when the plan does not say
    """
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
    return precision_of_layers(text)


def precision_of_layers(text: str) -> str | None:
    """
    Read the engine inspector's JSON.

    A layer runs in the narrowest type that its inputs have: products accumulate in wider ones.

    :returns: as `running_precision`
    """
    try:
        layers = [x for x in json.loads(text)['Layers'] if isinstance(x, dict)]
    except (ValueError, KeyError, TypeError):
        return None
    products: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for layer in layers:
        kind = str(layer.get('LayerType', '')).lower()
        formats = ' '.join(str(t.get('Format/Datatype', '')) + ' ' + str(t.get('Datatype', ''))
                           for t in layer.get('Inputs', []) if isinstance(t, dict))
        words = set(formats.lower().replace(':', ' ').split())
        found = next((p for p, names in _TYPE_NAMES.items() if words & set(names)), None)
        if found and 'reformat' not in kind:
            is_product = any(p in kind for p in _PRODUCTS)
            (products if is_product else others)[found] += 1
    count = products or others
    return count.most_common(1)[0][0] if count else None


def _builder_flags(precision: str) -> tuple[str, ...]:
    """Return the flags to set that this TensorRT has."""
    return tuple(f for f in _FLAGS[precision] if hasattr(trt.BuilderFlag, f))


def _tactic_sources() -> tuple[str, ...]:
    return tuple(s for s in _TACTIC_SOURCES if hasattr(trt.TacticSource, s))


def _network_flags() -> int:
    """Explicit batch: to be asked for in 8, the only kind from 10 on, without a flag in 11."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, 'EXPLICIT_BATCH', None)
    return 0 if flag is None else 1 << int(flag)
