# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Looks at faces in, how likely they live out; those of a frame in one inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.liveness_input import (
    LivenessInput,
    PLANES,
    POINT_VALUES,
    SCALARS,
    SIZE,
)
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.engines import Engine, open_engine
import numpy as np

SHIPPED = 'liveness_detector'
_INPUTS = {'planes': (-1, len(PLANES), SIZE, SIZE), 'points': (-1, 68, len(POINT_VALUES)),
           'scalars': (-1, len(SCALARS))}
_REASONS = {'flat print': 'flat', 'bent print': 'bent', 'wavy print': 'bent', 'screen': 'flat',
            'box': 'bent', 'ball': 'bent', 'cut-out': 'cut_out', 'half mask': 'half_mask',
            'small bust': 'wrong_size', 'large bust': 'wrong_size'}


@dataclass(frozen=True)
class LivenessSaid:
    """
    What the network says of one face.

    :param log_odds: of living
    :param reason: a key of the attack that it would most likely be
    """

    log_odds: float
    reason: str


class LivenessNetwork:
    """
    The network and its engine.

    :param model: ModelSpec by name or path
    :raises ModelSpecError: there is no such model, or it is none that tells liveness
    :raises FaceDepthError: the backend is missing
    """

    def __init__(self, model: str = SHIPPED, backend: str = 'auto',
                 precision: str = 'auto') -> None:
        self.spec = find_model(model)
        self._reasons = _reasons_of(self.spec)
        self.live_threshold = self.spec.number('live_threshold')
        self.spoof_threshold = self.spec.number('spoof_threshold')
        self.least_measured = self.spec.number('least_measured')
        self.most_pad_error = self.spec.number('most_pad_error')
        self.engine: Engine = open_engine(self.spec, backend, precision)

    def say(self, looks: Sequence[LivenessInput]) -> list[LivenessSaid]:
        """Judge all faces in one inference; in the order of the looks."""
        if not looks:
            return []
        outputs = self.engine({name: np.stack([getattr(look, name) for look in looks])
                               for name in _INPUTS})
        likely = outputs['species'][:, 1:].argmax(axis=1)
        return [LivenessSaid(float(odds), self._reasons[kind])
                for odds, kind in zip(outputs['log_odds'][:, 0], likely, strict=True)]

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.engine.close()


def _reasons_of(spec: ModelSpec) -> list[str]:
    """Return the reason that each attack of a model stands for; check that it is such a model."""
    inputs = {t.name: t.shape for t in spec.inputs}
    outputs = {t.name: t for t in spec.outputs}
    if inputs != _INPUTS or set(outputs) != {'log_odds', 'species'}:
        raise ModelSpecError(
            f'{spec.path}: the inputs are {inputs} and the outputs {", ".join(outputs)}; expected '
            f'{_INPUTS}, log_odds and species: this model does not tell who lives')
    species = outputs['species'].meaning.split(', ')
    if outputs['species'].shape != (-1, len(species)):
        raise ModelSpecError(f'{spec.path}: the output species has the shape '
                             f'{outputs["species"].shape} and names {len(species)} kinds; export '
                             'the model again')
    return [_REASONS.get(name, 'attack') for name in species[1:]]
