# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What the rows of `evaluate expression` reach, as tables; rates in percent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.expression_protocol import ExpressionScores
from face_depth_ros.evaluation.expression_rows import (
    DEPTH_ONLY,
    FULL,
    NO_MASK,
    NO_WEIGHTS,
    ROWS,
    STUDENT,
    TEXTURE_ONLY,
    texture_row,
)
from face_depth_ros.evaluation.expression_scores import MAIN, RowScores

MEAN = 'mean of classes'
PARAMETERS = 'expression_parameters'
_MIB_PER_PARAMETER = 4 / 2 ** 20
_HASH_DIGITS = 12
_PAPER = 'paper, BU-3DFE'
_FUSION = {'S1': ('S1, data', 86.54), 'S2': ('S2, decision', 86.28),
           'S3': ('S3, features', 87.61), 'S4': ('S4, layers', 88.12),
           NO_MASK: ('layers, with importance weights', 88.89)}
_ATTENTION = {'AFNet-M 2D no MA': ('2D', False, 85.06), TEXTURE_ONLY: ('2D', True, 87.68),
              'AFNet-M 3D no MA': ('3D', False, 84.37), DEPTH_ONLY: ('3D', True, 86.97),
              NO_MASK: ('2D+3D', False, 88.89), FULL: ('2D+3D', True, 90.08)}
POSITIONS = {'Layer4': 'Layer4', NO_MASK: 'Layer34', 'Layer234': 'Layer234',
             'Layer1234': 'Layer1234'}
_PAPER_MB = {NO_MASK: 90.51, NO_WEIGHTS: 86.53, FULL: 91.54}
Line = dict[str, Any]


def expression_tables(scores: ExpressionScores, dataset: str) -> dict[str, Table]:
    """
    Return the tables, the main one first.

    :param dataset: what it was measured on
    """
    counts = ', '.join(f'{name} {count}' for name, count in scores.columns.items())
    strong = f'percent of {scores.columns.get(MAIN, 0)} faces at levels 3 and 4, from the front'
    tables = {
        'expression': Table(
            'What does a face say: six expressions', dataset,
            f'percent of faces; {scores.people} people, faces: {counts}',
            _lines(scores, lambda name, row: _main_line(scores, name, row))),
        'expression_by_class': Table(
            'Expression by expression', dataset, strong, _lines(scores, lambda _, row: {
                MEAN: percent(row.mean), **{EXPRESSIONS[i]: percent(float(share))
                                            for i, share in enumerate(row.by_class)}})),
        'expression_by_level': Table(
            'Six expressions by level and yaw', dataset,
            'percent; levels from the front, 4 the strongest; degrees of yaw to either side, '
            'levels 3 and 4', _lines(scores, lambda _, row: {
                **{f'level {level}': percent(s) for level, s in row.by_level.items()},
                **{f'yaw {name}': percent(s) for name, s in row.by_yaw.items()}}, wide=True))}
    tables |= _neutral_tables(scores, dataset)
    tables |= _paper_tables(scores, dataset, strong)
    tables['expression_calibration'] = Table(
        'Do probabilities tell how often a network is right', dataset,
        'expected calibration error, percent, 15 bins; six: levels 3 and 4 from the front, '
        'probabilities of the six; seven: all faces from the front',
        _lines(scores, lambda _, row: {key: percent(row.calibration.get(key))
                                       for key in ('six', 'seven')}))
    return tables | _affect_tables(scores, dataset)


def network_rows(scores: ExpressionScores) -> list[str]:
    """Return all networks, present or absent: ours in the order of `ROWS`, then others."""
    known = dict.fromkeys([*scores.network_of.values(), *scores.absent])
    return [*(n for n in ROWS if n in known), *(n for n in known if n not in ROWS)]


def listed_networks(scores: ExpressionScores) -> list[str]:
    """Return the networks that have rows: absent ablations stand below the tables alone."""
    return [name for name in network_rows(scores)
            if name not in scores.absent or name in (STUDENT, FULL) or name not in ROWS]


def table_rows(scores: ExpressionScores) -> list[str]:
    """Return the rows of a table, those of an absent student or AFNet-M too."""
    result: list[str] = []
    for network in listed_networks(scores):
        own = [row for row, of in scores.network_of.items() if of == network]
        result += own or ([STUDENT, texture_row(STUDENT)] if network == STUDENT else [network])
    return result


def highlighted(scores: ExpressionScores) -> str:
    """Return the row that ships, or the first there is."""
    return STUDENT if STUDENT in scores.rows or not scores.rows else next(iter(scores.rows))


def percent(share: float | None) -> float | None:
    """Return a share in percent."""
    return None if share is None else 100.0 * share


def _neutral_tables(scores: ExpressionScores, dataset: str) -> dict[str, Table]:
    rows = {name: row.neutral for name, row in scores.rows.items() if row.neutral is not None}
    if not rows:
        return {}
    return {'expression_neutral': Table(
        'Neutral faces, and all seven', dataset,
        f'percent; all seven: levels 3 and 4 and {scores.neutral} neutral faces, from the front; '
        'false alarms: neutral faces called an expression; missed at 1 to 4: expressions of that '
        'level called neutral',
        {name: {'all seven': percent(row.seven), MEAN: percent(row.mean),
                'false alarms': percent(row.false_alarms),
                'false alarms, speaking': percent(row.speaking),
                **{f'missed at {level}': percent(s) for level, s in row.missed.items()}}
         for name, row in rows.items()})}


def _paper_tables(scores: ExpressionScores, dataset: str, unit: str) -> dict[str, Table]:
    """Return the tables of the paper on AFNet-M that any network here is a row of."""

    def reached(name: str) -> Line:
        row = scores.rows.get(name)
        return {'here': None if row is None else percent(row.six[MAIN])}

    def wanted(names: Iterable[str]) -> list[str]:
        """Return the rows of a table, none unless two are there to be compared."""
        known = network_rows(scores)
        there = [name for name in names if name in scores.rows]
        return [name for name in names if name in known] if len(there) > 1 else []

    tables = {}
    if names := wanted(_FUSION):
        tables['expression_fusion'] = Table(
            'Strategies of fusion (Table II of the paper)', dataset, unit,
            {_FUSION[n][0]: {**reached(n), _PAPER: _FUSION[n][1]} for n in names})
    if names := wanted(_ATTENTION):
        tables['expression_mask_attention'] = Table(
            'Mask attention (Table III of the paper)', dataset, unit,
            {f'{_ATTENTION[n][0]}{", masks" if _ATTENTION[n][1] else ""}': {
                **reached(n), _PAPER: _ATTENTION[n][2]} for n in names})
    if names := wanted(POSITIONS):
        tables['expression_positions'] = Table(
            'Where both are fused (Fig. 5 of the paper)', dataset, f'{unit}; without masks',
            {POSITIONS[n]: reached(n) for n in names})
    tables[PARAMETERS] = Table(
        'What the networks cost (Table IV of the paper)',
        'one face whose estimate is there, cropping included',
        'parameters at 4 bytes, MiB; MACs of the ONNX file; ms: median on this machine; ratio: to '
        'the time of the student in the same turn; trained on: faces, repeats counted',
        {name: _cost_line(scores, name) for name in listed_networks(scores)})
    return tables


def _affect_tables(scores: ExpressionScores, dataset: str) -> dict[str, Table]:
    tables = {}
    affect = {name: row.affect for name, row in complete_rows(scores).items()
              if row.affect is not None}
    if affect:
        tables['expression_affect'] = Table(
            'Valence and arousal', dataset,
            'CCC: concordance, at most 1; error: mean, of -1 to 1; all faces from the front',
            {name: {f'{what} {kind}': values[what] for what in found.concordance
                    for kind, values in (('CCC', found.concordance),
                                         ('error', found.mean_error))}
             for name, found in affect.items()})
    units = {name: row.units for name, row in scores.rows.items() if row.units is not None}
    if units:
        first = next(iter(units.values()))
        tables['expression_units'] = Table(
            'Action units', dataset,
            'intensities 0 to 1, all faces; error: mean absolute, of the mean: if the mean were '
            'said of every face; r: correlation',
            {f'{key} {shape}': {'error of the mean': float(first.of_the_mean[i]), **{
                f'{name}, {what}': float(value[i]) for name, u in units.items()
                for what, value in (('error', u.mean_error), ('r', u.correlation))}}
             for i, (key, shape) in enumerate(ACTION_UNITS.items())})
    return tables


def _lines(scores: ExpressionScores, line: Callable[[str, RowScores], Line], *,
           wide: bool = False) -> Rows:
    """Fill every line with the same columns; wide: leave out rows that saw the main faces only."""
    rows = complete_rows(scores) if wide else scores.rows
    lines = {name: line(name, row) for name, row in rows.items()}
    empty: Line = dict.fromkeys(column for filled in lines.values() for column in filled)
    return {name: empty | lines.get(name, {}) for name in (rows if wide else table_rows(scores))}


def complete_rows(scores: ExpressionScores) -> dict[str, RowScores]:
    """Return the rows that saw all faces that there are."""
    return {name: row for name, row in scores.rows.items()
            if len(row.six) > 1 or len(scores.columns) == 1}


def _main_line(scores: ExpressionScores, name: str, row: RowScores) -> Line:
    return {**{column: percent(row.six.get(column)) for column in scores.columns},
            'ms': scores.ms.get(name)}


def _cost_line(scores: ExpressionScores, name: str) -> Line:
    cost, model = scores.costs.get(name), scores.models.get(name)
    filled: Line = dict.fromkeys(('MiB', 'paper, MB', 'parameters', 'macs', 'ms', 'ratio',
                                  'trained on', 'precision', 'backend', 'model', 'sha256'))
    filled['paper, MB'] = _PAPER_MB.get(name)
    if cost is None or model is None:
        return filled
    return filled | {
        'MiB': cost.parameters * _MIB_PER_PARAMETER, 'parameters': cost.parameters,
        'macs': cost.macs, 'ms': scores.ms.get(name), 'ratio': scores.ratio.get(name),
        'trained on': scores.trained.get(name),
        'precision': model.precision, 'backend': model.backend, 'model': model.name,
        'sha256': model.sha256[:_HASH_DIGITS]}
