# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What the rows of `evaluate identity` reach, as tables; rates in percent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from face_depth_ros.core.identity_calibration import COLOR, DEPTH
from face_depth_ros.core.identity_metrics import FALSE_ACCEPT_RATES
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.identity_protocol import IdentityScores, RowScores
from face_depth_ros.evaluation.identity_rows import C_ID, FULL, FUSED, row_name, ROWS, STUDENT
from face_depth_ros.evaluation.identity_views import DEPTHS, ESTIMATED, MEASURED

MAIN = 'identity'
MAIN_RATE = 1e-3
AVERAGE = 'average'
_HASH_DIGITS = 12
_DEPTH_WORDS = {ESTIMATED: 'depth and mask estimated from colour (D*, M*)',
                MEASURED: 'depth of a sensor, mask estimated (D, M*)'}
Line = dict[str, Any]


def identity_tables(scores: IdentityScores, dataset: str) -> dict[str, Table]:
    """
    Return the tables, the main one first.

    :param dataset: what it was measured on
    """
    tables: dict[str, Table] = {}
    for depth in (ESTIMATED, MEASURED):
        if depth == MEASURED and not scores.rows.get(MEASURED):
            continue
        end = '' if depth == ESTIMATED else f'_{depth}'
        about = f'{dataset}; {_DEPTH_WORDS[depth]}'
        tables[f'{MAIN}{end}'] = Table(
            'Who is it: rank-1 identification' + _heading(depth), about,
            f'percent; {scores.people} people in the gallery, probes: {_probes(scores)}',
            _lines(scores, depth, partial(_identity_line, scores, depth)))
        tables[f'identity_verification{end}'] = Table(
            'Is it the same person: verification' + _heading(depth), about,
            f'percent; {scores.genuine} pairs of one person, {scores.impostor} of two; TAR at FAR',
            _lines(scores, depth, lambda name, row: _verification_line(row)))
        tables[f'identity_by_yaw{end}'] = Table(
            'Rank-1 by yaw' + _heading(depth), about,
            'percent; degrees to either side, all probes that nothing covers: ' + ', '.join(
                f'{name}: {count}' for name, count in scores.by_yaw.items()),
            _lines(scores, depth, lambda name, row: {
                key: _percent(value) for key, value in row.by_yaw.items()}))
    tables['identity_costs'] = Table(
        'What the recognisers cost', 'one face in one inference, without the cutting of its crops',
        'ms: median on this machine, with measured depth a shape model included; MACs and '
        'parameters of the ONNX file',
        {name: _cost_line(scores, name) for name in network_rows(scores)})
    return tables


def network_rows(scores: IdentityScores) -> list[str]:
    """Return all networks, present or absent: ours in the order of `ROWS`, then others."""
    known = dict.fromkeys([*scores.network_of.values(), *scores.absent])
    return [*(n for n in ROWS if n in known), *(n for n in known if n not in ROWS)]


def table_rows(scores: IdentityScores, depth: str) -> list[str]:
    """Return the rows of a table, those of absent networks too."""
    result: list[str] = []
    filled = scores.rows.get(depth, {})
    for network in network_rows(scores):
        own = [row for row, of in scores.network_of.items() if of == network]
        if own:
            result += [row for row in own if row in filled]
        elif depth == ESTIMATED:
            result += [row_name(network, v) for v in (
                (FUSED, COLOR, DEPTH) if network in (FULL, STUDENT) else (FUSED,))]
    return result


def _lines(scores: IdentityScores, depth: str,
           line: Callable[[str, RowScores], Line]) -> Rows:
    """Fill every line with the same columns."""
    lines = {name: line(name, row) for name, row in scores.rows.get(depth, {}).items()}
    empty: Line = dict.fromkeys(column for filled in lines.values() for column in filled)
    return {name: empty | lines.get(name, {}) for name in table_rows(scores, depth)}


def _identity_line(scores: IdentityScores, depth: str, name: str, row: RowScores) -> Line:
    network = scores.network_of[name]
    return {**{column: _percent(value) for column, value in row.rank_one.items()},
            AVERAGE: _percent(row.average),
            f'TAR at {MAIN_RATE:g}': _percent(row.true_accept.get(MAIN_RATE)),
            'ms': scores.ms.get(depth, {}).get(network) if name == network else None}


def _verification_line(row: RowScores) -> Line:
    return {**{f'TAR at {rate:g}': _percent(row.true_accept.get(rate))
               for rate in FALSE_ACCEPT_RATES},
            'EER': _percent(row.equal_error), 'AUC': _percent(row.area)}


def _cost_line(scores: IdentityScores, name: str) -> Line:
    cost, model = scores.costs.get(name), scores.models.get(name)
    filled: Line = dict.fromkeys(('ms', 'ms_measured', 'macs', 'parameters', 'precision',
                                  'backend', 'model', 'sha256'))
    if cost is None or model is None:
        return filled
    ms = {depth: scores.ms.get(depth, {}).get(name) for depth in DEPTHS}
    return filled | {'ms': ms[ESTIMATED], 'ms_measured': ms[MEASURED], 'macs': cost.macs,
                     'parameters': cost.parameters, 'precision': model.precision,
                     'backend': model.backend, 'model': model.name,
                     'sha256': model.sha256[:_HASH_DIGITS]}


def _heading(depth: str) -> str:
    return '' if depth == ESTIMATED else ', with measured depth'


def _probes(scores: IdentityScores) -> str:
    told = ', '.join(f'{name} {count}' for name, count in scores.columns.items())
    if scores.mateless:
        told += f'; {scores.mateless} more, of people without a face in the gallery, do not count'
    return told


def _percent(value: float | None) -> float | None:
    return None if value is None else 100.0 * value


def highlighted(scores: IdentityScores) -> str:
    """Return the row that ships, or the first there is."""
    rows = list(scores.network_of)
    return STUDENT if STUDENT in rows or not rows else next(
        (r for r in rows if r != C_ID), rows[0])
