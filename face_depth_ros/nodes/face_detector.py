# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node face_detector: colour in, tracked oriented face boxes out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.rate_limit import RateLimit
from face_depth_ros.core.tracking import FaceTracker
from face_depth_ros.nodes.detection_messages import DetectionFrame
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.outcome import Outcome
from face_depth_ros.nodes.parameters import Change, EngineSettings, parameter
from face_depth_ros.nodes.process import run_node
from face_depth_ros.nodes.topic_adapters import COLOR, DETECTIONS
from face_depth_ros.nodes.topic_input import Arrival
from face_depth_ros.nodes.worker_node import WorkerNode
from face_depth_ros.predictors.face_detector import FaceDetector

LEAST_RATE = 5.0
"""Hz; tracks and liveness need so many."""


@dataclass(frozen=True)
class FaceDetectorSettings(EngineSettings):
    """Parameters of face_detector."""

    model: str = parameter('face_detector', "a ModelSpec's name, or the path of its YAML",
                           change=Change.UNCONFIGURED)
    confidence_threshold: float = parameter(
        0.0, "least score of a face; 0 = the model's own threshold", minimum=0.0, maximum=1.0)
    max_faces: int = parameter(16, 'faces a frame, the best first', minimum=1, maximum=100)
    max_rate: float = parameter(
        0.0, 'images a second that are looked at, at most, 0 = all; since all nodes wait for '
        'detections, this makes them work on the same frames where the processor cannot do all; '
        f'{LEAST_RATE:g} or more', minimum=0.0, maximum=200.0)
    color_transport: str = parameter(
        'raw', 'compressed = JPEG or PNG from color/image_raw/compressed',
        choices=('raw', 'compressed'), change=Change.START)


class FaceDetectorNode(WorkerNode[FaceDetectorSettings, FaceDetector, Arrival[ImageFrame]]):
    """
    Finds and tracks the faces of each colour frame.

    :param open_detector: makes the predictor; takes FaceDetector's keyword arguments
    :param kwargs: of `WorkerNode`
    """

    default_name = 'face_detector'
    settings_type = FaceDetectorSettings

    def __init__(self, *, open_detector: Callable[..., FaceDetector] = FaceDetector,
                 **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, **kwargs)
        if problem := _wrong_rate(self.settings):
            raise SettingsError(problem)
        self._open_detector = open_detector
        self._own_threshold = 0.0
        self._tracker, self._rate = FaceTracker(), RateLimit()
        self.add_input('color/image_raw', COLOR[self.settings.color_transport], self._on_color)
        self._detections = self.add_output('detections', DETECTIONS)
        self.start()

    def open_predictor(self, settings: FaceDetectorSettings) -> FaceDetector:
        """Open the model."""
        s = settings
        detector = self._open_detector(model=s.model, backend=s.backend, precision=s.precision)
        self._own_threshold = detector.confidence_threshold
        self._tune(detector, s)
        return detector

    def apply_settings(self, old: FaceDetectorSettings, new: FaceDetectorSettings) -> None:
        """Follow threshold and number of faces from the next frame on."""
        self.between_frames(lambda detector: self._tune(detector, new))

    def refusal(self, wanted: FaceDetectorSettings, names: Collection[str]) -> str:
        """Refuse rates at which tracks would break."""
        return _wrong_rate(wanted) if 'max_rate' in names else ''

    def reset(self) -> None:
        """Forget the tracks; their numbers are not given again."""
        self._tracker.reset()

    def process(self, predictor: FaceDetector, job: Arrival[ImageFrame]) -> Outcome:
        """Detect and track."""
        with self.health.stage('decode'):
            color = job.decode()
        with self.health.stage('detect'):
            found = predictor.detect(color.array)
        with self.health.stage('track'):
            faces = self._tracker.update(job.stamp_ns, found)
        return Outcome([(self._detections, DetectionFrame(job.stamp_ns, job.frame_id, faces))])

    def report_values(self, predictor: FaceDetector | None) -> dict[str, object]:
        """Return the engine that runs, and how many images were skipped for `max_rate`."""
        return {'skipped_for_rate': self._rate.skipped,
                **self.engine_report.values(self.settings.model, predictor)}

    def _tune(self, detector: FaceDetector, settings: FaceDetectorSettings) -> None:
        detector.confidence_threshold = settings.confidence_threshold or self._own_threshold
        detector.max_faces = settings.max_faces

    def _on_color(self, arrival: Arrival[ImageFrame]) -> None:
        if self.in_order(arrival.stamp_ns) and self._rate.takes(arrival.stamp_ns,
                                                                self.settings.max_rate):
            self.submit(arrival, arrived=arrival.arrived)


def _wrong_rate(settings: FaceDetectorSettings) -> str:
    if 0.0 < settings.max_rate < LEAST_RATE:
        return (f'max_rate is {settings.max_rate:g}, expected 0 (every image) or '
                f'{LEAST_RATE:g} to 200')
    return ''


def main() -> int:
    """Run the node alone in its process."""
    return run_node(FaceDetectorNode)
