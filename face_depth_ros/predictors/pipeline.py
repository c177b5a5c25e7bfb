# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The whole way of a frame without ROS: the same predictors that the nodes run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
import time
from typing import Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    Expression,
    Frame,
    FrameResult,
    Identity,
    Liveness,
)
from face_depth_ros.core.live_identities import labels_of, NOT_LIVE, NOT_LIVE_REFUSAL, only_live
from face_depth_ros.core.tracking import FaceTracker
from face_depth_ros.engines import Engine
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.estimator_methods import OURS
from face_depth_ros.predictors.expression_recognizer import ExpressionRecognizer
from face_depth_ros.predictors.face_detector import FaceDetector
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.known_people import GalleryAccess
from face_depth_ros.predictors.liveness_detector import LivenessDetector
import numpy as np


class Stage(Protocol):
    """A predictor with a network, or one that may have none."""

    @property
    def engine(self) -> Engine | None:
        """Return the engine of its network."""

    def close(self) -> None:
        """Release what is held."""


class ExpressionStage(Stage, Protocol):
    """What reads expressions: an ExpressionRecognizer."""

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  estimated: EstimatedDepth | None = None,
                  enhanced: EnhancedDepth | None = None, *,
                  intrinsics: CameraIntrinsics | None = None) -> tuple[Expression, ...]:
        """Say what the faces of a frame show, largest first."""

    def reset(self) -> None:
        """Forget all tracks."""


class LivenessStage(Stage, Protocol):
    """What tells who lives: a LivenessDetector."""

    def detect(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
               estimated: EstimatedDepth | None = None,
               enhanced: EnhancedDepth | None = None, *,
               intrinsics: CameraIntrinsics | None = None) -> tuple[Liveness, ...]:
        """Say which faces of a frame live, largest first."""

    def reset(self) -> None:
        """Forget all tracks."""


class Pipeline:
    """
    Detect, track, enhance, estimate, tell who lives, recognise, and read expressions.

    One instance per camera, frames in order.

    :param estimator: None = no depth from colour, no masks, no landmarks
    :param recognizer: None = nobody is recognised
    :param expressions: None = nobody's expression is read
    :param liveness: None = nobody says who lives
    :param require_live: whoever is not said to live is unknown to the recogniser
    """

    def __init__(self, detector: FaceDetector, tracker: FaceTracker, enhancer: DepthEnhancer,
                 estimator: DepthEstimator | None = None,
                 recognizer: FaceRecognizer | None = None,
                 expressions: ExpressionStage | None = None,
                 liveness: LivenessStage | None = None, *,
                 require_live: bool = False) -> None:
        self.detector, self.tracker, self.enhancer = detector, tracker, enhancer
        self.estimator, self.recognizer = estimator, recognizer
        self.expressions, self.liveness = expressions, liveness
        self.require_live = require_live

    @staticmethod
    def open(method: str = 'network', detector_model: str = 'face_detector',
             enhancer_model: str = 'depth_enhancer', backend: str = 'auto',
             precision: str = 'auto', temporal: bool = False, estimator: str = '',
             recognizer: str = '', access: GalleryAccess | None = None, expressions: str = '',
             liveness: str = '', require_live: bool = False) -> Pipeline:
        """
        Open the models.

        :param temporal: see `DepthEnhancer`
        :param estimator: model of the `DepthEstimator`, '' = none
        :param recognizer: model of the `FaceRecognizer`, '' = none
        :param access: the gallery with the people it knows, None = the default one
        :param expressions: model of the `ExpressionRecognizer`, '' = none
        :param liveness: model of the `LivenessDetector`, '' = none
        :param require_live: whoever is not said to live is unknown
        :raises FaceDepthError: a model or backend is missing
        """
        # Faces that nobody else estimates are estimated by those who need it.
        own = '' if estimator else OURS
        with ExitStack() as opened:
            detector = FaceDetector(detector_model, backend, precision)
            opened.callback(detector.close)
            enhancer = DepthEnhancer(method, enhancer_model, backend, precision,
                                     temporal=temporal)
            opened.callback(enhancer.close)
            third = DepthEstimator(estimator, backend, precision) if estimator else None
            if third is not None:
                opened.callback(third.close)
            fourth = None
            if recognizer:
                fourth = FaceRecognizer.open(recognizer, backend, precision, access=access,
                                             estimator=own)
                opened.callback(fourth.close)
            fifth = None
            if expressions:
                fifth = ExpressionRecognizer.open(expressions, backend, precision, estimator=own)
                opened.callback(fifth.close)
            sixth = LivenessDetector.open(liveness, backend, precision,
                                          estimator=own) if liveness else None
            opened.pop_all()
            return Pipeline(detector, FaceTracker(), enhancer, third, fourth, fifth, sixth,
                            require_live=require_live)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return the predictors that there are, in the order of their work."""
        stages: tuple[Stage | None, ...] = (
            self.detector, self.enhancer, self.estimator, self.liveness, self.recognizer,
            self.expressions)
        return tuple(stage for stage in stages if stage is not None)

    def process(self, frame: Frame) -> FrameResult:
        """
        Run a frame through all stages that its images allow.

        :returns: no detections without colour, no enhanced depth without depth; of what else is
            told, nothing (None) without colour or without the stage
        """
        stage_ms: dict[str, float] = {}
        started = time.perf_counter()
        found = self.detector.detect(frame.color) if frame.color is not None else ()
        started = _note(stage_ms, 'detect', started)
        jumps = self.tracker.jumps
        detections = self.tracker.update(frame.stamp_ns, found)
        if self.tracker.jumps != jumps:
            self._reset()
        started = _note(stage_ms, 'track', started)
        enhanced = None
        if frame.depth is not None:
            enhanced = self.enhancer.enhance(frame.depth, detections, stamp_ns=frame.stamp_ns,
                                             intrinsics=frame.intrinsics)
            started = _note(stage_ms, 'enhance', started)
        if frame.color is None:
            return FrameResult(frame.stamp_ns, frame.frame_id, detections, enhanced,
                               stage_ms=stage_ms)
        estimated = None
        if self.estimator is not None:
            estimated = self.estimator.estimate(frame.color, detections,
                                                intrinsics=frame.intrinsics, depth=frame.depth)
            started = _note(stage_ms, 'estimate', started)
        liveness = None
        if self.liveness is not None:
            liveness = self.liveness.detect(frame.stamp_ns, frame.color, detections, estimated,
                                            enhanced, intrinsics=frame.intrinsics)
            started = _note(stage_ms, 'liveness', started)
        identities = None
        if self.recognizer is not None:
            identities = self._recognize(self.recognizer, frame, frame.color, detections,
                                         estimated, enhanced, liveness)
            started = _note(stage_ms, 'recognize', started)
        expressions = None
        if self.expressions is not None:
            expressions = self.expressions.recognize(
                frame.stamp_ns, frame.color, detections, estimated, enhanced,
                intrinsics=frame.intrinsics)
            _note(stage_ms, 'express', started)
        return FrameResult(frame.stamp_ns, frame.frame_id, detections, enhanced, estimated,
                           identities, expressions, liveness, stage_ms)

    def close(self) -> None:
        """Release the engines."""
        for stage in self.stages:
            stage.close()

    def _recognize(self, recognizer: FaceRecognizer, frame: Frame, color: np.ndarray,
                   detections: tuple[Detection, ...], estimated: EstimatedDepth | None,
                   enhanced: EnhancedDepth | None,
                   liveness: tuple[Liveness, ...] | None) -> tuple[Identity, ...]:
        """Say who the faces are, of those that live where this is asked for."""
        identities = recognizer.recognize(frame.stamp_ns, color, detections, estimated, enhanced,
                                          intrinsics=frame.intrinsics)
        if not self.require_live:
            return identities
        identities = only_live(identities, None if liveness is None else labels_of(liveness))
        if any(i.cause == NOT_LIVE for i in identities):
            recognizer.refuse_enrollment(NOT_LIVE_REFUSAL)
        return identities

    def _reset(self) -> None:
        """Forget the tracks: time has jumped."""
        self.enhancer.reset()
        for stage in (self.recognizer, self.expressions, self.liveness):
            if stage is not None:
                stage.reset()


def _note(stage_ms: dict[str, float], stage: str, started: float) -> float:
    """Store the time since `started`; return now."""
    now = time.perf_counter()
    stage_ms[stage] = (now - started) * 1e3
    return now
