# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Which estimator is best, and whether the papers' orders hold, in words computed from the scores.

The orders: DepthNet is better with its mask than without (its Tables I and V), and the conditional
GAN better than its own encoder-decoder and than pix2pix (Pini et al., Table 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from face_depth_ros.core.estimation_metrics import GREY_ERRORS, GREY_METRICS, grey_metrics
from face_depth_ros.evaluation.estimation_protocol import EstimationScores, mean_interval
from face_depth_ros.evaluation.estimation_tables import main_line
from face_depth_ros.evaluation.estimator_rows import (
    AUTOENCODER,
    CGAN,
    DEPTHNET,
    DEPTHNET_NO_MASK,
    MEAN_FACE,
    OURS,
    PIX2PIX,
)
from face_depth_ros.evaluation.report import number
import numpy as np

GOAL_IOU, GOAL_NME, GOAL_MS = 0.85, 3.5, 12.0
"""Least mean IoU of our mask, most percent of the box, most ms a face on two cores of a CPU."""
_FURTHER = {'mse_common': ("DepthNet's Table I", True), 'mse_whole': ("DepthNet's Table V", True),
            'rmse_mm': ('RMSE in mm', True), 'shape_mm': ('RMSE in mm after an offset', True),
            'mean_iou': ('mean IoU of the mask', False), 'face_iou': ('IoU of the face', False),
            'nme_visible': ('landmark NME', True)}
"""Columns of the main table -> how a sentence calls them, and whether less is better."""
VERIFICATION = 'face verification'


@dataclass(frozen=True)
class Measure:
    """
    One number for each row.

    :param less: whether less is better
    :param values: by row; rows that it does not exist for are left out
    """

    name: str
    less: bool
    values: Mapping[str, float]

    def better(self, first: str, second: str) -> bool | None:
        """Return whether the first is before the second; None where one is missing."""
        if first not in self.values or second not in self.values:
            return None
        a, b = self.values[first], self.values[second]
        return a < b if self.less else a > b


def measures(scores: EstimationScores, accuracy: Mapping[str, float] | None = None,
             ) -> list[Measure]:
    """
    Return all that rows are compared by: Table 1, DepthNet's tables, metric relief, mask, points.

    :param accuracy: of face verification, by row, if it was measured
    """
    grey = {name: grey_metrics(row.grey) for name, row in scores.rows.items()}
    found = [Measure(metric.replace('_', ' '), metric in GREY_ERRORS,
                     {name: values[metric] for name, values in grey.items()})
             for metric in GREY_METRICS]
    if accuracy:
        found.append(Measure(VERIFICATION, False, dict(accuracy)))
    lines = {name: main_line(scores, name, row) for name, row in scores.rows.items()}
    for column, (text, less) in _FURTHER.items():
        values = {name: float(value) for name, line in lines.items()
                  if isinstance(value := line[column], (int, float))}
        found.append(Measure(text, less, values))
    return found


def verdict(scores: EstimationScores, accuracy: Mapping[str, float] | None = None) -> list[str]:
    """Return what a reader takes away, in a few sentences."""
    compared = measures(scores, accuracy)
    sentences = [*_ours(scores, compared), *mask_orders(scores), *_gan(compared)]
    if scores.absent:
        sentences.append(f'Not compared here: {_listed(list(scores.absent))}.')
    return sentences


def orders(scores: EstimationScores, accuracy: Mapping[str, float] | None = None) -> list[str]:
    """Return one sentence for each measure: is cGAN ahead of AE and of pix2pix."""
    sentences = []
    for measure in measures(scores, accuracy):
        parts = []
        for other in (AUTOENCODER, PIX2PIX):
            ahead = measure.better(CGAN, other)
            if ahead is not None:
                parts.append(f'{"ahead of" if ahead else "not ahead of"} {other} '
                             f'({number(measure.values[other])})')
        if parts:
            sentences.append(f'{measure.name}: cGAN ({number(measure.values[CGAN])}) is '
                             f'{" and ".join(parts)}.')
    return sentences


def mask_orders(scores: EstimationScores) -> list[str]:
    """Return a sentence for each of DepthNet's two tables: does the mask help."""
    if DEPTHNET not in scores.rows or DEPTHNET_NO_MASK not in scores.rows:
        return []
    own, other = scores.rows[DEPTHNET], scores.rows[DEPTHNET_NO_MASK]
    sentences = []
    for place, with_mask, without in (
            ('where all rows have a face (Table I)', own.common, other.common),
            ('over the whole image (Table V)', own.whole, other.whole)):
        difference = np.subtract(without, with_mask)
        gain, half = mean_interval(difference.tolist(), scores.identities)
        if not np.isfinite(gain):
            continue
        helps = 'lowers' if gain > 0 else 'does not lower'
        sure = '' if np.isfinite(half) and abs(gain) > half else ', within what chance gives'
        sentences.append(
            f"The mask branch {helps} DepthNet's squared error {place}: "
            f'{number(float(np.nanmean(with_mask)))} with it, '
            f'{number(float(np.nanmean(without)))} without (difference {number(gain)} +- '
            f'{number(half)}{sure}).')
    return sentences


def _gan(compared: Sequence[Measure]) -> list[str]:
    """Sum up on how many of the paper's measures cGAN is before its two baselines."""
    table = [m for m in compared if m.name == VERIFICATION or m.name in {
        metric.replace('_', ' ') for metric in GREY_METRICS}]
    sentences = []
    for other in (AUTOENCODER, PIX2PIX):
        ahead = {m.name: better for m in table if (better := m.better(CGAN, other)) is not None}
        if not ahead:
            continue
        behind = [name for name, better in ahead.items() if not better]
        text = f'cGAN comes before {other} on {len(ahead) - len(behind)} of {len(ahead)} measures'
        if behind and len(behind) < len(ahead):
            text += f', not on {_listed(behind)}'
        sentences.append(f"{text} of Pini et al.'s Table 1.")
    return sentences


def _ours(scores: EstimationScores, compared: Sequence[Measure]) -> list[str]:
    if OURS not in scores.rows:
        return []
    line = main_line(scores, OURS, scores.rows[OURS])
    sentences = [_errors(compared)]
    goals = [(f'mean IoU of the mask {number(line["mean_iou"])} (goal {GOAL_IOU})',
              _at_least(line['mean_iou'], GOAL_IOU)),
             (f'landmarks {number(line["nme_visible"])} % of the box (goal {GOAL_NME} %)',
              _at_most(line['nme_visible'], GOAL_NME))]
    if line['ms'] is not None:
        goals.append((f'{number(line["ms"])} ms a face here (goal {GOAL_MS:g} ms on two free '
                      'cores)', _at_most(line['ms'], GOAL_MS)))
    sentences.append('Ours: ' + '; '.join(
        f'{text}, {"reached" if good else "missed"}' for text, good in goals) + '.')
    behind = [m.name for m in compared if m.better(OURS, DEPTHNET) is False]
    both = [m for m in compared if m.better(OURS, DEPTHNET) is not None]
    if both:
        sentences.append('Ours is better than DepthNet on '
                         + (f'all {len(both)} measures.' if not behind else
                            f'{len(both) - len(behind)} of {len(both)} measures, not on '
                            f'{_listed(behind)}.'))
    return sentences


def _errors(compared: Sequence[Measure]) -> str:
    depth = next(m for m in compared if m.name == _FURTHER['rmse_mm'][0])
    ranking = sorted(depth.values, key=lambda name: depth.values[name])
    if OURS not in ranking:
        return 'Ours sees no face in any photo.'
    others = [name for name in (DEPTHNET, CGAN, MEAN_FACE) if name in depth.values]
    named = ', '.join(f'{name} by {number(depth.values[name])} mm' for name in others)
    return (f'Ours errs by {number(depth.values[OURS])} mm in the face area, number '
            f'{ranking.index(OURS) + 1} of {len(ranking)}{"; " + named if named else ""}.')


def _at_least(value: object, goal: float) -> bool:
    return isinstance(value, float) and value >= goal


def _at_most(value: object, goal: float) -> bool:
    return isinstance(value, float) and value <= goal


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f'{", ".join(names[:-1])} and {names[-1]}'
