# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The result of `evaluate identity`: tables, verdict, report, and what is known of face shapes."""

from __future__ import annotations

import argparse
from dataclasses import asdict
import os
from typing import Any

from face_depth_ros.evaluation.evaluation_result import Evaluation
from face_depth_ros.evaluation.identity_protocol import calibrations, IdentityScores
from face_depth_ros.evaluation.identity_report import identity_blocks
from face_depth_ros.evaluation.identity_rows import C_ID
from face_depth_ros.evaluation.identity_tables import identity_tables
from face_depth_ros.evaluation.identity_verdict import identity_verdict
from face_depth_ros.evaluation.shape_protocol import shape_result, ShapeResult


def identity_result(scores: IdentityScores, dataset: str, about: str,
                    options: argparse.Namespace) -> Evaluation:
    """
    Put everything together.

    :param dataset: what it was measured on, for the tables
    :param about: how, for the report
    """
    tables = identity_tables(scores, dataset)
    shapes, why_not = face_shapes(options)
    tables |= shapes.tables
    details = identity_details(scores) | ({'shape_tables_missing': why_not} if why_not else {})
    result = Evaluation('identity', about, tables, details=details,
                        lead=' '.join(identity_verdict(scores)))
    result.blocks = [*identity_blocks(scores, tables), *shapes.blocks]
    return result


def identity_details(scores: IdentityScores) -> dict[str, Any]:
    """Return the further entries of the JSON."""
    return {'people': scores.people, 'probes': scores.probes, 'probes_of': scores.columns,
            'photos_without_face': scores.faceless, 'load_average': os.getloadavg()[0],
            'verdict': identity_verdict(scores), 'absent': scores.absent,
            'calibrations': calibrations(scores),
            'roc': {depth: {name: row.curve for name, row in rows.items()}
                    for depth, rows in scores.rows.items()},
            'models': {name: asdict(model) for name, model in scores.models.items()}}


def face_shapes(options: argparse.Namespace) -> tuple[ShapeResult, str]:
    """Return tables and pictures of face shapes on rendered people, and why there are none."""
    if options.data != 'synthetic' or options.quick or C_ID not in options.rows:
        return ShapeResult(), f'they are of rendered people, and go with the row {C_ID}'
    shapes = shape_result(options)
    return shapes, '' if shapes.tables else (
        'the model face_shape is not there, or torch and numba, which render people')
