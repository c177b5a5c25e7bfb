# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The estimates of faces for those who look at faces: what came with the frame, else one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    FaceEstimate,
    shared_tracks,
)
import numpy as np

NO_ESTIMATE = 'no_estimate'


class Estimator(Protocol):
    """What estimates faces that nobody has estimated: a DepthEstimator."""

    def estimate(self, color: np.ndarray, detections: Sequence[Detection], *,
                 intrinsics: CameraIntrinsics | None = None,
                 depth: np.ndarray | None = None) -> EstimatedDepth:
        """Estimate faces of a frame."""

    def close(self) -> None:
        """Release what is held."""


class EstimateSource:
    """
    Finds the estimate of each face.

    :param estimator: for faces that come without one, None = these stay without
    """

    def __init__(self, estimator: Estimator | None = None) -> None:
        self._estimator = estimator
        self.own_estimates = 0
        """How many faces it had to estimate itself."""

    def of(self, color: np.ndarray, detections: Sequence[Detection],
           estimated: EstimatedDepth | None, intrinsics: CameraIntrinsics | None,
           ) -> list[FaceEstimate | str]:
        """
        Return the estimate of each detection, or the cause why there is none.

        :param estimated: what came with the frame, None = nothing
        """
        found = matched(detections, estimated)
        lacking = [d for d in detections if id(d) not in found]
        if lacking and self._estimator is not None:
            self.own_estimates += len(lacking)
            found |= matched(lacking, self._estimator.estimate(color, lacking,
                                                               intrinsics=intrinsics))
        return [found.get(id(d), NO_ESTIMATE) for d in detections]

    def close(self) -> None:
        """Release the estimator."""
        if self._estimator is not None:
            self._estimator.close()


def matched(detections: Sequence[Detection], estimated: EstimatedDepth | None,
            ) -> dict[int, FaceEstimate | str]:
    """
    Return the estimate of each detection, or why it was left out, by id of the detection.

    What several faces of the frame are called says of none which estimate is its own.
    """
    if estimated is None:
        return {}
    shared = shared_tracks(detections) | shared_tracks(f.detection for f in estimated.faces)
    by_track = {f.detection.track_id: f for f in estimated.faces
                if f.detection.track_id not in shared}
    by_face = {id(f.detection): f for f in estimated.faces}
    left_out = {s.track_id: s.cause for s in estimated.skipped}
    found: dict[int, FaceEstimate | str] = {}
    for d in detections:
        estimate = by_face.get(id(d)) or (by_track.get(d.track_id) if d.track_id else None)
        if estimate is not None:
            found[id(d)] = estimate
        elif d.track_id in left_out:
            found[id(d)] = left_out[d.track_id]
    return found


def check_frame(who: str, color: np.ndarray, enhanced: EnhancedDepth | None) -> None:
    """
    Check what a predictor of faces is given.

    :param who: of the predictor, for the message
    :raises InvalidImageError: not an RGB image, or depth of another size
    """
    if color.ndim != 3 or color.shape[2] != 3 or color.dtype != np.uint8 or 0 in color.shape:
        raise InvalidImageError(f'the {who} takes (H, W, 3) uint8 RGB images, got {color.shape} '
                                f'{color.dtype}')
    if enhanced is not None and enhanced.depth.shape != color.shape[:2]:
        raise InvalidImageError(f'enhanced depth is {enhanced.depth.shape}, colour '
                                f'{color.shape[:2]}; expected depth aligned to colour')
