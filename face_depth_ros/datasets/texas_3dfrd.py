# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The Texas 3D Face Recognition Database (Texas 3DFRD), read from its own folders.

Source: Gupta, Castleman, Markey and Bovik, "Texas 3D Face Recognition Database", SSIAI 2010: 1,149
pairs of colour and range images of 118 people from a stereo scanner, registered pixel by pixel.

    <root>/PreprocessedImages/Clean_0001_001_20050913115022_Portrait.png    colour
    <root>/PreprocessedImages/Clean_0001_001_20050913115022_Range.png       range
    <root>/ManualFiducialPoints/Clean_0001_001_20050913115022_Fiducial.txt  25 lines: x, y

Number of the pair, of the subject, date and time.

Certain, since papers and independent programs agree on it: the folders, names and numbers; that
the two images are registered; 0.32 mm in x, y and z; 25 points in a text file with Fiducial in its
name. Assumed, for want of the data: the range is 8 bit, of which one step is 0.32 mm, the brighter
the nearer, 0 where there is nothing; the points are x and y in pixels counted from 1, as its
authors' programs count; their files begin like those of the images or stand in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable
import os
from pathlib import Path
import re

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    existing,
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    ORTHOGRAPHIC_NEAR_M,
    read_color,
    read_numbers,
    read_single_channel,
    Recording,
    RgbdFace,
)
import numpy as np

DATASET = 'texas_3dfrd'
METRES_PER_PIXEL = 0.00032
METRES_PER_STEP = 0.00032
LANDMARKS = 25
GALLERY, PROBE = 118, 1031
"""How many pairs the paper's split of the whole dataset has."""

_TITLE = 'the Texas 3D Face Recognition Database'
_LAYOUT = 'PreprocessedImages/Clean_0001_001_20050913115022_Range.png'
_NAME = re.compile(r'(Clean_\d{4}_(\d{3})_\d{14})_Range\.png')


class Texas3dfrd(FaceDataset):
    """
    The dataset's folder.

    :param root: the folder that holds PreprocessedImages, or that folder
    :raises DatasetError: no such folder, nothing of the dataset in it, or a name that is not of it
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        images = dataset_root(root, lambda folder: any(folder.glob('Clean_*_Range.png')), _TITLE,
                              _LAYOUT)
        self.root = images
        self.recordings = tuple(_recording(p) for p in sorted(images.glob('Clean_*_Range.png')))
        self.fiducials = _fiducials(images.parent / 'ManualFiducialPoints', self.recordings)

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one recording.

        :returns: nominal yaw and pitch 0; landmarks (25, 2) in the dataset's order where there is
            a file of them
        :raises DatasetError: a file is missing or not what it should be
        """
        depth = read_range(recording.path)
        height, width = depth.shape
        color = read_color(recording.path.with_name(f'{recording.name}_Portrait.png'),
                           (width, height))
        marks = self.fiducials.get(recording.name)
        landmarks = None if marks is None else read_landmarks(marks, width, height)
        return RgbdFace(DATASET, recording.subject, recording.session, recording.name,
                        recording.condition, color, depth, landmarks=landmarks,
                        metres_per_pixel=METRES_PER_PIXEL, yaw=0.0, pitch=0.0)


def read_range(path: Path) -> np.ndarray:
    """
    Read a range image.

    :returns: metres behind the plane 1 m before the nearest point, (H, W) float32, NaN where
        there is nothing
    :raises DatasetError: missing, unreadable, not 8 bit, or empty
    """
    steps = read_single_channel(path)
    if steps.dtype != np.uint8:
        raise DatasetError(f'{path} is {steps.dtype}, expected 8 bit steps of '
                           f'{METRES_PER_STEP * 1000:g} mm')
    if not steps.any():
        raise DatasetError(f'{path} is 0 everywhere, expected the range of a face')
    behind = (float(steps.max()) - steps) * METRES_PER_STEP
    return np.where(steps > 0, ORTHOGRAPHIC_NEAR_M + behind, np.nan).astype(np.float32)


def read_landmarks(path: Path, width: int, height: int) -> np.ndarray:
    """
    Read a file of fiducial points.

    :returns: pixels, (25, 2) float32, corner-origin
    :raises DatasetError: missing, unreadable, or not 25 points of the image
    """
    points = read_numbers(path, 2, 'x, y')
    if len(points) != LANDMARKS:
        raise DatasetError(f'{path} has {len(points)} points, expected {LANDMARKS}')
    if points.min() < 0 or (points > (width + 1, height + 1)).any():
        raise DatasetError(f'{path}: a point lies at {points.min(axis=0)} or '
                           f'{points.max(axis=0)}, outside the image of {width} x {height} px')
    return (points - 0.5).astype(np.float32)


def identification_split(recordings: Iterable[Recording]) -> GalleryProbe:
    """
    Put the first scan of each subject into the gallery and the rest into the probe.

    The names do not tell the expression. Of the whole dataset these are 118 and 1,031.
    """
    return first_as_gallery(recordings, neutral=False)


def _recording(path: Path) -> Recording:
    found = _NAME.fullmatch(path.name)
    if not found:
        raise DatasetError(f'{path} is not a name of {_TITLE}, expected such as {_LAYOUT}')
    return Recording(DATASET, found[2], '', found[1], 'unknown', existing(path))


def _fiducials(folder: Path, recordings: tuple[Recording, ...]) -> dict[str, Path]:
    """Pair the files of points with the recordings; none where there is no such folder."""
    files = sorted(folder.glob('*Fiducial*.txt')) if folder.is_dir() else []
    begin = re.compile(r'Clean_\d{4}_\d{3}_\d{14}')
    named = {found[0]: path for path in files if (found := begin.match(path.name))}
    if named or not files:
        return named
    if len(files) != len(recordings):
        raise DatasetError(f'{folder} holds {len(files)} files of points for {len(recordings)} '
                           'recordings, and their names do not begin like those of the images')
    return dict(zip((r.name for r in recordings), files, strict=True))
