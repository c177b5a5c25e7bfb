# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seam of detections: vision_msgs/Detection2DArray and the faces of one frame."""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.errors import InvalidFaceBoxError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.headers import header_of, stamp_of
from vision_msgs.msg import (
    BoundingBox2D,
    Detection2D,
    Detection2DArray,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
)

FACE_CLASS = 'face'

_SIDES_EQUAL = 0.01


@dataclass(frozen=True)
class DetectionFrame:
    """The faces of one colour frame, empty when nobody is there."""

    stamp_ns: int
    frame_id: str
    detections: tuple[Detection, ...]


def detections_to_message(frame: DetectionFrame) -> Detection2DArray:
    """Return the message; landmarks have no place in it."""
    header = header_of(frame.stamp_ns, frame.frame_id)
    message = Detection2DArray(header=header)
    for face in frame.detections:
        box = BoundingBox2D(size_x=float(face.box.side), size_y=float(face.box.side))
        box.center.position.x = float(face.box.center_x)
        box.center.position.y = float(face.box.center_y)
        box.center.theta = float(face.box.roll)
        score = ObjectHypothesis(class_id=FACE_CLASS, score=float(face.score))
        message.detections.append(Detection2D(
            header=header, id=face.track_id, bbox=box,
            results=[ObjectHypothesisWithPose(hypothesis=score)]))
    return message


def detections_from_message(message: Detection2DArray) -> DetectionFrame:
    """
    Return the faces; detections of other classes are not faces.

    :raises InvalidFaceBoxError: a face is not a finite square, or has no score
    """
    faces = tuple(_face(d) for d in message.detections
                  if not d.results or d.results[0].hypothesis.class_id == FACE_CLASS)
    return DetectionFrame(stamp_of(message.header), message.header.frame_id, faces)


def detection_without_score(detection: Detection2D) -> Detection:
    """
    Return the face of a result about it, whose own score is not in the message: 0 stands for it.

    :raises InvalidFaceBoxError: the box is not finite, or has no size
    """
    box = detection.bbox
    return Detection(FaceBox(box.center.position.x, box.center.position.y, box.size_x,
                             box.center.theta), 0.0, track_id=detection.id)


def _face(detection: Detection2D) -> Detection:
    if not detection.results:
        raise InvalidFaceBoxError(
            f'detection {detection.id!r} has no results, expected results[0] = '
            f'({FACE_CLASS!r}, score)', cause='detection_without_result')
    box = detection.bbox
    if not math.isclose(box.size_x, box.size_y, rel_tol=_SIDES_EQUAL):
        raise InvalidFaceBoxError(
            f'detection {detection.id!r} is {box.size_x} x {box.size_y} pixels, expected a square '
            '(size_x = size_y = side)', cause='face_box_not_square')
    return Detection(
        box=FaceBox(box.center.position.x, box.center.position.y, box.size_x, box.center.theta),
        score=detection.results[0].hypothesis.score, track_id=detection.id)
