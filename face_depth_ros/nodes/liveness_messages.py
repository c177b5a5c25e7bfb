# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seam of liveness: what a Detection2DArray says of who lives."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.frames import Liveness
from face_depth_ros.core.live_identities import labels_of, LIVE, LIVENESS_LABELS, SPOOF, UNSURE
from face_depth_ros.nodes.detection_messages import (
    detection_without_score,
    DetectionFrame,
    detections_to_message,
)
from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.nodes.topic_adapters import Adapter
from vision_msgs.msg import Detection2D, Detection2DArray


@dataclass(frozen=True)
class LivenessFrame:
    """Whether the faces of one frame are living ones, empty when nobody is there."""

    stamp_ns: int
    frame_id: str
    faces: tuple[Liveness, ...]

    @property
    def labels(self) -> dict[str, str]:
        """What is said of each track: live, spoof or unsure; unsure when it is named twice."""
        return labels_of(self.faces)


def liveness_to_message(frame: LivenessFrame) -> Detection2DArray:
    """Return the message: id and box of the detections, results[0] = (label, score)."""
    message = detections_to_message(DetectionFrame(
        frame.stamp_ns, frame.frame_id, tuple(f.detection for f in frame.faces)))
    for detection, face in zip(message.detections, frame.faces, strict=True):
        detection.results[0].hypothesis.class_id = face.label
        detection.results[0].hypothesis.score = float(face.score)
    return message


def liveness_from_message(message: Detection2DArray) -> LivenessFrame:
    """
    Return what is said; a face without a result, or of any other label, is unsure.

    :raises InvalidFaceBoxError: a box is not finite, or has no size
    """
    return LivenessFrame(stamp_of(message.header), message.header.frame_id,
                         tuple(_liveness(d) for d in message.detections))


def _liveness(detection: Detection2D) -> Liveness:
    face = detection_without_score(detection)
    said = detection.results[0].hypothesis if detection.results else None
    if said is None or said.class_id not in LIVENESS_LABELS:
        return Liveness(face, UNSURE, 0.5)
    probability = {LIVE: said.score, SPOOF: 1.0 - said.score}.get(said.class_id, 0.5)
    return Liveness(face, said.class_id, probability)


LIVENESS: Adapter[LivenessFrame] = Adapter(
    Detection2DArray, liveness_from_message, liveness_to_message)
