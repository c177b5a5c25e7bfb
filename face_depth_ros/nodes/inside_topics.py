# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Topics that exist only inside a container: values that no ROS message stands for.

`depth_estimated/faces` carries a whole EstimatedDepth, with the crops of every face, from
depth_estimator to those who would otherwise estimate the same faces again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import EstimatedDepth
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.topic_adapters import Adapter
from face_depth_ros.nodes.topic_input import TopicInput, V
from rclpy.node import Node

ESTIMATES_TOPIC = 'depth_estimated/faces'


@dataclass(frozen=True)
class EstimateFrame:
    """Everything that depth_estimator says of one frame."""

    stamp_ns: int
    frame_id: str
    estimated: EstimatedDepth


def _no_message(value: Any) -> NoReturn:
    raise FaceDepthError(f'no ROS message stands for a {type(value).__name__}')


ESTIMATES: Adapter[EstimateFrame] = Adapter(EstimateFrame, _no_message, _no_message)


class InsideInput(TopicInput[V]):
    """An input that comes from inside the container or not at all."""

    @property
    def offered(self) -> bool:
        """Whether a component of the same container publishes it, also while this is closed."""
        return self._exchange is not None and self._exchange.offers(
            (self.topic, self._adapter.type_name))

    def _declare(self) -> None:
        """Declare nothing: there is no subscription."""

    def _subscribe(self) -> None:
        """Return nothing."""


class InsideOutput:
    """
    An output for the other components of the container alone.

    Its parameters are those of `TopicOutput`.
    """

    messages_sent = 0

    def __init__(self, node: Node, topic: str, adapter: Adapter[Any], exchange: Exchange,
                 on_demand: Callable[[], None]) -> None:
        self.topic = node.resolve_topic_name(topic)
        self._publication = exchange.advertise(self.topic, adapter.type_name, on_demand)

    @property
    def demand(self) -> int:
        """How many components take it."""
        return self._publication.subscriptions

    def encode(self, value: Any) -> None:
        """Return nothing: there is no message."""

    def send(self, value: Any, message: Any) -> None:
        """Hand a value on."""
        self._publication.deliver(value)

    def close(self) -> None:
        """Leave the topic."""
        self._publication.close()
