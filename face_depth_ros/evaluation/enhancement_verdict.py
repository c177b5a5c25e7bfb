# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which enhancer to use, and why, in two or three sentences computed from the scores."""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.evaluation.enhancement_protocol import EnhancementScores
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS
from face_depth_ros.evaluation.report import number
import numpy as np

_RIVAL = 'DL-Delta-1'
"""The best of the paper's own table, and the one that ships."""


def verdict(scores: EnhancementScores, unit: str = '') -> list[str]:
    """
    Return the sentences; none when nothing but the input was scored.

    :param unit: appended to errors, ' mm'; '' for depth in [0, 1]
    """
    ranking = sorted((m for m in scores.methods if m != NONE), key=scores.mean)
    if not ranking:
        return []
    sentences = [_error(scores, ranking, unit), *_whole_image(scores, ranking, unit)]
    if OURS in scores.methods:
        sentences.append(_cost(scores))
    sentences.append(_advice(scores, ranking))
    if scores.absent:
        sentences.append(f'Not compared here: {_listed(list(scores.absent))}.')
    return sentences


def _error(scores: EnhancementScores, ranking: list[str], unit: str) -> str:
    first = ranking[0]
    others = [m for m in (scores.best_of_paper(), scores.best_filter()) if m and m != first]
    if first != OURS and OURS in scores.methods and OURS not in others:
        others.insert(0, OURS)
    text = f'{first} has the lowest error in the face: {number(scores.mean(first))}{unit}'
    compared = [f'{_ratio(scores.ratio(m, first))} times below {_named(scores, m)} '
                f'({number(scores.mean(m))}{unit})' for m in others]
    text += f', {" and ".join(compared)}.' if compared else '.'
    if first != OURS and OURS in scores.methods:
        text += f' Ours is number {ranking.index(OURS) + 1} of {len(ranking)}.'
    return text


def _whole_image(scores: EnhancementScores, ranking: list[str], unit: str) -> list[str]:
    """Compare ours over the whole image, where false surface counts too."""
    errors = {m: float(np.mean(scores.methods[m].full_rmse)) for m in ranking
              if scores.methods[m].full_rmse}
    if OURS not in errors or len(errors) < 2:
        return []
    others = {m: error for m, error in errors.items() if m != OURS}
    second = _RIVAL if _RIVAL in others else min(others, key=lambda m: others[m])
    better = errors[OURS] < others[second]
    return [f'Over the whole image ours has {number(errors[OURS])}{unit}, '
            f'{"less" if better else "more"} than {second} ({number(others[second])}{unit}).']


def _cost(scores: EnhancementScores) -> str:
    cost, ms = scores.costs.get(OURS), float(np.median(scores.methods[OURS].ms))
    if cost is None:
        return f'Ours takes {ms:.1f} ms a face on this machine.'
    text = (f'Ours takes {ms:.1f} ms a face on this machine, {number(cost.macs)} multiply-adds '
            f'and {number(cost.parameters)} parameters')
    rival = scores.costs.get(_RIVAL)
    if rival is None:
        return f'{text}.'
    times, slower = rival.macs / cost.macs, float(np.median(scores.methods[_RIVAL].ms)) / ms
    return (f'{text}: {_times(times)} multiply-adds than {_RIVAL} ({number(rival.macs)}), which '
            f'takes {_ratio(slower)} times as long.')


def _advice(scores: EnhancementScores, ranking: list[str]) -> str:
    """Say what to use; the only trade is error against time."""
    first = ranking[0]
    time = {m: float(np.median(scores.methods[m].ms)) for m in ranking}
    quicker = [m for m in ranking[1:] if time[m] < 0.5 * time[first]]
    text = f'Use {first}'
    if not quicker:
        return f'{text}: nothing that takes less than half its time was found.'
    # The most accurate of the quicker ones is the only other choice that makes sense.
    second = quicker[0]
    return (f'{text}; where its {time[first]:.1f} ms are too many, {second} takes '
            f'{time[second]:.1f} ms at {_ratio(scores.ratio(second, first))} times the error.')


def _ratio(value: float | None) -> str:
    return 'unknown' if value is None else f'{value:.2f}'.rstrip('0').rstrip('.')


def _named(scores: EnhancementScores, method: str) -> str:
    if method == scores.best_filter():
        return f'the best filter, {method}'
    return f"the paper's best network, {method}" if method == scores.best_of_paper() else method


def _times(ratio: float) -> str:
    return f'{ratio:.1f} times fewer' if ratio >= 1 else f'{1 / ratio:.1f} times more'


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f'{", ".join(names[:-1])} and {names[-1]}'
