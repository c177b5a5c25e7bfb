# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The KinectFaceDB (EURECOM Kinect Face Dataset), read from its own folders.

Source: Min, Kose and Dugelay, "KinectFaceDB: A Kinect Database for Face Recognition", IEEE
Transactions on Systems, Man, and Cybernetics: Systems 44(11), 2014: 52 people, 2 sessions, nine
variants, a Kinect v1 at 0.7 to 0.9 m, six landmarks set by hand.

    <root>/0001/s1/RGB/rgb_0001_s1_Neutral.bmp                       256 x 256 colour
    <root>/0001/s1/Depth/DepthKinect/depth_0001_s1_Neutral.txt       x, y, millimetres per line
    <root>/0001/s1/Mark/MarkRGB/rgb_0001_s1_Neutral_Points.txt       six lines: x, y, millimetres

Certain, since independent programs for the dataset agree on it: these folders and names; that the
depth file lists the pixels x = 192 to 447, y = 74 to 329 of the 640 x 480 frame, to which the
256 x 256 colour image is cut; that 0 is no depth. Assumed, for want of the data: that the
landmarks are in the order eyes, nose tip, mouth corners, chin (left and right are told by x), and
that their x and y count in the whole frame like those of the depth (coordinates that all lie
within 256 are taken as those of the cut image). Depth/DepthBMP is scaled for viewing and not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import re

import cv2
from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.errors import DatasetError
import numpy as np

NEUTRAL = 'Neutral'
FRONTAL = (NEUTRAL, 'Smile', 'OpenMouth', 'LightOn', 'OcclusionEyes', 'OcclusionMouth',
           'OcclusionPaper')
PROFILES = ('LeftProfile', 'RightProfile')
SIZE = 256
LANDMARKS = 6

_OFFSET = (192, 74)
"""Where the images begin in the 640 x 480 frame, x and y."""
_NUMBERS_PER_LINE = 3
_PLAUSIBLE_MM = (200.0, 5000.0)
_LAYOUT = '0001/s1/Depth/DepthKinect/depth_0001_s1_Neutral.txt'


@dataclass(frozen=True)
class KinectFace:
    """
    One recording.

    :param person: '0001' and so on
    :param session: 's1' or 's2'
    :param variant: one of `FRONTAL` or `PROFILES`
    :param depth: metres, (256, 256) float32, NaN where invalid
    :param color: (256, 256, 3) uint8 RGB, the same pixels
    :param landmarks: pixels, (6, 2) float32, corner-origin: eyes, nose tip, mouth corners, chin,
        the subject's right before its left; None where the dataset has none
    """

    person: str
    session: str
    variant: str
    depth: np.ndarray
    color: np.ndarray
    landmarks: np.ndarray | None


class KinectFaceDb:
    """
    The dataset's folder.

    :param root: the folder that holds 0001, 0002 and so on, or the one that holds that folder
    :raises DatasetError: no such folder, or nobody in it
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        root = Path(root)
        if not root.is_dir():
            raise DatasetError(f'{root} is not a folder; name the one of the EURECOM Kinect Face '
                               f'Dataset, with files such as {_LAYOUT}')
        self.root = next((folder for folder in (root, *sorted(root.iterdir()))
                          if folder.is_dir() and _sessions(folder)), root)
        self.sessions = _sessions(self.root)
        if not self.sessions:
            found = sorted(p.name for p in root.iterdir())[:5]
            raise DatasetError(f'{root} holds {", ".join(found) or "nothing"}, expected folders '
                               f'of people with sessions, as in {_LAYOUT}; name the folder of the '
                               'EURECOM Kinect Face Dataset')

    def faces(self, variants: Sequence[str] = FRONTAL) -> Iterator[KinectFace]:
        """
        Read the recordings one after the other, session by session, in the given order.

        :raises DatasetError: a file is missing or not what it should be
        """
        for person, session in self.sessions:
            for variant in variants:
                yield self.read(person, session, variant)

    def read(self, person: str, session: str, variant: str) -> KinectFace:
        """
        Read one recording.

        :raises DatasetError: no such variant, a file is missing or not what it should be
        """
        if variant not in (*FRONTAL, *PROFILES):
            raise DatasetError(f'variant {variant!r} is not known, expected one of '
                               f'{", ".join((*FRONTAL, *PROFILES))}')
        folder = self.root / person / session
        name = f'{person}_{session}_{variant}'
        marks = folder / 'Mark' / 'MarkRGB' / f'rgb_{name}_Points.txt'
        return KinectFace(
            person, session, variant,
            read_depth(folder / 'Depth' / 'DepthKinect' / f'depth_{name}.txt'),
            read_color(folder / 'RGB' / f'rgb_{name}.bmp'),
            read_landmarks(marks) if marks.is_file() else None)


def read_depth(path: Path) -> np.ndarray:
    """
    Read a depth file.

    :returns: metres, (256, 256) float32, NaN where invalid
    :raises DatasetError: missing, unreadable, or not x, y and millimetres of these pixels
    """
    lines = _lines(path)
    x, y = (lines[:, i] - (_OFFSET[i] if lines[:, i].max() >= SIZE else 0) for i in (0, 1))
    if min(x.min(), y.min()) < 0 or max(x.max(), y.max()) >= SIZE or (
            np.abs(lines[:, :2] - np.rint(lines[:, :2])).max() > 0):
        raise DatasetError(
            f'{path}: pixels from ({lines[:, 0].min():g}, {lines[:, 1].min():g}) to '
            f'({lines[:, 0].max():g}, {lines[:, 1].max():g}), expected whole numbers from '
            f'{_OFFSET} to ({_OFFSET[0] + SIZE - 1}, {_OFFSET[1] + SIZE - 1})')
    depth_mm = np.zeros((SIZE, SIZE))
    depth_mm[y.astype(int), x.astype(int)] = lines[:, 2]
    known = depth_mm[depth_mm > 0]
    middle = float(np.median(known)) if known.size else 0.0
    if not _PLAUSIBLE_MM[0] <= middle <= _PLAUSIBLE_MM[1]:
        raise DatasetError(f'{path}: the median depth is {middle:g}, expected '
                           f'{_PLAUSIBLE_MM[0]:g} to {_PLAUSIBLE_MM[1]:g} mm in the third column')
    return depth_to_metres(np.clip(depth_mm, 0, np.iinfo(np.uint16).max).astype(np.uint16),
                           '16UC1')


def read_color(path: Path) -> np.ndarray:
    """
    Read a colour image.

    :returns: (256, 256, 3) uint8 RGB
    :raises DatasetError: missing, unreadable, or of another size
    """
    if not path.is_file():
        raise DatasetError(f'{path} is missing; is the copy of the dataset complete?')
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None or image.shape[:2] != (SIZE, SIZE):
        size = 'cannot be read' if image is None else f'is {image.shape[1]} x {image.shape[0]}'
        raise DatasetError(f'{path} {size}, expected an image of {SIZE} x {SIZE} pixels')
    return np.ascontiguousarray(image[..., ::-1])


def read_landmarks(path: Path) -> np.ndarray:
    """
    Read a landmark file.

    :returns: pixels, (6, 2) float32, see `KinectFace`
    :raises DatasetError: missing, unreadable, or not six points in the image
    """
    points = _lines(path)[:, :2].copy()
    if len(points) != LANDMARKS:
        raise DatasetError(f'{path} has {len(points)} points, expected {LANDMARKS}: eyes, nose '
                           'tip, mouth corners, chin')
    if points.max() >= SIZE or points[:, 0].min() >= _OFFSET[0]:
        points -= _OFFSET
    if points.min() < 0 or points.max() >= SIZE:
        raise DatasetError(f'{path}: a landmark lies at ({points[:, 0].min():g}, '
                           f'{points[:, 1].min():g}) or ({points[:, 0].max():g}, '
                           f'{points[:, 1].max():g}) of an image of {SIZE} x {SIZE}')
    for pair in ((0, 1), (3, 4)):  # the subject's right is on the left of the image
        points[list(pair)] = sorted(points[list(pair)].tolist())
    return (points + 0.5).astype(np.float32)


def _sessions(folder: Path) -> list[tuple[str, str]]:
    return [(person.name, session) for person in sorted(folder.iterdir())
            if person.is_dir() and re.fullmatch(r'\d{4}', person.name)
            for session in ('s1', 's2') if (person / session).is_dir()]


def _lines(path: Path) -> np.ndarray:
    """Return the numbers of a text file, (N, 3) float64; any white space between them."""
    if not path.is_file():
        raise DatasetError(f'{path} is missing; is the copy of the dataset complete?')
    try:
        numbers = np.array(path.read_text('ascii').split(), np.float64)
    except (OSError, ValueError) as error:
        raise DatasetError(f'{path} is not a file of numbers: {error}') from error
    if not numbers.size or numbers.size % _NUMBERS_PER_LINE or not np.isfinite(numbers).all():
        raise DatasetError(f'{path} has {numbers.size} numbers, expected lines of x, y and '
                           'millimetres')
    return numbers.reshape(-1, _NUMBERS_PER_LINE)
