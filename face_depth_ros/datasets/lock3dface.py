# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Lock3DFace, read from its own folders.

Source: Zhang, Huang, Wang and Sun, "Lock3DFace: A large-scale database of low-cost Kinect 3D
faces", ICB 2016: 509 people, 5,711 short videos, a Kinect v2; expressions, poses, occlusions, and
a second session.

    <root>/color/001_Kinect_FE_1COLOR/01.jpg               1920 x 1080
    <root>/depth/001_Kinect_FE_1DEPTH/01.png               512 x 424, 16 bit millimetres
    <root>/label/infrared/001_Kinect_FE_1INFRARED.txt      five lines x:277 y:228

Certain, since independent programs for the dataset and a frame that one of them shows agree on it:
these folders and names (also with color and depth in data, and the labels in landmark/infrared),
with the person's number, a category and a number; NU neutral, FE expression, PS pose, OC
occlusion, TM time; the files' sizes; that the labels count in the depth image, eyes, nose tip and
mouth corners, left in the image before right, 0 where one is not seen. Assumed, for want of the
data: TM and nothing else is the second session; the labels belong to the first frame of a video,
so that later frames have a head's centre from them but no landmarks.

Colour and depth come from two cameras without a calibration in the dataset. `CAMERAS` has a
Kinect v2's usual focal lengths and the 52 mm between its two cameras; the colour camera's
principal point is set 30 pixels higher than its usual place, where the one frame that is shown
fits: the outline of its head and its labels then lie on the colour image to about 10 pixels, as
looked at, of a head that is 300 wide. Another calibration may be given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import os
from pathlib import Path
import re

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.registered_depth import CameraPair, depth_on_color_grid
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    NEUTRAL,
    read_color,
    read_single_channel,
    read_text,
    Recording,
    RgbdFace,
)
import numpy as np

DATASET = 'lock3dface'
EXPRESSION, POSE, OCCLUSION, TIME = 'expression', 'pose', 'occlusion', 'time'
CONDITIONS = {'NU': NEUTRAL, 'FE': EXPRESSION, 'PS': POSE, 'OC': OCCLUSION, 'TM': TIME}
FIRST_SESSION, SECOND_SESSION = 'S1', 'S2'
LANDMARKS = 5
NOSE_TIP = 2
CAMERAS = CameraPair(CameraIntrinsics(512, 424, 365.0, 365.0, 258.5, 206.5),
                     CameraIntrinsics(1920, 1080, 1081.4, 1081.4, 960.0, 510.0),
                     np.eye(3), np.array([0.052, 0.0, 0.0]))

_TITLE = 'Lock3DFace'
_LAYOUT = 'depth/001_Kinect_FE_1DEPTH/01.png'
_VIDEO = re.compile(r'((\d{3})_[A-Za-z]\w*?_(NU|FE|PS|OC|TM)_\d+)DEPTH')
_LABEL = re.compile(r'x:\s*(-?\d+(?:\.\d+)?)\s+y:\s*(-?\d+(?:\.\d+)?)')
_NEAR_PX = 3
"""How far from a label its depth may be taken."""


class Lock3DFace(FaceDataset):
    """
    The dataset's folder; each frame of a video is a recording.

    :param root: the folder that holds color and depth, or the one that holds that folder
    :param every: take the first frame of each video and every so many thereafter
    :param cameras: that took the images
    :raises DatasetError: no such folder, nothing of the dataset in it, or `every` below 1
    """

    def __init__(self, root: str | os.PathLike[str], *, every: int = 1,
                 cameras: CameraPair = CAMERAS) -> None:
        if every < 1:
            raise DatasetError(f'every is {every}, expected 1 or more')
        self.root = dataset_root(root, lambda folder: any(folder.glob('depth/*DEPTH')), _TITLE,
                                 _LAYOUT)
        self.cameras = cameras
        self.recordings = tuple(_recordings(self.root / 'depth', every))

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one frame.

        :returns: depth on the colour image's pixels; of a video's first frame landmarks (5, 2),
            NaN where one is not seen, if there are labels; the head's centre, which is the nose
            tip or else the middle of what is seen
        :raises DatasetError: a file is missing or not what it should be
        """
        source, target = self.cameras.depth, self.cameras.color
        stored = read_single_channel(recording.path, (source.width, source.height))
        if stored.dtype != np.uint16:
            raise DatasetError(f'{recording.path} is {stored.dtype}, expected 16 bit millimetres')
        depth = depth_to_metres(stored, '16UC1')
        video = recording.path.parent.name[:-len('DEPTH')]
        color = read_color(self.root / 'color' / f'{video}COLOR' / f'{recording.path.stem}.jpg',
                           (target.width, target.height))
        labels = self._labels(video)
        points = None if labels is None else self._on_color(labels, depth)
        return RgbdFace(
            DATASET, recording.subject, recording.session, recording.name, recording.condition,
            color, depth_on_color_grid(depth, self.cameras), intrinsics=target,
            landmarks=points if _is_first(recording) else None, head_center=_center(points))

    def _labels(self, video: str) -> np.ndarray | None:
        """Return a video's labels in the depth image, None if it has none."""
        around = (self.root, self.root.parent)
        for folder in (base / name / 'infrared' for base in around
                       for name in ('label', 'landmark')):
            path = folder / f'{video}INFRARED.txt'
            if path.is_file():
                return read_labels(path)
        return None

    def _on_color(self, labels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Move labels to the colour image, (5, 2) float32, NaN where their depth is unknown."""
        z = np.array([_depth_near(x, y, depth) for x, y in labels])
        points = self.cameras.depth.unproject(labels, z)
        points = points @ self.cameras.rotation.T + self.cameras.translation
        return self.cameras.color.project(points).astype(np.float32)


def probe_sets(recordings: Iterable[Recording]) -> dict[str, GalleryProbe]:
    """
    Split as the paper on DepthNet does: four sets of probes, one gallery.

    The gallery has the first neutral image of each person in the first session; the probes are
    the images with expressions, poses and occlusions of that session (Probe_Set_1 to 3), and all
    of the second (Probe_Set_4). Other neutral images are in none.

    :returns: by `EXPRESSION`, `POSE`, `OCCLUSION`, `TIME`
    :raises DatasetError: no neutral image in the first session
    """
    recordings = tuple(recordings)
    gallery = first_as_gallery(r for r in recordings if r.session == FIRST_SESSION).gallery
    return {condition: GalleryProbe(gallery, tuple(r for r in recordings
                                                   if r.condition == condition))
            for condition in (EXPRESSION, POSE, OCCLUSION, TIME)}


def read_labels(path: Path) -> np.ndarray:
    """
    Read a label file.

    :returns: pixels of the depth image, (5, 2) float64, corner-origin, NaN where not seen
    :raises DatasetError: missing, unreadable, or not five lines of x and y
    """
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    found = [_LABEL.fullmatch(line.strip()) for line in lines]
    if len(found) != LANDMARKS or not all(found):
        raise DatasetError(f'{path} has {len(lines)} lines, expected {LANDMARKS} such as '
                           "'x:277 y:228'")
    points = np.array([[float(v) for v in match.groups()] for match in found if match])
    return np.where(np.all(points > 0, axis=1, keepdims=True), points + 0.5, np.nan)


def _recordings(folder: Path, every: int) -> Iterator[Recording]:
    for video in sorted(folder.iterdir()):
        match = _VIDEO.fullmatch(video.name)
        if match is None:
            continue
        condition = CONDITIONS[match[3]]
        session = SECOND_SESSION if condition == TIME else FIRST_SESSION
        frames = sorted((p for p in video.glob('*.png') if p.stem.isdecimal()),
                        key=lambda p: int(p.stem))
        for path in frames[::every]:
            yield Recording(DATASET, match[2], session, f'{match[1]}_{path.stem}', condition,
                            path)


def _is_first(recording: Recording) -> bool:
    return int(recording.path.stem) <= 1


def _depth_near(x: float, y: float, depth: np.ndarray) -> float:
    """Return the median of the valid depth around a label, NaN where there is none."""
    if not (0 <= x < depth.shape[1] and 0 <= y < depth.shape[0]):
        return float('nan')
    column, row = int(x), int(y)
    part = depth[max(row - _NEAR_PX, 0):row + _NEAR_PX + 1,
                 max(column - _NEAR_PX, 0):column + _NEAR_PX + 1]
    part = part[np.isfinite(part)]
    return float(np.median(part)) if part.size else float('nan')


def _center(points: np.ndarray | None) -> tuple[float, float] | None:
    if points is None or np.isnan(points).all():
        return None
    x, y = (points[NOSE_TIP] if np.isfinite(points[NOSE_TIP]).all()
            else np.nanmean(points, axis=0)).tolist()
    return x, y
