# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
MICC, the Florence 2D/3D hybrid face dataset, read from its own folders.

Source: Bagdanov, Del Bimbo and Masi, "The Florence 2D/3D Hybrid Face Dataset", J-HGBU 2011: 53
people with neutral scans of the head, and videos of three kinds.

    <root>/subject_01/Model/frontal1/obj/110920150452.obj    neutral scan, its texture beside it
    <root>/subject_01/Video/Indoor-Cooperative.mjpg          also PTZ-Indoor, PTZ-Outdoor

Certain, since independent programs for the dataset agree on it: the folders subject_01 and so on
with Model/frontal1/obj and Model/frontal2/obj, one .obj file in each, millimetres, x right, y up,
z to the viewer. Assumed, for want of the data: corners have places in a texture (vt), which is the
one image beside the .obj; videos lie in Video or Videos, named as above with .mjpg, .mjpeg or
.avi, and OpenCV can decode them; a video's first frame shows the person. A subject's frontal1 is
the neutral scan, the others are further ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import os
from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.photo_faces import photo_face
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    FaceDataset,
    NEUTRAL,
    read_color,
    read_text,
    Recording,
    RgbdFace,
)
from face_depth_ros.datasets.scan_images import front_view, METRES_PER_PIXEL, render, Surface
import numpy as np

DATASET = 'micc'
VIDEO_ENDINGS = ('.mjpg', '.mjpeg', '.avi')
NEUTRAL_SCAN = 'frontal1'

_TITLE = 'the Florence 2D/3D hybrid face dataset'
_LAYOUT = 'subject_01/Model/frontal1/obj/110920150452.obj'
_IMAGES = ('.png', '.jpg', '.jpeg', '.bmp')
_MM = 0.001


class Micc(FaceDataset):
    """
    The dataset's folder; scans and videos are recordings, `condition` of a video is its name.

    :param root: the folder that holds subject_01 and so on, or the one that holds that folder
    :param metres_per_pixel: of the orthographic images of scans
    :raises DatasetError: no such folder, nothing of the dataset in it, or two files of one name
    """

    def __init__(self, root: str | os.PathLike[str], *,
                 metres_per_pixel: float = METRES_PER_PIXEL) -> None:
        self.root = dataset_root(root, lambda f: any(f.glob('subject_*/Model/*/obj/*.obj')),
                                 _TITLE, _LAYOUT)
        self.metres_per_pixel = metres_per_pixel
        self.recordings = tuple(r for folder in sorted(self.root.glob('subject_*'))
                                for r in _recordings(folder))
        _check_names(self.recordings)

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one recording.

        :returns: a scan's orthographic view from the front; a video's first frame, without depth
        :raises DatasetError: a file is missing or not what it should be
        """
        if recording.path.suffix != '.obj':
            return next(self.frames(recording))
        surface = scan_surface(recording.path)
        view = front_view(surface, recording.name, self.metres_per_pixel)
        color, depth = render(surface, view)
        return RgbdFace(DATASET, recording.subject, recording.session, recording.name,
                        recording.condition, color, depth, metres_per_pixel=view.metres_per_pixel,
                        yaw=0.0, pitch=0.0)

    def frames(self, recording: Recording, every: int = 1) -> Iterator[RgbdFace]:
        """
        Read a video.

        :param every: take the first frame and every so many thereafter
        :raises DatasetError: not a video, none that can be decoded, or `every` below 1
        """
        if every < 1 or recording.path.suffix == '.obj':
            raise DatasetError(f'{recording.name}: every is {every}, expected 1 or more, of a '
                               'video')
        video = cv2.VideoCapture(str(recording.path))
        try:
            number = 0
            while True:
                good, image = video.read()
                if not good:
                    break
                if number % every == 0:
                    yield photo_face(recording, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                number += 1
        finally:
            video.release()
        if not number:
            raise DatasetError(f'{recording.path} cannot be decoded as a video')


def scan_surface(path: Path) -> Surface:
    """
    Read a scan with the texture beside it.

    :raises DatasetError: missing, or not what it should be
    """
    points, triangles, places = read_obj(path)
    images = sorted(p for p in path.parent.iterdir() if p.suffix.lower() in _IMAGES)
    if places is None or len(images) != 1:
        return Surface(points * _MM, triangles)
    texture = read_color(images[0])
    height, width = texture.shape[:2]
    return Surface(points * _MM, triangles,
                   np.array([0.0, height]) + places * np.array([width, -height]), texture)


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """
    Read a Wavefront mesh; polygons become fans of triangles.

    :returns: points (N, 3) float64; triangles (M, 3) of them; places in the texture (M, 3, 2),
        None if a corner has none
    :raises DatasetError: missing, no mesh, or a line that is none
    """
    points: list[list[float]] = []
    places: list[list[float]] = []
    corners: list[list[tuple[int, int | None]]] = []
    for count, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        try:
            if words[:1] == ['v']:
                points.append([float(w) for w in words[1:4]])
            elif words[:1] == ['vt']:
                places.append([float(w) for w in words[1:3]])
            elif words[:1] == ['f']:
                face = [_corner(w, len(points), len(places)) for w in words[1:]]
                corners += [[face[0], face[i], face[i + 1]] for i in range(1, len(face) - 1)]
        except ValueError as error:
            raise DatasetError(f'{path}, line {count}: {line.strip()!r} is no part of a mesh'
                               ) from error
    if not corners or any(len(p) != 3 for p in points) or any(len(p) != 2 for p in places):
        raise DatasetError(f'{path} has {len(points)} points and {len(corners)} triangles, '
                           'expected the mesh of a head')
    triangles = np.array([[c[0] for c in t] for t in corners], np.int64)
    known = [[c[1] for c in t] for t in corners]
    if any(c is None for t in known for c in t):
        return np.array(points), triangles, None
    return np.array(points), triangles, np.array(places)[np.array(known, np.int64)]


def _corner(word: str, points: int, places: int) -> tuple[int, int | None]:
    """Return point and place of a corner such as '3/4/5', '3//5' or '-1'."""
    parts = word.split('/')
    point = _index(parts[0], points)
    return point, _index(parts[1], places) if len(parts) > 1 and parts[1] else None


def _index(text: str, count: int) -> int:
    number = int(text)
    index = number - 1 if number > 0 else count + number
    if not 0 <= index < count or number == 0:
        raise ValueError(text)
    return index


def _recordings(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.glob('Model/*/obj/*.obj')):
        scan = path.parent.parent.name
        condition = NEUTRAL if scan == NEUTRAL_SCAN else scan
        yield Recording(DATASET, folder.name, '', f'{folder.name}_{scan}', condition, path)
    for path in sorted(p for name in ('Video', 'Videos') for p in folder.glob(f'{name}/*')):
        if path.suffix.lower() in VIDEO_ENDINGS:
            yield Recording(DATASET, folder.name, '', f'{folder.name}_{path.stem}', path.stem,
                            path)


def _check_names(recordings: Iterable[Recording]) -> None:
    """See that no two files are the same recording: one of them would be counted twice."""
    known: dict[str, Path] = {}
    for recording in recordings:
        other = known.setdefault(recording.name, recording.path)
        if other != recording.path:
            raise DatasetError(f'{other} and {recording.path} are both {recording.name}, expected '
                               'one .obj file of a scan and one file of a video; move one of them '
                               'away')
