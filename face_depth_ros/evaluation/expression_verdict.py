# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What the tables on expressions say, in words.

Whether colour and depth together beat each of them alone, and whether mask attention and
importance weights help, as the paper on AFNet-M says; where the student stands against its goals;
what becomes of neutral faces. A difference comes with its 95 % interval, people resampled.
"""

from __future__ import annotations

from face_depth_ros.core.expression_metrics import Difference, paired_difference
from face_depth_ros.evaluation.expression_protocol import ExpressionScores
from face_depth_ros.evaluation.expression_rows import (
    DEPTH_ONLY,
    FULL,
    NO_MASK,
    NO_WEIGHTS,
    STUDENT,
    TEXTURE_ONLY,
    texture_row,
)
from face_depth_ros.evaluation.expression_scores import MAIN

LEAST, GOAL = 88.0, 90.08
"""Percent of the six expressions at levels 3 and 4; the goal is what the paper reached."""
MOST_ALARMS = 10.0
"""Percent of neutral faces that may be called an expression."""
MOST_LOSS = 2.0
"""Points that the student may lose against AFNet-M."""
PAIRS = {
    'Depth beside colour helps the student': (STUDENT, texture_row(STUDENT)),
    'Colour and depth together help against colour alone (AFNet-M 2D)': (FULL, TEXTURE_ONLY),
    'Colour and depth together help against depth alone (AFNet-M 3D)': (FULL, DEPTH_ONLY),
    'Mask attention helps': (FULL, NO_MASK),
    'Importance weights help': (FULL, NO_WEIGHTS)}
"""What is claimed -> the row that should be better, and the other one."""


def expression_verdict(scores: ExpressionScores) -> list[str]:
    """Return what a reader takes away, one sentence or two each."""
    found = [goal_sentence(scores), neutral_sentence(scores), student_sentence(scores)]
    found += [claim_sentence(scores, claim, MAIN) for claim in PAIRS]
    found += [claim_sentence(scores, 'Depth beside colour helps the student', column)
              for column in ('pose', 'light') if column in scores.columns]
    return [sentence for sentence in found if sentence]


def differences(scores: ExpressionScores) -> dict[str, dict[str, Difference]]:
    """Return by how much the first row of each claim beats the second, by column."""
    result: dict[str, dict[str, Difference]] = {}
    for claim, (first, second) in PAIRS.items():
        for column in scores.columns:
            found = difference(scores, first, second, column)
            if found is not None:
                result.setdefault(claim, {})[column] = found
    return result


def difference(scores: ExpressionScores, first: str, second: str,
               column: str) -> Difference | None:
    """Compare two rows on the faces of a column; None where either has none."""
    a, b = scores.rows.get(first), scores.rows.get(second)
    if a is None or b is None or column not in a.right or column not in b.right:
        return None
    return paired_difference(a.right[column], b.right[column], a.persons[column])


def claim_sentence(scores: ExpressionScores, claim: str, column: str) -> str:
    """
    Say whether a claim holds.

    :param claim: of `PAIRS`
    :returns: '' where a row is missing
    """
    first, second = PAIRS[claim]
    found = difference(scores, first, second, column)
    if found is None:
        return ''
    rates = [100.0 * scores.rows[name].six[column] for name in (first, second)]
    holds = ('yes' if found.low > 0 else 'no, it harms' if found.high < 0
             else 'not shown: the difference may be chance')
    return (f'{claim} ({column}): {holds}. {rates[0]:.2f} against {rates[1]:.2f} %, '
            f'{_points(found)}.')


def goal_sentence(scores: ExpressionScores) -> str:
    """Say where the student stands against what is asked of it; '' without the student."""
    row = scores.rows.get(STUDENT)
    if row is None:
        return ''
    reached = 100.0 * row.six[MAIN]
    stands = (f'which reaches the {GOAL:g} of AFNet-M on BU-3DFE' if reached >= GOAL
              else f'which is enough (at least {LEAST:g}, goal {GOAL:g})' if reached >= LEAST
              else f'which is too little (at least {LEAST:g})')
    return (f'The student tells {reached:.2f} % of strong expressions (levels 3 and 4, the six), '
            f'{stands}.')


def neutral_sentence(scores: ExpressionScores) -> str:
    """Say what the student makes of neutral faces; '' where that is not known."""
    row = scores.rows.get(STUDENT)
    if row is None or row.neutral is None:
        return ''
    alarms = 100.0 * row.neutral.false_alarms
    held = 'as asked' if alarms <= MOST_ALARMS else f'more than the {MOST_ALARMS:g} allowed'
    speaking = '' if row.neutral.speaking is None else (
        f', {100.0 * row.neutral.speaking:.1f} % of those that speak')
    weak = '' if 1 not in row.neutral.missed else (
        f'; it calls {100.0 * row.neutral.missed[1]:.1f} % of the weakest expressions neutral')
    return (f'It calls {alarms:.1f} % of neutral faces an expression ({held}){speaking}, and '
            f'tells {100.0 * row.neutral.seven:.2f} % of all seven{weak}.')


def student_sentence(scores: ExpressionScores) -> str:
    """Say what the student loses against AFNet-M; '' where one is missing."""
    found = difference(scores, STUDENT, FULL, MAIN)
    if found is None:
        return ''
    lost = -100.0 * found.value
    held = 'as asked' if lost <= MOST_LOSS else f'more than the {MOST_LOSS:g} allowed'
    verb = 'loses' if lost > 0 else 'gains'
    at = ' and takes the time of AFNet-M divided by '
    speed = f'{at}{scores.ratio[FULL]:.1f}' if FULL in scores.ratio else ''
    budget = ''
    if STUDENT in scores.trained and FULL in scores.trained:
        budget = (f' AFNet-M was trained on {scores.trained[FULL]} faces here, the student on '
                  f'{scores.trained[STUDENT]}.')
    return (f'The student {verb} {abs(lost):.2f} points against AFNet-M, {held} '
            f'({_points(found)}){speed}.{budget}')


def _points(found: Difference) -> str:
    return (f'{100.0 * found.value:+.2f} points, 95 % from {100.0 * found.low:+.2f} to '
            f'{100.0 * found.high:+.2f}; {found.only_first} faces against {found.only_second}, '
            f'McNemar p = {found.chance:.2g}')
