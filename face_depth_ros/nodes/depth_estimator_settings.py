# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The parameters of the node depth_estimator."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.nodes.parameters import Change, EngineSettings, parameter
from face_depth_ros.predictors.depth_estimator import CROPS
from face_depth_ros.predictors.estimator_methods import OURS

DYNAMIC_CROP = 'dynamic'


@dataclass(frozen=True)
class DepthEstimatorSettings(EngineSettings):
    """Parameters of depth_estimator."""

    model: str = parameter(
        OURS, 'ours, one of the papers (depthnet, cgan; made by a command), or the name of '
        'another ModelSpec, or the path of its YAML')
    confidence_threshold: float = parameter(
        0.5, 'least probability that there is a face in a detection; nothing is published of '
        'others', minimum=0.0, maximum=1.0)
    max_faces: int = parameter(16, 'faces a frame, the largest first', minimum=1, maximum=100)
    use_depth: bool = parameter(
        True, 'place estimated depth by the depth of the sensor, where there is any under a face',
        change=Change.START)
    encoding: str = parameter(
        '32FC1', 'of depth_estimated/image_raw: metres with NaN, or millimetres with 0',
        choices=('32FC1', '16UC1'))
    crop: str = parameter(
        'box', 'what a network sees of a face: its box, or (dynamic) a box whose side follows '
        'from the depth of the sensor in it', choices=CROPS)
    color_transport: str = parameter(
        'raw', 'compressed = JPEG or PNG from color/image_raw/compressed',
        choices=('raw', 'compressed'), change=Change.START)
    depth_transport: str = parameter(
        'raw', 'compressedDepth = PNG from depth/image_raw/compressedDepth',
        choices=('raw', 'compressedDepth'), change=Change.START)
