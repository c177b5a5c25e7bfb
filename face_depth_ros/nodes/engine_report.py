# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What diagnostics show of a predictor's engine and model."""

from __future__ import annotations

from typing import Any

from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.model_spec import find_model


class EngineReport:
    """What a node tells of its engine; the hash of a model stays that of when it was opened."""

    def __init__(self) -> None:
        self._opened: tuple[Any, str] | None = None
        self._sha256 = ''

    def values(self, model: str, predictor: Any) -> dict[str, object]:
        """
        Return the engine that runs, as diagnostics show it.

        :param predictor: anything with an attribute `engine`, or None while nothing is loaded
        """
        engine = getattr(predictor, 'engine', None)
        if engine is None:
            self._opened = None
            return {'engine.backend': 'none'}
        if self._opened is None or self._opened[0] is not engine or self._opened[1] != model:
            self._opened, self._sha256 = (engine, model), _sha256(model)
        return {'engine.backend': engine.backend, 'engine.precision': engine.precision,
                'engine.device': engine.device, 'engine.choice': getattr(engine, 'choice', ''),
                'engine.model': model, 'engine.sha256': self._sha256}


def _sha256(model: str) -> str:
    try:
        return find_model(model).sha256
    except ModelSpecError:
        return 'unknown'  # its file went away as soon as it was loaded; the engine runs on
