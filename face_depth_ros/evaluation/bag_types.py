# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message types that bags of this package hold, for `rosbags`."""

from __future__ import annotations

from functools import lru_cache
import os
from pathlib import Path
import sys

import face_depth_ros
from face_depth_ros.core.errors import BagError
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from rosbags.typesys.store import Typestore

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
DETECTIONS = 'vision_msgs/msg/Detection2DArray'
LABEL_INFO = 'vision_msgs/msg/LabelInfo'
LANDMARKS = 'hri_msgs/msg/FacialLandmarks'

_OWN_TYPES = (
    *(f'vision_msgs/msg/{name}' for name in (
        'Point2D', 'Pose2D', 'BoundingBox2D', 'ObjectHypothesis', 'ObjectHypothesisWithPose',
        'Detection2D', 'Detection2DArray', 'VisionClass', 'LabelInfo')),
    'hri_msgs/msg/NormalizedPointOfInterest2D', LANDMARKS)


@lru_cache(maxsize=1)
def message_types() -> Typestore:
    """
    Return Jazzy's common interfaces and what the nodes publish of vision_msgs and hri_msgs.

    :raises BagError: the definition of such a type is nowhere
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    definitions = {}
    for name in _OWN_TYPES:
        definitions.update(get_types_from_msg(_definition(name), name))
    store.register(definitions)
    return store


def _definition(msgtype: str) -> str:
    package, _, name = msgtype.split('/')
    for folder in _folders(package):
        path = folder / 'msg' / f'{name}.msg'
        if path.is_file():
            return path.read_text(encoding='utf-8')
    searched = ', '.join(str(f) for f in _folders(package))
    raise BagError(
        f'no definition of {msgtype}; searched {searched}; install ros-<distro>-'
        f'{package.replace("_", "-")} and source the ROS set-up, or build the interfaces of this '
        'package', cause='message_type')


def _folders(package: str) -> list[Path]:
    prefixes = [p for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    folders = [Path(p) / 'share' / package for p in (*prefixes, sys.prefix)]
    folders.append(Path(face_depth_ros.__file__).resolve().parents[1] / 'interfaces' / package)
    return list(dict.fromkeys(folders))
