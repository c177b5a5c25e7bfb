# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which topics of a bag are the camera's colour, depth and camera_info."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from face_depth_ros.core.errors import BagError
from face_depth_ros.evaluation.bag_types import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE

_COLOR_NAMES = ('/camera/camera/color/image_raw', '/camera/color/image_raw',
                '/face_depth/color/image_raw', '/color/image_raw')
_DEPTH_NAMES = ('/camera/camera/aligned_depth_to_color/image_raw',
                '/camera/aligned_depth_to_color/image_raw',
                '/face_depth/depth/image_raw', '/depth/image_raw')
_IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)


@dataclass(frozen=True)
class CameraTopics:
    """
    Topics of one RGB-D camera.

    :param color_info: None when the bag has no camera_info for the colour image
    """

    color: str
    depth: str
    color_info: str | None = None
    depth_info: str | None = None

    def by_key(self) -> dict[str, str]:
        """Return the topics that are there, by 'color', 'depth', 'color_info', 'depth_info'."""
        topics = {'color': self.color, 'depth': self.depth, 'color_info': self.color_info,
                  'depth_info': self.depth_info}
        return {key: topic for key, topic in topics.items() if topic is not None}


def find_camera_topics(types: Mapping[str, str], *, color: str | None = None,
                       depth: str | None = None) -> CameraTopics:
    """
    Choose the camera's topics by name and type; realsense-ros names win, then the only candidate.

    :param types: message type per topic
    :param color: this topic and no other
    :param depth: this topic and no other
    :raises BagError: no candidate, several, or a chosen topic that is not an image
    """
    images = [t for t, kind in types.items() if kind in _IMAGE_TYPES]
    depths = [t for t in images if 'depth' in t or t.endswith('/compressedDepth')]
    colors = [t for t in images if t not in depths and not any(
        word in t for word in ('infra', 'mask', 'confidence', 'provenance'))]
    chosen_color = _choose('color', color, colors, _COLOR_NAMES, ('/compressed',), types)
    chosen_depth = _choose('depth', depth, depths, _DEPTH_NAMES, ('/compressedDepth',), types)
    return CameraTopics(chosen_color, chosen_depth, _info_of(chosen_color, types),
                        _info_of(chosen_depth, types))


def _choose(role: str, wanted: str | None, candidates: list[str], names: tuple[str, ...],
            suffixes: tuple[str, ...], types: Mapping[str, str]) -> str:
    if wanted is not None:
        if types.get(wanted) not in _IMAGE_TYPES:
            raise BagError(
                f'the bag has no image topic {wanted!r} for {role} (it is '
                f'{types.get(wanted, "not there")}); {_listing(types)}', cause='bag_topic')
        return wanted
    for name in names:
        for topic in (name, *(name + s for s in suffixes)):
            if topic in candidates:
                return topic
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise BagError(f'the bag has no {role} image topic; {_listing(types)}; name one with '
                       f'--{role}-topic', cause='bag_topic')
    raise BagError(
        f'the bag has several topics that may be the {role} image ({", ".join(candidates)}); '
        f'name one with --{role}-topic', cause='bag_topic')


def _info_of(image_topic: str, types: Mapping[str, str]) -> str | None:
    """Return the camera_info beside an image topic, as image_transport places it."""
    parts = image_topic.split('/')
    for keep in (len(parts) - 1, len(parts) - 2):
        candidate = '/'.join([*parts[:keep], 'camera_info'])
        if keep > 0 and types.get(candidate) == CAMERA_INFO:
            return candidate
    return None


def _listing(types: Mapping[str, str]) -> str:
    found = ', '.join(f'{topic} ({kind})' for topic, kind in sorted(types.items()))
    return f'topics in the bag: {found or "none"}'
