# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The little of CUDA that an engine needs, by cuda-python alone: device, stream, buffers, graphs.

cuda-python 12.8 and later, 13 too, has the runtime in `cuda.bindings`, older ones in `cuda`.
Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
import ctypes
from dataclasses import dataclass
import importlib
import importlib.util
from typing import Any

from face_depth_ros.core.errors import EngineError
import numpy as np

_MODULE = 'cuda.bindings.runtime' if importlib.util.find_spec('cuda.bindings') else 'cuda.cudart'
cudart = importlib.import_module(_MODULE)

_NON_BLOCKING_STREAM = 1


@dataclass(frozen=True)
class CudaDevice:
    """
    The GPU that this process uses: the first that CUDA_VISIBLE_DEVICES leaves.

    :param sm: compute capability times ten, 87 for 8.7
    """

    name: str
    sm: int

    def __str__(self) -> str:
        return f'{self.name} (SM {self.sm // 10}.{self.sm % 10})'


def cuda(function: str, *arguments: Any) -> Any:
    """
    Call a function of the CUDA runtime.

    :returns: its value; a tuple if it has several, None if it has none
    :raises EngineError: it failed, cause cuda
    """
    error, *values = getattr(cudart, function)(*arguments)
    if int(error) != 0:
        raise EngineError(f'{function} failed: {_error_name(error)}; look into the kernel log and '
                          'at the free memory of the GPU', cause='cuda')
    if not values:
        return None
    return values[0] if len(values) == 1 else tuple(values)


def no_device_reason() -> str | None:
    """Return why no CUDA device can be used, or None."""
    error, count = cudart.cudaGetDeviceCount()
    if int(error) != 0:
        return f'no CUDA device can be used: {_error_name(error)}'
    return None if count else 'there is no CUDA device'


def current_device() -> CudaDevice:
    """
    Return the device in use.

    :raises EngineError: there is none, cause cuda
    """
    properties = cuda('cudaGetDeviceProperties', 0)
    name = properties.name.decode() if isinstance(properties.name, bytes) else properties.name
    return CudaDevice(name.rstrip('\0'), properties.major * 10 + properties.minor)


class Stream:
    """One stream that does not wait for the default one."""

    def __init__(self) -> None:
        self.handle = cuda('cudaStreamCreateWithFlags', _NON_BLOCKING_STREAM)

    def synchronize(self) -> None:
        """Wait until all work of the stream is done."""
        cuda('cudaStreamSynchronize', self.handle)

    def close(self) -> None:
        """Free the stream."""
        cuda('cudaStreamDestroy', self.handle)


class Buffer:
    """
    Equal pieces of page-locked host memory and of device memory.

    :param nbytes: size of each, > 0
    """

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self._host_pointer = int(cuda('cudaMallocHost', nbytes))
        try:
            self.device = int(cuda('cudaMalloc', nbytes))
        except EngineError:
            cuda('cudaFreeHost', self._host_pointer)
            raise
        self._host = np.ctypeslib.as_array(
            (ctypes.c_uint8 * nbytes).from_address(self._host_pointer))
        self._host[:] = 0

    def host(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return a view of the host's beginning; it must not be used after `close`."""
        size = int(np.prod(shape)) * dtype.itemsize
        return self._host[:size].view(dtype).reshape(shape)

    def upload(self, nbytes: int, stream: Stream) -> None:
        """Enqueue a copy of the first bytes from the host to the device."""
        cuda('cudaMemcpyAsync', self.device, self._host_pointer, nbytes,
             cudart.cudaMemcpyKind.cudaMemcpyHostToDevice, stream.handle)

    def download(self, nbytes: int, stream: Stream) -> None:
        """Enqueue a copy of the first bytes from the device to the host."""
        cuda('cudaMemcpyAsync', self._host_pointer, self.device, nbytes,
             cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost, stream.handle)

    def close(self) -> None:
        """Free both pieces."""
        self._host = np.empty(0, np.uint8)
        cuda('cudaFree', self.device)
        cuda('cudaFreeHost', self._host_pointer)


class Graph:
    """
    Work that was enqueued once and can be launched again in one call.

    :param enqueue: puts the work on the stream; nothing runs while it is captured
    :raises EngineError: something in it cannot be captured; the stream is usable again
    """

    def __init__(self, stream: Stream, enqueue: Callable[[], None]) -> None:
        self._stream = stream
        # Thread-local: other threads of the process may go on using CUDA meanwhile.
        cuda('cudaStreamBeginCapture', stream.handle,
             cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        try:
            enqueue()
        except EngineError:
            cudart.cudaStreamEndCapture(stream.handle)
            cudart.cudaGetLastError()
            raise
        graph = cuda('cudaStreamEndCapture', stream.handle)
        try:
            self._executable = cuda('cudaGraphInstantiate', graph, 0)
        finally:
            cuda('cudaGraphDestroy', graph)

    def launch(self) -> None:
        """Enqueue the captured work."""
        cuda('cudaGraphLaunch', self._executable, self._stream.handle)

    def close(self) -> None:
        """Free the graph."""
        cuda('cudaGraphExecDestroy', self._executable)


def _error_name(error: Any) -> str:
    _, name = cudart.cudaGetErrorName(error)
    return name.decode() if isinstance(name, bytes) else str(name)
