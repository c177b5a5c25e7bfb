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
from face_depth_ros.predictors.face_detector import FaceDetector


class Pipeline:
    """
    Detect, track, enhance and estimate; one instance per camera, frames in order.

    :param estimator: None = no depth from colour, no masks, no landmarks
    """

    def __init__(self, detector: FaceDetector, tracker: FaceTracker, enhancer: DepthEnhancer,
                 estimator: DepthEstimator | None = None) -> None:
        self.detector, self.tracker, self.enhancer = detector, tracker, enhancer
        self.estimator = estimator

    @staticmethod
    def open(method: str = 'network', detector_model: str = 'face_detector',
             enhancer_model: str = 'depth_enhancer', backend: str = 'auto',
             precision: str = 'auto', temporal: bool = False, estimator: str = '') -> Pipeline:
        """
        Open the models.

        :param temporal: see `DepthEnhancer`
        :param estimator: model of the `DepthEstimator`, '' = none
        :raises FaceDepthError: a model or backend is missing
        """
        with ExitStack() as opened:
            detector = FaceDetector(detector_model, backend, precision)
            opened.callback(detector.close)
            enhancer = DepthEnhancer(method, enhancer_model, backend, precision,
                                     temporal=temporal)
            opened.callback(enhancer.close)
            third = DepthEstimator(estimator, backend, precision) if estimator else None
            opened.pop_all()
            return Pipeline(detector, FaceTracker(), enhancer, third)

    def process(self, frame: Frame) -> FrameResult:
        """
        Run a frame through all stages that its images allow.

        :returns: no detections without colour, no enhanced depth without depth, no estimated
            depth without colour or estimator
        """
        stage_ms: dict[str, float] = {}
        started = time.perf_counter()
        found = self.detector.detect(frame.color) if frame.color is not None else ()
        started = _note(stage_ms, 'detect', started)
        jumps = self.tracker.jumps
        detections = self.tracker.update(frame.stamp_ns, found)
        if self.tracker.jumps != jumps:
            self.enhancer.reset()
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
            _note(stage_ms, 'estimate', started)
        return FrameResult(frame.stamp_ns, frame.frame_id, detections, enhanced, estimated,
                           stage_ms)

    def close(self) -> None:
        """Release the engines."""
        self.detector.close()
        self.enhancer.close()
        if self.estimator is not None:
            self.estimator.close()


def _note(stage_ms: dict[str, float], stage: str, started: float) -> float:
    """Store the time since `started`; return now."""
    now = time.perf_counter()
    stage_ms[stage] = (now - started) * 1e3
    return now
