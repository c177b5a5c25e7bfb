# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Some faces of a source under every enhancer, side by side (Figs. 15 to 18 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.core.metrics import hole_share
from face_depth_ros.evaluation.enhanced_faces import EnhancedFace
from face_depth_ros.evaluation.enhancement_panels import panel
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.report import figure, image
import numpy as np

_OF_A_VARIANT = 3
_EVERY = 25
"""Of the samples of a variant, so that a recording is not shown by its first second alone."""


class FacePanels:
    """
    Pictures of a few samples of each variant, spread over the source.

    :param rows: names of the rows; those without output are not drawn
    """

    def __init__(self, rows: Sequence[str]) -> None:
        self._seen: dict[str, int] = {}
        self._rows: Rows = {}
        self._pictures: dict[str, np.ndarray] = {}

    def add(self, face: EnhancedFace) -> None:
        """Draw a sample if it is its turn."""
        sample = face.sample
        count = self._seen.get(sample.variant, 0)
        self._seen[sample.variant] = count + 1
        if count % _EVERY or count >= _OF_A_VARIANT * _EVERY:
            return
        label = f'{sample.name}, {sample.variant}'
        sources = {} if sample.color is None else {'color': sample.color}
        self._pictures[label] = panel({row: e.d for row, e in face.outputs.items()},
                                      {**sources, 'depth': face.d}, sample.mask)
        self._rows[label] = {
            'nearest_m': round(face.slab.nearest, 3),
            'holes_percent': 100.0 * hole_share(sample.depth, sample.mask)}

    def tables(self, dataset: str) -> dict[str, Table]:
        """Return what is shown, by id."""
        return {'panels': Table('Faces under every enhancer', dataset,
                                'metres; percent of the face area', self._rows)}

    def blocks(self) -> list[str]:
        """Return the pictures as HTML."""
        return [figure(image(picture, f'{label} under every enhancer'),
                       f'{label}: nearest point at {self._rows[label]["nearest_m"]:.2f} m, '
                       f'{self._rows[label]["holes_percent"]:.1f} % holes; masked to the face '
                       'area, dark: holes.') for label, picture in self._pictures.items()]
