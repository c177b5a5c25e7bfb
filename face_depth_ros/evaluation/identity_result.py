# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The result of `evaluate identity`: tables, verdict, report, and what is known of face shapes."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
import json
import os
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.identity_metrics import LEAST_GENUINE, LEAST_IMPOSTOR
from face_depth_ros.evaluation.evaluation_result import Evaluation
from face_depth_ros.evaluation.identity_protocol import (
    calibrations,
    Collected,
    HELD,
    IdentityScores,
)
from face_depth_ros.evaluation.identity_report import identity_blocks
from face_depth_ros.evaluation.identity_rows import C_ID, IdentityRows, is_path
from face_depth_ros.evaluation.identity_tables import identity_tables
from face_depth_ros.evaluation.identity_verdict import identity_verdict
from face_depth_ros.evaluation.identity_views import MEASURED
from face_depth_ros.evaluation.replay_summary import to_json
from face_depth_ros.evaluation.shape_protocol import shape_result, ShapeResult
import numpy as np
import yaml


def identity_result(scores: IdentityScores, dataset: str, about: str,
                    options: argparse.Namespace, measured: str = '') -> Evaluation:
    """
    Put everything together.

    :param dataset: what it was measured on, for the tables
    :param about: how, for the report
    :param measured: what the tables with measured depth say besides
    """
    tables = identity_tables(scores, dataset)
    if measured:
        tables |= {key: replace(table, dataset=f'{table.dataset}; {measured}')
                   for key, table in tables.items() if key.endswith(f'_{MEASURED}')}
    shapes, why_not = face_shapes(options)
    tables |= shapes.tables
    details = identity_details(scores) | ({'shape_tables_missing': why_not} if why_not else {})
    result = Evaluation('identity', about, tables, details=details,
                        lead=' '.join(identity_verdict(scores)),
                        remarks=calibration_remarks(scores))
    result.blocks = [*identity_blocks(scores, tables), *shapes.blocks]
    return result


def identity_details(scores: IdentityScores) -> dict[str, Any]:
    """Return the further entries of the JSON."""
    return {'people': scores.people, 'probes': scores.probes, 'probes_of': scores.columns,
            'photos_without_face': scores.faceless, 'load_average': os.getloadavg()[0],
            'verdict': identity_verdict(scores), 'absent': scores.absent,
            'calibrations': calibrations(scores),
            'modalities': {depth: {name: row.modalities for name, row in rows.items()}
                           for depth, rows in scores.rows.items()},
            'roc': {depth: {name: row.curve for name, row in rows.items()}
                    for depth, rows in scores.rows.items()},
            'models': {name: asdict(model) for name, model in scores.models.items()}}


def calibration_remarks(scores: IdentityScores) -> list[str]:
    """Return what the specs of networks that somebody brings need, in YAML."""
    measured, remarks = calibrations(scores), []
    for name in dict.fromkeys(n for n in scores.network_of.values() if is_path(n)):
        if name not in measured:
            remarks.append(f'{name} has no calibration: it takes {LEAST_GENUINE} pairs of one '
                           f'person and {LEAST_IMPOSTOR} of two that say something, the first '
                           f'more alike; there are {scores.genuine} and {scores.impostor}\n')
            continue
        content = {'limits': {'calibration': json.loads(to_json(measured[name]))}}
        remarks.append(f'The calibration of {name}, for its spec:\n'
                       f'{yaml.safe_dump(content, sort_keys=False)}')
    return remarks


def check_networks(rows: IdentityRows, faces: Collected | None = None) -> None:
    """
    Note among the absent networks those that say nothing of any face.

    :param faces: that they embedded; None = none yet
    :raises SettingsError: no network is left; the message has the reasons
    """
    if faces is not None:
        for name, found in faces.vectors.items():
            if not any((np.linalg.norm(part, axis=1) > HELD).any()
                       for parts in found.values() for part in parts):
                rows.absent[name] = (
                    f'the network says nothing of any of {len(faces.persons)} faces, all its '
                    'embeddings are 0 or not finite; check its ONNX file, and mean and std in its '
                    'spec')
    if set(rows.methods) <= set(rows.absent):
        raise SettingsError('no network is left to compare, nothing was written: ' + '; '.join(
            f'{name}: {reason}' for name, reason in rows.absent.items()))


def face_shapes(options: argparse.Namespace) -> tuple[ShapeResult, str]:
    """Return tables and pictures of face shapes on rendered people, and why there are none."""
    if options.data != 'synthetic' or options.quick or C_ID not in options.rows:
        return ShapeResult(), f'they are of rendered people, and go with the row {C_ID}'
    shapes = shape_result(options)
    return shapes, '' if shapes.tables else (
        'the model face_shape is not there, or torch and numba, which render people')
