# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Metric depth as it is published, without any alignment: how far it stands from the sensor's.

Once from colour and intrinsics alone, where the size of the mean head places the face, and once
with the sensor's depth under the face, which then gives distance and stretch, two numbers a face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_box import crop_depth
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.core.frames import Detection, EstimatedDepth
from face_depth_ros.evaluation.estimation_faces import RealFace
from face_depth_ros.evaluation.evaluation_result import Rows
import numpy as np

WITHOUT, WITH = 'without a sensor', 'with the sensor'
_LEAST_PIXELS = 100


class Estimator(Protocol):
    """The part of predictors.depth_estimator.DepthEstimator that is measured."""

    def estimate(self, color: np.ndarray, detections: tuple[Detection, ...], *,
                 intrinsics: CameraIntrinsics | None = None,
                 depth: np.ndarray | None = None) -> EstimatedDepth:
        """Estimate the faces of a frame."""

    def close(self) -> None:
        """Release what it holds."""


@dataclass(frozen=True)
class DistanceError:
    """
    One face, mm.

    :param offset: median of estimated minus measured depth in the face area
    :param rmse: of the same, all pixels
    :param sigma: one sigma of the distance as stated
    """

    offset: float
    rmse: float
    sigma: float


See = Callable[[str, RealFace, EstimatedDepth], None]
"""Is shown a name, a face and what was published for it without a sensor."""


def distance_rows(faces: list[RealFace], estimators: dict[str, Callable[[], Estimator]],
                  see: See | None = None) -> Rows:
    """
    Let estimators publish depth for every face, with and without a sensor.

    :param estimators: by name, opened one after the other
    :returns: mm; `within_2_sigma` and `estimated` are shares
    """
    rows: Rows = {}
    for name, opened in estimators.items():
        estimator = opened()
        try:
            for kind in (WITHOUT, WITH):
                errors = []
                for face in faces:
                    result = _published(face, estimator, kind == WITH)
                    errors.append(distance_error(face, result))
                    if see is not None and kind == WITHOUT:
                        see(name, face, result)
                rows[f'{name}, {kind}'] = _columns(errors)
        finally:
            estimator.close()
    return rows


def distance_error(face: RealFace, result: EstimatedDepth) -> DistanceError | None:
    """
    Compare what was published for a face; None where nothing was for its face area.

    :param result: for the whole frame and this face alone
    """
    published = crop_depth(result.depth, face.detection.box, CROP_PX)
    inside = face.area & np.isfinite(published)
    if inside.sum() < _LEAST_PIXELS or not result.faces:
        return None
    difference = 1e3 * (published[inside].astype(np.float64) - face.sensor[inside])
    return DistanceError(float(np.median(difference)),
                         float(np.sqrt(np.mean(np.square(difference)))),
                         1e3 * result.faces[0].distance_sigma_m)


def _published(face: RealFace, estimator: Estimator, sensor: bool) -> EstimatedDepth:
    frame = face.frame
    if frame.color is None:
        raise InvalidImageError(f'{face.name} has no colour to estimate from')
    return estimator.estimate(frame.color, (face.detection,), intrinsics=frame.intrinsics,
                              depth=frame.depth if sensor else None)


def _columns(errors: list[DistanceError | None]) -> dict[str, float | None]:
    found = [e for e in errors if e is not None]
    share = len(found) / max(len(errors), 1)
    if not found:
        return {'offset_median': None, 'offset_p90': None, 'bias': None, 'rmse': None,
                'sigma': None, 'within_2_sigma': None, 'estimated': share}
    offset, sigma = np.array([e.offset for e in found]), np.array([e.sigma for e in found])
    return {'offset_median': float(np.median(np.abs(offset))),
            'offset_p90': float(np.percentile(np.abs(offset), 90)),
            'bias': float(offset.mean()), 'rmse': float(np.mean([e.rmse for e in found])),
            'sigma': float(np.median(sigma)),
            'within_2_sigma': float(np.mean(np.abs(offset) <= 2.0 * sigma)), 'estimated': share}
