# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node depth_enhancer: depth and detections of one stamp in, the enhanced set out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
import threading
from typing import Any

from face_depth_ros.core.depth import depth_to_metres, metres_to_depth
from face_depth_ros.core.errors import (
    FaceDepthError,
    FilterError,
    ModelFileError,
    ModelSpecError,
)
from face_depth_ros.core.frames import EnhancedDepth
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.core.stamp_join import StampJoin
from face_depth_ros.nodes.camera_info_join import CameraInfoJoin, WAIT_S
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.depth_checks import check_sizes, frame_warnings
from face_depth_ros.nodes.depth_enhancer_settings import DepthEnhancerSettings
from face_depth_ros.nodes.detection_messages import DetectionFrame
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.join_report import IMAGES_KEPT, JoinReport
from face_depth_ros.nodes.outcome import Outcome, Substitute, Values
from face_depth_ros.nodes.process import run_node
from face_depth_ros.nodes.second_method import compare, MeasuredFrame, SecondMethod
from face_depth_ros.nodes.topic_adapters import CAMERA_INFO, DEPTH, DETECTIONS, IMAGE
from face_depth_ros.nodes.topic_input import Arrival
from face_depth_ros.nodes.worker_node import STEADY_CLOCK, WorkerNode
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.enhancer_methods import (
    find_paper_model,
    NETWORK,
    NO_METHOD,
    PAPER_ENHANCERS,
)
import numpy as np


@dataclass(frozen=True)
class EnhanceJob:
    """
    One depth frame and the detections of its stamp.

    :param info: calibration of the depth image
    :param color_info: calibration of the colour image, None when it is not published
    """

    depth: Arrival[ImageFrame]
    detections: Arrival[DetectionFrame]
    info: CameraInfoFrame
    color_info: CameraInfoFrame | None


class DepthEnhancerNode(WorkerNode[DepthEnhancerSettings, DepthEnhancer, EnhanceJob]):
    """
    Enhances the depth of detected faces in whole depth frames.

    :param open_enhancer: makes the predictor; takes DepthEnhancer's keyword arguments
    :param kwargs: of `WorkerNode`
    """

    default_name = 'depth_enhancer'
    settings_type = DepthEnhancerSettings

    def __init__(self, *, open_enhancer: Callable[..., DepthEnhancer] = DepthEnhancer,
                 **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, **kwargs)
        self._open_enhancer = open_enhancer
        self._intake = threading.Lock()
        self._join = StampJoin(('depth', 'detections'), capacity=IMAGES_KEPT)
        self._join_report = JoinReport(self.health.count, ('depth', 'detections'))
        self._infos: CameraInfoJoin[dict[str, Any]] = CameraInfoJoin(self.health.count)
        self._color_info: CameraInfoFrame | None = None
        transport = self.settings.depth_transport
        self.add_input('depth/image_raw', DEPTH[transport], self._on_depth)
        self.add_input('detections', DETECTIONS, self._on_detections)
        self.add_input('depth/camera_info', CAMERA_INFO, self._on_info)
        self.add_input('color/camera_info', CAMERA_INFO, self._on_color_info, required=False)
        self._image = self.add_output('depth_enhanced/image_raw', IMAGE)
        self._info = self.add_output('depth_enhanced/camera_info', CAMERA_INFO)
        self._confidence = self.add_output('depth_enhanced/confidence', IMAGE)
        self._provenance = self.add_output('depth_enhanced/provenance', IMAGE)
        self._comparison = self.add_output('depth_enhanced/comparison', IMAGE)
        self._second = SecondMethod()
        self.create_timer(WAIT_S, self._on_wait, clock=STEADY_CLOCK)
        self.start()

    def open_predictor(self, settings: DepthEnhancerSettings) -> DepthEnhancer:
        """Open the method, and the one to compare it with while somebody does."""
        s = settings
        enhancer = self._open_enhancer(
            method=s.method, model=s.model, backend=s.backend, precision=s.precision,
            confidence_threshold=s.confidence_threshold or None, guard=s.guard,
            noise_bound=s.noise_bound(), temporal=s.temporal)
        if self._comparison.demand:
            self._second.open(enhancer, s.comparison_method)
        return enhancer

    def open_substitute(self, settings: DepthEnhancerSettings, error: FaceDepthError) -> (
            Substitute[DepthEnhancer, DepthEnhancerSettings]):
        """Pass depth through, marked as left alone, where the files of a method are missing."""
        if not isinstance(error, (ModelSpecError, ModelFileError, FilterError)):
            raise error
        passing = replace(settings, method=NO_METHOD)
        return Substitute(self.open_predictor(passing), passing, (
            f'method {settings.method} cannot run, depth passes through unchanged'))

    def refusal(self, wanted: DepthEnhancerSettings, names: Collection[str]) -> str:
        """Refuse methods whose model is not there, before anything is opened."""
        chosen = {'method': wanted.method, 'comparison_method': wanted.comparison_method}
        for name, method in chosen.items():
            if name not in names or method == self._running.method:
                continue
            try:
                if method in PAPER_ENHANCERS:
                    find_paper_model(method)
                elif method == NETWORK:
                    find_model(wanted.model)
            except ModelSpecError as error:
                self.health.count(error.cause, f'{name} stays as it was: {error}')
                return str(error)
        return ''

    def apply_settings(self, old: DepthEnhancerSettings, new: DepthEnhancerSettings) -> None:
        """Open another method in the background; the present one works on until then."""
        self._second.forget_failure()
        self.exchange_predictor(('method', 'confidence_threshold'))
        self.between_frames(lambda enhancer: self._tune(enhancer, new))

    def reset(self) -> None:
        """Forget what waits to be joined."""
        with self._intake:
            self._join.clear()
            self._infos.clear()
            self._color_info = None
        if self._slot.present is not None:
            self._slot.present.reset()

    def process(self, predictor: DepthEnhancer, job: EnhanceJob) -> Outcome:
        """Enhance one frame."""
        stamp_ns, frame_id = job.depth.stamp_ns, job.depth.frame_id
        with self.health.stage('decode'):
            image, faces = job.depth.decode(), job.detections.decode()
            depth = depth_to_metres(image.array, image.encoding)
            check_sizes(depth, job.info, job.color_info)
            measured = MeasuredFrame(stamp_ns, depth, faces.detections, job.info.intrinsics())
        with self.health.stage('enhance'):
            enhanced = measured.enhance(predictor)
        with self.health.stage('encode'):
            wire = metres_to_depth(enhanced.depth, image.encoding)

        def frame(encoding: str, array: np.ndarray) -> ImageFrame:
            return ImageFrame(stamp_ns, frame_id, encoding, array)

        def compared() -> Values:
            picture = self._compare(predictor, measured, enhanced)
            return [] if picture is None else [(self._comparison, frame('rgb8', picture))]

        return Outcome(
            [(self._image, frame(image.encoding, wire)),
             (self._info, job.info.restamped(stamp_ns, frame_id)),
             (self._confidence, frame('mono8', enhanced.confidence)),
             (self._provenance, frame('mono8', enhanced.provenance))],
            frame_warnings(image.array, depth, enhanced.skipped),
            compared if self._comparison.demand else None)

    def report_values(self, predictor: DepthEnhancer | None) -> dict[str, object]:
        """Return the method and the engine that run, and what could not be joined."""
        drops = {f'join.{cause}': n for cause, n in sorted(self._join.drops.items())}
        method = 'none' if predictor is None else predictor.method
        model = PAPER_ENHANCERS.get(method, self.settings.model)
        return {'method': method, **drops, **self.engine_report.values(model, predictor)}

    def _compare(self, enhancer: DepthEnhancer, measured: MeasuredFrame,
                 enhanced: EnhancedDepth) -> np.ndarray | None:
        """Return the picture, None while its method is being opened."""
        method = self.settings.comparison_method
        if not self._second.is_open(enhancer, method):
            self.beside_frames(lambda e: self._second.open(e, method))
            self.health.count('comparison_opening', (
                f'there is no comparison yet: {method} is being opened'), problem=False)
            return None
        with self.health.stage('compare'):
            return compare(enhancer, method, measured, enhanced)

    def _tune(self, enhancer: DepthEnhancer, settings: DepthEnhancerSettings) -> None:
        enhancer.guard, enhancer.noise_bound = settings.guard, settings.noise_bound()
        if enhancer.temporal != settings.temporal:
            enhancer.temporal = settings.temporal
            enhancer.reset()

    def _on_depth(self, arrival: Arrival[ImageFrame]) -> None:
        with self._intake:
            if self.in_order(arrival.stamp_ns):
                self._pass_on('depth', self._join.add('depth', arrival.stamp_ns, arrival))

    def _on_detections(self, arrival: Arrival[DetectionFrame]) -> None:
        with self._intake:
            self._pass_on('detections', self._join.add('detections', arrival.stamp_ns, arrival))

    def _on_info(self, arrival: Arrival[CameraInfoFrame]) -> None:
        with self._intake:
            self._submit(self._infos.add_info(arrival.decode()))

    def _on_color_info(self, arrival: Arrival[CameraInfoFrame]) -> None:
        with self._intake:
            self._color_info = arrival.decode()

    def _on_wait(self) -> None:
        with self._intake:
            self._submit(self._infos.take_overdue())

    def _pass_on(self, key: str, joined_sets: list[dict[str, Any]]) -> None:
        self._join_report.look(self._join.drops, bool(joined_sets), key)
        for joined in joined_sets:
            self._submit(self._infos.add_frame(joined['depth'].stamp_ns, joined))

    def _submit(self, frames: list[tuple[dict[str, Any], CameraInfoFrame]]) -> None:
        for joined, info in frames:
            depth = joined['depth']
            self.submit(EnhanceJob(depth, joined['detections'], info, self._color_info),
                        depth.arrived)


def main() -> int:
    """Run the node alone in its process."""
    return run_node(DepthEnhancerNode)
