# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node depth_enhancer: depth and detections of one stamp in, the enhanced set out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import threading
from typing import Any

from face_depth_ros.core.depth import depth_to_metres, metres_to_depth
from face_depth_ros.core.stamp_join import StampJoin
from face_depth_ros.nodes.camera_info_join import CameraInfoJoin, WAIT_S
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.depth_checks import check_sizes, depth_warnings
from face_depth_ros.nodes.detection_messages import DetectionFrame
from face_depth_ros.nodes.engine_report import engine_values
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.parameters import Change, EngineSettings, parameter
from face_depth_ros.nodes.process import run_node
from face_depth_ros.nodes.topic_adapters import CAMERA_INFO, DEPTH, DETECTIONS, IMAGE
from face_depth_ros.nodes.topic_input import Arrival
from face_depth_ros.nodes.worker_node import Outcome, STEADY_CLOCK, WorkerNode
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer, METHODS, NETWORK
import numpy as np


@dataclass(frozen=True)
class DepthEnhancerSettings(EngineSettings):
    """Parameters of depth_enhancer."""

    method: str = parameter(NETWORK, 'the network, or a hand-crafted filter of librealsense',
                            choices=METHODS)
    model: str = parameter('depth_enhancer', "a ModelSpec's name, or the path of its YAML",
                           change=Change.UNCONFIGURED)
    confidence_threshold: float = parameter(
        0.0, "least support of a published pixel; 0 = the model's own threshold",
        minimum=0.0, maximum=1.0)
    depth_transport: str = parameter(
        'raw', 'compressedDepth = PNG from depth/image_raw/compressedDepth',
        choices=('raw', 'compressedDepth'), change=Change.START)


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
        self._join = StampJoin(('depth', 'detections'))
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
        self.create_timer(WAIT_S, self._on_wait, clock=STEADY_CLOCK)
        self.start()

    def open_predictor(self, settings: DepthEnhancerSettings) -> DepthEnhancer:
        """Open the method."""
        s = settings
        return self._open_enhancer(
            method=s.method, model=s.model, backend=s.backend, precision=s.precision,
            confidence_threshold=s.confidence_threshold or None)

    def apply_settings(self, old: DepthEnhancerSettings, new: DepthEnhancerSettings) -> None:
        """Open another method in the background; the present one works on until then."""
        if (old.method, old.confidence_threshold) != (new.method, new.confidence_threshold):
            self.exchange_predictor(('method', 'confidence_threshold'))

    def reset(self) -> None:
        """Forget what waits to be joined."""
        with self._intake:
            self._join.clear()
            self._infos.clear()
            self._color_info = None

    def process(self, predictor: DepthEnhancer, job: EnhanceJob) -> Outcome:
        """Enhance one frame."""
        stamp_ns, frame_id = job.depth.stamp_ns, job.depth.frame_id
        with self.health.stage('decode'):
            image, faces = job.depth.decode(), job.detections.decode()
            depth = depth_to_metres(image.array, image.encoding)
            check_sizes(depth, job.info, job.color_info)
        with self.health.stage('enhance'):
            enhanced = predictor.enhance(depth, faces.detections)
        with self.health.stage('encode'):
            wire = metres_to_depth(enhanced.depth, image.encoding)

        def frame(encoding: str, array: np.ndarray) -> ImageFrame:
            return ImageFrame(stamp_ns, frame_id, encoding, array)

        return Outcome(
            [(self._image, frame(image.encoding, wire)),
             (self._info, job.info.restamped(stamp_ns, frame_id)),
             (self._confidence, frame('mono8', enhanced.confidence)),
             (self._provenance, frame('mono8', enhanced.provenance))],
            [*depth_warnings(image.array, depth),
             *((f.cause, f'face {f.track_id}: {f.reason}') for f in enhanced.skipped)])

    def report_values(self, predictor: DepthEnhancer | None) -> dict[str, object]:
        """Return the method and the engine that run, and what could not be joined."""
        drops = {f'join.{cause}': n for cause, n in sorted(self._join.drops.items())}
        return {'method': 'none' if predictor is None else predictor.method, **drops,
                **engine_values(self.settings.model, predictor)}

    def _on_depth(self, arrival: Arrival[ImageFrame]) -> None:
        with self._intake:
            if self.in_order(arrival.stamp_ns):
                self._pass_on(self._join.add('depth', arrival.stamp_ns, arrival))

    def _on_detections(self, arrival: Arrival[DetectionFrame]) -> None:
        with self._intake:
            self._pass_on(self._join.add('detections', arrival.stamp_ns, arrival))

    def _on_info(self, arrival: Arrival[CameraInfoFrame]) -> None:
        with self._intake:
            self._submit(self._infos.add_info(arrival.decode()))

    def _on_color_info(self, arrival: Arrival[CameraInfoFrame]) -> None:
        with self._intake:
            self._color_info = arrival.decode()

    def _on_wait(self) -> None:
        with self._intake:
            self._submit(self._infos.take_overdue())

    def _pass_on(self, joined_sets: list[dict[str, Any]]) -> None:
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
