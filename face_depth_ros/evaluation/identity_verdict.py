# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What the tables on recognition say, in words.

Whether all modalities together beat each of them alone, as in Table VI of the paper on mask-guided
recognition; what the student loses against the full network; and the goals.
"""

from __future__ import annotations

from face_depth_ros.core.identity_calibration import COLOR, DEPTH, SHAPE
from face_depth_ros.evaluation.identity_protocol import IdentityScores, RowScores
from face_depth_ros.evaluation.identity_rows import (
    DEPTH_ONLY,
    FULL,
    RGB_ONLY,
    row_name,
    SHAPE_ONLY,
    STUDENT,
)
from face_depth_ros.evaluation.identity_tables import AVERAGE, MAIN_RATE
from face_depth_ros.evaluation.identity_views import ESTIMATED, MEASURED

MOST_LOSS = 1.0
"""Points of rank-1 that the student may lose."""
LEAST = {AVERAGE: 95.0, 'pose': 88.0}
GOALS = {AVERAGE: 99.0, 'pose': 96.0}
LEAST_ACCEPT, GOAL_ACCEPT = 88.0, 97.0
"""TAR at FAR 1e-3."""
_SINGLES = {COLOR: RGB_ONLY, DEPTH: DEPTH_ONLY, SHAPE: SHAPE_ONLY}


def identity_verdict(scores: IdentityScores) -> list[str]:
    """Return what a reader takes away, one sentence or two each."""
    sentences = [s for network in (FULL, STUDENT) for depth in (ESTIMATED, MEASURED)
                 if (s := fusion_sentence(scores, network, depth))]
    loss = student_sentence(scores)
    return [*([loss] if loss else []), *goal_sentences(scores), *sentences]


def fusion_sentence(scores: IdentityScores, network: str, depth: str) -> str:
    """
    Say whether all modalities together beat each alone in every column.

    :returns: '' where a row is missing
    """
    rows = scores.rows.get(depth, {})
    fused = rows.get(network)
    # Colour alone is the same, whatever depth stands beside it.
    singles = {_SINGLES[m]: rows.get(row_name(network, m)) or scores.rows.get(
        ESTIMATED, {}).get(row_name(network, m)) for m in (COLOR, DEPTH)}
    shape = rows.get(row_name(network, SHAPE))
    if fused is None or None in singles.values():
        return ''
    if shape is not None:
        singles[SHAPE_ONLY] = shape
    behind, level = [], []
    for column, value in columns_of(fused).items():
        word, best = max(((w, columns_of(r)[column]) for w, r in singles.items() if r),
                         key=lambda item: item[1])
        if abs(value - best) < 1e-9:
            level.append(f'{column} ({value:.2f} % like {word})')
        elif value < best:
            count = _probes(scores, column)
            behind.append(f'{column}: {value:.2f} % against {best:.2f} % by {word}, '
                          f'{best - value:.2f} points or {round((best - value) / 100 * count)} of '
                          f'{count} probes')
    what = f'{network}, depth {depth}: '
    if not behind and not level:
        return what + 'fusion beats each single modality in every column, as in Table VI.'
    if not behind:
        return what + ('fusion is never worse than a single modality; it is level in '
                       f'{", ".join(level)}.')
    also = f' It is level in {", ".join(level)}.' if level else ''
    return what + f'fusion does not beat each single modality everywhere: {"; ".join(behind)}.' + \
        also


def student_sentence(scores: IdentityScores) -> str:
    """Say what the student loses in rank-1 against the full network; '' where one is missing."""
    rows = scores.rows.get(ESTIMATED, {})
    full, student = rows.get(FULL), rows.get(STUDENT)
    if full is None or student is None:
        return ''
    lost = {column: value - columns_of(student)[column]
            for column, value in columns_of(full).items()}
    worst = max(lost, key=lambda c: lost[c])
    held = 'as asked' if lost[AVERAGE] <= MOST_LOSS else f'more than the {MOST_LOSS:g} allowed'
    verb = 'loses' if lost[AVERAGE] >= 0 else 'gains'
    most = (f'its largest loss is {lost[worst]:.2f} points in {worst}' if lost[worst] >= 0
            else f'it loses in no column, and gains least, {-lost[worst]:.2f} points, in {worst}')
    return (f'The student {verb} {abs(lost[AVERAGE]):.2f} points of averaged rank-1 against the '
            f'full network, {held}; {most}.')


def goal_sentences(scores: IdentityScores) -> list[str]:
    """Say where the student stands against what is asked of it; none without the student."""
    sentences = []
    for depth in (MEASURED, ESTIMATED):
        student = scores.rows.get(depth, {}).get(STUDENT)
        if student is None:
            continue
        said = [_against(f'rank-1 {column}', value, LEAST[column], GOALS[column])
                for column, value in columns_of(student).items() if column in LEAST]
        accepted = student.true_accept.get(MAIN_RATE)
        if accepted is not None:
            said.append(_against(f'TAR at FAR {MAIN_RATE:g}', 100.0 * accepted, LEAST_ACCEPT,
                                 GOAL_ACCEPT))
        if said:
            sentences.append(f'The student, depth {depth}: {"; ".join(said)}.')
    return sentences


def columns_of(row: RowScores) -> dict[str, float]:
    """Return rank-1 of every column and averaged, percent."""
    return {**{name: 100.0 * value for name, value in row.rank_one.items()},
            AVERAGE: 100.0 * row.average}


def _against(what: str, value: float, least: float, goal: float) -> str:
    stands = ('reaches the goal' if value >= goal else 'is enough' if value >= least
              else 'is too little')
    return f'{what} {value:.2f} % {stands} (at least {least:g}, goal {goal:g})'


def _probes(scores: IdentityScores, column: str) -> int:
    return scores.columns.get(column, scores.probes)
