# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node depth_estimator: colour and detections in; estimated depth, mask and landmarks out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import metres_to_depth
from face_depth_ros.core.errors import FaceDepthError, ModelFileError, ModelSpecError
from face_depth_ros.core.face_placement import CONTRADICTION
from face_depth_ros.core.frames import Detection, EstimatedDepth
from face_depth_ros.nodes.absent_estimator import AbsentEstimator
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.depth_estimator_settings import DepthEstimatorSettings, DYNAMIC_CROP
from face_depth_ros.nodes.diagnostics import Problem
from face_depth_ros.nodes.estimator_checks import usable_depth, usable_intrinsics
from face_depth_ros.nodes.face_join import FaceSet
from face_depth_ros.nodes.face_set_node import FaceSetNode
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.inside_topics import (
    EstimateFrame,
    ESTIMATES,
    ESTIMATES_TOPIC,
    InsideOutput,
)
from face_depth_ros.nodes.landmark_messages import FaceLandmarks, landmarks_of
from face_depth_ros.nodes.landmark_outputs import LandmarkFrame, LandmarkOutputs
from face_depth_ros.nodes.mask_messages import color_mask, label_info_message, LATCHED
from face_depth_ros.nodes.outcome import Outcome, Substitute
from face_depth_ros.nodes.process import run_node
from face_depth_ros.nodes.topic_adapters import (
    CAMERA_INFO,
    DEPTH,
    IMAGE,
    LANDMARKS,
)
from face_depth_ros.nodes.topic_output import Output, TopicOutput
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.estimator_methods import ESTIMATORS, find_estimator
import numpy as np
from sensor_msgs.msg import CameraInfo
from vision_msgs.msg import LabelInfo


class Estimator(Protocol):
    """What estimates: predictors.depth_estimator.DepthEstimator, or what stands in for it."""

    confidence_threshold: float
    crop: str

    def estimate(self, color: np.ndarray, detections: Sequence[Detection], *,
                 intrinsics: CameraIntrinsics | None = None,
                 depth: np.ndarray | None = None) -> EstimatedDepth:
        """Estimate one frame."""

    def close(self) -> None:
        """Release what is held."""


class DepthEstimatorNode(FaceSetNode[DepthEstimatorSettings, Estimator]):
    """
    Estimates depth, mask and landmarks of detected faces in colour frames.

    :param open_estimator: makes the predictor; takes DepthEstimator's keyword arguments
    :param kwargs: of `WorkerNode`
    """

    default_name = 'depth_estimator'
    settings_type = DepthEstimatorSettings

    def __init__(self, *, open_estimator: Callable[..., Estimator] = DepthEstimator,
                 **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, optional=('depth',), **kwargs)
        s = self.settings
        self._open_estimator = open_estimator
        self.add_faces(s.color_transport)
        self._depth_input = None if not s.use_depth else self.add_optional(
            'depth', 'depth/image_raw', DEPTH[s.depth_transport])
        self._depth = self.add_output('depth_estimated/image_raw', IMAGE)
        self._info = self.add_output('depth_estimated/camera_info', CAMERA_INFO)
        self._uncertainty = self.add_output('depth_estimated/uncertainty', IMAGE)
        self._mask = self.add_output('mask', IMAGE)
        self._color_mask = self.add_output('mask/color', IMAGE)
        self._landmarks = LandmarkOutputs(
            self, self._open_landmarks, health=self.health, on_executor=self.on_executor,
            on_demand=self._reconcile_soon, limit=lambda: self.settings.max_faces)
        self.outputs.append(self._landmarks)
        self._faces = None
        if self._exchange is not None:
            self._faces = InsideOutput(self, ESTIMATES_TOPIC, ESTIMATES, self._exchange,
                                       self._reconcile_soon)
            self.outputs.append(self._faces)
        self.latched = self.create_publisher(LabelInfo, 'mask/label_info', LATCHED)
        self.latched.publish(label_info_message(self.get_clock().now().nanoseconds))
        self.start()

    def open_predictor(self, settings: DepthEstimatorSettings) -> Estimator:
        """Open the model."""
        s = settings
        return self._open_estimator(
            model=s.model, backend=s.backend, precision=s.precision,
            confidence_threshold=s.confidence_threshold, crop=s.crop)

    def open_substitute(self, settings: DepthEstimatorSettings, error: FaceDepthError) -> (
            Substitute[Estimator, DepthEstimatorSettings]):
        """Publish empty frames where the files of a model are missing."""
        if not isinstance(error, (ModelSpecError, ModelFileError)):
            raise error
        return Substitute(AbsentEstimator(), replace(settings, model=''), (
            f'model {settings.model} cannot run, no face is estimated'))

    def refusal(self, wanted: DepthEstimatorSettings, names: Collection[str]) -> str:
        """Refuse models that are not there, before anything is opened."""
        if 'model' not in names or wanted.model == self._running.model:
            return ''
        try:
            find_estimator(wanted.model)
        except ModelSpecError as error:
            self.health.count(error.cause, f'model stays as it was: {error}')
            return str(error)
        return ''

    def apply_settings(self, old: DepthEstimatorSettings, new: DepthEstimatorSettings) -> None:
        """Open another model in the background; the present one works on until then."""
        self.exchange_predictor(('model',))
        self.between_frames(lambda estimator: _tune(estimator, new))

    def stop_work(self) -> None:
        """Close the topics of landmarks too."""
        super().stop_work()
        self.on_executor(self._landmarks.clear)

    def process(self, predictor: Estimator, job: FaceSet) -> Outcome:
        """Estimate one frame."""
        with self.health.stage('decode'):
            color = job.color.decode().array
            camera = usable_intrinsics(job.info, color.shape)
            depth = usable_depth(job.depth, color.shape)
            faces = self._largest(job.detections.decode().detections)
        problems: list[Problem] = [*camera.problems, *depth.problems]
        if job.depth is None:
            problems += self._depth_missing()
        if self.settings.crop == DYNAMIC_CROP and (depth.value is None or camera.value is None):
            problems.append(('dynamic_crop', (
                'crop is dynamic, but the frame has no usable depth and calibration; its faces '
                'are cropped by the boxes of their detections')))
        with self.health.stage('estimate'):
            estimated = predictor.estimate(color, faces, intrinsics=camera.value,
                                           depth=depth.value)
        with self.health.stage('encode'):
            values = self._values(job, estimated)
        return Outcome(values, problems + _doubts(estimated))

    def look_around(self) -> None:
        """Look who listens to landmarks."""
        if self._active:
            self._landmarks.look()

    def report_values(self, predictor: Estimator | None) -> dict[str, object]:
        """Return the model and the engine that run, and what could not be joined."""
        model = self._running.model if predictor is not None else ''
        engine = self.engine_report.values(ESTIMATORS.get(model, model), predictor)
        return {'model': model or 'none', 'sensor_depth': self._sensor_depth(),
                **self.join_values(), **engine}

    def _values(self, job: FaceSet, estimated: EstimatedDepth) -> list[tuple[Output, Any]]:
        """Return what is published of one frame."""
        stamp_ns, frame_id = job.color.stamp_ns, job.color.frame_id
        height, width = estimated.mask.shape
        encoding = self.settings.encoding

        def frame(encoding: str, array: np.ndarray) -> ImageFrame:
            return ImageFrame(stamp_ns, frame_id, encoding, array)

        info = job.info
        if info is None:  # K = 0 says that the camera is not calibrated
            info = CameraInfoFrame(stamp_ns, frame_id, CameraInfo(width=width, height=height))
        values: list[tuple[Output, Any]] = [
            (self._depth, frame(encoding, metres_to_depth(estimated.depth, encoding))),
            (self._info, info.restamped(stamp_ns, frame_id)),
            (self._uncertainty, frame('32FC1', estimated.uncertainty)),
            (self._mask, frame('mono8', estimated.mask))]
        if self._color_mask.demand:
            values.append((self._color_mask, frame('rgb8', color_mask(estimated.mask))))
        found = landmarks_of(stamp_ns, frame_id, estimated)
        values.append((self._landmarks, LandmarkFrame(stamp_ns, frame_id, found)))
        if self._faces is not None:
            values.append((self._faces, EstimateFrame(stamp_ns, frame_id, estimated)))
        return values

    def _largest(self, faces: tuple[Detection, ...]) -> tuple[Detection, ...]:
        """Return the faces that are worked on."""
        limit = self.settings.max_faces
        if len(faces) > limit:
            self.health.count('max_faces', (
                f'the {limit} largest of {len(faces)} faces are estimated; see the parameter '
                'max_faces'), problem=False)
        return tuple(sorted(faces, key=lambda f: f.box.side, reverse=True)[:limit])

    def _depth_missing(self) -> list[Problem]:
        """Return what to warn of when a frame has no depth; nothing where none comes at all."""
        if self._depth_input is None:
            return []
        message = (f'no depth of the stamp of a frame has come on {self._depth_input.topic}; it '
                   'went on without')
        if 'depth' in self._join.awaited:
            return [('depth_missing', message)]
        self.health.count('depth_missing', message, problem=False, published=True)
        return []

    def _sensor_depth(self) -> str:
        if self._depth_input is None:
            return 'not used: use_depth is false'
        if 'depth' in self._join.awaited:
            return 'used'
        return f'not waited for: nothing comes on {self._depth_input.topic}'

    def _open_landmarks(self, topic: str) -> TopicOutput[FaceLandmarks]:
        return TopicOutput(self, topic, LANDMARKS, health=self.health, exchange=self._exchange,
                           on_demand=self._reconcile_soon, matched_events=False)


def _doubts(estimated: EstimatedDepth) -> list[Problem]:
    """Return why faces were left out, and why some are doubtful."""
    doubts = [(f.cause, f'face {f.track_id}: {f.reason}') for f in estimated.skipped]
    return doubts + [
        (CONTRADICTION, (
            f'face {f.detection.track_id}: the depth of the sensor under it has no such relief: '
            'a picture of a face, or something is held before it'))
        for f in estimated.faces if f.note == CONTRADICTION]


def _tune(estimator: Estimator, settings: DepthEstimatorSettings) -> None:
    estimator.confidence_threshold, estimator.crop = settings.confidence_threshold, settings.crop


def main() -> int:
    """Run the node alone in its process."""
    return run_node(DepthEstimatorNode)
