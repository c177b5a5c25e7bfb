# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The part of `evaluate estimation` on real frames: tables, pictures and a verdict for a bag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from face_depth_ros.core.face_photo import CROP_PX, MASK_LABELS, MASK_RGB, relief_to_grey
from face_depth_ros.core.frames import EstimatedDepth
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.estimation_distance import distance_rows, Estimator
from face_depth_ros.evaluation.estimation_faces import real_faces, RealFace, RealFaces
from face_depth_ros.evaluation.estimation_landmarks import wandering_rows
from face_depth_ros.evaluation.estimation_pictures import face_strip, save_strip, spread_faces
from face_depth_ros.evaluation.estimation_real import (
    GOAL_MM,
    RealScores,
    score_faces,
    verdict,
)
from face_depth_ros.evaluation.estimator_rows import (
    Estimate,
    EstimatedFace,
    MEAN_FACE,
    NETWORK_ROWS,
    OURS,
)
from face_depth_ros.evaluation.evaluation_result import Evaluation, Rows, Table
from face_depth_ros.evaluation.report import figure, image, paragraph, table
from face_depth_ros.evaluation.surface_viewer import surface_viewer, SurfaceView
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.estimator_methods import NODE_ESTIMATORS
import numpy as np

PROTOCOL = 'estimation_real'
FLAT = 'Flat'
"""A plane facing the camera: what the numbers of the others are to be read against."""
PICTURES = 9
_WANDERING = (
    "Landmarks are lifted by the sensor's depth and taken to the head by the reference's poses: "
    'mm from their median place over all frames. Nobody marked where they should be. The mean '
    'face has its landmarks at the same pixels of every crop.')
_AFTER = 'depth estimated by ours from colour and intrinsics, as published'
_UNITS = {'within_6_mm': 'share of frames', 'coverage': 'share of area', 'turn_deg': 'median',
          'scale': 'median', 'common': 'all rows', 'depth_alone': 'z after similarity'}


def estimation_of_bag(path: Path, rows: Mapping[str, Estimate], out: Path, *,
                      estimators: Mapping[str, Callable[[], Estimator]] | None = None,
                      reference: Path | None = None, backend: str = 'auto',
                      precision: str = 'auto', limit: int | None = None,
                      absent: Mapping[str, str] | None = None) -> Evaluation:
    """
    Judge estimators on the faces of a bag.

    :param rows: what is compared, by row; 'Ours' and 'Mean face' are what the verdict is about
    :param out: pictures go into its folder estimation_real/
    :param estimators: whose metric depth is judged too, by name; None = those of the rows that
        the node has
    :param absent: rows that could not be run, with the reason
    :raises BagError: the bag has no face with depth, or no camera_info
    """
    found = real_faces(path, reference, backend=backend, precision=precision, limit=limit)
    looks = _Looks(spread_faces(found.faces, PICTURES), out / PROTOCOL, tuple(rows))
    scores = score_faces(found.faces, {FLAT: _flat, **rows}, looks.see, len(found.missed))
    if estimators is None:
        estimators = {row: partial(DepthEstimator, model, backend, precision)
                      for row, model in NETWORK_ROWS.items()
                      if row in rows and model in NODE_ESTIMATORS}
    metric = distance_rows(found.faces, dict(estimators), looks.see_published)
    wandering = wandering_rows(found.faces, looks.landmarks)
    name = '/'.join(path.absolute().parts[-2:])
    with Bag(path) as bag:
        digest = bag.sha256()
    result = Evaluation(
        PROTOCOL, _about(found, name), _tables(scores, metric, wandering, name),
        details={'absent': dict(absent or {}), 'input_sha256': digest, 'frames': found.frames,
                 'missed_frames': found.missed, 'goal_mm': GOAL_MM,
                 'frames_rmse_mm': {row: [None if np.isnan(v) else round(float(v), 3)
                                          for v in scores.values(row)] for row in scores.errors},
                 'frames_index': [face.index for face in found.faces]},
        lead=' '.join(verdict(scores)))
    result.blocks = _blocks(result.tables, scores, looks)
    return result


class _Looks:
    """
    Keeps what is to be looked at while faces are judged.

    :param shown: faces to be drawn
    :param folder: for the pictures
    :param rows: rows whose landmarks are kept
    """

    def __init__(self, shown: list[RealFace], folder: Path, rows: tuple[str, ...]) -> None:
        self._shown, self._folder = {id(face) for face in shown}, folder
        self._main = OURS if OURS in rows else rows[0] if rows else ''
        self.strips: dict[str, np.ndarray] = {}
        self.surfaces: list[SurfaceView] = []
        self.landmarks: dict[str, list[np.ndarray | None]] = {name: [] for name in rows}

    def see(self, face: RealFace, views: dict[str, EstimatedFace]) -> None:
        """Look at what the rows say of a face."""
        for name, kept in self.landmarks.items():
            kept.append(views[name].landmarks)
        if id(face) not in self._shown or self._main not in views:
            return
        others = {name: views[name] for name in (MEAN_FACE,)
                  if name in views and name != self._main}
        self.strips[face.name] = face_strip(face, views[self._main], others)
        save_strip(self._folder, f'frame_{face.index:04d}', self.strips[face.name])

    def see_published(self, name: str, face: RealFace, result: EstimatedDepth) -> None:
        """Look at what an estimator publishes for a face."""
        frame = face.frame
        if (id(face) in self._shown and name == OURS and frame.color is not None
                and frame.depth is not None and frame.intrinsics is not None):
            self.surfaces.append(SurfaceView(face.name, frame.color, frame.depth, result.depth,
                                             face.detection.box, frame.intrinsics))


def _tables(scores: RealScores, metric: Rows, wandering: Rows, name: str) -> dict[str, Table]:
    tables = {'shape': Table('Shape of real faces from colour alone', name,
                             'mm after a similarity; shares; degrees', scores.rows())}
    by_yaw = scores.yaw_rows()
    if by_yaw:
        tables['yaw'] = Table('The same by yaw', name, 'mm after a similarity', by_yaw)
    if metric:
        tables['distance'] = Table('Metric depth as published, not aligned', name,
                                   'mm; shares', metric)
    if wandering:
        tables['landmarks'] = Table('How far landmarks wander on the rigid head', name,
                                    'mm, median; percent of the box', wandering)
    return tables


def _about(found: RealFaces, name: str) -> str:
    return (f'{len(found.faces)} of {found.frames} frames of {name} with a detected face. '
            f'{found.yaw_note} {found.area_note} Estimate and sensor are lifted to points at the '
            'same pixels of the face area; rotation, shift and scale are fitted by least '
            f'squares; the error is the distance that is left. {FLAT} is a plane facing the '
            'camera.')


def _blocks(tables: Mapping[str, Table], scores: RealScores, looks: _Looks) -> list[str]:
    blocks = [table(tables['shape'].rows, '', OURS, _UNITS)]
    if 'yaw' in tables:
        blocks += ['<h3>By yaw</h3>', table(tables['yaw'].rows, '', OURS)]
        order = np.argsort(scores.yaws)
        series = {row: scores.values(row)[order].tolist()
                  for row in (MEAN_FACE, OURS, FLAT) if row in scores.errors}
        blocks.append(figure(
            plots.lines(np.array(scores.yaws)[order].tolist(), series, 'yaw, degrees',
                        'RMSE, mm'), 'Error of the shape over the yaw of the head.'))
    if 'distance' in tables:
        blocks += ['<h3>Metric depth</h3>', table(tables['distance'].rows, '')]
    if 'landmarks' in tables:
        blocks += ['<h3>How far landmarks wander on the head</h3>', paragraph(_WANDERING, 'note'),
                   table(tables['landmarks'].rows, '', OURS)]
    if looks.strips:
        blocks += ['<h3>Faces</h3>', _legend()]
        blocks += [figure(image(strip, f'{name} as estimated'), f'{name}.')
                   for name, strip in looks.strips.items()]
    if looks.surfaces:
        blocks += ['<h3>Surfaces to be turned</h3>', surface_viewer(looks.surfaces, _AFTER)]
    return blocks


def _legend() -> str:
    classes = ''.join(
        f'<span><i style="background:rgb{rgb}"></i>{label}</span>'
        for label, rgb in list(zip(MASK_LABELS, MASK_RGB, strict=True))[1:])
    return f'<p class="legend">{classes}</p>'


def _flat(color: np.ndarray) -> EstimatedFace:
    relief = np.zeros((CROP_PX, CROP_PX), np.float32)
    return EstimatedFace(relief, relief_to_grey(relief), np.ones(relief.shape, np.uint8))
