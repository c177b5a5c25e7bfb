# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What every inference engine is: an ONNX file's named inputs in, its named outputs out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import threading

from face_depth_ros.core.errors import EngineError, ModelSpecError
from face_depth_ros.core.model_spec import ModelSpec
import numpy as np

BACKENDS = ('openvino', 'tensorrt')


@dataclass(frozen=True)
class TensorInfo:
    """
    One input or output as the engine has it.

    :param shape: batch first, -1 where dynamic
    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


class Engine(ABC):
    """
    A loaded network. Calls from several threads are run one after the other.

    :param name: of the model, for messages
    :param backend: 'openvino' or 'tensorrt'
    :param precision: in which its matrix products really run: 'fp32', 'fp16', 'bf16' or 'int8'
    :param device: for people, for instance 'NVIDIA Orin (SM 8.7)'
    :param max_batch: larger batches are run in parts of this size; None = no limit
    """

    def __init__(self, name: str, backend: str, precision: str, device: str,
                 inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...],
                 max_batch: int | None = None) -> None:
        self.name, self.backend, self.precision, self.device = name, backend, precision, device
        self.inputs, self.outputs, self.max_batch = inputs, outputs, max_batch
        self.choice = ''
        """Which backend was chosen and why not the other; one line, set by `open_engine`."""
        self.origin = 'compiled'
        """Where the optimised network came from; TensorRT: 'cache', 'built' or 'rebuilt'."""
        self._mutex = threading.Lock()
        self._closed = False

    def __call__(self, inputs: Mapping[str, np.ndarray],
                 meanwhile: Callable[[], None] | None = None) -> dict[str, np.ndarray]:
        """
        Run the network.

        :param inputs: one array for every input, of its dtype and shape; the same batch in all
        :param meanwhile: work of the caller that is done while the network runs; what it raises
            is raised once the network has ended
        :returns: an array for every output, owned by the caller
        :raises EngineError: closed, a missing or unknown input, or one of another dtype or shape
        """
        arrays = self._checked(inputs)
        batch = len(next(iter(arrays.values())))
        with self._mutex:
            if self._closed:
                raise EngineError(f'the engine of model {self.name} is closed; open it again',
                                  cause='engine_closed')
            if self.max_batch is None or batch <= self.max_batch:
                return self._run(arrays, batch, meanwhile)
            parts = [self._run({k: v[i:i + self.max_batch] for k, v in arrays.items()},
                               min(self.max_batch, batch - i), None if i else meanwhile)
                     for i in range(0, batch, self.max_batch)]
        return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

    def warm_up(self) -> None:
        """Run once on zeros, so that the first frame is not the slow one."""
        self({t.name: np.zeros([1 if s < 0 else s for s in t.shape], t.dtype)
              for t in self.inputs})

    def close(self) -> None:
        """Free the device; further calls raise. Closing twice is allowed."""
        with self._mutex:
            if not self._closed:
                self._closed = True
                self._release()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def _run(self, inputs: dict[str, np.ndarray], batch: int,
             meanwhile: Callable[[], None] | None) -> dict[str, np.ndarray]:
        """Run checked, contiguous inputs of one batch size; one thread at a time."""

    @abstractmethod
    def _release(self) -> None:
        """Free what the constructor took, in reverse order."""

    def _checked(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [t.name for t in self.inputs]
        if set(inputs) != set(names):
            raise EngineError(f'model {self.name} was given the inputs {sorted(inputs)}, '
                              f'expected {sorted(names)}')
        for t in self.inputs:
            array = inputs[t.name]
            if not isinstance(array, np.ndarray) or array.dtype != t.dtype:
                got = getattr(array, 'dtype', type(array).__name__)
                raise EngineError(f'input {t.name!r} of model {self.name} is {got}, expected a '
                                  f'{t.dtype} array')
            if not _fits(array.shape, t.shape):
                raise EngineError(f'input {t.name!r} of model {self.name} has shape '
                                  f'{array.shape}, expected {t.shape} (-1 = any, at least 1)')
        batches = {t.name: inputs[t.name].shape[0] for t in self.inputs}
        if len(set(batches.values())) > 1:
            raise EngineError(f'the inputs of model {self.name} differ in batch: {batches}')
        return {name: np.ascontiguousarray(inputs[name]) for name in names}


def check_against_spec(spec: ModelSpec, inputs: tuple[TensorInfo, ...],
                       outputs: tuple[TensorInfo, ...]) -> None:
    """
    Compare what the network has with what its spec says.

    :raises ModelSpecError: another name, dtype or shape
    """
    for what, found, said in (('inputs', inputs, spec.inputs), ('outputs', outputs, spec.outputs)):
        has = {t.name: (str(t.dtype), t.shape) for t in found}
        says = {t.name: (t.dtype, t.shape) for t in said}
        if has.keys() != says.keys() or any(
                has[n][0] != says[n][0] or not _same_shape(has[n][1], says[n][1]) for n in has):
            raise ModelSpecError(
                f'model {spec.name}: the network has the {what} {has}, its spec says {says}; '
                'export the model again or correct the spec')


def choose_precision(spec: ModelSpec, precision: str, supported: tuple[str, ...],
                     device: str) -> str:
    """
    Precision to run in: the one asked for, or for 'auto' the fastest allowed.

    :param supported: what the device can, fastest first
    :raises EngineError: asked for one that the spec or the device does not allow
    """
    allowed = [p for p in supported if p in spec.precisions]
    if precision == 'auto':
        if allowed:
            return allowed[0]
        raise EngineError(
            f'model {spec.name} may run in {", ".join(spec.precisions)}, but {device} can only '
            f'{", ".join(supported)}; use another backend', cause='precision')
    if precision not in spec.precisions:
        raise EngineError(
            f'model {spec.name} may not run in {precision!r}, its spec allows '
            f'{", ".join(spec.precisions)}; use one of these or auto', cause='precision')
    if precision not in supported:
        raise EngineError(
            f'{device} cannot run {precision}, it can {", ".join(supported)}; use one of these '
            'or auto', cause='precision')
    return precision


def _fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return len(shape) == len(expected) and all(
        s == e or (e < 0 and s >= 1) for s, e in zip(shape, expected, strict=True))


def _same_shape(has: tuple[int, ...], says: tuple[int, ...]) -> bool:
    """Whether they agree; a network may leave an output's size open that the spec knows."""
    return len(has) == len(says) and all(
        h == s or h < 0 for h, s in zip(has, says, strict=True))
