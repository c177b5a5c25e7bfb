# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How far enhancement moves what was measured, on open faces and on covered ones.

Protocol: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section
IV.F and Table VI: RMSE between input and output over the face area outside the holes of the
input, percent of 25 cm, mean and sample standard deviation over images. An enhancer that imagines
a face over a hand or a sheet of paper shows in the columns of the covered faces. A measured pixel
that an enhancer turns into a hole counts as moved to the end of the 25 cm.
"""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.core.metrics import Distribution, rmse
from face_depth_ros.evaluation.enhanced_faces import EnhancedFace
from face_depth_ros.evaluation.enhancer_rows import LEARNED_ROWS, OURS
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.grouped_bars import grouped_bars
from face_depth_ros.evaluation.real_faces import VARIANTS
from face_depth_ros.evaluation.report import figure, paragraph, table
from face_depth_ros.evaluation.spread import mean_std_cells

_PERCENT = 100.0


class FalsificationScores:
    """
    Table VI over any number of samples; variants other than `VARIANTS` are not counted.

    :param rows: names of the rows, in their order
    """

    def __init__(self, rows: Sequence[str]) -> None:
        self._values: dict[str, dict[str, list[float]]] = {
            name: {variant: [] for variant in VARIANTS} for name in rows}

    def add(self, face: EnhancedFace) -> None:
        """Count one sample."""
        measured = face.sample.mask & (face.d < 1.0)
        if face.sample.variant not in VARIANTS or not measured.any():
            return
        for name, output in face.outputs.items():
            self._values[name][face.sample.variant].append(
                _PERCENT * rmse(output.d, face.d, measured))

    @property
    def images(self) -> int:
        """Return how many samples were counted."""
        return max(sum(map(len, by_variant.values())) for by_variant in self._values.values())

    def rows(self) -> Rows:
        """Return the table; a row whose enhancer is absent has empty cells."""
        rows: Rows = {}
        for name, by_variant in self._values.items():
            row = rows[name] = {}
            for variant, values in by_variant.items():
                shape = Distribution.of(values)
                row[f'{variant}_mean'] = shape.mean if values else None
                row[f'{variant}_std'] = shape.std if values else None
            row['images'] = sum(map(len, by_variant.values())) or None
        return rows

    def lowest_learned(self) -> dict[str, str]:
        """Return the learned row of least mean for each variant that has samples."""
        rows = self.rows()
        best: dict[str, str] = {}
        for variant in VARIANTS:
            means = {name: rows[name][f'{variant}_mean'] for name in LEARNED_ROWS
                     if name in rows and rows[name][f'{variant}_mean'] is not None}
            if means:
                best[variant] = min(means, key=lambda name: means[name])
        return best

    def tables(self, dataset: str) -> dict[str, Table]:
        """Return the table by id, only if there are samples."""
        return {'falsification': Table('Falsification of measured depth', dataset,
                                       'RMSE input to output, percent of 25 cm',
                                       self.rows())} if self.images else {}

    def blocks(self) -> list[str]:
        """Return the HTML: bars of the learned rows and the table in the form of the paper."""
        rows = self.rows()
        shown = {name: {variant: mean_std_cells(row, variant) for variant in VARIANTS}
                 | {'images': row['images']} for name, row in rows.items()}
        learned = {name: {variant: rows[name][f'{variant}_mean'] for variant in VARIANTS}
                   for name in LEARNED_ROWS if name in rows and rows[name]['images']}
        shown_variants = [v for v in VARIANTS if any(r[v] is not None for r in learned.values())]
        bars = [figure(grouped_bars(learned, shown_variants, '% of 25 cm', OURS),
                       'Falsification by the learned enhancers: open faces, a hand over the '
                       'mouth, paper over one side. Lower is better.')] if shown_variants else []
        best = self.lowest_learned()
        words = ', '.join(f'{variant} {name}' for variant, name in best.items())
        verdict = [paragraph(f'Least falsification of the learned enhancers: {words}.')
                   ] if best else []
        units = dict.fromkeys(VARIANTS, '% of 25 cm')
        return [*verdict, *bars, table(shown, 'enhancer', OURS, units),
                paragraph('Mean (sample standard deviation) over images of the RMSE between input '
                          'and output in the face area, outside the holes of the input. Filters '
                          'change little by nature: the comparison is among the learned ones.',
                          'note')]
