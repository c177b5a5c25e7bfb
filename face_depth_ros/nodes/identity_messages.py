# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seam of identities and liveness: what a Detection2DArray says of detected faces."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Identity
from face_depth_ros.core.live_identities import labels_by_track, UNSURE
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.nodes.topic_adapters import Adapter
from vision_msgs.msg import Detection2D, Detection2DArray


@dataclass(frozen=True)
class IdentityFrame:
    """Who the faces of one frame are, empty when nobody is there."""

    stamp_ns: int
    frame_id: str
    identities: tuple[Identity, ...]


@dataclass(frozen=True)
class LivenessFrame:
    """What a liveness detector says of the faces of one frame, by track: live, spoof, unsure."""

    stamp_ns: int
    frame_id: str
    labels: dict[str, str]


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


def liveness_from_message(message: Detection2DArray) -> LivenessFrame:
    """Return the labels; a face without a result, or named twice, is unsure."""
    labels = labels_by_track((d.id, d.results[0].hypothesis.class_id if d.results else UNSURE)
                             for d in message.detections)
    return LivenessFrame(stamp_of(message.header), message.header.frame_id, labels)


def liveness_to_message(frame: LivenessFrame) -> Detection2DArray:
    """Return a message without boxes."""
    message = detections_to_message(DetectionFrame(frame.stamp_ns, frame.frame_id, tuple(
        Detection(FaceBox(0.5, 0.5, 1.0), 1.0, track_id=track) for track in frame.labels)))
    for face, label in zip(message.detections, frame.labels.values(), strict=True):
        face.results[0].hypothesis.class_id = label
    return message


def _identity(detection: Detection2D) -> Identity:
    box, hypothesis = detection.bbox, detection.results[0].hypothesis
    face = Detection(FaceBox(box.center.position.x, box.center.position.y, box.size_x,
                             box.center.theta), 0.0, track_id=detection.id)
    return Identity(face, hypothesis.class_id, hypothesis.score)


IDENTITIES: Adapter[IdentityFrame] = Adapter(
    Detection2DArray, identities_from_message, identities_to_message)
LIVENESS: Adapter[LivenessFrame] = Adapter(
    Detection2DArray, liveness_from_message, liveness_to_message)
