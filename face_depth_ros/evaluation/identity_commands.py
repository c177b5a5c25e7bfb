# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command of `evaluate` that measures how well people are told apart."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
import importlib
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.command_types import add_people_options, count, SYNTHETIC
from face_depth_ros.evaluation.evaluation_result import Evaluation
from face_depth_ros.evaluation.identity_datasets import DATASETS, evaluate_dataset, PAIRED
from face_depth_ros.evaluation.identity_faces import CONDITIONS, load_faces, read_parts
from face_depth_ros.evaluation.identity_protocol import (
    collect,
    condition_settings,
    FaceBatch,
    judge,
    time_networks,
)
from face_depth_ros.evaluation.identity_result import check_networks, identity_result
from face_depth_ros.evaluation.identity_rows import IdentityRows, ROWS
from face_depth_ros.evaluation.identity_views import ESTIMATED, FaceLooker, MEASURED
from face_depth_ros.evaluation.photo_store import first_people, holds_people
from face_depth_ros.evaluation.rendering import check_rendering
from face_depth_ros.predictors.estimator_methods import open_estimator, OURS
from face_depth_ros.predictors.face_embedder import FaceView
import numpy as np
from tqdm import tqdm

PEOPLE = 500
BANK = Path('runs/identity_faces/test')
FIXTURE = 'identity_faces.npz'
BATCH = 16
_RENDERING = 'face_depth_ros.evaluation.render_identity_faces'
_QUICK_RUNS, _RUNS = 5, 100
_ABOUT = (
    'people, shapes and skins that were not trained on. As in Lock3DFace the gallery has one '
    'neutral, frontal photo of each person and the probes differ from it by one thing each: '
    'expression, pose to 60 degrees of yaw, occlusion; those of the second session in light, '
    'camera, hair, glasses, expression and pose at once. Mask and relief are what the shipped '
    'estimator says of the same box.')


def identity(options: argparse.Namespace) -> Iterator[Evaluation]:
    """Measure how well people are told apart: identification and verification."""
    _check_options(options)
    with IdentityRows(options.backend, options.precision, options.rows) as rows:
        check_networks(rows)
        estimator = open_estimator(OURS, options.backend, options.precision)
        try:
            looker = FaceLooker(estimator, any(n.five_points for n in rows.methods.values()))
            if options.quick:
                photos = first_people(load_faces(checkout_data(FIXTURE)), options.people)
                yield _on_photos([photos], 'rendered fixture', options, rows, looker)
            elif options.data == SYNTHETIC:
                yield _on_rendered(options, rows, looker)
            else:
                name, root = options.data
                yield evaluate_dataset(name, root, rows, looker, options)
        finally:
            estimator.close()


def add_identity_options(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes besides --out, --quick and --backend."""
    add_people_options(command, ROWS, DATASETS, BANK)
    command.add_argument('--people', type=count(2), metavar='N',
                         help=f'people to tell apart (default {PEOPLE}; all of the fixture)')
    command.set_defaults(run=identity)


def _check_options(options: argparse.Namespace) -> None:
    """
    Check what the options say together.

    :raises SettingsError: they contradict each other
    """
    if options.data == SYNTHETIC:
        return
    name, root = options.data
    if options.quick:
        raise SettingsError(f'--quick measures on the fixture of the checkout, got --data '
                            f'{name}:{root} too; leave one of them out')
    if options.people is not None and name in PAIRED:
        raise SettingsError(f'--people {options.people} chooses among galleries and probes, but '
                            f'{name} compares the pairs of its list, all of them; leave it out')


def _on_rendered(options: argparse.Namespace, rows: IdentityRows,
                 looker: FaceLooker) -> Evaluation:
    people = options.people or PEOPLE
    if not holds_people(options.bank, people):
        _rendering().fill_bank(options.bank, people, options.assets)
    parts = read_parts(options.bank, people)
    return _on_photos(tqdm(parts, unit='part'), f'{people} rendered people of the test split',
                      options, rows, looker)


def _on_photos(parts: Iterable[np.ndarray], dataset: str, options: argparse.Namespace,
               rows: IdentityRows, looker: FaceLooker) -> Evaluation:
    typical: dict[str, FaceView] = {}
    faces = collect(_batches(parts, looker, typical), rows)
    check_networks(rows, faces)
    scores = judge(faces, condition_settings(faces.kinds, CONDITIONS[1:]), rows)
    scores.ms = time_networks(rows, typical, _QUICK_RUNS if options.quick else _RUNS)
    return identity_result(scores, dataset, f'{dataset}: {_ABOUT}', options)


def _batches(parts: Iterable[np.ndarray], looker: FaceLooker,
             typical: dict[str, FaceView]) -> Iterator[FaceBatch]:
    """Look at all photos; the first face with each depth is added to `typical`."""
    for photos in parts:
        for start in range(0, len(photos), BATCH):
            some = photos[start:start + BATCH]
            seen = looker.look(some['color'], some['relief'].astype(np.float32), list(
                zip(some['position'], some['camera'], strict=True)))
            if not typical and seen.measured:
                typical.update({ESTIMATED: seen.estimated[0], MEASURED: seen.measured[0]})
            yield FaceBatch(seen, some['person'].tolist(),
                            [CONDITIONS[c] for c in some['condition']], some['yaw'].tolist())


def _rendering() -> Any:
    check_rendering('rendered faces')
    return importlib.import_module(_RENDERING)

