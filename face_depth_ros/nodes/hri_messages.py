# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seams of REP-155: which faces are tracked, and where in the image each one is."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.headers import header_of, stamp_of
from face_depth_ros.nodes.topic_adapters import Adapter, not_read
from hri_msgs.msg import IdsList, NormalizedRegionOfInterest2D


@dataclass(frozen=True)
class TrackedFaces:
    """The ids of all faces that are tracked in a frame; who is missing is gone."""

    stamp_ns: int
    frame_id: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class FaceRegion:
    """
    Where a face is.

    :param width: of the colour image, pixels
    :param height: likewise
    """

    stamp_ns: int
    frame_id: str
    width: int
    height: int
    detection: Detection


def tracked_to_message(tracked: TrackedFaces) -> IdsList:
    """Return the message."""
    return IdsList(header=header_of(tracked.stamp_ns, tracked.frame_id), ids=list(tracked.ids))


def tracked_from_message(message: IdsList) -> TrackedFaces:
    """Return the ids."""
    return TrackedFaces(stamp_of(message.header), message.header.frame_id, tuple(message.ids))


def region_to_message(face: FaceRegion) -> NormalizedRegionOfInterest2D:
    """Return the upright rectangle around the box, as far as it lies in the image."""
    corners = (face.detection.box.corners() / (face.width, face.height)).clip(0.0, 1.0)
    (xmin, ymin), (xmax, ymax) = corners.min(axis=0), corners.max(axis=0)
    return NormalizedRegionOfInterest2D(
        header=header_of(face.stamp_ns, face.frame_id), xmin=float(xmin), ymin=float(ymin),
        xmax=float(xmax), ymax=float(ymax), c=min(max(float(face.detection.score), 0.0), 1.0))


TRACKED: Adapter[TrackedFaces] = Adapter(IdsList, tracked_from_message, tracked_to_message)
REGION: Adapter[FaceRegion] = Adapter(NormalizedRegionOfInterest2D, not_read, region_to_message)
