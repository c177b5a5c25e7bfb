# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Pandora, read from its own folders.

Source: Borghi, Venturelli, Vezzani and Cucchiara, "POSEidon: Face-from-Depth for Driver Pose
Estimation", CVPR 2017: 22 people, five sequences each, a Kinect v2, more than 250,000 frames.
Subsets: Pini et al., "Learning to Generate Facial Depth Maps", 3DV 2018, section 4.1.1.

    <root>/01/base_1_ID/RGB/000042_RGB.png        1920 x 1080 colour
    <root>/01/base_1_ID/DEPTH/000042_DEPTH.png    512 x 424, 16 bit millimetres
    <root>/01/base_1_ID/data.json                 a list with a record for each frame

Certain, since independent programs for the dataset, one of them a recorder, agree on it: these
folders and names (base_1, base_2, free_1, free_2, free_3, each with _ID); a record's frame_num,
orientation.euler with roll, pitch and yaw in degrees, joints (depth image), joints3D (Kinect's
camera space, metres, y up), jointsRGB (colour image) and jointsState (2 = tracked), 17 joints in
Kinect's order of which the fourth is the head. Assumed, for want of the data: S1 to S5 are the
folders in the order of their names; the joints' pixels count from pixel centres.

The signs of the angles are not known to be ours, and one user of the dataset found their three
names exchanged. So the faces come without angles, and `Pandora.annotation` has them as they stand
there. `FRONTAL` and `TURNED`, the paper's A1 and A2, ask for all three alike and without sign, so
neither matters to them.

Colour and depth come from two cameras without a calibration in the dataset. The paper crops both
alike around the head. Here the annotation tells more: each joint is given in space, in the depth
image and in the colour image, where the device's own calibration has put it, so the joints of a
sequence give both cameras by least squares, and the depth is brought onto the colour image. What
a lens distorts is not followed; what the joints miss by, the fit says and refuses beyond 1 % of
the image's width.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
import json
import math
import os
from pathlib import Path
import re
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.registered_depth import (
    camera_from_points,
    CameraPair,
    depth_on_color_grid,
)
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    FaceDataset,
    read_color,
    read_single_channel,
    read_text,
    Recording,
    RgbdFace,
)
import numpy as np

DATASET = 'pandora'
SEQUENCES = {'base_1': 'S1', 'base_2': 'S2', 'free_1': 'S3', 'free_2': 'S4', 'free_3': 'S5'}
TEST = ('10', '14', '16', '20')
"""Subjects of the test."""
CONSTRAINED, COMPLEX = ('S1', 'S2', 'S3'), ('S4', 'S5')
FRONTAL, TURNED = 'A1', 'A2'
"""All three angles within `FRONTAL_DEG`, or not."""
FRONTAL_DEG = 10.0
COLOR_SIZE, DEPTH_SIZE = (1920, 1080), (512, 424)
"""Width and height."""

_TITLE = 'Pandora'
_LAYOUT = '01/base_1_ID/DEPTH/000042_DEPTH.png'
_FOLDER = re.compile(r'(base_[12]|free_[123])(?:_ID)?')
_FRAME = re.compile(r'(\d{6})_DEPTH\.png')
_HEAD = 3
_TRACKED = 2
_ANGLES = ('yaw', 'pitch', 'roll')
_MOST_RMS = 0.01
"""What joints may miss by, in widths of the image."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """
    What data.json tells of a sequence.

    :param row: of each frame number
    :param angles: degrees, (N, 3) float64: yaw, pitch, roll as they are named there
    :param head: colour pixels, (N, 2) float64, corner-origin, NaN where not tracked
    :param cameras: both, from the joints
    """

    row: Mapping[int, int]
    angles: np.ndarray
    head: np.ndarray
    cameras: CameraPair


class Pandora(FaceDataset):
    """
    The dataset's folder.

    :param root: the folder that holds 01, 02 and so on, or the one that holds that folder
    :param color_size: width and height of the colour images, in whose pixels jointsRGB counts
    :param depth_size: and of the depth images, in which joints counts
    :raises DatasetError: no such folder, or nothing of the dataset in it
    """

    def __init__(self, root: str | os.PathLike[str], *,
                 color_size: tuple[int, int] = COLOR_SIZE,
                 depth_size: tuple[int, int] = DEPTH_SIZE) -> None:
        self.root = dataset_root(root, lambda folder: any(folder.glob('[0-9][0-9]/*/DEPTH')),
                                 _TITLE, _LAYOUT)
        self.color_size, self.depth_size = color_size, depth_size
        self.recordings = tuple(_recordings(self.root))
        self._annotations: dict[Path, Annotation] = {}

    def select(self, *, people: Collection[str] | None = None,
               sequences: Collection[str] = (*CONSTRAINED, *COMPLEX),
               poses: Collection[str] = (FRONTAL, TURNED)) -> tuple[Recording, ...]:
        """
        Choose annotated frames.

        :param people: such as `TEST`; None: all
        :param sequences: such as `CONSTRAINED`
        :param poses: `FRONTAL`, `TURNED` or both
        :raises DatasetError: an unknown sequence or pose, or an annotation is wrong
        """
        for name, asked, known in (('sequences', sequences, (*CONSTRAINED, *COMPLEX)),
                                   ('poses', poses, (FRONTAL, TURNED))):
            if isinstance(asked, str) or not set(asked) <= set(known):
                raise DatasetError(f'{name} are {asked!r}, expected some of {", ".join(known)}')
        chosen = []
        for recording in self.recordings:
            if recording.session not in sequences or (
                    people is not None and recording.subject not in people):
                continue
            annotation = self.annotation(recording)
            row = annotation.row.get(_number(recording))
            if row is not None and pose_subset(annotation.angles[row]) in poses:
                chosen.append(recording)
        return tuple(chosen)

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one frame.

        :returns: depth on the colour image's pixels, and the head's centre if it was tracked
        :raises DatasetError: a file is missing or not what it should be
        """
        annotation = self.annotation(recording)
        row = annotation.row.get(_number(recording))
        if row is None:
            raise DatasetError(f'{recording.path} is not in data.json; take the frames of '
                               'Pandora.select')
        folder = recording.path.parent.parent
        color = read_color(folder / 'RGB' / recording.path.name.replace('DEPTH', 'RGB'),
                           self.color_size)
        stored = read_single_channel(recording.path, self.depth_size)
        if stored.dtype != np.uint16:
            raise DatasetError(f'{recording.path} is {stored.dtype}, expected 16 bit millimetres')
        depth = depth_on_color_grid(depth_to_metres(stored, '16UC1'), annotation.cameras)
        x, y = annotation.head[row].tolist()
        return RgbdFace(
            DATASET, recording.subject, recording.session, recording.name, recording.condition,
            color, depth, intrinsics=annotation.cameras.color,
            head_center=(x, y) if math.isfinite(x) else None)

    def annotation(self, recording: Recording) -> Annotation:
        """
        Return what is known of a recording's sequence, read once.

        :raises DatasetError: data.json is missing or not what it should be
        """
        path = recording.path.parent.parent / 'data.json'
        if path not in self._annotations:
            self._annotations[path] = read_annotation(path, self.color_size, self.depth_size)
        return self._annotations[path]


def pose_subset(angles: np.ndarray) -> str:
    """
    Return `FRONTAL` or `TURNED`.

    :param angles: degrees, (3,)
    """
    return FRONTAL if (np.abs(angles) <= FRONTAL_DEG).all() else TURNED


def read_annotation(path: Path, color_size: tuple[int, int] = COLOR_SIZE,
                    depth_size: tuple[int, int] = DEPTH_SIZE) -> Annotation:
    """
    Read a sequence's data.json.

    :raises DatasetError: missing, unreadable, not such records, or the joints do not tell where
        the cameras are
    """
    try:
        records = json.loads(read_text(path))
    except ValueError as error:
        raise DatasetError(f'{path} is not JSON: {error}') from error
    if not isinstance(records, list) or not records:
        raise DatasetError(f'{path} is not a list of frames, expected one with a record for each')
    rows: dict[int, int] = {}
    parts: list[tuple[np.ndarray, ...]] = []
    for record in records:
        try:
            rows[int(record['frame_num'])] = len(parts)
            parts.append(_record(record))
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f'{path}: record {len(parts)} is not one of Pandora: '
                               f'{type(error).__name__} {error}') from error
    angles, space, depth, color, state = (np.stack(part) for part in zip(*parts, strict=True))
    tracked = (state == _TRACKED) & np.isfinite(np.concatenate([space, depth, color], -1)).all(-1)
    cameras = _cameras(space[tracked], depth[tracked], color[tracked], color_size, depth_size,
                       path)
    head = np.where(tracked[:, _HEAD, None], color[:, _HEAD], np.nan)
    return Annotation(rows, angles, head, cameras)


def _record(record: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
    """Return angles (3,), joints in space (17, 3), in both images (17, 2), their states (17,)."""
    euler = record['orientation']['euler']
    angles = np.array([euler[name] for name in _ANGLES], np.float64)
    space = np.array(record['joints3D'], np.float64) * (1.0, -1.0, 1.0)
    depth, color = (np.array(record[k], np.float64) + 0.5 for k in ('joints', 'jointsRGB'))
    state = np.array(record['jointsState'], np.int64)
    count = len(state)
    if count <= _HEAD or (space.shape, depth.shape, color.shape) != (
            (count, 3), (count, 2), (count, 2)) or not np.isfinite(angles).all():
        raise ValueError(f'joints of shapes {space.shape}, {depth.shape}, {color.shape} and '
                         f'{state.shape}, angles {angles.tolist()}')
    return angles, space, depth, color, state


def _cameras(space: np.ndarray, depth: np.ndarray, color: np.ndarray, color_size: tuple[int, int],
             depth_size: tuple[int, int], path: Path) -> CameraPair:
    """Find both cameras from joints; (N, 3) metres and (N, 2) pixels."""
    ahead = space[:, 2] > 0
    found: list[tuple[CameraIntrinsics, np.ndarray]] = []
    for name, pixels, size in (('depth', depth, depth_size), ('colour', color, color_size)):
        try:
            camera, place, rms = camera_from_points(space[ahead], pixels[ahead], *size)
        except DatasetError as error:
            raise DatasetError(f'{path}: {error}') from error
        if rms > _MOST_RMS * size[0]:
            raise DatasetError(f'{path}: the joints miss their place in the {name} image by '
                               f'{rms:.1f} pixels, expected {_MOST_RMS * size[0]:.1f} at most; '
                               'is this the annotation of these images?')
        found.append((camera, place))
    (source, from_place), (target, to_place) = found
    return CameraPair(source, target, np.eye(3), to_place - from_place)


def _recordings(root: Path) -> Iterator[Recording]:
    for folder in sorted(root.glob('[0-9][0-9]/*')):
        match = _FOLDER.fullmatch(folder.name)
        if match is None:
            continue
        session = SEQUENCES[match[1]]
        condition = 'constrained' if session in CONSTRAINED else 'complex'
        subject = folder.parent.name
        for path in sorted((folder / 'DEPTH').glob('*_DEPTH.png')):
            if frame := _FRAME.fullmatch(path.name):
                yield Recording(DATASET, subject, session, f'{subject}_{session}_{frame[1]}',
                                condition, path)


def _number(recording: Recording) -> int:
    return int(recording.name.rsplit('_', 1)[1])
