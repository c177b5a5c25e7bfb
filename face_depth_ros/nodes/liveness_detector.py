# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node liveness_detector: enhanced depth and detections in; whether faces live out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth, Liveness
from face_depth_ros.core.live_identities import LIVE, UNSURE
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.nodes.absent_liveness import AbsentLivenessDetector
from face_depth_ros.nodes.diagnostics import Problem
from face_depth_ros.nodes.face_join import FaceSet
from face_depth_ros.nodes.face_judge_node import FaceJudgeNode
from face_depth_ros.nodes.liveness_detector_settings import LivenessDetectorSettings
from face_depth_ros.nodes.liveness_messages import LIVENESS, LivenessFrame
from face_depth_ros.nodes.outcome import Outcome
from face_depth_ros.nodes.process import run_node
from face_depth_ros.predictors.liveness_detector import LivenessDetector, NO_DEPTH
import numpy as np
from rclpy.parameter import Parameter

_REOPENING = ('model', 'estimator_model')
_THRESHOLDS = ('live_threshold', 'spoof_threshold')


class Detector(Protocol):
    """What detects: predictors.liveness_detector.LivenessDetector, or what stands in for it."""

    def detect(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
               estimated: EstimatedDepth | None = None, enhanced: EnhancedDepth | None = None, *,
               intrinsics: CameraIntrinsics | None = None) -> tuple[Liveness, ...]:
        """Tell whether the faces of a frame live."""

    def tune(self, live_threshold: float | None, spoof_threshold: float | None, window_s: float,
             least_frames: int, max_faces: int) -> None:
        """Follow settings."""

    def reset(self) -> None:
        """Forget all tracks."""

    def close(self) -> None:
        """Release what is held."""


class LivenessDetectorNode(FaceJudgeNode[LivenessDetectorSettings, Detector]):
    """
    Tells whether the detected faces live; never that one does without depth of its own stamp.

    :param open_detector: makes the predictor; takes LivenessDetector.open's keyword arguments
    :param kwargs: of `WorkerNode`
    """

    default_name = 'liveness_detector'
    settings_type = LivenessDetectorSettings
    without_model = 'nobody is known to live'
    without_depth = 'nobody in it is known to live'
    without_calibration = 'nobody is known to live'

    def __init__(self, *, open_detector: Callable[..., Detector] = LivenessDetector.open,
                 **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, **kwargs)
        self._open_detector = open_detector
        self.add_sources(use_depth=True)
        self._liveness = self.add_output('liveness', LIVENESS)
        self.start()

    def open_predictor(self, settings: LivenessDetectorSettings) -> Detector:
        """Open the models."""
        s = settings
        return self._open_detector(
            model=s.model, backend=s.backend, precision=s.precision, estimator=s.estimator_model,
            live_threshold=_threshold(s.live_threshold),
            spoof_threshold=_threshold(s.spoof_threshold), window_s=s.window_s,
            least_frames=s.least_frames, max_faces=s.max_faces)

    def absent(self) -> Detector:
        """Return what is unsure of everybody."""
        return AbsentLivenessDetector()

    def find_model(self, model: str) -> object:
        """Find the network."""
        return find_model(model)

    def refusal(self, wanted: LivenessDetectorSettings, names: Collection[str]) -> str:
        """Refuse thresholds that contradict each other, too."""
        live, spoof = wanted.live_threshold, wanted.spoof_threshold
        if 0.0 <= live < spoof:
            return (f'live_threshold is {live} and spoof_threshold {spoof}, expected the first to '
                    'be at least the second')
        return super().refusal(wanted, names)

    def apply_settings(self, old: LivenessDetectorSettings,
                       new: LivenessDetectorSettings) -> None:
        """Open another model in the background; the present one works until then."""
        self.exchange_predictor(_REOPENING)
        self.between_frames(lambda detector: self._tune(detector, old, new))

    def process(self, predictor: Detector, job: FaceSet) -> Outcome:
        """Tell whether the faces of one frame live."""
        frame = self.see(job)
        problems: list[Problem] = list(frame.problems)
        with self.health.stage('liveness'):
            faces = predictor.detect(
                job.color.stamp_ns, frame.color, frame.faces, frame.estimated, frame.enhanced,
                intrinsics=frame.intrinsics)
        if frame.enhanced is None:
            faces = tuple(_unmeasured(f) for f in faces)
            if faces and not self.awaits('enhanced'):
                problems.append((NO_DEPTH, (
                    'there is no enhanced depth, without which nobody is known to live; check '
                    'that depth_enhancer runs, and its topics')))
        self.count_depths('' if frame.enhanced is None else 'enhanced' for _ in faces)
        for face in faces:
            if face.label != LIVE:
                reason = face.reason or 'probability'
                self.health.count(f'{face.label}_{reason}', (
                    f'face {face.detection.track_id} is {face.label}: {reason}, live with '
                    f'probability {face.probability:.2f}'), problem=False, published=True)
        values = LivenessFrame(job.color.stamp_ns, job.color.frame_id, faces)
        return Outcome([(self._liveness, values)], problems)

    def _tune(self, detector: Detector, old: LivenessDetectorSettings,
              new: LivenessDetectorSettings) -> None:
        """Follow settings; a threshold that contradicts the model's other one goes back."""
        try:
            detector.tune(_threshold(new.live_threshold), _threshold(new.spoof_threshold),
                          new.window_s, new.least_frames, new.max_faces)
        except SettingsError as error:
            self.health.count(error.cause, f'{" and ".join(_THRESHOLDS)} stay as they were: '
                              f'{error}')
            back = [n for n in _THRESHOLDS if getattr(old, n) != getattr(new, n)]
            if back:
                self.set_parameters([Parameter(n, value=getattr(old, n)) for n in back])


def _threshold(value: float) -> float | None:
    """Return a threshold, None for that of the ModelSpec."""
    return value if value >= 0.0 else None


def _unmeasured(face: Liveness) -> Liveness:
    """Take back that a face lives that was not measured in this frame."""
    return replace(face, label=UNSURE, reason=NO_DEPTH) if face.label == LIVE else face


def main() -> int:
    """Run the node alone in its process."""
    return run_node(LivenessDetectorNode)
