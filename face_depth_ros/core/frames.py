# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The values that travel from node to node; none may be mutated once handed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
import numpy as np


class Provenance(IntEnum):
    """Where a pixel of enhanced depth comes from (depth_enhanced/provenance)."""

    LEFT_ALONE = 0
    MEASURED = 1
    CORRECTED = 2
    FILLED = 3


@dataclass(frozen=True)
class Frame:
    """
    One camera frame: colour and depth of equal stamp on one pixel grid.

    :param stamp_ns: capture time, nanoseconds
    :param frame_id: optical frame of the colour camera
    :param color: (H, W, 3) uint8 RGB, or None
    :param depth: metres, (H, W) float32, NaN where invalid, or None
    :param depth_encoding: encoding of the depth message, '16UC1' or '32FC1'
    :param intrinsics: of the colour image, or None when no camera_info has come
    """

    stamp_ns: int
    frame_id: str
    color: np.ndarray | None = None
    depth: np.ndarray | None = None
    depth_encoding: str = '16UC1'
    intrinsics: CameraIntrinsics | None = None


@dataclass(frozen=True)
class Detection:
    """
    One detected face.

    :param box: oriented box in the colour image
    :param score: probability of being a face, 0 to 1
    :param landmarks: pixels, (5, 2) float32: subject's right eye, left eye, nose tip, right and
        left mouth corner
    :param track_id: 'f00001' and so on once tracked, '' before
    """

    box: FaceBox
    score: float
    landmarks: np.ndarray | None = None
    track_id: str = ''


@dataclass(frozen=True)
class SkippedFace:
    """A face that a stage left alone, and why (shown in diagnostics)."""

    track_id: str
    cause: str
    reason: str


@dataclass(frozen=True)
class EnhancedDepth:
    """
    A whole depth frame with its faces enhanced.

    :param depth: metres, (H, W) float32, NaN where invalid; the input outside faces
    :param confidence: (H, W) uint8, 0 to 255 = 0 to 1, 0 outside faces
    :param provenance: (H, W) uint8 of `Provenance`
    :param skipped: faces passed through unchanged
    """

    depth: np.ndarray
    confidence: np.ndarray
    provenance: np.ndarray
    skipped: tuple[SkippedFace, ...] = ()


@dataclass(frozen=True)
class FrameResult:
    """
    Everything that the pipeline says of one frame.

    :param stage_ms: milliseconds per stage name
    """

    stamp_ns: int
    frame_id: str
    detections: tuple[Detection, ...] = ()
    enhanced: EnhancedDepth | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
