# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Adapted types: the value that travels inside the process, and the ROS message that stands for it.

The idea is that of REP-2007: nodes speak in values; messages exist only at the process border.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.nodes.camera_info_messages import (
    camera_info_from_message,
    camera_info_to_message,
    CameraInfoFrame,
)
from face_depth_ros.nodes.detection_messages import (
    DetectionFrame,
    detections_from_message,
    detections_to_message,
)
from face_depth_ros.nodes.image_messages import (
    color_from_message,
    compressed_color_from_message,
    compressed_depth_from_message,
    depth_from_message,
    image_to_message,
    ImageFrame,
)
from face_depth_ros.nodes.landmark_messages import (
    FaceLandmarks,
    landmarks_from_message,
    landmarks_to_message,
)
from hri_msgs.msg import FacialLandmarks
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray


class Stamped(Protocol):
    """What every value that travels has."""

    @property
    def stamp_ns(self) -> int:
        """Nanoseconds of the camera message."""

    @property
    def frame_id(self) -> str:
        """Frame of the camera message."""


V = TypeVar('V', bound=Stamped)


@dataclass(frozen=True)
class Adapter(Generic[V]):
    """
    How one kind of value crosses the process border.

    :param from_message: decodes, with the errors of core for malformed messages
    :param topic_suffix: what image_transport appends to the topic's name
    """

    message_type: type
    from_message: Callable[[Any], V]
    to_message: Callable[[V], Any]
    topic_suffix: str = ''

    @property
    def type_name(self) -> str:
        """Name under which ends inside the process must agree."""
        return f'{self.message_type.__module__}.{self.message_type.__name__}'


def not_read(message: Any) -> NoReturn:
    """
    Stand for the way back of messages that are only written, since they do not tell the value.

    :raises FaceDepthError: always
    """
    raise FaceDepthError(f'a {type(message).__name__} is not read here')


DETECTIONS: Adapter[DetectionFrame] = Adapter(
    Detection2DArray, detections_from_message, detections_to_message)
CAMERA_INFO: Adapter[CameraInfoFrame] = Adapter(
    CameraInfo, camera_info_from_message, camera_info_to_message)
LANDMARKS: Adapter[FaceLandmarks] = Adapter(
    FacialLandmarks, landmarks_from_message, landmarks_to_message)
COLOR: dict[str, Adapter[ImageFrame]] = {
    'raw': Adapter(Image, color_from_message, image_to_message),
    'compressed': Adapter(CompressedImage, compressed_color_from_message, image_to_message,
                          '/compressed')}
DEPTH: dict[str, Adapter[ImageFrame]] = {
    'raw': Adapter(Image, depth_from_message, image_to_message),
    'compressedDepth': Adapter(CompressedImage, compressed_depth_from_message, image_to_message,
                               '/compressedDepth')}
IMAGE = DEPTH['raw']
"""For outputs, where nothing is decoded."""
