# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What depth and mask estimated from colour are worth, face by face, beside the sensor's depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import math
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.output_messages import OutputEstimate
from face_depth_ros.evaluation.reference_depth import box_mask
from face_depth_ros.evaluation.replay_settings import EstimateNote
import numpy as np

OTHER_SURFACE_MM = 50.0
"""What lies further from the estimate, once its distance is right, is no point of the face."""
NOT_ESTIMATED = 'not_estimated'
"""Nothing was published for a face and the transport does not tell why."""
NO_INTRINSICS = 'no_intrinsics'
NO_DEPTH = 'no_depth'
_NAN = float('nan')


@dataclass(frozen=True)
class FaceEstimateScore:
    """
    One face of one frame, estimated against measured.

    :param mask_pixels: pixels of the face's box with a class other than background
    :param depth_pixels: those of them that have estimated depth
    :param cause: why mask or depth is missing or doubtful, '' when both are there
    :param placement: what the distance rests on, '' where the transport does not tell
    :param confidence: of the estimator that this is a face, NaN where the transport does not tell
    :param sigma_mm: median of the published uncertainty
    :param compared: pixels with depth of both, on the same surface
    :param other_surface: share of the pixels with depth of both that lie on another surface
    :param offset_mm: mean of estimated minus measured distance over `compared`
    :param rmse_mm: root mean square of the difference over `compared`
    :param shape_rmse_mm: the same once the offset is taken off
    """

    track_id: str
    mask_pixels: int
    depth_pixels: int
    cause: str = ''
    placement: str = ''
    confidence: float = _NAN
    sigma_mm: float = _NAN
    compared: int = 0
    other_surface: float = _NAN
    offset_mm: float = _NAN
    rmse_mm: float = _NAN
    shape_rmse_mm: float = _NAN


def score_faces(estimate: OutputEstimate | None, measured: np.ndarray,
                detections: Sequence[Detection], notes: Sequence[EstimateNote],
                intrinsics: CameraIntrinsics | None) -> tuple[FaceEstimateScore, ...]:
    """
    Score each face of a frame.

    :param estimate: None when nothing was published
    :param measured: the sensor's metres, (H, W) float32, NaN where invalid
    :param notes: what the transport tells of the faces
    :param intrinsics: None without camera_info
    """
    known = {note.track_id: note for note in notes}
    return tuple(_score_face(estimate, measured, d, known.get(d.track_id), intrinsics)
                 for d in detections)


def _score_face(estimate: OutputEstimate | None, measured: np.ndarray, detection: Detection,
                note: EstimateNote | None,
                intrinsics: CameraIntrinsics | None) -> FaceEstimateScore:
    note = note or EstimateNote(detection.track_id)
    left_out = bool(note.cause) and not note.placement
    if estimate is None or left_out:  # what its box shows then is a neighbour's
        return FaceEstimateScore(detection.track_id, 0, 0, note.cause or NOT_ESTIMATED)
    face = box_mask([detection.box], estimate.mask.shape) & (estimate.mask > 0)
    placed = face & np.isfinite(estimate.depth)
    cause = note.cause
    if not placed.any() and not cause:
        cause = NOT_ESTIMATED if not face.any() else (
            NO_INTRINSICS if intrinsics is None else NO_DEPTH)
    sigma = _NAN
    if estimate.uncertainty is not None and np.isfinite(estimate.uncertainty[placed]).any():
        sigma = 1e3 * float(np.nanmedian(estimate.uncertainty[placed]))
    score = FaceEstimateScore(detection.track_id, int(face.sum()), int(placed.sum()), cause,
                              note.placement, note.confidence, sigma)
    difference = 1e3 * (estimate.depth - measured)[placed & np.isfinite(measured)]
    same = difference[np.abs(difference - np.median(difference)) <= OTHER_SURFACE_MM] if (
        difference.size) else difference
    if not same.size:
        return score
    return replace(score, compared=same.size, other_surface=1.0 - same.size / difference.size,
                   offset_mm=float(same.mean()), rmse_mm=float(np.sqrt(np.mean(same * same))),
                   shape_rmse_mm=float(same.std()))


def summarise_estimates(frames: Sequence[tuple[int, Sequence[FaceEstimateScore]]],
                        refusals: Mapping[str, int]) -> dict[str, Any]:
    """
    Return what summary.json says of the estimator.

    :param frames: index and faces of each frame
    :param refusals: faces that the estimator left out or found doubtful, by cause, as it counted
        them itself
    """
    with_face = [(i, faces) for i, faces in frames if faces]
    lacking = [(i, f) for i, faces in with_face for f in faces
               if not (f.mask_pixels and f.depth_pixels)]
    without = {i for i, _ in lacking}
    every = [f for _, faces in with_face for f in faces]
    return {
        'frames_with_face': len(with_face),
        'frames_with_depth_and_mask': len(with_face) - len(without),
        'frames_with_mask': sum(1 for _, faces in with_face if all(f.mask_pixels for f in faces)),
        'faces': len(every),
        'faces_without': [{'frame': i + 1, 'track': f.track_id, 'cause': f.cause}
                          for i, f in lacking],
        'without_by_cause': dict(Counter(f.cause for _, f in lacking)),
        'doubted_by_estimator': dict(refusals),
        'placement': dict(Counter(f.placement for f in every if f.placement)),
        'faces_compared': sum(1 for f in every if f.compared),
        'offset_mm': _mean([f.offset_mm for f in every]),
        'offset_abs_mm': _mean([abs(f.offset_mm) for f in every]),
        'rmse_mm': _mean([f.rmse_mm for f in every]),
        'shape_rmse_mm': _mean([f.shape_rmse_mm for f in every]),
        'other_surface_share': _mean([f.other_surface for f in every]),
        'sigma_mm': _mean([f.sigma_mm for f in every]),
        'confidence_mean': _mean([f.confidence for f in every]),
        'confidence_min': min((f.confidence for f in every if math.isfinite(f.confidence)),
                              default=_NAN),
        'tracks': {track: _track([f for f in every if f.track_id == track])
                   for track in sorted({f.track_id for f in every})},
    }


def named_faces(summary: dict[str, Any], at_most: int = 6) -> str:
    """Return the faces without estimated depth or mask in words, '' when there is none."""
    lacking = summary['faces_without']
    names = [f'frame {f["frame"]} {f["track"]} ({f["cause"]})' for f in lacking[:at_most]]
    more = len(lacking) - len(names)
    return ', '.join(names) + (f' and {more} more' if more else '')


def _track(faces: Sequence[FaceEstimateScore]) -> dict[str, float]:
    return {'faces': len(faces),
            'confidence': _mean([f.confidence for f in faces]),
            'offset_mm': _mean([f.offset_mm for f in faces]),
            'rmse_mm': _mean([f.rmse_mm for f in faces]),
            'shape_rmse_mm': _mean([f.shape_rmse_mm for f in faces]),
            'sigma_mm': _mean([f.sigma_mm for f in faces])}


def _mean(values: Sequence[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    return float(np.mean(finite)) if finite else _NAN
