# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What diagnostics show of a predictor's engine and model."""

from __future__ import annotations

from typing import Any

from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.model_spec import find_model


def engine_values(model: str, predictor: Any) -> dict[str, object]:
    """
    Return the engine that runs, as diagnostics show it.

    :param predictor: anything with an attribute `engine`, or None while nothing is loaded
    """
    engine = getattr(predictor, 'engine', None)
    if engine is None:
        return {'engine.backend': 'none'}
    return {'engine.backend': engine.backend, 'engine.precision': engine.precision,
            'engine.device': engine.device, 'engine.choice': getattr(engine, 'choice', ''),
            'engine.model': model, 'engine.sha256': _sha256(model)}


def _sha256(model: str) -> str:
    try:
        return find_model(model).sha256
    except ModelSpecError:
        return 'unknown'  # its file went away after it was loaded; the engine runs on
