# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a robot's liveness detector gets to see of a face: its box, estimate, raw and enhanced."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    FaceEstimate,
    Placement,
    Provenance,
)
from face_depth_ros.evaluation.liveness_faces import LivenessFace
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
import numpy as np

FRAME_NS = 33_333_333
"""From frame to frame of a presentation: a camera of 30 Hz."""


@dataclass(frozen=True)
class LivenessView:
    """
    One frame as it reaches the detector.

    :param color: (H, W, 3) uint8 RGB; black for rendered faces, since depth alone decides
    :param estimated: mask and landmarks of the face
    :param raw: depth as measured, in the form of enhanced depth
    :param enhanced: after the depth enhancer
    """

    stamp_ns: int
    color: np.ndarray
    detection: Detection
    estimated: EstimatedDepth
    raw: EnhancedDepth
    enhanced: EnhancedDepth
    intrinsics: CameraIntrinsics

    @property
    def estimate(self) -> FaceEstimate | None:
        """Return what is estimated of the face, None where the estimator sees none."""
        return self.estimated.faces[0] if self.estimated.faces else None


def view_of(face: LivenessFace, enhancer: DepthEnhancer) -> LivenessView:
    """Send a face the robot's way: a detection with an estimate, depth through the enhancer."""
    detection = Detection(face.box, 1.0, track_id=f'p{face.presentation:05d}')
    nothing = np.full(face.depth.shape, np.nan, np.float32)
    # Colour decides nothing here, so neither does the relief that is estimated from it.
    estimate = FaceEstimate(detection, 1.0, np.zeros(face.mask.shape, np.float32), face.mask,
                            face.landmarks.astype(np.float32),
                            np.ones(len(face.landmarks), np.float32), Placement.NONE,
                            float('nan'), float('nan'))
    return LivenessView(
        face.frame * FRAME_NS, np.zeros((*face.depth.shape, 3), np.uint8), detection,
        EstimatedDepth(nothing, nothing, np.zeros(face.depth.shape, np.uint8), (estimate,)),
        as_measured(face.depth), enhancer.enhance(face.depth, (detection,)), face.intrinsics)


def as_measured(depth: np.ndarray) -> EnhancedDepth:
    """
    Return depth in the form of enhanced depth, nothing of it changed.

    :param depth: metres, (H, W) float32, NaN where invalid
    """
    known = np.isfinite(depth)
    return EnhancedDepth(depth, np.where(known, 255, 0).astype(np.uint8),
                         np.where(known, Provenance.MEASURED,
                                  Provenance.LEFT_ALONE).astype(np.uint8))
