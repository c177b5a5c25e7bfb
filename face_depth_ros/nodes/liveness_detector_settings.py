# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The parameters of the node liveness_detector."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.nodes.face_join import JUDGE_WAIT_S, LOOK_S
from face_depth_ros.nodes.parameters import Change, EngineSettings, parameter
from face_depth_ros.predictors.estimator_methods import OURS
from face_depth_ros.predictors.liveness_detector import MOST_FACES
from face_depth_ros.predictors.liveness_network import SHIPPED

OF_MODEL = -1.0
"""A threshold that stands for the one in the ModelSpec."""


@dataclass(frozen=True)
class LivenessDetectorSettings(EngineSettings):
    """Parameters of liveness_detector."""

    model: str = parameter(
        SHIPPED, 'name of the ModelSpec of a network that tells living faces from others, or the '
        'path of its YAML')
    live_threshold: float = parameter(
        OF_MODEL, 'least probability of a face that is called live; -1 = as in the ModelSpec',
        minimum=-1.0, maximum=1.0)
    spoof_threshold: float = parameter(
        OF_MODEL, 'below this probability a face is called spoof, between the two unsure; -1 = as '
        'in the ModelSpec', minimum=-1.0, maximum=1.0)
    window_s: float = parameter(
        1.0, 'so many seconds of a face decide together', minimum=0.0, maximum=10.0)
    least_frames: int = parameter(
        3, 'a face of which fewer frames were seen in that time is unsure', minimum=1,
        maximum=100)
    max_faces: int = parameter(
        MOST_FACES, 'faces a frame, the largest first; others are unsure', minimum=1, maximum=100)
    estimator_model: str = parameter(
        OURS, 'estimates the masks and landmarks of faces that do not come from a depth_estimator '
        'in the same container')
    color_transport: str = parameter(
        'raw', 'compressed = JPEG or PNG from color/image_raw/compressed',
        choices=('raw', 'compressed'), change=Change.START)
    wait_s: float = parameter(
        JUDGE_WAIT_S, 'so many seconds a frame waits for enhanced depth that comes otherwise, '
        'twice as long for estimates, before it goes on without', minimum=LOOK_S, maximum=5.0,
        change=Change.START)
