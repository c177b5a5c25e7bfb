# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The expression recognisers that the tables compare, opened: ours, AFNet-M, and what it loses parts.

Ours makes two rows, with measured depth and by texture alone. A row that cannot be opened (its
model is not there) is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.core.frames import Expression
from face_depth_ros.evaluation.compared_rows import ComparedRows
from face_depth_ros.evaluation.expression_views import blank_face, LookedFace
from face_depth_ros.evaluation.identity_rows import is_path
from face_depth_ros.predictors.expression_network import find_expression_model
from face_depth_ros.predictors.expression_recognizer import ExpressionRecognizer

STUDENT, FULL = 'Student', 'AFNet-M'
NO_MASK, NO_WEIGHTS = 'AFNet-M no MA', 'AFNet-M no IWC'
TEXTURE_ONLY, DEPTH_ONLY = 'AFNet-M 2D', 'AFNet-M 3D'
MODELS = {
    STUDENT: 'expression_recognizer', FULL: 'afnet_m', TEXTURE_ONLY: 'afnet_m_2d',
    DEPTH_ONLY: 'afnet_m_3d', NO_MASK: 'afnet_m_no_mask_attention',
    NO_WEIGHTS: 'afnet_m_no_importance_weights', 'AFNet-M 2D no MA': 'afnet_m_2d_no_mask',
    'AFNet-M 3D no MA': 'afnet_m_3d_no_mask', 'S1': 'afnet_m_s1', 'S2': 'afnet_m_s2',
    'S3': 'afnet_m_s3', 'S4': 'afnet_m_s4', 'Layer4': 'afnet_m_layers_4',
    'Layer234': 'afnet_m_layers_234', 'Layer1234': 'afnet_m_layers_1234'}
"""
Row -> model. MA is the mask attention, IWC the importance weights; without masks S1 to S4, other
fusions of Table II of the paper, and Layer4 and so on, where both are fused, of Figure 5.
"""
ROWS = tuple(MODELS)
WIDE = (STUDENT, FULL, TEXTURE_ONLY, DEPTH_ONLY)
"""Rows that look at all photos, as networks that somebody brings do; the others at those of the
paper's protocol alone."""
TEXTURE_ALONE = 'texture alone'


class ExpressionRows(ComparedRows[ExpressionRecognizer]):
    """
    The networks of the tables, opened and warmed up; close it, or use it with `with`.

    :param rows: which, names of `ROWS` or paths of ModelSpecs of networks that somebody brings;
        ours keep the order of `ROWS` and brought ones come after them
    :raises SettingsError: a name that is neither
    """

    def __init__(self, backend: str = 'auto', precision: str = 'auto',
                 rows: Sequence[str] = ROWS) -> None:
        self._backend, self._precision = backend, precision
        brought = dict.fromkeys(r for r in rows if is_path(r))
        super().__init__((*ROWS, *brought), rows)

    def lines(self, name: str) -> dict[str, bool]:
        """Return the rows of the tables that a network makes, and whether they look at depth."""
        if not knows_neutral(self.methods[name]):
            return {name: True}
        return {name: True, texture_row(name): False}

    def trained(self) -> dict[str, int]:
        """Return on how many faces each network was trained, repeats counted, where it is told."""
        samples = {name: r.network.spec.trained.get('samples') for name, r in self.methods.items()}
        return {name: count for name, count in samples.items() if isinstance(count, int)}

    def _open(self, name: str) -> ExpressionRecognizer:
        spec = find_expression_model(MODELS.get(name, name))
        recognizer = ExpressionRecognizer.open(str(spec.path), self._backend, self._precision)
        self._stack.callback(recognizer.close)
        look_at(recognizer, blank_face(), depth=True)
        self._describe(name, spec, recognizer.engine)
        return recognizer


def look_at(recognizer: ExpressionRecognizer, face: LookedFace, *, depth: bool) -> Expression:
    """Return what a recogniser says of one face by itself, with measured depth or without."""
    return recognizer.look(face.color, (face.detection,), face.estimated,
                           face.enhanced if depth else None)[0]


def knows_neutral(recognizer: ExpressionRecognizer) -> bool:
    """Whether a network tells neutral faces; those of the papers tell the six basic ones."""
    return int(recognizer.network.spec.outputs[0].shape[-1]) == len(EXPRESSIONS)


def texture_row(name: str) -> str:
    """Return what the row of a network without depth is called."""
    return f'{name}, {TEXTURE_ALONE}'


def is_wide(name: str) -> bool:
    """Whether a network looks at all photos."""
    return name in WIDE or name not in MODELS
