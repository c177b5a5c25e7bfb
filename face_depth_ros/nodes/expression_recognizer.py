# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node expression_recognizer: colour, depth and detections in; what faces say out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth, Expression
from face_depth_ros.nodes.absent_expressions import AbsentExpressionRecognizer
from face_depth_ros.nodes.expression_messages import EXPRESSION_FRAMES, ExpressionFrame
from face_depth_ros.nodes.expression_recognizer_settings import ExpressionRecognizerSettings
from face_depth_ros.nodes.face_join import FaceSet
from face_depth_ros.nodes.face_judge_node import FaceJudgeNode
from face_depth_ros.nodes.outcome import Outcome
from face_depth_ros.nodes.process import run_node
from face_depth_ros.predictors.expression_network import find_expression_model
from face_depth_ros.predictors.expression_recognizer import ExpressionRecognizer
import numpy as np

_REOPENING = ('model', 'estimator_model')


class Recognizer(Protocol):
    """What recognises: predictors.expression_recognizer, or what stands in for it."""

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  estimated: EstimatedDepth | None = None,
                  enhanced: EnhancedDepth | None = None, *,
                  intrinsics: CameraIntrinsics | None = None) -> tuple[Expression, ...]:
        """Tell what the faces of a frame say."""

    def tune(self, smoothing_s: float, hysteresis: float, max_faces: int) -> None:
        """Follow settings."""

    def reset(self) -> None:
        """Forget all tracks."""

    def close(self) -> None:
        """Release what is held."""


class ExpressionRecognizerNode(FaceJudgeNode[ExpressionRecognizerSettings, Recognizer]):
    """
    Tells what the detected faces say.

    :param open_recognizer: makes the predictor; takes ExpressionRecognizer.open's keyword
        arguments
    :param kwargs: of `WorkerNode`
    """

    default_name = 'expression_recognizer'
    settings_type = ExpressionRecognizerSettings
    without_model = 'everybody is called neutral'
    without_depth = 'its expressions were told by texture alone'

    def __init__(self, *, open_recognizer: Callable[..., Recognizer] = ExpressionRecognizer.open,
                 **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, **kwargs)
        self._open_recognizer = open_recognizer
        self.add_sources(self.settings.use_depth)
        self._expressions = self.add_output('expressions', EXPRESSION_FRAMES)
        self.start()

    def open_predictor(self, settings: ExpressionRecognizerSettings) -> Recognizer:
        """Open the models."""
        s = settings
        return self._open_recognizer(
            model=s.model, backend=s.backend, precision=s.precision, estimator=s.estimator_model,
            smoothing_s=s.smoothing_s, hysteresis=s.hysteresis, max_faces=s.max_faces,
            use_depth=s.use_depth)

    def absent(self) -> Recognizer:
        """Return what calls everybody neutral."""
        return AbsentExpressionRecognizer()

    def find_model(self, model: str) -> object:
        """Find the network."""
        return find_expression_model(model)

    def apply_settings(self, old: ExpressionRecognizerSettings,
                       new: ExpressionRecognizerSettings) -> None:
        """Open another model in the background; the present one works until then."""
        self.exchange_predictor(_REOPENING)
        self.between_frames(lambda r: r.tune(new.smoothing_s, new.hysteresis, new.max_faces))

    def process(self, predictor: Recognizer, job: FaceSet) -> Outcome:
        """Tell what the faces of one frame say."""
        frame = self.see(job)
        with self.health.stage('express'):
            faces = predictor.recognize(
                job.color.stamp_ns, frame.color, frame.faces, frame.estimated, frame.enhanced,
                intrinsics=frame.intrinsics)
        self.count_depths(f.depth for f in faces)
        for face in faces:
            if face.cause:
                self.health.count(f'unseen_{face.cause}', (
                    f'nothing is told of face {face.detection.track_id}: {face.cause}'),
                    problem=False, published=True)
        values = ExpressionFrame(job.color.stamp_ns, job.color.frame_id, faces)
        return Outcome([(self._expressions, values)], frame.problems)


def main() -> int:
    """Run the node alone in its process."""
    return run_node(ExpressionRecognizerNode)
