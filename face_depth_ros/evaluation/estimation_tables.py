# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The scores of estimators as tables: a line for each row, empty where its model is absent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from face_depth_ros.core.estimation_metrics import grey_metrics
from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.evaluation.estimation_protocol import (
    EstimationScores,
    mean_interval,
    RowScores,
)
from face_depth_ros.evaluation.estimator_rows import ROWS
from face_depth_ros.evaluation.evaluation_result import Rows, Table
import numpy as np

MAIN_COLUMNS = ('rmse_mm', 'shape_mm', 'coverage', 'mse_common', 'mse_whole', 'mean_iou',
                'face_iou', 'nme_visible', 'nme', 'ms', 'macs', 'parameters')
YAW_BINS = {'0 to 30': (0.0, 30.0), '30 to 60': (30.0, 60.0), '60 to 90': (60.0, np.inf)}
"""Degrees to either side; the last holds the few that turned beyond 90, too."""
CONFIDENT = 0.5
_HASH_DIGITS = 12
Line = dict[str, float | int | str | None]


def estimation_tables(scores: EstimationScores, dataset: str) -> dict[str, Table]:
    """Return all tables by id, the main one first."""
    def table(title: str, unit: str, line: Callable[[str, RowScores], Line]) -> Table:
        return Table(title, dataset, unit, _lines(scores, line))

    return {
        'estimation': table('Depth, mask and landmarks from colour',
                            'mm; grey levels squared; IoU; percent of the box; ms a face',
                            lambda name, row: main_line(scores, name, row)),
        'grey_depth': table('Grey depth images, Table 1 of Pini et al.',
                            'grey levels 0 to 255, 96 x 96 pixels',
                            lambda name, row: dict(grey_metrics(row.grey))),
        'depth_mse': table("Squared error of depth images, DepthNet's Tables I and V",
                           'grey levels squared, 256 x 256 pixels, with 95 % intervals of people',
                           lambda name, row: _squared_line(scores, row)),
        'mask_iou': table('Mask', 'IoU over all pixels of all faces', _mask_line),
        'landmarks': table('Landmarks by yaw', 'NME of visible points, percent of the box',
                           lambda name, row: _landmark_line(scores, row)),
        'relief_by_yaw': table('Relief by yaw', 'RMSE in the face area, mm',
                               lambda name, row: _relief_line(scores, row)),
        'confidence': table('Faces and what is none', f'confidence 0 to 1; share below and from '
                            f'{CONFIDENT} on', _confidence_line),
        'costs': table('What each estimator costs', 'ms of one crop on this machine',
                       lambda name, row: _cost_line(scores, name, row))}


def main_line(scores: EstimationScores, name: str, row: RowScores) -> Line:
    """Return a line of the main table."""
    cost = scores.costs.get(name)
    return dict(zip(MAIN_COLUMNS, (
        *(_mean([getattr(e, key) for e in row.relief]) for key in MAIN_COLUMNS[:3]),
        _mean(row.common), _mean(row.whole),
        row.confusion.mean_iou() if row.has_mask else None, row.confusion.face_iou(),
        _mean(row.nme_visible), _mean(row.nme), _median(row.ms), cost.macs if cost else None,
        cost.parameters if cost else None), strict=True))


def yaw_groups(scores: EstimationScores) -> dict[str, np.ndarray]:
    """Return which faces lie in each of `YAW_BINS`, (N,) bool."""
    yaw = np.abs([angles[0] for angles in scores.angles])
    return {name: (yaw >= low) & (yaw < high) for name, (low, high) in YAW_BINS.items()}


def _squared_line(scores: EstimationScores, row: RowScores) -> Line:
    line: Line = {}
    for column, values in (('table_I_common', row.common), ('table_V_whole', row.whole)):
        mean, half = mean_interval(values, scores.identities)
        line |= {column: _known(mean), f'{column}_interval': _known(half)}
    return line


def _mask_line(name: str, row: RowScores) -> Line:
    line: Line = {'face': _known(row.confusion.face_iou())}
    if row.has_mask:
        line['mean'] = _known(row.confusion.mean_iou())
        line |= {label: _known(float(value))
                 for label, value in zip(MASK_LABELS, row.confusion.iou(), strict=True)}
    return line


def _landmark_line(scores: EstimationScores, row: RowScores) -> Line:
    if not row.nme:
        return {}
    line: Line = {'visible': _mean(row.nme_visible), 'all': _mean(row.nme)}
    return line | _by_yaw(scores, row.nme_visible)


def _relief_line(scores: EstimationScores, row: RowScores) -> Line:
    values = [e.rmse_mm for e in row.relief]
    line: Line = {'all': _mean(values)}
    return line | _by_yaw(scores, values)


def _by_yaw(scores: EstimationScores, values: Sequence[float]) -> Line:
    x = np.asarray(values, np.float64)
    return {name: _mean(x[inside].tolist()) for name, inside in yaw_groups(scores).items()}


def _confidence_line(name: str, row: RowScores) -> Line:
    faces, others = np.array(row.confidence), np.array(row.negatives)
    line: Line = {}
    if faces.size:
        line |= {'faces': float(faces.mean()), 'faces_missed': float((faces < CONFIDENT).mean())}
    if others.size:
        line |= {'no_faces': float(others.mean()),
                 'no_faces_taken': float((others >= CONFIDENT).mean())}
    return line


def _cost_line(scores: EstimationScores, name: str, row: RowScores) -> Line:
    cost, model = scores.costs.get(name), scores.models.get(name)
    if cost is None or model is None:
        return {}
    return {'ms': _median(row.ms), 'macs': cost.macs, 'parameters': cost.parameters,
            'side': model.size, 'precision': model.precision, 'backend': model.backend,
            'model': model.name, 'sha256': model.sha256[:_HASH_DIGITS]}


def _lines(scores: EstimationScores, line: Callable[[str, RowScores], Line]) -> Rows:
    """Fill every line with the same columns."""
    lines = {name: line(name, row) for name, row in scores.rows.items()}
    empty: Line = dict.fromkeys(column for filled in lines.values() for column in filled)
    return {name: empty | lines.get(name, {}) for name in ROWS}


def _mean(values: Sequence[float]) -> float | None:
    x = np.asarray(values, np.float64)
    x = x[np.isfinite(x)]
    return float(x.mean()) if x.size else None


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
