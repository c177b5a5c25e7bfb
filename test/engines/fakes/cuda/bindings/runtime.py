# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
# ruff: noqa: N801, N802, N815  (the real names)
"""
A CUDA runtime in host memory, strict where the real one is silent or crashes.

Work enqueued while a stream captures is recorded and not done; memory that is not allocated is
refused; `live` holds everything not yet freed. `fail` makes functions return an error.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from types import SimpleNamespace


class cudaError_t(IntEnum):
    """The errors that the tests need."""

    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorStreamCaptureUnsupported = 900


class cudaMemcpyKind(IntEnum):
    """Directions."""

    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(IntEnum):
    """Modes."""

    cudaStreamCaptureModeThreadLocal = 1


class Stream:
    """A stream; `recorded` is a list while it captures."""

    def __init__(self):
        self.recorded = None

    def __int__(self):
        return id(self)


OK = cudaError_t.cudaSuccess
live = {}
fail = {}
calls = []
device_count = 1
_streams = {}


def enqueue(stream, work):
    """Do or record one piece of work; for the TensorRT stand-in too."""
    stream = _streams[int(stream)]
    if stream.recorded is None:
        work()
    else:
        stream.recorded.append(work)


def _done(name, *values):
    calls.append(name)
    if fail.get(name):
        error = fail[name].pop(0) if isinstance(fail[name], list) else fail[name]
        if error:
            return (error, *([None] * len(values)))
    return (OK, *values)


def cudaGetDeviceCount():
    """Count devices."""
    return _done('cudaGetDeviceCount', device_count)


def cudaGetErrorName(error):
    """Return bytes, as the real one does."""
    return OK, cudaError_t(error).name.encode()


def cudaGetLastError():
    """Clear the error."""
    return (OK,)


def cudaGetDeviceProperties(index):
    """Return what the engine reads."""
    return _done('cudaGetDeviceProperties',
                 SimpleNamespace(name=b'Fake Orin\0\0', major=8, minor=7))


def _allocate(function, kind, nbytes):
    memory = (ctypes.c_uint8 * nbytes)()
    result = _done(function, ctypes.addressof(memory))
    if result[0] == OK:
        live[ctypes.addressof(memory)] = (kind, memory)
    return result


def cudaMallocHost(nbytes):
    """Allocate."""
    return _allocate('cudaMallocHost', 'host', nbytes)


def cudaMalloc(nbytes):
    """Allocate."""
    return _allocate('cudaMalloc', 'device', nbytes)


def cudaFreeHost(pointer):
    """Free."""
    assert live.pop(pointer)[0] == 'host'
    return _done('cudaFreeHost')


def cudaFree(pointer):
    """Free."""
    assert live.pop(pointer)[0] == 'device'
    return _done('cudaFree')


def cudaMemcpyAsync(target, source, nbytes, kind, stream):
    """Copy, with the kinds and sizes of both memories checked."""
    kinds = ('device', 'host') if kind == cudaMemcpyKind.cudaMemcpyHostToDevice else (
        'host', 'device')
    for pointer, expected in zip((target, source), kinds, strict=True):
        actual, memory = live[pointer]
        assert actual == expected and nbytes <= len(memory)
    enqueue(stream, lambda: ctypes.memmove(target, source, nbytes))
    return _done('cudaMemcpyAsync')


def cudaStreamCreateWithFlags(flags):
    """Make a stream."""
    stream = Stream()
    _streams[id(stream)] = live[id(stream)] = stream
    return _done('cudaStreamCreateWithFlags', stream)


def cudaStreamDestroy(stream):
    """Free it."""
    del live[id(stream)], _streams[id(stream)]
    return _done('cudaStreamDestroy')


def cudaStreamSynchronize(stream):
    """Refuse while capturing, as the real one does."""
    assert stream.recorded is None
    return _done('cudaStreamSynchronize')


def cudaStreamBeginCapture(stream, mode):
    """Record from here."""
    stream.recorded = []
    return _done('cudaStreamBeginCapture')


def cudaStreamEndCapture(stream):
    """Return what was recorded."""
    graph = list(stream.recorded or ())
    stream.recorded = None
    live[id(graph)] = graph
    result = _done('cudaStreamEndCapture', graph)
    if result[0] != OK:
        del live[id(graph)]
    return result


def cudaGraphInstantiate(graph, flags):
    """Make it launchable."""
    executable = tuple(graph)
    live[id(executable)] = executable
    return _done('cudaGraphInstantiate', executable)


def cudaGraphDestroy(graph):
    """Free it."""
    del live[id(graph)]
    return _done('cudaGraphDestroy')


def cudaGraphExecDestroy(executable):
    """Free it."""
    del live[id(executable)]
    return _done('cudaGraphExecDestroy')


def cudaGraphLaunch(executable, stream):
    """Do what was recorded."""
    assert id(executable) in live
    for work in executable:
        enqueue(stream, work)
    return _done('cudaGraphLaunch')
