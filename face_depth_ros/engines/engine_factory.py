# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Choice of the backend; the only place that knows which packages a backend needs."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from types import ModuleType

from face_depth_ros.core.errors import BackendUnavailableError, EngineError, SettingsError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines.engine import BACKENDS, Engine

_LOG = logging.getLogger(__name__)

_PACKAGES = {
    'openvino': {'openvino': 'pip install openvino'},
    'tensorrt': {'tensorrt': 'on a Jetson `sudo apt install python3-libnvinfer`, elsewhere '
                             '`pip install tensorrt`',
                 'cuda': '`pip install cuda-python`'},
}
_MODULES = {'openvino': 'face_depth_ros.engines.openvino_engine',
            'tensorrt': 'face_depth_ros.engines.tensorrt_engine'}
_CLASSES = {'openvino': 'OpenVinoEngine', 'tensorrt': 'TensorRtEngine'}

_logged: set[str] = set()


def open_engine(spec: ModelSpec, backend: str = 'auto', precision: str = 'auto', *,
                max_batch: int | None = None) -> Engine:
    """
    Load a model for inference, warmed up.

    :param backend: 'openvino', 'tensorrt', or 'auto' = TensorRT if a CUDA device and its packages
        are there, else OpenVINO on the CPU
    :param precision: 'fp32', 'fp16', 'bf16', 'int8', or 'auto' = the fastest that the device has
        and the spec allows
    :param max_batch: largest batch of one run, larger ones are run in parts; None = the backend's
    :returns: its `choice` says which backend was taken and why not the other
    :raises BackendUnavailableError: the backend cannot be used on this machine
    :raises SettingsError: no such backend, or `max_batch` below 1
    :raises EngineError: the network cannot be built, or not in this precision
    :raises ModelFileError: the ONNX file is missing, corrupted, or not the spec's
    """
    if max_batch is not None and max_batch < 1:
        raise SettingsError(f'max_batch is {max_batch}, expected at least 1')
    name, reason = choose_backend(backend)
    engine: Engine = getattr(_load(name), _CLASSES[name])(spec, precision, max_batch=max_batch)
    engine.choice = f'{name} ({engine.precision}) on {engine.device}: {reason}'
    message = f'model {spec.name} runs in {engine.choice}'
    if message not in _logged:
        _logged.add(message)
        _LOG.info(message)
    try:
        engine.warm_up()
    except EngineError:
        engine.close()
        raise
    return engine


def choose_backend(backend: str = 'auto') -> tuple[str, str]:
    """
    Name the backend to use and the reason.

    :raises BackendUnavailableError: a backend asked for by name, or both, cannot be used here
    :raises SettingsError: no such backend
    """
    if backend != 'auto' and backend not in BACKENDS:
        raise SettingsError(f'no backend is named {backend!r}; expected auto, '
                            f'{" or ".join(BACKENDS)}')
    if backend != 'auto':
        missing = unavailable_reason(backend)
        if missing:
            raise BackendUnavailableError(f'backend {backend} cannot be used: {missing}')
        return backend, 'asked for by name'
    no_tensorrt = unavailable_reason('tensorrt')
    if no_tensorrt is None:
        return 'tensorrt', 'a CUDA device and the tensorrt package are there'
    no_openvino = unavailable_reason('openvino')
    if no_openvino is None:
        return 'openvino', f'tensorrt cannot be used: {no_tensorrt}'
    raise BackendUnavailableError(f'no backend can be used; tensorrt: {no_tensorrt}; openvino: '
                                  f'{no_openvino}')


def unavailable_reason(backend: str) -> str | None:
    """Return why a backend cannot be used on this machine and what to do, or None."""
    for package, how in _PACKAGES[backend].items():
        if importlib.util.find_spec(package) is None:
            return f'the package {package} is not installed ({how})'
    try:
        module = _load(backend)
    except (ImportError, OSError) as error:
        return f'its packages are installed but do not load: {error}'
    return module.unavailable_reason()


def _load(backend: str) -> ModuleType:
    return importlib.import_module(_MODULES[backend])
