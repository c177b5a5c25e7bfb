# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What a cosine of two face embeddings says: a probability, and how often strangers reach it.

The numbers stand in the model's spec, under `limits: calibration`, for every set of modalities
that two embeddings may have in common ('color+depth+shape', 'color+depth', 'color' and so on).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import math
from typing import Any

from face_depth_ros.core.errors import ModelSpecError, SettingsError
import numpy as np

COLOR, DEPTH, SHAPE, JOINT = 'color', 'depth', 'shape', 'joint'
MODALITIES = (COLOR, DEPTH, SHAPE, JOINT)
"""In the order in which their embeddings are joined. Shape is that of the head, by measured depth
in metres (core.shape_model); joint is what all of them say together."""


@dataclass(frozen=True)
class Calibration:
    """
    For one set of modalities.

    :param slope: of the logit over the cosine, > 0
    :param offset: logit at cosine 0
    :param rates: false-accept rates of a pair, ascending, each in (0, 1)
    :param thresholds: the cosine that so many pairs of strangers reach, not ascending
    """

    slope: float
    offset: float
    rates: tuple[float, ...]
    thresholds: tuple[float, ...]

    def probability(self, cosine: float) -> float:
        """Return how likely two faces of this cosine are of one person, 0 to 1."""
        return 1.0 / (1.0 + math.exp(-min(max(self.logit(cosine), -60.0), 60.0)))

    def logit(self, cosine: float) -> float:
        """Return the logarithm of the odds that both are one person."""
        return self.slope * cosine + self.offset

    def threshold(self, pair_rate: float) -> float:
        """
        Return the cosine that at most this share of the pairs of strangers reach.

        Between the rates of the table it is interpolated over their logarithm; for rarer ones it
        is the strictest of the table, for more frequent ones the loosest.

        :raises SettingsError: a rate that is not in (0, 1]
        """
        if not 0.0 < pair_rate <= 1.0:
            raise SettingsError(f'a false-accept rate is {pair_rate}, expected 0 < rate <= 1')
        return float(np.interp(math.log(pair_rate), np.log(self.rates), self.thresholds))


def modalities_key(modalities: Iterable[str]) -> str:
    """Return the name of a set of modalities, for instance 'color+depth'."""
    present = set(modalities)
    return '+'.join(m for m in MODALITIES if m in present)


def read_calibrations(where: str, value: Any) -> dict[str, Calibration]:
    """
    Read what stands under `limits: calibration` of a spec.

    :param where: what messages call the spec
    :returns: by `modalities_key`
    :raises ModelSpecError: nothing there, or not of its form
    """
    if not isinstance(value, Mapping) or not value:
        raise ModelSpecError(
            f'{where}: limits have no calibration, so nobody can tell a known face from a '
            'stranger; expected limits: calibration: {color: {slope, offset, false_accept: {rate: '
            'threshold}}}, measured on faces of people whom the model has not seen',
            cause='model_calibration')
    return {str(key): _calibration(f'{where}: calibration of {key}', item)
            for key, item in value.items()}


def _calibration(where: str, item: Any) -> Calibration:
    try:
        slope, offset = float(item['slope']), float(item['offset'])
        pairs = sorted((float(k), float(v)) for k, v in item['false_accept'].items())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelSpecError(f'{where} is not readable ({error!r}), expected slope, offset and '
                             'false_accept: {rate: threshold}',
                             cause='model_calibration') from error
    rates, thresholds = tuple(r for r, _ in pairs), tuple(t for _, t in pairs)
    numbers = (slope, offset, *rates, *thresholds)
    if not pairs or not all(map(math.isfinite, numbers)) or slope <= 0 or not all(
            0.0 < r < 1.0 for r in rates):
        raise ModelSpecError(f'{where} has slope {slope}, offset {offset} and rates {rates}, '
                             'expected finite numbers, slope > 0 and rates in (0, 1)',
                             cause='model_calibration')
    if any(later > earlier for earlier, later in zip(thresholds, thresholds[1:], strict=False)):
        raise ModelSpecError(f'{where}: thresholds {thresholds} of the rates {rates} rise, '
                             'expected rarer false accepts to need higher cosines',
                             cause='model_calibration')
    return Calibration(slope, offset, rates, thresholds)
