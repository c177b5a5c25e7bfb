# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The Biwi Kinect Head Pose Database, read from its own folders.

Source: Fanelli, Dantone, Gall, Fossati and Van Gool, "Random Forests for Real Time 3D Face
Analysis", IJCV 101(3), 2013: some 15,000 frames in 24 sequences of 20 people, four of them twice,
a Kinect v1 at about 1 m, 640 x 480.

    <root>/01/frame_00003_rgb.png      colour
    <root>/01/frame_00003_depth.bin    millimetres, runs of empty and of full pixels
    <root>/01/frame_00003_pose.txt     rotation of the head, 3 x 3, and its centre in mm
    <root>/01/depth.cal, rgb.cal       camera matrix, distortion, rotation, translation, size

Certain, since independent programs for the dataset agree on it: these folders and names; the
depth file (int32 width and height, then until all pixels are told: int32 number of empty pixels,
int32 number of full ones, as many int16); the calibration's lines, and that a point of the depth
camera moves to the colour camera by x_rgb = R x + t with rgb.cal's R and t in mm; that pose and
centre are in the depth camera's frame, x right, y down, z forward, the head at rest looking along
-z; who is in which sequence. Assumed: the distortion's numbers are in OpenCV's order (they are
applied to the colour images; a depth.cal that has any is refused), and the principal points count
from pixel centres. What was behind the people is already cut away in the depth.

The depth images are brought onto the colour images, whose camera the faces then have. The paper
on depth from a conditional GAN crops by a focal length of 370 pixels, which is neither camera's
(575.8 and 517.7); here the calibration counts. It does not name its test sequences; `TEST` are
two people who were recorded once.
"""

from __future__ import annotations

from collections.abc import Iterable
import math
import os
from pathlib import Path
import re

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.registered_depth import CameraPair, depth_on_color_grid
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    existing,
    FaceDataset,
    read_bytes,
    read_color,
    read_numbers,
    read_text,
    Recording,
    RgbdFace,
)
import numpy as np

DATASET = 'biwi'
SUBJECTS = {
    '01': 'F01', '02': 'F02', '03': 'F03', '04': 'F04', '05': 'F05', '06': 'F06', '07': 'M01',
    '08': 'M02', '09': 'M03', '10': 'M04', '11': 'M05', '12': 'M06', '13': 'M07', '14': 'M08',
    '15': 'F03', '16': 'M09', '17': 'M10', '18': 'F05', '19': 'M11', '20': 'M12', '21': 'F02',
    '22': 'M01', '23': 'M13', '24': 'M14'}
"""Who is in which sequence, a woman or a man."""
TEST = ('11', '12')
"""Sequences left for the test."""

_TITLE = 'the Biwi Kinect Head Pose Database'
_LAYOUT = '01/frame_00003_depth.bin'
_FRAME = re.compile(r'frame_(\d{5})_depth\.bin')
_MM = 0.001
_CALIBRATION_LINES = (3, 3, 3, 0, 3, 3, 3, 3, 2)
"""Numbers on the lines of a calibration; 0 = any number of them, the distortion."""
_MOST_PIXELS = 1 << 24


class Biwi(FaceDataset):
    """
    The dataset's folder.

    :param root: the folder that holds 01, 02 and so on, or the one that holds that folder
    :raises DatasetError: no such folder, or nothing of the dataset in it
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = dataset_root(root, lambda folder: any(folder.glob('[0-9][0-9]/frame_*.bin')),
                                 _TITLE, _LAYOUT)
        self.recordings = tuple(
            Recording(DATASET, SUBJECTS[path.parent.name], path.parent.name,
                      f'{path.parent.name}_{match[1]}', 'free', path)
            for path in sorted(self.root.glob('[0-9][0-9]/frame_*_depth.bin'))
            if (match := _FRAME.fullmatch(path.name)) and path.parent.name in SUBJECTS)
        self._cameras: dict[str, tuple[CameraPair, np.ndarray]] = {}

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one frame.

        :returns: depth on the colour image's pixels, the pose and the head's centre in it
        :raises DatasetError: a file is missing or not what it should be
        """
        cameras, distortion = self._calibration(recording.session)
        stem = str(recording.path)[:-len('depth.bin')]
        camera = cameras.color
        color = read_color(Path(f'{stem}rgb.png'), (camera.width, camera.height))
        if distortion.any():
            color = cv2.undistort(color, camera.to_k(), distortion)
        rotation, center = read_pose(Path(f'{stem}pose.txt'))
        center = cameras.rotation @ center + cameras.translation
        if center[2] <= 0:
            raise DatasetError(f'{stem}pose.txt: the head centre lies behind the camera')
        yaw, pitch, roll = head_angles(cameras.rotation @ rotation)
        x, y = camera.project(center)
        return RgbdFace(
            DATASET, recording.subject, recording.session, recording.name, recording.condition,
            color, depth_on_color_grid(read_depth(recording.path), cameras), intrinsics=camera,
            yaw=yaw, pitch=pitch, roll=roll, head_center=(float(x), float(y)))

    def _calibration(self, sequence: str) -> tuple[CameraPair, np.ndarray]:
        """Return the cameras of a sequence and the colour lens's distortion, read once."""
        if sequence not in self._cameras:
            depth, depth_distortion, _, _ = read_calibration(self.root / sequence / 'depth.cal')
            if depth_distortion.any():
                raise DatasetError(f'{self.root / sequence / "depth.cal"} tells a distortion, '
                                   f'{depth_distortion.tolist()}; only zeros are known here')
            color, distortion, rotation, translation = read_calibration(
                self.root / sequence / 'rgb.cal')
            self._cameras[sequence] = (CameraPair(depth, color, rotation, translation),
                                       distortion)
        return self._cameras[sequence]


def split(recordings: Iterable[Recording]
          ) -> tuple[tuple[Recording, ...], tuple[Recording, ...]]:
    """Part recordings into those for training and those of the `TEST` sequences."""
    recordings = tuple(recordings)
    return (tuple(r for r in recordings if r.session not in TEST),
            tuple(r for r in recordings if r.session in TEST))


def read_depth(path: Path) -> np.ndarray:
    """
    Read a depth file.

    :returns: metres, (H, W) float32, NaN where empty
    :raises DatasetError: missing, unreadable, or its runs do not tell all pixels
    """
    content = read_bytes(path)
    width, height = _int32(content, 0, path), _int32(content, 4, path)
    count = width * height
    if not (width > 0 and height > 0 and count <= _MOST_PIXELS):
        raise DatasetError(f'{path} tells a size of {width} x {height}, expected a Biwi depth '
                           'file, whose size is 640 x 480')
    values = np.zeros(count, np.int16)
    at, done = 8, 0
    while done < count:
        empty, full = _int32(content, at, path), _int32(content, at + 4, path)
        at += 8
        if empty < 0 or full < 0 or done + empty + full > count or not empty + full:
            raise DatasetError(f'{path}: a run of {empty} empty and {full} full pixels after '
                               f'{done} of {count}; the file is damaged')
        if at + 2 * full > len(content):
            raise DatasetError(f'{path} ends within its pixels; is it whole?')
        done += empty
        values[done:done + full] = np.frombuffer(content, '<i2', full, at)
        done, at = done + full, at + 2 * full
    if at != len(content):
        raise DatasetError(f'{path} has {len(content) - at} bytes after its last pixel, expected '
                           'none; the file is damaged')
    return depth_to_metres(np.maximum(values, 0).astype(np.uint16).reshape(height, width),
                           '16UC1')


def read_pose(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """
    Read a pose file.

    :returns: rotation (3, 3) from the head at rest to the depth camera's optical frame; the
        head's centre, (3,) metres
    :raises DatasetError: missing, unreadable, or not such numbers
    """
    lines = read_numbers(path, 3, 'three numbers, a rotation and the centre of the head')
    if lines.shape != (4, 3) or not np.allclose(lines[:3] @ lines[:3].T, np.eye(3), atol=0.01):
        raise DatasetError(f'{path} has {len(lines)} lines, expected those of a rotation and the '
                           'centre of the head')
    return lines[:3], lines[3] * _MM


def read_calibration(path: Path) -> tuple[CameraIntrinsics, np.ndarray, np.ndarray, np.ndarray]:
    """
    Read a calibration file.

    :returns: camera; distortion (N,); rotation (3, 3) and translation (3,) metres from the depth
        camera
    :raises DatasetError: missing, unreadable, or not such lines
    """
    lines = [line.split() for line in read_text(existing(path)).splitlines() if line.strip()]
    if len(lines) != len(_CALIBRATION_LINES) or any(
            n not in (0, len(line)) for line, n in zip(lines, _CALIBRATION_LINES, strict=True)):
        raise DatasetError(f'{path} has lines of {[len(line) for line in lines]} numbers, '
                           'expected a camera matrix, distortion, rotation, translation and size')
    try:
        rows = [np.array(line, np.float64) for line in lines]
    except ValueError as error:
        raise DatasetError(f'{path} is not a file of numbers: {error}') from error
    width, height = (int(v) for v in rows[8])
    camera = CameraIntrinsics.from_k(np.concatenate(rows[:3]).tolist(), width, height)
    return camera, rows[3], np.stack(rows[4:7]), rows[7] * _MM


def head_angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """
    Return yaw, pitch and roll in degrees, with the signs of `RgbdFace`.

    :param rotation: (3, 3) from a head that looks along -z with y down to the optical frame
    """
    up = -rotation[:, 1]
    roll = math.atan2(up[0], -up[1])
    c, s = math.cos(roll), math.sin(roll)
    ahead = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ -rotation[:, 2]
    yaw = math.asin(max(-1.0, min(1.0, float(ahead[0]))))
    pitch = math.atan2(-float(ahead[1]), -float(ahead[2]))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def _int32(content: bytes, at: int, path: Path) -> int:
    if at + 4 > len(content):
        raise DatasetError(f'{path} ends within its numbers of pixels; is it whole?')
    return int.from_bytes(content[at:at + 4], 'little', signed=True)
