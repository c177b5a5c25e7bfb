# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Faces as an expression recogniser on a robot gets them.

The crop of a face is the image of a camera, whole in its box: the shipped estimator tells mask and
landmarks of it, and depth that the sensor measured comes as enhanced depth, all of it measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    FaceEstimate,
    Placement,
    Provenance,
)
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
from face_depth_ros.evaluation.expression_faces import PHOTO_PX
from face_depth_ros.predictors.depth_estimator import DepthEstimator
import numpy as np

_DISTANCE_M = 1.0


@dataclass(frozen=True)
class LookedFace:
    """
    One face in its own image.

    :param color: (S, S, 3) uint8 RGB
    :param enhanced: None where nothing was measured
    """

    color: np.ndarray
    detection: Detection
    estimated: EstimatedDepth
    enhanced: EnhancedDepth | None


class FaceViewer:
    """
    Looks at crops as the robot does.

    :param estimator: the shipped one, open
    """

    def __init__(self, estimator: DepthEstimator) -> None:
        self._estimator = estimator

    def look(self, color: np.ndarray, relief: np.ndarray) -> LookedFace:
        """
        Look at one face.

        :param color: (S, S, 3) uint8 RGB crop of the face box
        :param relief: (S, S) metres as measured, NaN where there is none
        """
        detection = whole_image(len(color))
        return LookedFace(color, detection, self._estimator.estimate(color, (detection,)),
                          measured_depth(relief))


def whole_image(side: int) -> Detection:
    """Return a face whose box is the whole image."""
    return Detection(FaceBox(side / 2, side / 2, side), 1.0)


def measured_depth(relief: np.ndarray) -> EnhancedDepth | None:
    """
    Return measured relief as a frame of enhanced depth, the head 1 m away.

    :param relief: (S, S) metres, NaN where nothing was measured
    :returns: None where nothing was at all
    """
    known = np.isfinite(relief)
    if not known.any():
        return None
    depth = relief.astype(np.float32) + np.float32(_DISTANCE_M)
    return EnhancedDepth(depth, known * np.uint8(255),
                         np.where(known, Provenance.MEASURED, 0).astype(np.uint8))


def blank_face() -> LookedFace:
    """Return a grey face with landmarks where a mean head has them, to run a network once."""
    side = PHOTO_PX
    detection = whole_image(side)
    flat, mask = np.zeros((side, side), np.float32), np.ones((side, side), np.uint8)
    landmarks = (MEAN_LANDMARKS_M[:, :2] / BOX_SIDE_M + 0.5) * side
    face = FaceEstimate(detection, 1.0, flat, mask, landmarks.astype(np.float32),
                        np.ones(len(landmarks), np.float32), Placement.NONE, float('nan'),
                        float('nan'))
    return LookedFace(np.full((side, side, 3), 128, np.uint8), detection,
                      EstimatedDepth(flat, flat, mask, (face,)), measured_depth(flat))
