# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What `evaluate liveness` found, in words: does enhancement help, and who gets through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from face_depth_ros.core.liveness_metrics import PadRates
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS
from face_depth_ros.evaluation.liveness_pad import PadErrors
from face_depth_ros.evaluation.liveness_protocol import LivenessScores, RowScores
from face_depth_ros.evaluation.liveness_rows import BOTH, LANDMARKS, NETWORK, TEMPORAL
from face_depth_ros.evaluation.liveness_tables import rate_text

MOST_APCER = 0.02
"""Of each species, where 1 % of the living faces are turned away."""
_LEAST_FALL = 0.02
"""A change of the error of attacks below this is none."""


_WHY = {
    'cut-out': 'the face behind it shows through its holes',
    'half mask': 'half of what is seen is a living face',
    'small bust': 'a face in all but its size, which the box and the distance tell roughly',
    'large bust': 'a face in all but its size, which the box and the distance tell roughly'}
"""What makes a species hard, by its making."""


def pad_sentences(results: Iterable[PadErrors]) -> list[str]:
    """Say whether enhancement lowers the landmark error of faces, and not that of attacks."""
    said = []
    for result in results:
        raw, ours = result.mean(NONE), result.mean(OURS)
        if raw is None or ours is None:
            continue
        best = min((row for row in result.faces if row != NONE),
                   key=lambda row: result.mean(row) or 0.0)
        change = (f'lowers the landmark error from {raw:.3f} to {ours:.3f}' if ours < raw else
                  f'does not lower the landmark error: {raw:.3f} before, {ours:.3f} after')
        rest = 'the lowest of all rows' if best == OURS else (
            f'the lowest is {best} with {result.mean(best):.3f}')
        said.append(f'On {result.dataset} ({len(result.names)} images) our enhancement {change}; '
                    f'{rest}.{_attacks(result)}')
    return said


def detector_sentences(scores: LivenessScores) -> list[str]:
    """Say for each detector whether every species stays below what is asked, and if not, why."""
    return [row_sentence(name, scores.rows[name]) for name in (TEMPORAL, BOTH, NETWORK, LANDMARKS)
            if name in scores.rows]


def row_sentence(name: str, row: RowScores) -> str:
    """Return the verdict on one detector."""
    goal = f'{100 * MOST_APCER:g} %'
    rates = row.at_threshold
    if rates is None:
        decided = row.as_decided
        return (f'{name}: {decided.bona_fide} living faces are too few for a threshold at BPCER '
                f'1 %; as it decides, the worst APCER is {100 * decided.worst_apcer:.1f} % '
                f'({decided.worst_species}) and BPCER {100 * decided.bpcer:.1f} %.')
    over = sorted((kind for kind, rate in rates.apcer.items() if rate > MOST_APCER),
                  key=lambda kind: -rates.apcer[kind])
    if not over:
        return (f'{name}: at BPCER {100 * rates.bpcer:.1f} % no species gets through more often '
                f'than {goal}; the worst is {rates.worst_species} with '
                f'{100 * rates.worst_apcer:.1f} %.')
    causes = '; '.join(f'{kind} {100 * rates.apcer[kind]:.1f} % (95 %: '
                       f'{rate_text(rates.apcer[kind], rates.attacks[kind])} %)'
                       f'{_where(kind, row.by_distance)}'
                       + (f': {_WHY[kind]}' if kind in _WHY else '') for kind in over)
    return (f'{name}: at BPCER {100 * rates.bpcer:.1f} % more than {goal} get through of '
            f'{len(over)} of {len(rates.apcer)} species: {causes}.')


def _where(kind: str, by_distance: Mapping[str, PadRates | None]) -> str:
    """Say at which distance most of a species gets through; '' where it is no matter of that."""
    shares = {label: rates.apcer[kind] for label, rates in by_distance.items()
              if rates is not None and kind in rates.apcer}
    if len(shares) < 2:
        return ''
    worst, best = (chosen(shares, key=lambda label: shares[label]) for chosen in (max, min))
    if shares[worst] <= 1.5 * shares[best]:
        return ', at every distance'
    return (f', most {worst} ({100 * shares[worst]:.1f} %), least {best} '
            f'({100 * shares[best]:.1f} %)')


def _attacks(result: PadErrors) -> str:
    raw, ours = result.attack_mean(NONE), result.attack_mean(OURS)
    if raw is None or ours is None:
        return ''
    if raw - ours < _LEAST_FALL:
        return f' On attacks the error stays: {raw:.3f} before, {ours:.3f} after.'
    return (f' On attacks it falls too, from {raw:.3f} to {ours:.3f}, which helps the attacker.')
