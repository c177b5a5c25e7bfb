# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Listens to landmarks/<track id> of the faces that somebody asks for; on the executor alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
import time

from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.nodes.landmark_messages import FaceLandmarks
from face_depth_ros.nodes.landmark_outputs import PREFIX
from face_depth_ros.nodes.topic_adapters import LANDMARKS
from face_depth_ros.nodes.topic_input import Arrival
from hri_msgs.msg import FacialLandmarks
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription


class LandmarkInputs:
    """
    One subscription for each face.

    :param receive: called with the track id and each arrival; must return at once
    """

    def __init__(self, node: Node,
                 receive: Callable[[str, Arrival[FaceLandmarks]], None]) -> None:
        self.topic = f'{node.resolve_topic_name(PREFIX)}/<track id>'
        self._node, self._receive = node, receive
        self._subscriptions: dict[str, Subscription] = {}

    @property
    def tracks(self) -> tuple[str, ...]:
        """The faces that are listened to."""
        return tuple(self._subscriptions)

    def follow(self, tracks: Iterable[str]) -> None:
        """Listen to these faces and to no others."""
        wanted = dict.fromkeys(tracks)
        for track in [t for t in self._subscriptions if t not in wanted]:
            self._node.destroy_subscription(self._subscriptions.pop(track))
        for track in wanted:
            if track not in self._subscriptions:
                self._subscriptions[track] = self._node.create_subscription(
                    FacialLandmarks, f'{PREFIX}/{track}', partial(self._on_message, track),
                    qos_profile_sensor_data)

    def _on_message(self, track: str, message: FacialLandmarks) -> None:
        self._receive(track, Arrival(stamp_of(message.header), message.header.frame_id,
                                     time.monotonic(), lambda: LANDMARKS.from_message(message)))
