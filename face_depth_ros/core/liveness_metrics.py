# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Numbers by which the detection of presentation attacks is judged, in terms of ISO/IEC 30107-3.

APCER: share of the attacks of one species that is accepted; never averaged over species, since an
attacker takes the best one. BPCER: share of living faces that is not accepted. ACER: the mean of
BPCER and the APCER of the worst species.

Unsure is no acceptance: an attack that leaves the detector unsure does not count as an error, a
living face that does so counts as one. How often it is unsure stands beside: APNRR of attacks and
BPNRR of living faces. A score says how live something looks; what has none, because nothing could
be seen, scores minus infinity and is never accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

from face_depth_ros.core.errors import ScoreError
from face_depth_ros.core.live_identities import LIVE, LIVENESS_LABELS, UNSURE
import numpy as np

NO_SCORE = -np.inf
"""Of what could not be looked at; below every threshold."""
MAIN_BPCER = 0.01
_Z_95 = 1.959963984540054
ValuesT = TypeVar('ValuesT', bound=Sequence[float] | Sequence[str] | np.ndarray)


@dataclass(frozen=True)
class Responses:
    """How often a detector said what of the presentations of one kind."""

    live: int
    spoof: int
    unsure: int

    @staticmethod
    def of(labels: Iterable[str]) -> Responses:
        """
        Count labels.

        :param labels: each one of core.live_identities.LIVENESS_LABELS
        :raises ScoreError: none, or another word
        """
        said = list(labels)
        unknown = sorted(set(said) - set(LIVENESS_LABELS))
        if unknown or not said:
            raise ScoreError(f'labels are {", ".join(map(repr, unknown)) or "none"}, expected '
                             f'some of {", ".join(LIVENESS_LABELS)}')
        live, unsure = said.count(LIVE), said.count(UNSURE)
        return Responses(live, len(said) - live - unsure, unsure)

    @property
    def total(self) -> int:
        """Return how many presentations there were."""
        return self.live + self.spoof + self.unsure

    @property
    def accepted(self) -> float:
        """Return the share that was called live: APCER, if these are attacks of one species."""
        return self.live / self.total

    @property
    def not_accepted(self) -> float:
        """Return the share that was not called live: BPCER, if these are living faces."""
        return 1.0 - self.accepted

    @property
    def non_response(self) -> float:
        """Return the share that was called unsure: APNRR of attacks, BPNRR of living faces."""
        return self.unsure / self.total


@dataclass(frozen=True)
class PadRates:
    """
    The errors at one operating point, 0 to 1.

    :param apcer: by attack species
    :param attacks: how many presentations of each; bona_fide: of living faces
    :param apnrr: by attack species, bpnrr: of living faces; 0 where a threshold decides
    """

    apcer: dict[str, float]
    bpcer: float
    attacks: dict[str, int]
    bona_fide: int
    apnrr: dict[str, float]
    bpnrr: float = 0.0

    @property
    def worst_species(self) -> str:
        """Return the species that is accepted most often, the first of several."""
        return max(self.apcer, key=lambda name: self.apcer[name])

    @property
    def worst_apcer(self) -> float:
        """Return its APCER."""
        return self.apcer[self.worst_species]

    @property
    def acer(self) -> float:
        """Return the mean of the worst APCER and BPCER."""
        return 0.5 * (self.worst_apcer + self.bpcer)


@dataclass(frozen=True)
class DetCurve:
    """
    The trade between both errors; a presentation is accepted that scores at least the threshold.

    :param thresholds: ascending, all scores that differ, and one that nothing reaches
    :param apcer: (N,) falling from the share of attacks with a score to 0
    :param bpcer: (N,) rising to 1
    """

    thresholds: np.ndarray
    apcer: np.ndarray
    bpcer: np.ndarray


def rates_of_labels(attacks: Mapping[str, Sequence[str]], bona_fide: Sequence[str]) -> PadRates:
    """
    Return the errors of decisions as they were made.

    :param attacks: labels of each species
    :param bona_fide: labels of living faces
    :raises ScoreError: no labels of a kind, or an unknown one
    """
    said = {name: Responses.of(labels) for name, labels in _filled(attacks).items()}
    real = Responses.of(bona_fide)
    return PadRates({name: r.accepted for name, r in said.items()}, real.not_accepted,
                    {name: r.total for name, r in said.items()}, real.total,
                    {name: r.non_response for name, r in said.items()}, real.non_response)


def rates_at(attacks: Mapping[str, Sequence[float] | np.ndarray],
             bona_fide: Sequence[float] | np.ndarray, threshold: float) -> PadRates:
    """
    Return the errors of a threshold, which what scores as much passes.

    :param attacks: scores of each species
    :raises ScoreError: no scores of a kind, or NaN
    """
    if not np.isfinite(threshold):
        raise ScoreError(f'the threshold is {threshold}, expected a finite score')
    told = {name: _scores(f'scores of {name}', x) for name, x in _filled(attacks).items()}
    real = _scores('scores of living faces', bona_fide)
    return PadRates({name: float(np.mean(x >= threshold)) for name, x in told.items()},
                    float(np.mean(real < threshold)),
                    {name: x.size for name, x in told.items()}, real.size,
                    dict.fromkeys(told, 0.0))


def threshold_at_bpcer(bona_fide: Sequence[float] | np.ndarray,
                       rate: float = MAIN_BPCER) -> float | None:
    """
    Return the highest threshold that turns away at most a share of the living faces.

    Nothing is interpolated between scores, so the rate is never exceeded.

    :param bona_fide: (N,) scores of living faces
    :param rate: in (0, 1)
    :returns: None where fewer than 1 / rate faces cannot tell, or where more of them have no score
    :raises ScoreError: no scores, NaN, or such a rate
    """
    x = np.sort(_scores('scores of living faces', bona_fide))
    if not 0.0 < rate < 1.0:
        raise ScoreError(f'a BPCER is {rate}, expected 0 < rate < 1')
    missed = int(np.floor(x.size * rate * (1.0 + 1e-12)))
    if missed < 1 or not np.isfinite(x[missed]):
        return None
    return float(x[missed])


def det_curve(attacks: Sequence[float] | np.ndarray,
              bona_fide: Sequence[float] | np.ndarray) -> DetCurve:
    """
    Return the whole curve (detection error trade-off).

    :param attacks: (N,) scores; bona_fide: (M,)
    :raises ScoreError: no scores of a kind, NaN, or not one that is finite
    """
    fake = np.sort(_scores('scores of attacks', attacks))
    real = np.sort(_scores('scores of living faces', bona_fide))
    known = np.unique(np.concatenate([fake, real]))
    known = known[np.isfinite(known)]
    if not known.size:
        raise ScoreError(f'none of {fake.size} attacks and {real.size} living faces has a score')
    thresholds = np.append(known, np.nextafter(known[-1], np.inf))
    return DetCurve(thresholds, 1.0 - np.searchsorted(fake, thresholds, 'left') / fake.size,
                    np.searchsorted(real, thresholds, 'left') / real.size)


def equal_error(curve: DetCurve) -> float:
    """
    Return the rate at which as many attacks pass as living faces are turned away, 0 to 1.

    The curve is taken as straight between its points; where faces without a score keep it from
    crossing, the mean of both errors at its beginning.
    """
    lead = curve.apcer - curve.bpcer
    after = int(np.argmax(lead <= 0.0))
    if after == 0:
        return float(0.5 * (curve.apcer[0] + curve.bpcer[0]))
    part = lead[after - 1] / (lead[after - 1] - lead[after])
    return float(curve.bpcer[after - 1] + part * (curve.bpcer[after] - curve.bpcer[after - 1]))


def wilson_interval(errors: int, count: int) -> tuple[float, float]:
    """
    Return where a rate lies with a confidence of 95 % (Wilson's score interval).

    It takes presentations for independent; several of one person tell less than it says.

    :param errors: of `count` presentations
    :raises ScoreError: not 0 <= errors <= count, or nothing was counted
    """
    if count < 1 or not 0 <= errors <= count:
        raise ScoreError(f'{errors} errors of {count} presentations, expected 0 <= errors <= '
                         'count and at least one presentation')
    share, z2 = errors / count, _Z_95 ** 2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z_95 * sqrt(share * (1 - share) / count + z2 / (4 * count ** 2)) / (1 + z2 / count)
    return (0.0 if errors == 0 else max(0.0, middle - half),
            1.0 if errors == count else min(1.0, middle + half))


def _filled(attacks: Mapping[str, ValuesT]) -> Mapping[str, ValuesT]:
    empty = [name for name, values in attacks.items() if not len(values)]
    if empty or not attacks:
        raise ScoreError(f'there are no presentations of {", ".join(empty) or "any attack"}; the '
                         'error of each species needs some')
    return attacks


def _scores(what: str, values: object) -> np.ndarray:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not x.size:
        raise ScoreError(f'{what} are {x.shape}, expected (N,) with N of at least 1')
    wrong = np.isnan(x) | np.isposinf(x)
    if wrong.any():
        raise ScoreError(f'{what}: {np.count_nonzero(wrong)} of {x.size} are NaN or infinite; '
                         'what has no score is minus infinity')
    return x
