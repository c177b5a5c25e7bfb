# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The parameters of the node hri_publisher."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.nodes.parameters import Change, NodeSettings, parameter


@dataclass(frozen=True)
class HriPublisherSettings(NodeSettings):
    """Parameters of hri_publisher."""

    prefix: str = parameter(
        '/humans', 'of all topics; two cameras on one prefix would erase the faces of each other',
        change=Change.START)
    max_faces: int = parameter(
        16, 'faces a frame that are tracked, the largest first', minimum=1, maximum=100)
    keep_seconds: float = parameter(
        5.0, 'how long the topics of a face stay when it is out of view', minimum=0.5,
        maximum=600.0)
