# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Blendshape weights: the six basic expressions, blinks, speech and random mixtures."""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import FaceAssets
import numpy as np

_TABLE_FILE = 'expressions.json'
_SPEECH = ('jawOpen', 'mouthFunnel', 'mouthPucker', 'mouthStretch', 'mouthLowerDown',
           'mouthUpperUp', 'mouthRollLower', 'mouthClose', 'jawLeft', 'jawRight', 'cheekPuff')


class ExpressionTable:
    """
    Named expressions as blendshape weights.

    :param assets: with or without expressions.json; without, only neutral faces and mixtures
    :param names: the 57 blendshape names of the head model
    """

    def __init__(self, assets: FaceAssets, names: list[str]) -> None:
        self.names = names
        self._index = {name: position for position, name in enumerate(names)}
        self.prototypes = {'neutral': np.zeros(len(names), np.float32)}
        if (assets.folder / _TABLE_FILE).is_file():
            for name, shapes in assets.table(_TABLE_FILE).items():
                if not name.startswith('_'):
                    self.prototypes[name] = self.weights(shapes)

    def weights(self, shapes: dict[str, float]) -> np.ndarray:
        """
        Weights of blendshapes by name; a name without a side sets both sides.

        :param shapes: e.g. {'jawOpen': 0.5, 'mouthSmile': 0.8, 'eyeBlink_L': 1.0}
        :returns: (57,) float32
        :raises SettingsError: the head has no such blendshape
        """
        weights = np.zeros(len(self.names), np.float32)
        for name, weight in shapes.items():
            sides = [key for key in (name, f'{name}_L', f'{name}_R') if key in self._index]
            if not sides:
                raise SettingsError(f'unknown blendshape {name!r}, expected one of {self.names}, '
                                    'with or without _L or _R')
            for key in sides:
                weights[self._index[key]] = weight
        return weights

    def named(self, name: str, intensity: float = 1.0) -> np.ndarray:
        """
        Weights of one basic expression.

        :param intensity: 0 to 1
        :returns: (57,) float32
        :raises SettingsError: there is no such expression
        """
        if name not in self.prototypes:
            raise SettingsError(f'unknown expression {name!r}, expected one of '
                                f'{sorted(self.prototypes)}')
        return self.prototypes[name] * np.float32(intensity)

    def sample(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """
        Draw natural faces: neutral, a basic expression of random strength, speech, blinks.

        :returns: (count, 57) float32 in [0, 1]
        """
        kinds = sorted(self.prototypes)
        weights = np.zeros((count, len(self.names)), np.float32)
        for row in weights:
            if generator.random() < 0.7:
                name = kinds[generator.integers(len(kinds))]
                jitter = generator.uniform(0.75, 1.25, row.size)
                row += self.prototypes[name] * generator.uniform(0.3, 1.0) * jitter
            if generator.random() < 0.4:
                for name in generator.choice(_SPEECH, 3, replace=False):
                    row += self.weights({str(name): generator.uniform(0.0, 0.5)})
            if generator.random() < 0.15:
                row += self.weights({'eyeBlink': generator.uniform(0.3, 1.0)})
        return np.clip(weights, 0.0, 1.0)
