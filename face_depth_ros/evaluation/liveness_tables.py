# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What the rows of `evaluate liveness` reach, as tables; rates in percent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from face_depth_ros.core.live_identities import LIVE
from face_depth_ros.core.liveness_metrics import PadRates, wilson_interval
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.liveness_pad import PadErrors
from face_depth_ros.evaluation.liveness_protocol import LivenessScores, RowScores
from face_depth_ros.evaluation.liveness_rows import ROWS

MAIN = 'liveness'
WORST, BPCER, ACER, EER = 'worst APCER', 'BPCER', 'ACER', 'EER'
_PERCENT = 100.0
Line = dict[str, Any]


def liveness_tables(scores: LivenessScores, dataset: str) -> dict[str, Table]:
    """
    Return the tables of the detectors, the main one first.

    :param dataset: what it was measured on
    """
    species = [kind for kind in scores.faces if kind != LIVE]
    about = f'{dataset}: {_counts(scores)}'
    tables = {
        MAIN: Table('Attacks that pass where at most 1 % of the living are turned away',
                    about, 'percent; APCER by species; ms of one frame',
                    _lines(scores, lambda row: _main_line(row, species))),
        'liveness_decisions': Table(
            'The same as a robot decides it, by the thresholds that ship', about,
            'percent; APCER: attacks called live; BPCER: living faces not called live; APNRR, '
            'BPNRR: called unsure', _lines(scores, lambda row: _decided_line(row, species))),
        'liveness_eer': Table('Equal error of each species', dataset, 'percent', _lines(
            scores, lambda row: {kind: _PERCENT * row.by_species[kind] if kind in row.by_species
                                 else None for kind in species}))}
    if any(row.at_threshold for row in scores.rows.values()):
        tables['liveness_intervals'] = Table(
            'What the counts allow to say', dataset,
            'percent, 95 % interval of each APCER and of BPCER, frames taken for independent',
            _lines(scores, lambda row: _interval_line(row, species)))
    by_distance = _lines(scores, _distance_line)
    if any(by_distance.values()):
        tables['liveness_by_distance'] = Table(
            'By distance', dataset, 'percent; the threshold of all distances; APCER of the worst '
            'species', by_distance)
    return tables


def pad_tables(results: Iterable[PadErrors], names: Sequence[str]) -> dict[str, Table]:
    """
    Return the tables of the landmark error, one of each source.

    :param names: rows, in their order
    """
    tables = {}
    for result in results:
        tables[f'pad_error_{result.key}'] = Table(
            'Landmark error before and after enhancement', result.dataset,
            f'share of the 68 landmarks; all {len(result.names)} images, of which '
            f'{sum(result.with_holes)} lack depth under a landmark', result.rows(names))
        if 0 < sum(result.with_holes) < len(result.names):
            tables[f'pad_holes_{result.key}'] = Table(
                'The same where a landmark has no depth', result.dataset,
                f'share of the 68 landmarks; the {sum(result.with_holes)} images that lack depth '
                'under a landmark, as in the paper', result.hole_rows(names))
    return tables


def rate_text(rate: float, count: int) -> str:
    """Return a rate with its interval, percent."""
    low, high = wilson_interval(round(rate * count), count)
    return f'{_PERCENT * low:.1f} to {_PERCENT * high:.1f}'


def _lines(scores: LivenessScores, line: Callable[[RowScores], Line]) -> Rows:
    """Fill every line with the same columns; rows that are absent have empty cells."""
    lines = {name: line(row) for name, row in scores.rows.items()}
    empty: Line = dict.fromkeys(column for filled in lines.values() for column in filled)
    order = [name for name in ROWS if name in lines or name in scores.absent]
    return {name: empty | lines.get(name, {}) for name in order}


def _main_line(row: RowScores, species: list[str]) -> Line:
    return {**_summary(row.at_threshold), EER: _PERCENT * row.equal_error, 'ms': row.ms,
            **_by_species(row.at_threshold, species), 'threshold': row.threshold}


def _decided_line(row: RowScores, species: list[str]) -> Line:
    rates = row.as_decided
    total = sum(rates.attacks.values())
    unsure = sum(rates.apnrr[kind] * rates.attacks[kind] for kind in rates.apnrr)
    return {**_summary(rates), 'APNRR': _PERCENT * unsure / total,
            'BPNRR': _PERCENT * rates.bpnrr, **_by_species(rates, species)}


def _summary(rates: PadRates | None) -> Line:
    if rates is None:
        return dict.fromkeys((WORST, BPCER, ACER))
    return {WORST: _PERCENT * rates.worst_apcer, BPCER: _PERCENT * rates.bpcer,
            ACER: _PERCENT * rates.acer}


def _by_species(rates: PadRates | None, species: list[str]) -> Line:
    return {kind: None if rates is None else _PERCENT * rates.apcer[kind] for kind in species}


def _interval_line(row: RowScores, species: list[str]) -> Line:
    rates = row.at_threshold
    if rates is None:
        return dict.fromkeys((*species, BPCER))
    return {**{kind: rate_text(rates.apcer[kind], rates.attacks[kind]) for kind in species},
            BPCER: rate_text(rates.bpcer, rates.bona_fide)}


def _distance_line(row: RowScores) -> Line:
    line: Line = {}
    for label, rates in row.by_distance.items():
        line[f'{label}: APCER'] = None if rates is None else _PERCENT * rates.worst_apcer
        line[f'{label}: BPCER'] = None if rates is None else _PERCENT * rates.bpcer
    return line


def _counts(scores: LivenessScores) -> str:
    return f'{scores.people} people; ' + ', '.join(
        f'{kind} {scores.presentations[kind]} ({count} frames)'
        for kind, count in scores.faces.items())
