# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What stands in for an estimator whose model is not there: frames come out empty."""

from __future__ import annotations

from collections.abc import Sequence

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.frames import Detection, EstimatedDepth
import numpy as np


class AbsentEstimator:
    """Estimates nothing."""

    engine = None
    confidence_threshold = 1.0
    crop = 'box'

    def estimate(self, color: np.ndarray, detections: Sequence[Detection], *,
                 intrinsics: CameraIntrinsics | None = None,
                 depth: np.ndarray | None = None) -> EstimatedDepth:
        """Return a frame without faces; parameters as those of a real estimator."""
        shape = color.shape[:2]
        return EstimatedDepth(np.full(shape, np.nan, np.float32),
                              np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8))

    def close(self) -> None:
        """Nothing is held."""
