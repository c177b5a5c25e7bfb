# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seam of landmarks: hri_msgs/FacialLandmarks and the 68 points of one face."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import LANDMARK_COUNT
from face_depth_ros.core.frames import EstimatedDepth
from face_depth_ros.nodes.headers import header_of, stamp_of
from hri_msgs.msg import FacialLandmarks, NormalizedPointOfInterest2D
import numpy as np

PUPILS = ((FacialLandmarks.RIGHT_PUPIL, slice(FacialLandmarks.RIGHT_EYE_OUTSIDE,
                                              FacialLandmarks.RIGHT_EYE_BOTTOM_1 + 1)),
          (FacialLandmarks.LEFT_PUPIL, slice(FacialLandmarks.LEFT_EYE_INSIDE,
                                             FacialLandmarks.LEFT_EYE_BOTTOM_2 + 1)))
"""The two points of the message that are no landmarks of ours, and the lids around each."""


@dataclass(frozen=True)
class FaceLandmarks:
    """
    The landmarks of one face.

    :param width: of the colour image, pixels
    :param height: likewise
    :param points: pixels, (68, 2) float32, in the usual 68-point order
    :param visibility: (68,) float32, probability that nothing hides the point
    """

    stamp_ns: int
    frame_id: str
    width: int
    height: int
    points: np.ndarray
    visibility: np.ndarray


def landmarks_of(stamp_ns: int, frame_id: str, estimated: EstimatedDepth) -> dict[
        str, FaceLandmarks]:
    """Return the landmarks of all faces of a frame that have some, by track, largest first."""
    height, width = estimated.mask.shape
    found: dict[str, FaceLandmarks] = {}
    for face in reversed(estimated.faces):  # larger boxes first
        if face.landmarks is not None and face.visibility is not None:
            found.setdefault(face.detection.track_id, FaceLandmarks(
                stamp_ns, frame_id, width, height, face.landmarks, face.visibility))
    return found


def landmarks_to_message(face: FaceLandmarks) -> FacialLandmarks:
    """
    Return the message: points in shares of width and height, visibility as their confidence.

    Points beyond the border of the image are put on it, with confidence 0, since the message
    knows no others. Nothing looks for pupils: they stand in the middle of the lids around them,
    with confidence 0.
    """
    places = np.asarray(face.points, np.float64) / (face.width, face.height)
    inside = np.clip(places, 0.0, 1.0)
    sure = np.where((places == inside).all(axis=1), np.clip(face.visibility, 0.0, 1.0), 0.0)
    message = FacialLandmarks(header=header_of(face.stamp_ns, face.frame_id),
                              height=face.height, width=face.width)
    for i in range(LANDMARK_COUNT):
        message.landmarks[i] = _point(inside[i], sure[i])
    for index, lids in PUPILS:
        message.landmarks[index] = _point(inside[lids].mean(axis=0), 0.0)
    return message


def landmarks_from_message(message: FacialLandmarks) -> FaceLandmarks:
    """
    Return the 68 points.

    :raises InvalidImageError: the message does not say how large its image is
    """
    if not message.width or not message.height:
        raise InvalidImageError(
            f'landmarks are of an image of {message.width} x {message.height} pixels, expected '
            'its width and height', cause='image_size')
    rows = np.array([(p.x, p.y, p.c) for p in message.landmarks[:LANDMARK_COUNT]], np.float32)
    size = np.array([message.width, message.height], np.float32)
    return FaceLandmarks(stamp_of(message.header), message.header.frame_id, message.width,
                         message.height, rows[:, :2] * size, rows[:, 2])


def _point(place: np.ndarray, confidence: float) -> NormalizedPointOfInterest2D:
    return NormalizedPointOfInterest2D(x=float(place[0]), y=float(place[1]), c=float(confidence))
