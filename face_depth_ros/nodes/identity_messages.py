# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seam of identities: what a Detection2DArray says of who detected faces are."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.frames import Identity
from face_depth_ros.nodes.detection_messages import (
    detection_without_score,
    DetectionFrame,
    detections_to_message,
)
from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.nodes.topic_adapters import Adapter
from vision_msgs.msg import Detection2D, Detection2DArray


@dataclass(frozen=True)
class IdentityFrame:
    """Who the faces of one frame are, empty when nobody is there."""

    stamp_ns: int
    frame_id: str
    identities: tuple[Identity, ...]


def identities_to_message(frame: IdentityFrame) -> Detection2DArray:
    """Return the message: id and box of the detections, results[0] = (person, probability)."""
    message = detections_to_message(DetectionFrame(
        frame.stamp_ns, frame.frame_id, tuple(i.detection for i in frame.identities)))
    for face, identity in zip(message.detections, frame.identities, strict=True):
        face.results[0].hypothesis.class_id = identity.person
        face.results[0].hypothesis.score = float(identity.probability)
    return message


def identities_from_message(message: Detection2DArray) -> IdentityFrame:
    """
    Return who is there; the score of the detections is not in the message, 0 stands for it.

    :raises InvalidFaceBoxError: a box is not finite, or has no size
    """
    return IdentityFrame(
        stamp_of(message.header), message.header.frame_id,
        tuple(_identity(d) for d in message.detections if d.results))


def _identity(detection: Detection2D) -> Identity:
    hypothesis = detection.results[0].hypothesis
    return Identity(detection_without_score(detection), hypothesis.class_id, hypothesis.score)


IDENTITIES: Adapter[IdentityFrame] = Adapter(
    Detection2DArray, identities_from_message, identities_to_message)
