# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The values that travel from node to node; none may be mutated once handed on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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


def shared_tracks(detections: Iterable[Detection]) -> frozenset[str]:
    """Return the ids that several faces of a frame have: which is of the track nobody can tell."""
    return frozenset(t for t, n in Counter(d.track_id for d in detections).items() if n > 1)


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


class Placement(IntEnum):
    """What the distance and size of estimated depth rest on."""

    NONE = 0
    """Neither intrinsics nor sensor depth: relief only, no metric depth."""
    HEAD_SIZE = 1
    """The size of the mean head in the image, and the intrinsics."""
    SENSOR = 2
    """Valid sensor depth under the face."""


@dataclass(frozen=True)
class FaceEstimate:
    """
    What an estimator says of one face; the crop is the canonical one of `detection.box`.

    :param confidence: probability that there is a face in the box, 0 to 1
    :param relief: (S, S) float32 metres behind the head point along the ray to it, for a head of
        22 cm in the box, NaN outside the face
    :param mask: (S, S) uint8 of core.face_photo.MASK_LABELS
    :param landmarks: (68, 2) float32 pixels of the colour image, None if the model has none
    :param visibility: (68,) float32, probability that nothing hides the point, None likewise
    :param distance_m: of the head point from the camera, NaN with Placement.NONE
    :param distance_sigma_m: one sigma of it, NaN likewise
    :param note: '' or why the estimate is doubtful, a key for diagnostics:
        'relief_contradicts_sensor', 'no_intrinsics', 'dynamic_crop'
    """

    detection: Detection
    confidence: float
    relief: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray | None
    visibility: np.ndarray | None
    placement: Placement
    distance_m: float
    distance_sigma_m: float
    note: str = ''


@dataclass(frozen=True)
class EstimatedDepth:
    """
    Depth estimated from colour, and the mask, on the grid of the colour image.

    :param depth: metres > 0, (H, W) float32, NaN outside faces and where nothing places them, or
        behind the camera
    :param uncertainty: metres, (H, W) float32, one sigma, NaN where `depth` is
    :param mask: (H, W) uint8 of core.face_photo.MASK_LABELS, 0 outside faces
    :param faces: one for each face that was estimated, smaller boxes first
    :param skipped: detections without an estimate: no face under them, outside the image
    """

    depth: np.ndarray
    uncertainty: np.ndarray
    mask: np.ndarray
    faces: tuple[FaceEstimate, ...] = ()
    skipped: tuple[SkippedFace, ...] = ()


@dataclass(frozen=True)
class Identity:
    """
    Who a detected face is.

    :param person: a name of the gallery, or 'unknown'
    :param probability: of what `person` says, 0 to 1; 0 where nothing could be compared
    :param quality: of this view of the face for recognition, 0 to 1
    :param depth: what depth was looked at: 'enhanced', 'estimated' or '' for none
    :param cause: '' or why the face is unknown, a key for diagnostics
    """

    detection: Detection
    person: str
    probability: float
    quality: float = 0.0
    depth: str = ''
    cause: str = ''


@dataclass(frozen=True)
class Expression:
    """
    What a detected face says.

    :param probabilities: (7,) float32 of core.expression_labels.EXPRESSIONS, of sum 1, smoothed
        over the track; all 1/7 where nothing could be seen
    :param label: the expression that is shown, one of EXPRESSIONS; 'neutral' where nothing could
        be seen
    :param valence, arousal: -1 to 1
    :param action_units: (17,) float32 intensities 0 to 1 of core.expression_labels.ACTION_UNITS,
        None where nothing could be seen
    :param depth: what depth was looked at: 'enhanced', or '' for none (texture alone)
    :param cause: '' or why nothing could be seen, a key for diagnostics
    """

    detection: Detection
    probabilities: np.ndarray
    label: str
    valence: float = 0.0
    arousal: float = 0.0
    action_units: np.ndarray | None = None
    depth: str = ''
    cause: str = ''


@dataclass(frozen=True)
class Liveness:
    """
    Whether a detected face is a living one.

    :param label: 'live', 'spoof' or 'unsure'
    :param probability: that it is live, 0 to 1, accumulated over the track; 0.5 where nothing
        could be seen
    :param reason: what decided, a key: '' for live, else for example 'flat', 'landmarks',
        'wrong_size', 'no_depth', 'few_frames'
    :param pad_error: share of the 68 landmarks that fail the geometry test of
        core.landmark_liveness, 0 to 1, NaN where it could not be made
    """

    detection: Detection
    label: str
    probability: float
    reason: str = ''
    pad_error: float = float('nan')

    @property
    def score(self) -> float:
        """Return the probability of what the label says, 0 for unsure."""
        return {'live': self.probability, 'spoof': 1.0 - self.probability}.get(self.label, 0.0)


@dataclass(frozen=True)
class FrameResult:
    """
    Everything that the pipeline says of one frame.

    :param identities: of the faces, largest first, None without a recogniser or without colour
    :param expressions: the same of what they say
    :param liveness: the same of whether they live
    :param stage_ms: milliseconds per stage name
    """

    stamp_ns: int
    frame_id: str
    detections: tuple[Detection, ...] = ()
    enhanced: EnhancedDepth | None = None
    estimated: EstimatedDepth | None = None
    identities: tuple[Identity, ...] | None = None
    expressions: tuple[Expression, ...] | None = None
    liveness: tuple[Liveness, ...] | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
