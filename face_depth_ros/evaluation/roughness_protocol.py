# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How rough real depth is, and how much of it is missing, before and after enhancement.

Protocol: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section
IV.E and Table V: the mean absolute response of the 3 x 3 kernel and the share of holes in the face
area, mean and sample standard deviation over images, times 100, of depth normalised to 25 cm. A
pixel counts for roughness when all nine of its window are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from face_depth_ros.core.metrics import Distribution, hole_share, rmse, roughness
from face_depth_ros.evaluation.enhanced_faces import EnhancedFace
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.grouped_bars import grouped_bars
from face_depth_ros.evaluation.real_faces import NEUTRAL
from face_depth_ros.evaluation.report import figure, number, paragraph, table
from face_depth_ros.evaluation.spread import mean_std_cells
import numpy as np

COLUMNS = ('roughness_mean', 'roughness_std', 'holes_mean', 'holes_std', 'open_roughness_mean',
           'open_holes_mean', 'allowed_roughness_mean', 'allowed_holes_mean', 'left_alone',
           'truth_rmse_mean', 'truth_rmse_std', 'images')
_PERCENT = 100.0


@dataclass(frozen=True)
class _Image:
    """
    One image of one row; values times 100, NaN where unknown.

    :param open_face: nothing before the face
    :param allowed: the guard let ours enhance it
    """

    roughness: float
    holes: float
    left_alone: float
    truth_rmse: float
    open_face: bool
    allowed: bool


class RoughnessScores:
    """
    Table V over any number of samples; attacks are not counted.

    :param rows: names of the rows, in their order
    """

    def __init__(self, rows: Sequence[str]) -> None:
        self._rows: dict[str, list[_Image]] = {name: [] for name in rows}
        self._truth: list[float] = []

    def add(self, face: EnhancedFace) -> None:
        """Count one sample."""
        sample, mask = face.sample, face.sample.mask
        if sample.is_attack:
            return
        ours = face.outputs.get(OURS)
        allowed = ours is not None and bool(ours.support[mask].any())
        open_face = sample.variant == NEUTRAL
        truth = None
        if open_face and sample.truth is not None:
            truth = face.slab.normalise(sample.truth)
            self._truth.append(_PERCENT * roughness(_with_holes(truth), mask))
        for name, output in face.outputs.items():
            depth = _with_holes(output.d)
            self._rows[name].append(_Image(
                _PERCENT * roughness(depth, mask), _PERCENT * hole_share(depth, mask),
                _PERCENT * float(np.mean(~output.support[mask])) if name == OURS else float('nan'),
                float('nan') if truth is None or sample.truth is None else _PERCENT * rmse(
                    output.d, truth, mask & np.isfinite(sample.truth)), open_face, allowed))

    @property
    def images(self) -> int:
        """Return how many samples were counted."""
        return max(len(images) for images in self._rows.values())

    def rows(self) -> Rows:
        """Return the table; a row whose enhancer is absent has empty cells."""
        return {name: _line(images) for name, images in self._rows.items()}

    def tables(self, dataset: str) -> dict[str, Table]:
        """Return the tables by id, only those with samples."""
        unit = 'percent of 25 cm; percent of the pixels'
        tables = {'roughness': Table('Roughness and holes in the face area', dataset, unit,
                                     self.rows())} if self.images else {}
        if self._truth:
            shape = Distribution.of(self._truth)
            tables['reference_roughness'] = Table(
                'Roughness of the reference itself', dataset, unit, {'reference': {
                    'roughness_mean': shape.mean, 'roughness_std': shape.std,
                    'images': len(self._truth)}})
        return tables

    def blocks(self) -> list[str]:
        """Return the HTML: both measures as bars, and the table in the form of the paper."""
        rows = self.rows()
        present = {name: row for name, row in rows.items() if row['images']}
        bars = [figure(grouped_bars(
            {name: {'all faces': row[f'{key}_mean'], 'open faces': row[f'open_{key}_mean']}
             for name, row in present.items()}, ('all faces', 'open faces'), unit, OURS), caption)
            for key, unit, caption in (
                ('roughness', '% of 25 cm', 'Mean roughness in the face area.'),
                ('holes', '%', 'Share of the face area without depth.'))]
        return [*bars, table({name: _cells(row) for name, row in rows.items()}, 'enhancer', OURS,
                             _UNITS), paragraph(_NOTE + self._reference_note(), 'note')]

    def _reference_note(self) -> str:
        if not self._truth:
            return ''
        mean = number(Distribution.of(self._truth).mean)
        return (f' The reference itself has a roughness of {mean} on the open faces: an enhancer '
                'below that has smoothed away shape, not only noise.')


_UNITS = {'roughness': '% of 25 cm', 'holes': '%', 'open: roughness': '% of 25 cm',
          'open: holes': '%', 'allowed: roughness': '% of 25 cm', 'allowed: holes': '%',
          'left alone': '%', 'RMSE to the truth': '% of 25 cm'}
_NOTE = ('Mean (sample standard deviation) over images. open: only faces with nothing before '
         'them. allowed: only images in which the guard let ours enhance something. left alone: '
         'share of the face area in which the published output claims no surface of a face: there '
         'the measurement stands. RMSE to the truth: open faces with a reference only; a hole '
         f'counts as 25 cm. {NONE}: the camera.')


def _with_holes(d: np.ndarray) -> np.ndarray:
    return np.where(d < 1.0, d, np.float32(np.nan))


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    return {'roughness': mean_std_cells(row, 'roughness'), 'holes': mean_std_cells(row, 'holes'),
            'open: roughness': row['open_roughness_mean'], 'open: holes': row['open_holes_mean'],
            'allowed: roughness': row['allowed_roughness_mean'],
            'allowed: holes': row['allowed_holes_mean'], 'left alone': row['left_alone'],
            'RMSE to the truth': mean_std_cells(row, 'truth_rmse'), 'images': row['images']}


def _line(images: list[_Image]) -> dict[str, Any]:
    if not images:
        return dict.fromkeys(COLUMNS)
    rough, holes, truth = (Distribution.of(v) for v in (
        [i.roughness for i in images], [i.holes for i in images], [i.truth_rmse for i in images]))
    parts = [_mean([getattr(i, key) for i in images if getattr(i, which)])
             for which in ('open_face', 'allowed') for key in ('roughness', 'holes')]
    known = bool(np.isfinite(truth.mean))
    return dict(zip(COLUMNS, (
        rough.mean, rough.std, holes.mean, holes.std, *parts,
        _mean([i.left_alone for i in images]), truth.mean if known else None,
        truth.std if known else None, len(images)), strict=True))


def _mean(values: list[float]) -> float | None:
    """Return the mean of the finite values, None if there are none."""
    mean = Distribution.of(values).mean
    return mean if np.isfinite(mean) else None
