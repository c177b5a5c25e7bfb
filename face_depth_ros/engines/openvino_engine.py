# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Inference on the CPU with OpenVINO.

A network is compiled twice: for one face a frame, which is the usual case, with fixed shapes, and
with a dynamic batch for all other sizes. Fixed shapes save 0.4 to 1.1 ms a run, 5 to 30 % of our
networks (medians of 40 interleaved runs on two cores with AVX2), and cost 60 to 250 ms at opening
and the memory of the weights once more. A model cache is not used: it saves less than 0.1 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from face_depth_ros.core.errors import EngineError, ModelFileError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines.cpu_cores import usable_cores
from face_depth_ros.engines.engine import check_against_spec, choose_precision, Engine, TensorInfo
import numpy as np
import openvino as ov

_HINTS = {'int8': None, 'bf16': 'bf16', 'fp16': 'f16', 'fp32': 'f32'}
_CAPABILITIES = {'int8': 'INT8', 'bf16': 'BF16', 'fp16': 'FP16', 'fp32': 'FP32'}
_PRODUCTS = ('Convolution', 'Deconvolution', 'FullyConnected', 'MatMul')
_REPORTED = {'i8': 'int8', 'u8': 'int8', 'bf16': 'bf16', 'f16': 'fp16', 'f32': 'fp32'}


class OpenVinoEngine(Engine):
    """
    A network compiled for this CPU with the latency hint.

    :param precision: 'auto' = the fastest that the CPU has and the spec allows. A spec allows int8
        only where its ONNX file is quantised
    :param max_batch: largest batch of one run; larger ones are run in parts; None = no limit
    :param threads: None = the physical cores that this process may use
    :raises ModelFileError: missing, corrupted, or not readable as ONNX
    :raises ModelSpecError: the network is not what its spec says
    :raises EngineError: a precision that cannot be had
    """

    def __init__(self, spec: ModelSpec, precision: str = 'auto', *, max_batch: int | None = None,
                 threads: int | None = None) -> None:
        core = ov.Core()
        device = str(core.get_property('CPU', 'FULL_DEVICE_NAME')).strip()
        capabilities = core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
        supported = tuple(p for p, c in _CAPABILITIES.items() if c in capabilities)
        wanted = choose_precision(spec, precision, supported, device)
        model = _read(core, spec)
        check_against_spec(spec, _tensors(model.inputs), _tensors(model.outputs))
        self.threads = usable_cores() if threads is None else threads
        inputs, outputs = _tensors(model.inputs), _tensors(model.outputs)
        self._compiled = [_compile(core, spec, model, wanted, self.threads)]
        runs = _running_precision(self._compiled[0])
        if precision != 'auto' and runs != precision:
            raise EngineError(
                f'model {spec.name} was asked to run in {precision} on {device} but runs in '
                f'{runs}; use precision auto or {runs}', cause='precision')
        super().__init__(spec.name, 'openvino', runs, f'{device}, {self.threads} threads',
                         inputs, outputs, max_batch)
        if _only_batch_is_open(inputs):
            model.reshape({t.name: ov.PartialShape([1, *t.shape[1:]]) for t in inputs})
            self._compiled.append(_compile(core, spec, model, wanted, self.threads))
        # Of any batch, then of one.
        self._requests = [c.create_infer_request() for c in self._compiled]

    def _run(self, inputs: dict[str, np.ndarray], batch: int,
             meanwhile: Callable[[], None] | None) -> dict[str, np.ndarray]:
        request = self._requests[-1 if batch == 1 else 0]
        try:
            if meanwhile is None:
                request.infer(inputs, share_inputs=True)
            else:
                request.start_async(inputs, share_inputs=True)
        except RuntimeError as error:
            raise self._failure(inputs, error) from error
        if meanwhile is not None:
            try:
                meanwhile()
            finally:
                self._wait_for(request, inputs)
        return {t.name: request.get_tensor(t.name).data.copy() for t in self.outputs}

    def _wait_for(self, request: ov.InferRequest, inputs: dict[str, np.ndarray]) -> None:
        try:
            request.wait()
        except RuntimeError as error:
            raise self._failure(inputs, error) from error

    def _failure(self, inputs: dict[str, np.ndarray], error: Exception) -> EngineError:
        shapes = {name: array.shape for name, array in inputs.items()}
        return EngineError(f'model {self.name} failed on shapes {shapes}: {_last_line(error)}')

    def _release(self) -> None:
        del self._requests
        del self._compiled


def unavailable_reason() -> str | None:
    """Return why OpenVINO cannot be used here, or None."""
    return None if 'CPU' in ov.Core().available_devices else 'OpenVINO finds no CPU plug-in'


def _read(core: ov.Core, spec: ModelSpec) -> ov.Model:
    content = spec.read_onnx()
    try:
        return core.read_model(content)
    except RuntimeError as error:
        raise ModelFileError(
            f'model {spec.name}: {spec.onnx} is not an ONNX file that OpenVINO '
            f'{ov.__version__} reads: {_last_line(error)}', cause='model_format') from error


def _compile(core: ov.Core, spec: ModelSpec, model: ov.Model, precision: str,
             threads: int) -> ov.CompiledModel:
    # A robot's cores are shared: a thread pinned to a busy one waits while another is free. With
    # twelve busy processes on two cores the 95th percentile fell from 0.5 to 0.9 s to 0.25 s.
    settings: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_NUM_THREADS': threads,
                                'ENABLE_CPU_PINNING': False}
    # A quantised network's remaining layers run in float32: its scores were measured so.
    settings['INFERENCE_PRECISION_HINT'] = _HINTS[precision] or 'f32'
    try:
        return core.compile_model(model, 'CPU', settings)
    except RuntimeError as error:
        raise EngineError(f'model {spec.name} does not compile for the CPU with OpenVINO '
                          f'{ov.__version__}: {_last_line(error)}') from error


def _running_precision(compiled: ov.CompiledModel) -> str:
    """Precision of most matrix products of the compiled graph; of all layers if it has none."""
    count: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for op in compiled.get_runtime_model().get_ordered_ops():
        info = op.get_rt_info()
        kind, precision = (_text(info[k]) for k in ('layerType', 'runtimePrecision'))
        if precision in _REPORTED:
            (count if kind in _PRODUCTS else rest)[_REPORTED[precision]] += 1
    return (count or rest).most_common(1)[0][0]


def _text(value: Any) -> str:
    return str(getattr(value, 'value', value))


def _tensors(ports: list[Any]) -> tuple[TensorInfo, ...]:
    return tuple(TensorInfo(p.get_any_name(), np.dtype(p.get_element_type().to_dtype()),
                            tuple(-1 if d.is_dynamic else d.get_length()
                                  for d in p.get_partial_shape())) for p in ports)


def _only_batch_is_open(inputs: tuple[TensorInfo, ...]) -> bool:
    """Whether inputs are of any batch, and of nothing else that is open."""
    return all(t.shape[0] < 0 and min(t.shape[1:], default=1) > 0 for t in inputs)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else repr(error)


def _fill_type_tables() -> None:
    """
    Let OpenVINO fill its tables of types while this module is imported, by one thread alone.

    It fills them at their first use and lets other threads run meanwhile: two nodes of a container
    that opened their first engines at once could wait for each other for ever, and the
    whole process with them (OpenVINO 2026.4).
    """
    tensor = ov.Tensor(np.zeros(1, np.float32))
    np.dtype(tensor.element_type.to_dtype())
    np.asarray(tensor.data)


_fill_type_tables()
