# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Faces of a frame in, whether they live out: by depth alone, over the frames of a track.

Colour serves to find mask and landmarks where no estimate came, and nothing else: a picture of a
face is right in colour. Nobody is called live whose face was not measured in this very frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, SettingsError
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    FaceEstimate,
    Liveness,
    shared_tracks,
)
from face_depth_ros.core.landmark_liveness import is_frontal, landmark_test
from face_depth_ros.core.live_identities import LIVE, SPOOF, UNSURE
from face_depth_ros.core.liveness_input import liveness_input, LivenessInput
from face_depth_ros.engines import Engine
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.liveness_network import LivenessNetwork, LivenessSaid, SHIPPED
from face_depth_ros.predictors.liveness_tracker import LivenessTracker
from face_depth_ros.predictors.matched_estimates import check_frame, EstimateSource, Estimator
import numpy as np

MOST_FACES = 16
LEAST_SIDE_PX = 36.0
"""A face box with a smaller side has too few measurements."""
LEAST_FACE = 0.06
"""Of the canonical crop, so much must be face."""
MOST_OUTSIDE = 0.25
"""Of the landmarks, no more may lie outside the image."""
NO_DEPTH, LANDMARKS, FEW_FRAMES, UNCLEAR = 'no_depth', 'landmarks', 'few_frames', 'unclear'
NOT_FINITE = 'not_finite'
_UNDER = 1.0
_CAUSES = {'face_box_outside': 'outside_image'}


@dataclass(frozen=True)
class _Look:
    """What is said of one frame of a face."""

    said: LivenessSaid
    measured: bool
    pad_error: float
    failed: bool


@dataclass(frozen=True)
class _Seen:
    """One frame of a face; `frontal`: the landmark test is meant for it."""

    inputs: LivenessInput
    pad_error: float
    frontal: bool


class LivenessDetector:
    """
    Tells whether faces live; one instance per camera, frames in order.

    :param network: the network
    :param estimator: for faces that come without an estimate, None = nothing is told of these
    :param live_threshold, spoof_threshold: probabilities from which a face is called live, and
        below which an attack; None = those of the model
    :param window_s: over so much time the evidence of a track counts
    :param least_frames: before there are so many, a track is unsure
    :param max_faces: at most so many a frame, the largest
    """

    def __init__(self, network: LivenessNetwork, estimator: Estimator | None = None, *,
                 live_threshold: float | None = None, spoof_threshold: float | None = None,
                 window_s: float = 1.0, least_frames: int = 3,
                 max_faces: int = MOST_FACES) -> None:
        self.network, self.tracker = network, LivenessTracker()
        self._estimates = EstimateSource(estimator)
        self.tune(live_threshold, spoof_threshold, window_s, least_frames, max_faces)

    @staticmethod
    def open(model: str = SHIPPED, backend: str = 'auto', precision: str = 'auto', *,
             estimator: str = '', live_threshold: float | None = None,
             spoof_threshold: float | None = None, window_s: float = 1.0, least_frames: int = 3,
             max_faces: int = MOST_FACES) -> LivenessDetector:
        """
        Open the models.

        :param estimator: model for faces without an estimate, '' = none
        :raises FaceDepthError: a model or backend is missing
        """
        with ExitStack() as opened:
            network = LivenessNetwork(model, backend, precision)
            opened.callback(network.close)
            own = DepthEstimator(estimator, backend, precision) if estimator else None
            if own is not None:
                opened.callback(own.close)
            detector = LivenessDetector(
                network, own, live_threshold=live_threshold, spoof_threshold=spoof_threshold,
                window_s=window_s, least_frames=least_frames, max_faces=max_faces)
            opened.pop_all()
            return detector

    @property
    def engine(self) -> Engine:
        """Return the engine of the network."""
        return self.network.engine

    @property
    def own_estimates(self) -> int:
        """Return how many faces it had to estimate itself."""
        return self._estimates.own_estimates

    def detect(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
               estimated: EstimatedDepth | None = None,
               enhanced: EnhancedDepth | None = None, *,
               intrinsics: CameraIntrinsics | None = None) -> tuple[Liveness, ...]:
        """
        Tell whether the faces of a frame live, by the evidence of their tracks.

        :param color: (H, W, 3) uint8 RGB; not changed
        :param detections: tracked
        :param estimated: of these detections, as far as there is any
        :param enhanced: of the same frame, None = none: everybody is unsure
        :param intrinsics: of the image, None = unknown: everybody is unsure
        :returns: of all detections, largest first
        :raises InvalidImageError: not such an image
        """
        self.tracker.forget(stamp_ns)
        looks = self._looks(color, detections, estimated, enhanced, intrinsics)
        shared = shared_tracks(detections)  # each of them stands for itself
        for track_id in shared:
            self.tracker.drop(track_id)
        return tuple(self._over_time(stamp_ns, d, look, '' if d.track_id in shared else d.track_id)
                     for d, look in looks)

    def look(self, color: np.ndarray, detections: Sequence[Detection],
             estimated: EstimatedDepth | None = None, enhanced: EnhancedDepth | None = None, *,
             intrinsics: CameraIntrinsics | None = None) -> tuple[Liveness, ...]:
        """Judge the faces of one frame by itself; parameters as of `detect`."""
        return tuple(
            _unseen(detection, look) if isinstance(look, str)
            else self._verdict(detection, look, self._evidence(look))
            for detection, look in self._looks(color, detections, estimated, enhanced,
                                               intrinsics))

    def tune(self, live_threshold: float | None, spoof_threshold: float | None, window_s: float,
             least_frames: int, max_faces: int) -> None:
        """
        Follow settings between frames; parameters as of the class.

        :raises SettingsError: one out of its range
        """
        live = self.network.live_threshold if live_threshold is None else live_threshold
        spoof = spoof_threshold
        if spoof is None:
            spoof = min(self.network.spoof_threshold, live)
        if not 0.0 <= spoof <= live <= 1.0:
            raise SettingsError(f'got spoof_threshold = {spoof} and live_threshold = {live}, '
                                'expected 0 <= spoof_threshold <= live_threshold <= 1')
        if least_frames < 1 or max_faces < 1:
            raise SettingsError(f'got least_frames = {least_frames} and max_faces = {max_faces}, '
                                'expected at least 1')
        self.tracker.tune(window_s)
        self.live_threshold, self.spoof_threshold = live, spoof
        self.least_frames, self.max_faces = least_frames, max_faces

    def reset(self) -> None:
        """Forget all tracks, as when a bag starts over."""
        self.tracker.reset()

    def close(self) -> None:
        """Release the engines; closing twice is allowed."""
        self.network.close()
        self._estimates.close()

    def _looks(self, color: np.ndarray, detections: Sequence[Detection],
               estimated: EstimatedDepth | None, enhanced: EnhancedDepth | None,
               intrinsics: CameraIntrinsics | None) -> list[tuple[Detection, _Look | str]]:
        """Look at the faces, largest first; instead of a look the cause why there is none."""
        check_frame('liveness detector', color, enhanced)
        ordered = sorted(detections, key=lambda d: d.box.side, reverse=True)
        chosen = ordered[:self.max_faces]
        seen: list[_Seen | str] = []
        for estimate in self._estimates.of(color, chosen, estimated, intrinsics):
            try:
                seen.append(estimate if isinstance(estimate, str)
                            else _see(estimate, enhanced, intrinsics))
            except FaceDepthError as error:
                seen.append(_CAUSES.get(error.cause, error.cause))
        said = iter(self.network.say([s.inputs for s in seen if isinstance(s, _Seen)]))
        looks = [s if isinstance(s, str) else self._judged(s, next(said)) for s in seen]
        return list(zip(ordered, [*looks, *['max_faces'] * (len(ordered) - len(chosen))],
                        strict=True))

    def _judged(self, seen: _Seen, said: LivenessSaid) -> _Look | str:
        if not math.isfinite(said.log_odds):
            return NOT_FINITE
        return _Look(said, seen.inputs.measured_share >= self.network.least_measured,
                     seen.pad_error,
                     seen.frontal and seen.pad_error > self.network.most_pad_error)

    def _evidence(self, look: _Look) -> float:
        """Return the log-odds of one frame; what fails the landmark test is an attack."""
        if look.failed:
            return min(look.said.log_odds, _log_odds(self.spoof_threshold) - _UNDER)
        return look.said.log_odds

    def _over_time(self, stamp_ns: int, detection: Detection, look: _Look | str,
                   track_id: str) -> Liveness:
        """Judge a face by what its track, '' for none, has shown."""
        if isinstance(look, str):
            self.tracker.drop(track_id)
            return _unseen(detection, look)
        evidence = self.tracker.update(stamp_ns, track_id, self._evidence(look))
        verdict = self._verdict(detection, look, evidence.log_odds)
        if evidence.frames < self.least_frames and verdict.reason != NO_DEPTH:
            return Liveness(detection, UNSURE, verdict.probability, FEW_FRAMES,
                            verdict.pad_error)
        return verdict

    def _verdict(self, detection: Detection, look: _Look, log_odds: float) -> Liveness:
        """Return what is said of a face."""
        probability = _probability(log_odds)
        if probability < self.spoof_threshold:
            label, reason = SPOOF, LANDMARKS if look.failed else look.said.reason
        elif not look.measured:
            label, reason = UNSURE, NO_DEPTH
        elif probability < self.live_threshold:
            label, reason = UNSURE, UNCLEAR
        else:
            label, reason = LIVE, ''
        return Liveness(detection, label, probability, reason, look.pad_error)


def _see(estimate: FaceEstimate, enhanced: EnhancedDepth | None,
         intrinsics: CameraIntrinsics | None) -> _Seen | str:
    """Make the inputs of a face, or say why it cannot be judged."""
    box, landmarks = estimate.detection.box, estimate.landmarks
    if enhanced is None:
        return NO_DEPTH
    if intrinsics is None:
        return 'no_intrinsics'
    if box.side < LEAST_SIDE_PX:
        return 'too_small'
    if landmarks is None:
        return 'no_landmarks'
    if (estimate.mask > 0).mean() < LEAST_FACE:
        return 'empty_mask'
    height, width = enhanced.depth.shape
    inside = ((landmarks >= 0) & (landmarks < (width, height))).all(axis=1)
    if inside.mean() < 1.0 - MOST_OUTSIDE:
        return 'landmarks_outside'
    return _Seen(liveness_input(enhanced, box, estimate.mask, landmarks, intrinsics),
                 landmark_test(enhanced.depth, landmarks).error, is_frontal(landmarks))


def _unseen(detection: Detection, cause: str) -> Liveness:
    """Return what is said of a face that cannot be judged."""
    return Liveness(detection, UNSURE, 0.5, cause)


def _probability(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(log_odds, -30.0), 30.0)))


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1e-6), 1.0 - 1e-6)
    return math.log(p / (1.0 - p))
