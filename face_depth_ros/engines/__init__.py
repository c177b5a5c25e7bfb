# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Run an ONNX file with OpenVINO or TensorRT; knows nothing of faces."""

from __future__ import annotations

from face_depth_ros.engines.engine import Engine, TensorInfo
from face_depth_ros.engines.engine_factory import choose_backend, open_engine

__all__ = ['choose_backend', 'Engine', 'open_engine', 'TensorInfo']
