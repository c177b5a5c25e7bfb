# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Inference on an NVIDIA GPU with TensorRT 8.6 to 11.

Every batch size up to `max_batch` gets an execution context and a CUDA graph of its own (upload,
network, download), made when it is first seen: a context whose shapes change would invalidate
what was captured from it. All of them share one stream and one set of buffers.
Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
import logging
from typing import Any

from face_depth_ros.core.errors import EngineError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines.cuda_memory import (
    Buffer,
    CudaDevice,
    current_device,
    Graph,
    no_device_reason,
    Stream,
)
from face_depth_ros.engines.engine import check_against_spec, choose_precision, Engine, TensorInfo
from face_depth_ros.engines.engine_cache import PlanCache
from face_depth_ros.engines.tensorrt_builder import (
    build_plan,
    Logger,
    plan_key,
    running_precision,
    strongly_typed,
    supported_precisions,
)
import numpy as np
import tensorrt as trt

_LOG = logging.getLogger(__name__)

DEFAULT_MAX_BATCH = 4

_DTYPES = {'FLOAT': np.float32, 'HALF': np.float16, 'INT8': np.int8, 'INT32': np.int32,
           'INT64': np.int64, 'BOOL': np.bool_, 'UINT8': np.uint8}


@dataclass
class _Lane:
    """
    What one batch size needs.

    :param graph: None where the work cannot be captured
    """

    context: Any
    graph: Graph | None = None


class TensorRtEngine(Engine):
    """
    A network built for this GPU, from the plan cache if it is there.

    `plan` says where the plan lies and how it was come by (engine_cache.CachedPlan).

    :param precision: 'auto' = the fastest that the GPU has and the spec allows. A spec allows int8
        only where its ONNX file is quantised
    :param max_batch: largest batch of one run; larger ones are run in parts; None = 4
    :param cache: None = the user's
    :raises ModelFileError: missing, corrupted, or not readable by TensorRT
    :raises ModelSpecError: the network is not what its spec says
    :raises EngineError: not buildable, a precision that cannot be had, or CUDA failed
    """

    def __init__(self, spec: ModelSpec, precision: str = 'auto', *,
                 max_batch: int | None = None, cache: PlanCache | None = None) -> None:
        max_batch = DEFAULT_MAX_BATCH if max_batch is None else max_batch
        device = current_device()
        wanted = _choose(spec, precision, device)
        cache = PlanCache() if cache is None else cache
        onnx = spec.read_onnx()
        key = plan_key(spec, str(device), wanted, max_batch)
        logger = Logger()
        with ExitStack() as stack:
            self._runtime = trt.Runtime(logger)
            self._engine, self.plan = cache.get(
                key, lambda: build_plan(key, onnx, logger), self._runtime.deserialize_cuda_engine)
            inputs, outputs = _tensors(self._engine)
            check_against_spec(spec, inputs, outputs)
            runs = _report(spec, self._engine, wanted)
            batch = min(shape[0] for _, _, _, shape in key.shapes)
            super().__init__(spec.name, 'tensorrt', runs, f'{device}, TensorRT {trt.__version__}',
                             inputs, outputs, batch)
            self.origin = self.plan.source
            self._stream = Stream()
            stack.callback(self._stream.close)
            self._lanes: dict[int, _Lane] = {}
            self._buffers: dict[str, Buffer] = {}
            self._output_shapes = self._resolve_outputs(batch)
            for t in (*inputs, *outputs):
                self._buffers[t.name] = Buffer(self._nbytes(t, batch))
                stack.callback(self._buffers[t.name].close)
            self._resources = stack.pop_all()

    def _run(self, inputs: dict[str, np.ndarray], batch: int,
             meanwhile: Callable[[], None] | None) -> dict[str, np.ndarray]:
        for t in self.inputs:
            np.copyto(self._buffers[t.name].host(inputs[t.name].shape, t.dtype), inputs[t.name])
        lane = self._lanes.get(batch)
        if lane is None:
            # The first run sets the context up, which cannot be captured; the graph comes after.
            lane = _Lane(self._new_context(batch))
            self._enqueue(lane, batch)
            self._stream.synchronize()
            lane.graph = self._capture(lane, batch)
            self._lanes[batch] = lane
            if meanwhile is not None:
                meanwhile()
        else:
            if lane.graph is None:
                self._enqueue(lane, batch)
            else:
                lane.graph.launch()
            try:
                if meanwhile is not None:
                    meanwhile()
            finally:
                self._stream.synchronize()
        return {t.name: self._buffers[t.name].host((batch, *self._output_shapes[t.name]),
                                                   t.dtype).copy() for t in self.outputs}

    def _release(self) -> None:
        for lane in self._lanes.values():
            if lane.graph is not None:
                lane.graph.close()
        self._lanes.clear()
        self._resources.close()
        del self._engine
        del self._runtime

    def _enqueue(self, lane: _Lane, batch: int) -> None:
        """Put upload, network and download of one batch on the stream."""
        for t in self.inputs:
            self._buffers[t.name].upload(self._nbytes(t, batch), self._stream)
        if not lane.context.execute_async_v3(int(self._stream.handle)):
            raise EngineError(f'TensorRT could not run model {self.name} on a batch of {batch}; '
                              'it says why in the log', cause='engine_run')
        for t in self.outputs:
            self._buffers[t.name].download(self._nbytes(t, batch), self._stream)

    def _capture(self, lane: _Lane, batch: int) -> Graph | None:
        try:
            return Graph(self._stream, lambda: self._enqueue(lane, batch))
        except EngineError as error:
            _LOG.warning('model %s runs without a CUDA graph on batches of %d: %s', self.name,
                         batch, error)
            return None

    def _new_context(self, batch: int) -> Any:
        """Return a context with its shapes and addresses set."""
        context = self._shaped_context(batch)
        for name, buffer in self._buffers.items():
            if not context.set_tensor_address(name, buffer.device):
                raise EngineError(f'TensorRT takes no address for tensor {name!r} of model '
                                  f'{self.name}', cause='engine_run')
        return context

    def _shaped_context(self, batch: int) -> Any:
        context = self._engine.create_execution_context()
        if context is None:
            raise EngineError('TensorRT could not make an execution context for model '
                              f'{self.name}; the GPU may be out of memory', cause='engine_run')
        for t in self.inputs:
            if not context.set_input_shape(t.name, (batch, *t.shape[1:])):
                raise EngineError(f'TensorRT takes no batch of {batch} in model {self.name}',
                                  cause='engine_run')
        return context

    def _resolve_outputs(self, batch: int) -> dict[str, tuple[int, ...]]:
        """Return the outputs' shapes without the batch."""
        context = self._shaped_context(batch)
        shapes = {t.name: tuple(context.get_tensor_shape(t.name)) for t in self.outputs}
        for name, shape in shapes.items():
            if any(s < 0 for s in shape) or shape[:1] != (batch,):
                raise EngineError(f'output {name!r} of model {self.name} has the shape {shape} '
                                  f'for a batch of {batch}; expected the batch first and no size '
                                  'that depends on the data')
        return {name: shape[1:] for name, shape in shapes.items()}

    def _nbytes(self, tensor: TensorInfo, batch: int) -> int:
        shape = self._output_shapes.get(tensor.name, tensor.shape[1:])
        return int(np.prod((batch, *shape))) * tensor.dtype.itemsize


def unavailable_reason() -> str | None:
    """Return why TensorRT cannot be used here, or None. Asks CUDA only: cheap, and safe."""
    return no_device_reason()


def _choose(spec: ModelSpec, precision: str, device: CudaDevice) -> str:
    what = f'TensorRT {trt.__version__} on {device}'
    if strongly_typed():
        what += ' (it runs networks in the types of their ONNX files)'
    return choose_precision(spec, precision, supported_precisions(device.sm), what)


def _report(spec: ModelSpec, engine: Any, wanted: str) -> str:
    """Return the precision that runs; says so where it is not the one that the builder was let."""
    runs = running_precision(engine)
    if runs is None:
        _LOG.warning('the plan of model %s does not say in which precision it runs; it was built '
                     'for %s', spec.name, wanted)
        return wanted
    if runs == 'fp32' and wanted == 'int8':
        raise EngineError(f'model {spec.name} is said to be int8, but its ONNX file is not '
                          'quantised; correct the precisions of its spec', cause='precision')
    if runs != wanted:
        _LOG.info('model %s may run in %s; TensorRT found %s faster', spec.name, wanted, runs)
    return runs


def _tensors(engine: Any) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """Return inputs and outputs of a trt.ICudaEngine."""
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    for i in range(engine.num_io_tensors):
        name = engine.get_tensor_name(i)
        kind = engine.get_tensor_dtype(name).name
        if kind not in _DTYPES:
            raise EngineError(f'tensor {name!r} has the type {kind}, expected one of '
                              f'{", ".join(_DTYPES)}')
        info = TensorInfo(name, np.dtype(_DTYPES[kind]), tuple(engine.get_tensor_shape(name)))
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        (inputs if is_input else outputs).append(info)
    return tuple(inputs), tuple(outputs)
