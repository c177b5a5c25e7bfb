# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Depth around a face in, what the liveness detector will see of it out: through the enhancer."""

from __future__ import annotations

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.landmark_liveness import is_frontal, landmark_test
from face_depth_ros.core.liveness_input import liveness_input, LivenessInput
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
import numpy as np


class LivenessViewer:
    """
    Enhances depth as a robot does and makes the detector's inputs of it; close it.

    :param backend: of the shipped depth enhancer
    """

    def __init__(self, backend: str = 'auto') -> None:
        self._enhancer = DepthEnhancer(backend=backend)

    def view(self, depth: np.ndarray, box: FaceBox, mask: np.ndarray, landmarks: np.ndarray,
             intrinsics: CameraIntrinsics) -> tuple[LivenessInput, float]:
        """
        Look at a face.

        :param depth: (H, W) float32 metres as measured, NaN where invalid
        :returns: the inputs, and the error of the landmark test, NaN where the face is turned away
        :raises FaceDepthError: as of core.liveness_input
        """
        enhanced = self._enhancer.enhance(depth, (Detection(box, 1.0),))
        seen = liveness_input(enhanced, box, mask, landmarks, intrinsics)
        error = landmark_test(enhanced.depth, landmarks).error
        return seen, error if is_frontal(landmarks) else float('nan')

    def close(self) -> None:
        """Release the enhancer."""
        self._enhancer.close()
