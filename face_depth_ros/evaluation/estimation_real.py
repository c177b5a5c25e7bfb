# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth estimated from real colour images against the sensor's depth.

Both are lifted to points at the same pixels, the estimate at the distance at which its box
measures 22 cm. A similarity (rotation, shift and one scale by least squares) brings the estimate
onto the sensor's points; what remains is the error of the shape: the root mean square distance in
mm. All rows are judged on the same face area (see estimation_faces); how much of it a row says
something about is its coverage, and the column `common` counts only what all rows say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from face_depth_ros.core.face_box import transform_points
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.core.face_placement import along_ray, place_by_box
from face_depth_ros.core.similarity_alignment import (
    align_similarity,
    depth_offset,
    depth_scale_and_offset,
    rms_distance,
    Similarity,
)
from face_depth_ros.evaluation.estimation_faces import intrinsics_of, RealFace
from face_depth_ros.evaluation.estimator_rows import Estimate, EstimatedFace, MEAN_FACE, OURS
from face_depth_ros.evaluation.evaluation_result import Rows
import numpy as np

GOAL_MM = 6.0
"""Largest RMSE after a similarity that ours is to have."""
GOAL_GAIN = 0.25
"""Least share by which ours is to be better than the mean face."""
LEAST_COVERAGE = 0.8
"""Share of the face area that a row must say something about to be within the goal."""
YAW_BINS = ((0, 15), (15, 30), (30, 45), (45, 60))
"""Degrees to either side."""
SHAPE_COLUMNS = ('mean', 'median', 'p90', 'within_6_mm', 'coverage', 'common', 'depth_alone',
                 'offset_scale', 'offset', 'own_mask', 'turn_deg', 'scale')
_LEAST_PIXELS = 100
_FLAT_M = 1e-5


@dataclass(frozen=True)
class ShapeError:
    """
    One row on one face, mm; NaN where the row says too little.

    :param rmse: distance of points after a similarity, in the face area
    :param common: the same where all rows say something
    :param depth_alone: what of `rmse` lies along the optical axis
    :param offset_scale: depth after the best scale and offset
    :param offset: depth after the best offset
    :param own_mask: as `rmse`, wherever the row says something and the sensor measures
    :param coverage: share of the face area that the row says something about
    :param distance: median of the placed estimate minus the sensor's depth, no alignment
    :param similarity: from the estimate to the sensor, or None
    """

    rmse: float = float('nan')
    common: float = float('nan')
    depth_alone: float = float('nan')
    offset_scale: float = float('nan')
    offset: float = float('nan')
    own_mask: float = float('nan')
    coverage: float = 0.0
    distance: float = float('nan')
    similarity: Similarity | None = None


@dataclass
class RealScores:
    """
    All rows on all faces.

    :param errors: by row, one for each face
    :param yaws: degrees, NaN where nobody knows
    :param lost: frames without a face, which no row could judge
    """

    errors: dict[str, list[ShapeError]]
    yaws: list[float] = field(default_factory=list)
    lost: int = 0

    def values(self, row: str, column: str = 'rmse') -> np.ndarray:
        """Return a column of a row, one number for each face."""
        return np.array([getattr(e, column) for e in self.errors[row]], np.float64)

    def mean(self, row: str) -> float:
        """Return the mean RMSE, mm; NaN where the row says nothing of any face."""
        return _mean(self.values(row))

    def rows(self) -> Rows:
        """Return the main table, mm and shares."""
        return {row: self._columns(row) for row in self.errors}

    def yaw_rows(self) -> Rows:
        """Return the mean RMSE by yaw, mm; empty where yaw is not known."""
        yaw = np.abs(self.yaws)
        bins = {f'{low} to {high}\N{DEGREE SIGN}': (yaw >= low) & (yaw <= high if high == YAW_BINS[
            -1][1] else yaw < high) for low, high in YAW_BINS}
        bins = {name: inside for name, inside in bins.items() if inside.any()}
        if not bins:
            return {}
        rows: Rows = {'frames': {name: int(inside.sum()) for name, inside in bins.items()}}
        return rows | {row: {name: _known(_mean(self.values(row)[inside]))
                             for name, inside in bins.items()} for row in self.errors}

    def _columns(self, row: str) -> dict[str, float | None]:
        rmse, coverage = self.values(row), self.values(row, 'coverage')
        finite = rmse[np.isfinite(rmse)]
        with np.errstate(invalid='ignore'):
            good = (rmse <= GOAL_MM) & (coverage >= LEAST_COVERAGE)
        moves = [e.similarity for e in self.errors[row] if e.similarity is not None]
        numbers = (
            _mean(rmse), _median(finite), float(np.percentile(finite, 90)) if finite.size else
            float('nan'), good.sum() / max(len(rmse) + self.lost, 1), _mean(coverage),
            *(_mean(self.values(row, c)) for c in SHAPE_COLUMNS[5:10]),
            _median(np.degrees([m.turn for m in moves])), _median(np.array([m.scale
                                                                            for m in moves])))
        return {c: _known(float(v)) for c, v in zip(SHAPE_COLUMNS, numbers, strict=True)}


def score_faces(faces: list[RealFace], rows: Mapping[str, Estimate],
                see: Callable[[RealFace, dict[str, EstimatedFace]], None] | None = None,
                lost: int = 0) -> RealScores:
    """
    Let every row estimate every face.

    :param see: is shown each face with what the rows say of it
    :param lost: frames without a face
    """
    scores = RealScores({name: [] for name in rows}, lost=lost)
    for face in faces:
        views = {name: row(face.color) for name, row in rows.items()}
        scores.yaws.append(float('nan') if face.yaw_deg is None else face.yaw_deg)
        for name, error in shape_errors(face, views).items():
            scores.errors[name].append(error)
        if see is not None:
            see(face, views)
    return scores


def shape_errors(face: RealFace, views: Mapping[str, EstimatedFace]) -> dict[str, ShapeError]:
    """Judge what the rows say of one face."""
    points = {name: placed_points(face, view.relief) for name, view in views.items()}
    known = {name: np.isfinite(p[2]) for name, p in points.items()}
    common = face.area & np.logical_and.reduce([k for k in known.values() if k.any()] or [
        np.zeros_like(face.area)])
    return {name: _shape_error(face, points[name], common) for name in views}


def placed_points(face: RealFace, relief: np.ndarray) -> np.ndarray:
    """
    Lift an estimate without any sensor: at the distance at which the box measures 22 cm.

    :param relief: (256, 256) metres behind the head point, NaN where the row sees no face
    :returns: metres, (3, 256, 256) float32, NaN where the row says nothing
    """
    along = rays_of(face)
    depth = (relief + place_by_box(face.detection.box, intrinsics_of(face)).distance_m) / along
    return face.camera.points(depth.astype(np.float32))


def rays_of(face: RealFace) -> np.ndarray:
    """Return how far along the ray to the head point a depth of 1 reaches, (256, 256)."""
    ys, xs = np.mgrid[:CROP_PX, :CROP_PX] + 0.5
    box = face.detection.box
    pixels = transform_points(box.image_from_crop(CROP_PX), np.stack([xs, ys], axis=2))
    return along_ray(box, intrinsics_of(face), pixels)


def aligned_depth_error(face: RealFace, relief: np.ndarray) -> np.ndarray:
    """
    Return the depth of each point after the similarity of the face area, minus the sensor's.

    :returns: (256, 256) float64 mm, positive where the estimate lies farther from the camera, NaN
        where the row says nothing or the sensor measures nothing
    """
    points, target = placed_points(face, relief), face.camera.points(face.sensor)
    inside = face.area & np.isfinite(points[2])
    if inside.sum() < _LEAST_PIXELS:
        return np.full(face.area.shape, np.nan)
    motion = align_similarity(points[:, inside].T, target[:, inside].T)
    moved = motion.moved(points.transpose(1, 2, 0))  # (256, 256, 3)
    error: np.ndarray = 1e3 * (moved[..., 2] - target[2])
    return error


def verdict(scores: RealScores) -> list[str]:
    """Return in words whether ours meets its goals; nothing where ours was not run."""
    if OURS not in scores.errors:
        return []
    ours = scores.mean(OURS)
    if not np.isfinite(ours):
        return ['Ours says nothing of any face here.']
    coverage = _mean(scores.values(OURS, 'coverage'))
    met = ours <= GOAL_MM and coverage >= LEAST_COVERAGE
    within = scores.rows()[OURS]['within_6_mm']
    sentences = [
        f'From colour alone, aligned by a similarity, ours is {ours:.1f} mm RMSE from the '
        f"sensor's depth on {100 * coverage:.0f} % of the face area ({100 * within:.0f} % of the "
        f'frames within {GOAL_MM:.0f} mm): the goal of {GOAL_MM:.0f} mm is '
        f'{"met" if met else "missed"}.']
    wider = _mean(scores.values(OURS, 'own_mask'))
    if np.isfinite(wider):
        sentences.append(f'Over all that its mask covers, cheeks and forehead too, it is '
                         f'{wider:.1f} mm.')
    mean_face = scores.mean(MEAN_FACE) if MEAN_FACE in scores.errors else float('nan')
    if np.isfinite(mean_face):
        gain = 1.0 - ours / mean_face
        sentences.append(
            f'In the face area it errs by {100 * abs(gain):.0f} % '
            f'{"less" if gain >= 0 else "more"} than the mean face ({mean_face:.1f} mm): the '
            f'goal of {100 * GOAL_GAIN:.0f} % is {"met" if gain >= GOAL_GAIN else "missed"}.')
    better = [f'{row} ({scores.mean(row):.1f} mm)' for row in scores.errors
              if row != OURS and scores.mean(row) < ours]
    others = len([r for r in scores.errors if r != OURS and np.isfinite(scores.mean(r))])
    if others:
        sentences.append('Closer are ' + ', '.join(better) + '.' if better
                         else f'None of the {others} other rows is closer.')
    return sentences


def _shape_error(face: RealFace, points: np.ndarray, common: np.ndarray) -> ShapeError:
    target, known = face.camera.points(face.sensor), np.isfinite(points[2])
    inside = face.area & known
    coverage = float(inside.sum() / face.area.sum())
    if inside.sum() < _LEAST_PIXELS:
        return ShapeError(coverage=coverage)
    motion = align_similarity(points[:, inside].T, target[:, inside].T)
    moved = motion.moved(points[:, inside].T)
    depth, truth = points[2, inside].astype(np.float64), face.sensor[inside].astype(np.float64)
    flat = np.ptp(depth) < _FLAT_M
    scale, offset = (1.0, depth_offset(depth, truth)) if flat else depth_scale_and_offset(
        depth, truth)
    return ShapeError(
        rmse=1e3 * rms_distance(moved, target[:, inside].T),
        common=_after_similarity(points, target, common),
        depth_alone=_rms_mm(moved[:, 2] - truth),
        offset_scale=_rms_mm(scale * depth + offset - truth),
        offset=_rms_mm(depth + depth_offset(depth, truth) - truth),
        own_mask=_after_similarity(points, target, known & np.isfinite(face.sensor)),
        coverage=coverage, distance=1e3 * float(np.median(depth - truth)), similarity=motion)


def _after_similarity(points: np.ndarray, target: np.ndarray, mask: np.ndarray) -> float:
    """Return mm; NaN where too few points are left."""
    if mask.sum() < _LEAST_PIXELS:
        return float('nan')
    source, goal = points[:, mask].T, target[:, mask].T
    return 1e3 * rms_distance(align_similarity(source, goal).moved(source), goal)


def _rms_mm(metres: np.ndarray) -> float:
    return 1e3 * float(np.sqrt(np.mean(np.square(metres))))


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float('nan')


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else float('nan')


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
