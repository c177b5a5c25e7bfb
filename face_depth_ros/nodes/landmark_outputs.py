# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The topics landmarks/<track id>: one for each face in view, closed once it has been away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from face_depth_ros.nodes.face_outputs import FaceOutputs, FaceValues
from face_depth_ros.nodes.landmark_messages import FaceLandmarks
from face_depth_ros.nodes.topic_output import TopicOutput
from rclpy.node import Node

PREFIX = 'landmarks'
AWAY_S = 2.0
"""How long a face may be out of view before its topic is closed."""
LandmarkFrame = FaceValues[FaceLandmarks]
"""The landmarks of all faces of one frame."""


class LandmarkOutputs(FaceOutputs[FaceLandmarks]):
    """
    The outputs of landmarks.

    :param options: of `FaceOutputs`
    """

    def __init__(self, node: Node, open_output: Callable[[str], TopicOutput[FaceLandmarks]],
                 **options: Any) -> None:
        super().__init__(node, open_output, prefix=PREFIX, away_s=lambda: AWAY_S, **options)
