# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The whole way of a frame without ROS: the same predictors that the nodes run."""

from __future__ import annotations

from contextlib import ExitStack
import time

from face_depth_ros.core.frames import Frame, FrameResult
from face_depth_ros.core.tracking import FaceTracker
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.estimator_methods import OURS
from face_depth_ros.predictors.face_detector import FaceDetector
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.known_people import GalleryAccess


class Pipeline:
    """
    Detect, track, enhance, estimate and recognise; one instance per camera, frames in order.

    :param estimator: None = no depth from colour, no masks, no landmarks
    :param recognizer: None = nobody is recognised
    """

    def __init__(self, detector: FaceDetector, tracker: FaceTracker, enhancer: DepthEnhancer,
                 estimator: DepthEstimator | None = None,
                 recognizer: FaceRecognizer | None = None) -> None:
        self.detector, self.tracker, self.enhancer = detector, tracker, enhancer
        self.estimator, self.recognizer = estimator, recognizer

    @staticmethod
    def open(method: str = 'network', detector_model: str = 'face_detector',
             enhancer_model: str = 'depth_enhancer', backend: str = 'auto',
             precision: str = 'auto', temporal: bool = False, estimator: str = '',
             recognizer: str = '', access: GalleryAccess | None = None) -> Pipeline:
        """
        Open the models.

        :param temporal: see `DepthEnhancer`
        :param estimator: model of the `DepthEstimator`, '' = none
        :param recognizer: model of the `FaceRecognizer`, '' = none
        :param access: the gallery with the people it knows, None = the default one
        :raises FaceDepthError: a model or backend is missing
        """
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
                                             estimator='' if estimator else OURS)
            opened.pop_all()
            return Pipeline(detector, FaceTracker(), enhancer, third, fourth)

    def process(self, frame: Frame) -> FrameResult:
        """
        Run a frame through all stages that its images allow.

        :returns: no detections without colour, no enhanced depth without depth, no estimated
            depth without colour or estimator, no identities without colour or recogniser
        """
        stage_ms: dict[str, float] = {}
        started = time.perf_counter()
        found = self.detector.detect(frame.color) if frame.color is not None else ()
        started = _note(stage_ms, 'detect', started)
        jumps = self.tracker.jumps
        detections = self.tracker.update(frame.stamp_ns, found)
        if self.tracker.jumps != jumps:
            self.enhancer.reset()
            if self.recognizer is not None:
                self.recognizer.reset()
        started = _note(stage_ms, 'track', started)
        enhanced = None
        if frame.depth is not None:
            enhanced = self.enhancer.enhance(frame.depth, detections, stamp_ns=frame.stamp_ns,
                                             intrinsics=frame.intrinsics)
            started = _note(stage_ms, 'enhance', started)
        estimated = None
        if self.estimator is not None and frame.color is not None:
            estimated = self.estimator.estimate(frame.color, detections,
                                                intrinsics=frame.intrinsics, depth=frame.depth)
            started = _note(stage_ms, 'estimate', started)
        identities = None
        if self.recognizer is not None and frame.color is not None:
            identities = self.recognizer.recognize(
                frame.stamp_ns, frame.color, detections, estimated, enhanced,
                intrinsics=frame.intrinsics)
            _note(stage_ms, 'recognize', started)
        return FrameResult(frame.stamp_ns, frame.frame_id, detections, enhanced, estimated,
                           identities, stage_ms=stage_ms)

    def close(self) -> None:
        """Release the engines."""
        self.detector.close()
        self.enhancer.close()
        if self.estimator is not None:
            self.estimator.close()
        if self.recognizer is not None:
            self.recognizer.close()


def _note(stage_ms: dict[str, float], stage: str, started: float) -> float:
    """Store the time since `started`; return now."""
    now = time.perf_counter()
    stage_ms[stage] = (now - started) * 1e3
    return now
