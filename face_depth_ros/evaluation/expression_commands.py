# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command of `evaluate` that measures how well expressions are told."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
import importlib
from pathlib import Path
from typing import Any

from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.command_types import add_people_options, count, SYNTHETIC
from face_depth_ros.evaluation.evaluation_result import Evaluation
from face_depth_ros.evaluation.expression_datasets import DATASETS, evaluate_dataset
from face_depth_ros.evaluation.expression_faces import (
    load_faces,
    read_parts,
)
from face_depth_ros.evaluation.expression_protocol import collect, judge, time_networks
from face_depth_ros.evaluation.expression_report import expression_result
from face_depth_ros.evaluation.expression_rows import ExpressionRows, ROWS
from face_depth_ros.evaluation.expression_views import FaceViewer
from face_depth_ros.evaluation.photo_store import first_people, holds_people
from face_depth_ros.evaluation.rendering import check_rendering
from face_depth_ros.predictors.depth_estimator import DepthEstimator
import numpy as np
from tqdm import tqdm

PEOPLE = 100
BANK = Path('runs/expression_faces')
FIXTURE = 'expression_faces.npz'
_RENDERING = 'face_depth_ros.evaluation.render_expression_faces'
_QUICK_RUNS, _RUNS = 5, 60
_ABOUT = (
    'people, shapes and skins that were not trained on. As in BU-3DFE each person shows six '
    'expressions at four levels, from the front; the other columns differ from that by one thing '
    'each: a mouth that speaks, pose to 45 degrees of yaw, something held before the face, uneven '
    'light. Light is that of any place, and a third of the photos are from a poor camera, which '
    'is harder than a laboratory. Each face goes the way of a robot: the shipped estimator tells '
    'mask and landmarks, depth is what a sensor measures.')


def expression(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Measure how well expressions are told: accuracy, confusion, neutral faces, affect."""
    with ExpressionRows(options.backend, options.precision, options.rows) as rows:
        estimator = DepthEstimator(backend=options.backend, precision=options.precision)
        try:
            viewer = FaceViewer(estimator)
            if options.quick:
                photos = first_people(load_faces(checkout_data(FIXTURE)), options.people)
                yield _on_photos([photos], 'rendered fixture', options, rows, viewer)
            elif options.data == SYNTHETIC:
                yield _on_rendered(options, rows, viewer)
            else:
                name, root = options.data
                yield evaluate_dataset(name, root, rows, viewer, options.people, _RUNS)
        finally:
            estimator.close()


def add_expression_options(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes besides --out, --quick and --backend."""
    add_people_options(command, ROWS, DATASETS, BANK)
    command.add_argument('--people', type=count(1), metavar='N',
                         help=f'people to look at (default {PEOPLE}; all of fixture and dataset)')
    command.add_argument('--all-faces', action='store_true',
                         help='let networks of ablations look at all faces too, not only at those '
                              'of the first column')
    command.set_defaults(run=expression)


def _on_rendered(options: argparse.Namespace, rows: ExpressionRows,
                 viewer: FaceViewer) -> Evaluation:
    people = options.people or PEOPLE
    if not holds_people(options.bank, people):
        _rendering().fill_bank(options.bank, people, options.assets)
    parts = read_parts(options.bank, people)
    return _on_photos(tqdm(parts, unit='part'), f'{people} rendered people of the test split',
                      options, rows, viewer)


def _on_photos(parts: Iterable[np.ndarray], dataset: str, options: argparse.Namespace,
               rows: ExpressionRows, viewer: FaceViewer) -> Evaluation:
    faces = collect(parts, viewer, rows, everything=options.quick or options.all_faces)
    scores = judge(faces, rows)
    scores.ms, scores.ratio = time_networks(rows, _QUICK_RUNS if options.quick else _RUNS)
    return expression_result(scores, dataset, f'{dataset}: {_ABOUT}')


def _rendering() -> Any:
    check_rendering('rendered faces')
    return importlib.import_module(_RENDERING)

