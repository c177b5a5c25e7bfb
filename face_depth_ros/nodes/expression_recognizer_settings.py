# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The parameters of the node expression_recognizer."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.nodes.face_join import JUDGE_WAIT_S, LOOK_S
from face_depth_ros.nodes.parameters import Change, EngineSettings, parameter
from face_depth_ros.predictors.estimator_methods import OURS
from face_depth_ros.predictors.expression_network import SHIPPED
from face_depth_ros.predictors.expression_recognizer import MOST_FACES


@dataclass(frozen=True)
class ExpressionRecognizerSettings(EngineSettings):
    """Parameters of expression_recognizer."""

    model: str = parameter(
        SHIPPED, 'name of the ModelSpec of a network that tells expressions (ours, or an '
        'AFNet-M), or the path of its YAML')
    smoothing_s: float = parameter(
        0.4, 'time constant of the running mean over the frames of a face, in seconds; 0 = each '
        'frame for itself', minimum=0.0, maximum=10.0)
    hysteresis: float = parameter(
        0.1, 'by how much another expression must be more probable to become the first one',
        minimum=0.0, maximum=0.9)
    max_faces: int = parameter(
        MOST_FACES, 'faces a frame, the largest first; nothing is told of others', minimum=1,
        maximum=100)
    use_depth: bool = parameter(
        True, 'look at enhanced depth too, where enough of a face is measured; else at texture '
        'alone', change=Change.START)
    estimator_model: str = parameter(
        OURS, 'estimates the faces that do not come from a depth_estimator in the same container')
    color_transport: str = parameter(
        'raw', 'compressed = JPEG or PNG from color/image_raw/compressed',
        choices=('raw', 'compressed'), change=Change.START)
    wait_s: float = parameter(
        JUDGE_WAIT_S, 'so many seconds a frame waits for enhanced depth that comes otherwise, '
        'twice as long for estimates, before it goes on without', minimum=LOOK_S, maximum=5.0,
        change=Change.START)
