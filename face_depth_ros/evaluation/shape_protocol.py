# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well face shapes are reconstructed from one photo: RMSE by yaw, after the poster's tables.

A shape is compared vertex by vertex with the true one, after the similarity (rotation, shift and
one scale, core.similarity_alignment) with the least squared distance: a crop does not tell how
large a head is. The table of means also has the RMSE after a rotation and a shift alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
import importlib
import importlib.util
from pathlib import Path
import time
from typing import Any

from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.model_spec import known_models
from face_depth_ros.core.recognition_input import area_weights, nearest
from face_depth_ros.core.similarity_alignment import align_similarity, rms_distance
from face_depth_ros.evaluation.estimation_pictures import clay
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.overlay import resized
from face_depth_ros.evaluation.report import picture_grid
from face_depth_ros.predictors.estimator_methods import CropEstimates, open_estimator, OURS
from face_depth_ros.predictors.face_shape import FaceShape, shape_relief, ShapesOfFaces
import numpy as np

PEOPLE = 200
BANK = Path('runs/shape_faces/test')
JOINT = 'face_shape'
JOINT_ROW = 'joint'
ROWS = {JOINT_ROW: JOINT, 'no identification loss': 'face_shape_no_identification',
        'no disentangling': 'face_shape_no_disentangling',
        'phase II': 'face_shape_phase_2',
        'phase II, no disentangling': 'face_shape_phase_2_no_disentangling'}
"""
Rows and their models; those of the ablation are made by commands and need not be there.

The first three had the same phase III, the last two none: as we read the poster's ablation, it
compares these with the joint network.
"""
SEVERAL = 'joint, person of all photos'
"""The identity shape is the mean over all photos of the person, the residual each photo's own."""
LINEAR, MEAN_FACE = '40 modes fitted to landmarks', 'mean face'
WHOLE, PERSON = 'whole', 'identity'
_SOURCE = 'face_depth_ros.evaluation.synthetic_shapes'
_MM = 1000.0
_ESTIMATED_AT_ONCE, _TIMED = 16, 20
_SHOWN, _SHOWN_PX = 5, 192


@dataclass
class ShapeScores:
    """
    Errors of each row, in mm, a number a photo.

    :param yaw: (N,) degrees, to either side, as wanted
    :param person: (N,) int64
    :param similar: row -> part of the shape -> (N,) after a similarity
    :param rigid: the same after a rotation and a shift
    :param ms: row -> milliseconds a photo
    :param seen: some photos with their shapes, true, told, and of the person, each (S, S) relief
    """

    yaw: np.ndarray
    person: np.ndarray
    similar: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    rigid: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)
    seen: list[tuple[np.ndarray, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class ShapeResult:
    """Tables by id and blocks of HTML, both empty where shapes cannot be judged."""

    tables: dict[str, Table] = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)


def shape_tables(options: argparse.Namespace) -> dict[str, Table]:
    """Return the tables of `shape_result`."""
    return shape_result(options).tables


def shape_result(options: argparse.Namespace) -> ShapeResult:
    """
    Judge shapes on rendered people; nothing where the model or what renders is missing.

    :param options: of `evaluate identity`: backend, precision, assets, quick
    """
    wanted = ('torch', 'numba')
    if options.quick or JOINT not in known_models() or any(
            importlib.util.find_spec(name) is None for name in wanted):
        return ShapeResult()
    source = importlib.import_module(_SOURCE)
    photos = source.shape_photos(BANK, PEOPLE, options.assets)
    scores = score_shapes(photos, source, options)
    tables = tables_of(scores, f'{PEOPLE} rendered people of the test split, each at '
                               f'{len(source.YAWS)} yaws')
    return ShapeResult(tables, [shape_pictures(scores)])


def score_shapes(photos: Any, source: Any, options: argparse.Namespace) -> ShapeScores:
    """
    Reconstruct every photo by every row.

    :param photos: ShapePhotos
    :param source: the module of the photos, with its ShapeModel
    """
    estimator = open_estimator(OURS, options.backend, options.precision)
    try:
        said = [estimator.estimate(photos.color[start:start + _ESTIMATED_AT_ONCE])
                for start in range(0, len(photos), _ESTIMATED_AT_ONCE)]
    finally:
        estimator.close()
    color, mask = recognition_crops(photos.color, np.concatenate([s.mask for s in said]))
    scores = ShapeScores(np.abs(photos.yaw).round(), photos.person)
    truth: dict[str, np.ndarray] = {}
    for row, model in ROWS.items():
        if model not in known_models():
            continue
        predictor = FaceShape(model, options.backend, options.precision)
        try:
            told = predictor.reconstruct(color, mask)
            heads = source.ShapeModel(told.vertices.shape[1], options.assets)
            if not truth:
                truth = true_shapes(photos, heads)
                _add_linear(scores, heads, said, truth)
            add_row(scores, row, {WHOLE: told.vertices, PERSON: told.identity_vertices}, truth)
            scores.ms[row] = milliseconds(predictor, color[:1], mask[:1])
            if row == JOINT_ROW:
                add_row(scores, SEVERAL, of_several(told, photos.person), truth)
                _keep_some(scores, photos, color, predictor.triangles, [
                    truth[WHOLE], told.vertices, told.identity_vertices])
        finally:
            predictor.close()
    return scores


def recognition_crops(color: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Bring crops of the estimator to the recogniser's 112 pixels.

    :param color: (B, N, N, 3) uint8; mask: (B, N, N) uint8
    :returns: (B, 112, 112, 3) uint8, (B, 112, 112) uint8
    """
    weights = area_weights(color.shape[1])
    small = np.einsum('ij,bjkc,lk->bilc', weights, color.astype(np.float32), weights,
                      optimize=True)
    return (small + 0.5).astype(np.uint8), np.stack([nearest(labels) for labels in mask])


def true_shapes(photos: Any, heads: Any) -> dict[str, np.ndarray]:
    """Return what is true of each photo: the whole shape and that of the person at rest."""
    return {WHOLE: heads.shapes(photos.identity, photos.expression),
            PERSON: heads.shapes(photos.identity, np.zeros_like(photos.expression))}


def add_row(scores: ShapeScores, row: str, told: dict[str, np.ndarray],
            truth: dict[str, np.ndarray]) -> None:
    """Compare a row's shapes with the true ones; told and truth: part -> (N, V, 3) m."""
    for kind, result in (('similar', scores.similar), ('rigid', scores.rigid)):
        result[row] = {part: np.array([
            aligned_rmse_mm(a, b, scaled=kind == 'similar')
            for a, b in zip(told[part], truth[part], strict=True)]) for part in truth}


def of_several(told: ShapesOfFaces, person: np.ndarray) -> dict[str, np.ndarray]:
    """
    Return the parts of shapes with one identity shape a person; person: (N,) int64.

    :returns: part -> (N, V, 3) m
    """
    parts = {WHOLE: np.empty_like(told.vertices), PERSON: np.empty_like(told.vertices)}
    for number in np.unique(person):
        rows = person == number
        joined = told.some(rows).of_one_person()
        parts[WHOLE][rows], parts[PERSON][rows] = joined.vertices, joined.identity_vertices
    return parts


def aligned_rmse_mm(told: np.ndarray, truth: np.ndarray, scaled: bool = True) -> float:
    """
    Return the RMSE after alignment, mm.

    :param told: (V, 3) m; truth: (V, 3) m
    :param scaled: whether the alignment may scale
    """
    found = align_similarity(told, truth)
    if scaled:
        return _MM * rms_distance(found.moved(told), truth)
    # Of all rotations the same is best whatever the scale; the shift joins the centres.
    centred = (told - told.mean(axis=0)) @ found.rotation.T
    return _MM * rms_distance(centred + truth.mean(axis=0), truth)


def shape_pictures(scores: ShapeScores) -> str:
    """Return some photos beside their shapes as clay, HTML."""
    axis = (np.arange(_SHOWN_PX) + 0.5 - _SHOWN_PX / 2) * (BOX_SIDE_M / _SHOWN_PX)
    x, y = np.meshgrid(axis, axis)
    rows = [(f'photo {number}', [photo, *(clay(np.stack([x, y, z])) for z in shapes)])
            for number, (photo, *shapes) in enumerate(scores.seen, 1)]
    return picture_grid(('photo', 'true shape', 'estimated shape', 'identity shape'), rows)


def _keep_some(scores: ShapeScores, photos: Any, color: np.ndarray, triangles: np.ndarray,
               shapes: list[np.ndarray]) -> None:
    """Keep some photos and their shapes, turned as in the photo."""
    for row in np.linspace(0, len(photos) - 1, min(_SHOWN, len(photos))).astype(int):
        relief = [shape_relief(s[row], triangles, float(photos.yaw[row]), size=_SHOWN_PX)
                  for s in shapes]
        scores.seen.append((resized(color[row], _SHOWN_PX, _SHOWN_PX), *relief))


def milliseconds(predictor: FaceShape, color: np.ndarray, mask: np.ndarray) -> float:
    """Return the median time of one photo, ms."""
    times = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        predictor.reconstruct(color, mask)
        times.append(time.perf_counter() - started)
    return 1000.0 * float(np.median(times))


def tables_of(scores: ShapeScores, dataset: str) -> dict[str, Table]:
    """Return the tables: whole shapes by yaw, shapes of the person by yaw, means and times."""
    return {
        'shape_by_yaw': Table('Face shape by yaw', dataset,
                              'RMSE of all vertices in mm after a similarity', _by_yaw(
                                  scores, WHOLE)),
        'identity_shape_by_yaw': Table(
            'Identity shape by yaw', dataset,
            'RMSE against the person at rest in mm after a similarity', _by_yaw(scores, PERSON)),
        'shape_means': Table('Face shape: means', dataset, 'mm; ms a photo on this machine',
                             {row: _means(scores, row) for row in scores.similar}),
        'shape_differences': Table(
            'Face shape: the joint network against the others', dataset,
            'mm after a similarity, negative = the joint network is nearer; with the standard '
            'error over people', {row: _differences(scores, row) for row in scores.similar
                                  if row not in (JOINT_ROW, SEVERAL)})}


def _by_yaw(scores: ShapeScores, part: str) -> Rows:
    rows: Rows = {}
    for row, errors in scores.similar.items():
        columns = {f'{yaw:.0f}': float(errors[part][scores.yaw == yaw].mean())
                   for yaw in np.unique(scores.yaw)}
        # Each yaw weighs the same, as in the poster's table.
        rows[row] = {**columns, 'average': float(np.mean(list(columns.values())))}
    return rows


def _means(scores: ShapeScores, row: str) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for part in (WHOLE, PERSON):
        line[f'{part}_similarity'] = float(scores.similar[row][part].mean())
        line[f'{part}_rigid'] = float(scores.rigid[row][part].mean())
    return {**line, 'ms': scores.ms.get(row)}


def _differences(scores: ShapeScores, row: str) -> dict[str, Any]:
    """Return by how much the joint network errs more than a row, person by person."""
    line: dict[str, Any] = {}
    people, number = np.unique(scores.person, return_inverse=True)
    for part in (WHOLE, PERSON):
        more = scores.similar[JOINT_ROW][part] - scores.similar[row][part]
        mean = np.bincount(number, more) / np.bincount(number)
        line[part] = float(mean.mean())
        line[f'{part}_error'] = float(mean.std(ddof=1) / np.sqrt(len(people)))
    return line


def _add_linear(scores: ShapeScores, heads: Any, said: list[CropEstimates],
                truth: dict[str, np.ndarray]) -> None:
    """Add the linear model fitted to the estimator's landmarks, and the mean face."""
    landmarks = [s.landmarks for s in said if s.landmarks is not None]
    visibility = [s.visibility for s in said if s.visibility is not None]
    started = time.perf_counter()
    parts = [heads.fitted(points, seen) for points, seen in zip(landmarks, visibility,
                                                                 strict=True)]
    identity, expression = (np.concatenate(column) for column in zip(*parts, strict=True))
    scores.ms[LINEAR] = 1000.0 * (time.perf_counter() - started) / len(identity)
    add_row(scores, LINEAR, {WHOLE: heads.shapes(identity, expression),
                             PERSON: heads.shapes(identity, np.zeros_like(expression))}, truth)
    mean = heads.shapes(np.zeros_like(identity), np.zeros_like(expression))
    add_row(scores, MEAN_FACE, {WHOLE: mean, PERSON: mean}, truth)
