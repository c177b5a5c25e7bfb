# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command of `evaluate` that compares estimators of depth, mask and landmarks from colour."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import asdict
import importlib
import logging
import os
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.model_spec import PRECISIONS
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.estimation_bag import estimation_of_bag
from face_depth_ros.evaluation.estimation_protocol import (
    EstimationScores,
    score_estimators,
    time_networks,
)
from face_depth_ros.evaluation.estimation_report import estimation_blocks
from face_depth_ros.evaluation.estimation_tables import estimation_tables
from face_depth_ros.evaluation.estimation_verdict import orders, verdict
from face_depth_ros.evaluation.estimator_rows import EstimatorRows, ROWS
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table
from face_depth_ros.evaluation.face_photo_samples import FaceSample, load_faces
from face_depth_ros.evaluation.rendering import check_rendering
from face_depth_ros.evaluation.verification_protocol import TRUE_DEPTH, verification_tables
import numpy as np
from tqdm import tqdm

_LOG = logging.getLogger(__name__)
SYNTHETIC = 'synthetic'
FACES, FACES_EACH_NEGATIVE = 2000, 10
BANK = Path('runs/face_photos/test')
FIXTURE = 'face_photos.npz'
_SYNTHESIS = 'face_depth_ros.evaluation.render_face_photos'
_VERIFICATION = 'face_verification'
_TIMED_CROPS = 8
_QUICK_RUNS, _RUNS = 5, 60


def estimation(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Compare estimators of depth, mask and landmarks from colour."""
    with EstimatorRows(options.backend, options.precision, options.rows) as rows:
        if options.quick:
            stored = load_faces(checkout_data(FIXTURE), options.faces)
            yield _on_photos(stored.samples, stored.negatives, 'rendered fixture', options, rows)
        elif options.data == SYNTHETIC:
            yield _on_rendered(options, rows)
        else:
            yield estimation_of_bag(
                Path(options.data), rows.methods, options.out, reference=options.reference,
                backend=options.backend, precision=options.precision, limit=options.faces,
                absent=rows.absent)


def add_estimation_options(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes besides --out, --quick and --backend."""
    command.add_argument('--data', default=SYNTHETIC, metavar='synthetic|BAG',
                         help='rendered faces (the default), or a recording with depth')
    command.add_argument('--faces', type=_count, metavar='N',
                         help=f'faces to estimate (default {FACES}; all of the fixture or bag)')
    command.add_argument('--reference', type=Path, metavar='FILE.npz',
                         help='true depth of the bag; default: ../reference beside it')
    command.add_argument('--bank', type=Path, default=BANK, metavar='DIR',
                         help='rendered test faces; what is missing is rendered into it')
    command.add_argument('--workers', type=_count, default=1, metavar='N',
                         help='processes that render')
    command.add_argument('--rows', type=row_names, default=ROWS, metavar='A,B,C',
                         help='compare these estimators alone')
    command.add_argument('--assets', default='', metavar='DIR',
                         help='head assets; default: FACE_DEPTH_ASSETS or the known places')
    command.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')
    command.set_defaults(run=estimation)


def row_names(text: str) -> tuple[str, ...]:
    """Return the rows named on the command line, by commas."""
    names = tuple(name.strip() for name in text.split(',') if name.strip())
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f'{", ".join(unknown) or "nothing"} is no row, expected some of {", ".join(ROWS)}')
    return names


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is no number of at least 1')
    return int(text)


def _on_rendered(options: argparse.Namespace, rows: EstimatorRows) -> Evaluation:
    count, synthesis = options.faces or FACES, _synthesis()
    synthesis.fill_bank(options.bank, count, options.assets, options.workers)
    photos = synthesis.RenderedPhotos(options.bank, options.assets)
    samples = tqdm(photos.samples(count), total=count, unit='face')
    return _on_photos(samples, photos.negatives(max(1, count // FACES_EACH_NEGATIVE)),
                      f'{count} rendered faces of the test split', options, rows)


def _on_photos(samples: Iterable[FaceSample], negatives: Iterable[np.ndarray], dataset: str,
               options: argparse.Namespace, rows: EstimatorRows) -> Evaluation:
    scores = score_estimators(samples, rows, negatives)
    time_networks(rows, scores, [s.photo.color for s, _ in scores.pictures.values()][
        :_TIMED_CROPS], _QUICK_RUNS if options.quick else _RUNS)
    tables = estimation_tables(scores, dataset)
    details = _details(scores, options)
    try:
        verified = _verification(scores, dataset)
    except FaceDepthError as error:
        verified, details['face_verification_missing'] = {}, str(error)
        _LOG.warning('no face verification: %s', error)
    tables |= verified
    accuracy = {name: float(row['accuracy']) for name, row in verified[_VERIFICATION].rows.items()
                if name != TRUE_DEPTH} if verified else {}
    details['orders'] = orders(scores, accuracy)
    result = Evaluation(
        'estimation',
        f'{dataset}: people, blends of skins and views that were not trained on, with '
        'backgrounds, light, occluders and cameras as in training; every person comes four '
        'times. Every row sees the same 256 x 256 crop at its own resolution, boxes off by what a '
        "detector errs. The papers' networks see and say grey depth images; their relief in mm "
        'follows from the grey levels.',
        tables, details=details, lead=' '.join(verdict(scores, accuracy)))
    result.blocks = estimation_blocks(scores, tables, accuracy,
                                      details.get('face_verification_missing', ''))
    return result


def _verification(scores: EstimationScores, dataset: str) -> dict[str, Table]:
    """Compare people by their estimated depth; the tables of the paper's face verification."""
    return verification_tables(
        scores.truth, {name: row.images for name, row in scores.rows.items()},
        np.array(scores.identities), np.array(scores.angles), covered=np.array(scores.covered),
        dataset=dataset)


def _details(scores: EstimationScores, options: argparse.Namespace) -> dict[str, Any]:
    return {'faces': scores.faces, 'people': len(set(scores.identities)),
            'photos_without_face': scores.faceless,
            'faces_without_common_area': scores.apart,
            'load_average': os.getloadavg()[0],
            'absent': scores.absent,
            'rows_left_out': [name for name in ROWS if name not in options.rows],
            'models': {name: asdict(model) for name, model in scores.models.items()}}


def _synthesis() -> Any:
    check_rendering('rendered faces')
    return importlib.import_module(_SYNTHESIS)

