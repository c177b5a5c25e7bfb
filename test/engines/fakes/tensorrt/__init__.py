# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A TensorRT whose plans are pickles and whose networks run in ONNX's reference evaluator.

FAKE_TENSORRT (8.6.0, 10.3.0, 11.0.0) decides which names exist, taken from the real releases.
`behaviour` lets tests break a step.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
import json
import os
import pickle
from types import SimpleNamespace

from cuda.bindings import runtime as cudart
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

__version__ = os.environ.get('FAKE_TENSORRT', '10.3.0')
_MAJOR = int(__version__.split('.')[0])

behaviour = {}
builds = []
contexts = []

_FLAGS = {8: ['FP16', 'INT8', 'TF32'], 10: ['FP16', 'INT8', 'TF32', 'BF16'], 11: ['TF32']}
BuilderFlag = IntEnum('BuilderFlag', _FLAGS[_MAJOR], start=0)
_SOURCES = ['CUBLAS', 'CUBLAS_LT', 'CUDNN', 'EDGE_MASK_CONVOLUTIONS', 'JIT_CONVOLUTIONS']
TacticSource = IntEnum('TacticSource', _SOURCES[3:] if _MAJOR == 11 else _SOURCES, start=0)
NetworkDefinitionCreationFlag = IntEnum(
    'NetworkDefinitionCreationFlag',
    ['STRONGLY_TYPED'] if _MAJOR == 11 else ['EXPLICIT_BATCH'], start=0)
MemoryPoolType = IntEnum('MemoryPoolType', ['WORKSPACE'], start=0)
ProfilingVerbosity = IntEnum('ProfilingVerbosity', ['LAYER_NAMES_ONLY', 'NONE', 'DETAILED'],
                             start=0)
LayerInformationFormat = IntEnum('LayerInformationFormat', ['ONELINE', 'JSON'], start=0)
TensorIOMode = IntEnum('TensorIOMode', ['NONE', 'INPUT', 'OUTPUT'], start=0)
DataType = IntEnum('DataType', ['FLOAT', 'HALF', 'INT8', 'INT32', 'BOOL', 'UINT8', 'FP8'],
                   start=0)


class ILogger:
    """Base of loggers."""

    class Severity(IntEnum):
        """Severities."""

        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    def __init__(self):
        self.initialised = True


class OnnxParser:
    """Parses with the onnx package."""

    def __init__(self, network, logger):
        assert logger.initialised
        self._network = network
        self._errors = []

    def parse(self, content):
        """Return whether it worked, as the real one does."""
        if behaviour.get('unsupported'):
            self._errors = ['node 3 (FancyOp): no importer registered', 'graph is not complete']
            return False
        try:
            self._network.model = onnx.load_from_string(content)
        except Exception:  # noqa: BLE001 (whatever a parser may raise)
            return False
        self._network.content = content
        return True

    @property
    def num_errors(self):
        """Count errors."""
        return len(self._errors)

    def get_error(self, index):
        """Return an error with the real one's `desc()`."""
        return SimpleNamespace(desc=lambda: self._errors[index])


def _shape(value):
    return tuple(d.dim_value if d.HasField('dim_value') else -1
                 for d in value.type.tensor_type.shape.dim)


class _Network:
    def __init__(self):
        self.model = self.content = None

    @property
    def num_inputs(self):
        return len(self.model.graph.input)

    def get_input(self, index):
        return SimpleNamespace(shape=_shape(self.model.graph.input[index]))


class Builder:
    """Builds pickles."""

    def __init__(self, logger):
        self._logger = logger

    def create_network(self, flags=0):
        """Return an empty network; 8 needs explicit batch."""
        assert _MAJOR != 8 or flags == 1
        return _Network()

    def create_builder_config(self):
        """Return a config that records what is set."""
        return _Config()

    def create_optimization_profile(self):
        """Return a profile that records its shapes."""
        profile = SimpleNamespace(shapes={})
        profile.set_shape = lambda name, *shapes: profile.shapes.__setitem__(name, shapes)
        return profile

    def build_serialized_network(self, network, config):
        """Return a plan, or None after logging an error."""
        builds.append(config)
        if behaviour.get('build_fails'):
            self._logger.log(ILogger.Severity.ERROR, 'no tactic for layer conv_3')
            return None
        dynamic = any(-1 in _shape(v) for v in network.model.graph.input)
        assert bool(config.profiles) == dynamic
        plan = {'version': __version__, 'onnx': network.content,
                'profile': config.profiles[0].shapes if dynamic else {},
                'flags': sorted(config.flags), 'detailed': config.profiling_verbosity == 2}
        return pickle.dumps(plan)


class _Config:
    def __init__(self):
        self.flags = {'TF32'}
        self.pools, self.tactic_sources, self.profiles = {}, None, []
        self.profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY

    def set_memory_pool_limit(self, pool, size):
        self.pools[pool.name] = size

    def set_tactic_sources(self, mask):
        self.tactic_sources = mask
        return True

    def set_flag(self, flag):
        self.flags.add(flag.name)

    def clear_flag(self, flag):
        self.flags.discard(flag.name)

    def add_optimization_profile(self, profile):
        self.profiles.append(profile)
        return len(self.profiles) - 1


class Runtime:
    """Loads pickles of its own version."""

    def __init__(self, logger):
        self._logger = logger

    def deserialize_cuda_engine(self, plan):
        """Return an engine, or None after logging an error."""
        try:
            content = pickle.loads(plan)
            assert content['version'] == __version__
        except Exception as error:  # noqa: BLE001 (whatever pickle may raise)
            self._logger.log(ILogger.Severity.ERROR, f'magic tag does not match: {error}')
            return None
        return None if behaviour.get('load_fails') else _Engine(content)


class _Engine:
    def __init__(self, plan):
        self.plan = plan
        self.model = onnx.load_from_string(plan['onnx'])
        graph = self.model.graph
        self._io = {v.name: (v, TensorIOMode.INPUT) for v in graph.input}
        self._io |= {v.name: (v, TensorIOMode.OUTPUT) for v in graph.output}
        self.num_io_tensors = len(self._io)
        self.evaluator = ReferenceEvaluator(self.model)

    def get_tensor_name(self, index):
        return list(self._io)[index]

    def get_tensor_mode(self, name):
        return self._io[name][1]

    def get_tensor_dtype(self, name):
        kinds = {onnx.TensorProto.FLOAT: DataType.FLOAT, onnx.TensorProto.FLOAT16: DataType.HALF}
        return kinds[self._io[name][0].type.tensor_type.elem_type]

    def get_tensor_shape(self, name):
        return _shape(self._io[name][0])

    def create_execution_context(self):
        context = None if behaviour.get('no_memory') else _Context(self)
        contexts.append(context)
        return context

    def create_engine_inspector(self):
        return SimpleNamespace(get_engine_information=self._information)

    def _information(self, kind):
        assert kind == LayerInformationFormat.JSON
        if not self.plan['detailed']:
            return json.dumps({'Layers': ['conv_1']})
        names = {'FP16': 'Half', 'BF16': 'BFloat16', 'INT8': 'Int8'}
        picked = [names[f] for f in ('INT8', 'BF16', 'FP16') if f in self.plan['flags']]
        picked = behaviour.get('runs', (picked or ['Float'])[0])
        layer = {'LayerType': 'CaskConvolution', 'Inputs': [{'Format/Datatype': picked}]}
        reformat = {'LayerType': 'Reformat', 'Inputs': [{'Format/Datatype': 'Float'}]}
        return json.dumps({'Layers': [reformat, layer, reformat]})


class _Context:
    def __init__(self, engine):
        self.engine, self.shapes, self.addresses = engine, {}, {}

    def set_input_shape(self, name, shape):
        bounds = self.engine.plan['profile'].get(name)
        if bounds and not all(a <= s <= b for a, s, b in
                              zip(bounds[0], shape, bounds[2], strict=True)):
            return False
        self.shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name):
        batch = next(iter(self.shapes.values()))[0]
        shape = self.engine.get_tensor_shape(name)
        return (batch if shape[0] == -1 else shape[0], *shape[1:])

    def set_tensor_address(self, name, address):
        assert cudart.live[address][0] == 'device'
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        if behaviour.get('run_fails'):
            return False
        assert len(self.addresses) == self.engine.num_io_tensors
        cudart.enqueue(stream, self._execute)
        return True

    def _execute(self):
        feeds = {n: _view(self.addresses[n], s).copy() for n, s in self.shapes.items()}
        names = [o.name for o in self.engine.model.graph.output]
        for name, value in zip(names, self.engine.evaluator.run(names, feeds), strict=True):
            _view(self.addresses[name], value.shape)[:] = value


def _view(address, shape):
    count = int(np.prod(shape))
    memory = (ctypes.c_float * count).from_address(address)
    return np.ctypeslib.as_array(memory).reshape(shape)
