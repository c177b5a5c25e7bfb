# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a replay's frames show: measured from the input bag and the recorded outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import Detection, Provenance
from face_depth_ros.core.metrics import hole_share, roughness
from face_depth_ros.evaluation.bags import Bag, FrameMessages
from face_depth_ros.evaluation.camera_topics import CameraTopics
from face_depth_ros.evaluation.estimate_analysis import FaceEstimateScore, score_faces
from face_depth_ros.evaluation.output_messages import (
    OutputExpression,
    OutputFrame,
    OutputLiveness,
    read_outputs,
)
from face_depth_ros.evaluation.reference_depth import ReferenceDepth, ReferenceScore
from face_depth_ros.evaluation.replay_settings import PlayedFrame
import numpy as np

_STEP_M = 0.03
"""Neighbours further apart than this lie on two surfaces."""


@dataclass(frozen=True)
class CameraImages:
    """
    The images of one frame.

    :param color: (H, W, 3) uint8 RGB
    :param depth: metres, (H, W) float32, NaN where invalid
    :param intrinsics: None without camera_info
    """

    color: np.ndarray
    depth: np.ndarray
    intrinsics: CameraIntrinsics | None

    @property
    def focal(self) -> float:
        """Return the focal length in pixels, that of a usual camera where it is not known."""
        return 0.9 * max(self.depth.shape) if self.intrinsics is None else self.intrinsics.fx


@dataclass(frozen=True)
class ViewedFrame:
    """
    One frame of the input bag beside what came of it.

    :param images: None when they could not be decoded
    :param output: None when the frame was dropped
    """

    played: PlayedFrame
    images: CameraImages | None
    output: OutputFrame | None

    @property
    def detections(self) -> tuple[Detection, ...]:
        """Return the published faces, with landmarks where the transport told them."""
        if self.output is None:
            return ()
        known = {d.track_id: d.landmarks for d in self.played.detections}
        return tuple(replace(d, landmarks=known.get(d.track_id))
                     for d in self.output.detections)


@dataclass(frozen=True)
class FrameScore:
    """
    Measures of one frame over the pixels that enhancement claims as face.

    :param faces: track id and score of each face
    :param holes_raw: share of these pixels that the camera left open
    :param holes_enhanced: the same after enhancement
    :param roughness_raw_mm: mean deviation from the eight neighbours, away from steps
    :param roughness_enhanced_mm: the same after enhancement, on the same pixels
    :param reference: against true depth, where there is one
    :param estimates: of each face, where an estimator ran
    :param identities: person and probability by track id, None where no recogniser ran
    :param expressions: by track id, None where nobody read them
    :param liveness: by track id, None where nobody told it
    :param estimate_reference: the estimated depth in place of the enhanced one, against true depth
    """

    index: int
    stamp_ns: int
    faces: tuple[tuple[str, float], ...] = ()
    holes_raw: float = float('nan')
    holes_enhanced: float = float('nan')
    roughness_raw_mm: float = float('nan')
    roughness_enhanced_mm: float = float('nan')
    reference: ReferenceScore | None = None
    estimates: tuple[FaceEstimateScore, ...] = ()
    estimate_reference: ReferenceScore | None = None
    identities: dict[str, tuple[str, float]] | None = None
    expressions: dict[str, OutputExpression] | None = None
    liveness: dict[str, OutputLiveness] | None = None


def viewed_frames(source: Bag, topics: CameraTopics, outputs: Bag,
                  played: Sequence[PlayedFrame]) -> Iterator[ViewedFrame]:
    """
    Go through a replay again: each played frame with its images and its recorded outputs.

    :param played: one per frame of the source, in its order
    """
    recorded = read_outputs(outputs)
    for messages, item in zip(source.frames(topics, len(played)), played, strict=False):
        output = None
        if not item.cause:
            output = next((o for o in recorded if o.stamp_ns == item.stamp_ns), None)
        yield ViewedFrame(item, _images(messages), output)


def _images(messages: FrameMessages) -> CameraImages | None:
    try:
        frame = messages.decode()
    except FaceDepthError:
        return None  # the cause stands in the played frame
    if frame.color is None or frame.depth is None:
        return None
    return CameraImages(frame.color, frame.depth, frame.intrinsics)


def score_frame(view: ViewedFrame, reference: ReferenceDepth | None, *,
                estimator: bool = False) -> FrameScore:
    """
    Measure one frame.

    :param estimator: whether every face should have estimated depth and a mask
    """
    output = view.output or OutputFrame(view.played.stamp_ns)
    score = FrameScore(view.played.index, view.played.stamp_ns,
                       tuple((d.track_id, d.score) for d in view.detections),
                       identities=output.identities, expressions=output.expressions,
                       liveness=output.liveness)
    if view.images is None or view.output is None:
        return score
    if estimator:
        score = _with_estimates(score, view, view.images, reference)
    raw, enhanced = view.images.depth, view.output.enhanced
    if enhanced is None:
        return score
    region = np.zeros(raw.shape, bool)
    if view.output.provenance is not None:
        region = view.output.provenance != Provenance.LEFT_ALONE
    smooth = region & ~_near_step(raw) & ~_near_step(enhanced)
    return replace(
        score, holes_raw=hole_share(raw, region), holes_enhanced=hole_share(enhanced, region),
        roughness_raw_mm=1e3 * roughness(raw, smooth),
        # On the neighbourhoods that the raw image has too, so that both are over one set.
        roughness_enhanced_mm=1e3 * roughness(np.where(np.isfinite(raw), enhanced, np.nan),
                                              smooth),
        reference=None if reference is None else reference.score(
            view.played.stamp_ns, raw, enhanced, view.detections))


def _with_estimates(score: FrameScore, view: ViewedFrame, images: CameraImages,
                    reference: ReferenceDepth | None) -> FrameScore:
    estimate = None if view.output is None else view.output.estimate
    compared = None
    if reference is not None and estimate is not None:
        compared = reference.score(score.stamp_ns, images.depth, estimate.depth, view.detections)
    return replace(score, estimate_reference=compared, estimates=score_faces(
        estimate, images.depth, view.detections, view.played.estimates, images.intrinsics))


def _near_step(depth: np.ndarray) -> np.ndarray:
    """Whether the valid pixels of a 3 x 3 neighbourhood lie further apart than noise does."""
    valid = np.isfinite(depth)
    kernel = np.ones((3, 3), np.uint8)
    highest = cv2.dilate(np.where(valid, depth, np.float32(-1e3)).astype(np.float32), kernel)
    lowest = cv2.erode(np.where(valid, depth, np.float32(1e3)).astype(np.float32), kernel)
    return highest - lowest > _STEP_M
