# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What every loader of a face dataset yields, and what the loaders share.

A loader lists its `recordings` from the names of the files alone, and reads each one only when it
is asked for. The papers' splits are functions from recordings to `GalleryProbe`, so that they need
no image either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
import os
from pathlib import Path

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
import numpy as np

NEUTRAL = 'neutral'
"""The condition of a face without expression, occlusion or turn, in every dataset."""
ORTHOGRAPHIC_NEAR_M = 1.0
"""Depth of the nearest point of an orthographic scan, whose place before a camera is unknown."""


@dataclass(frozen=True)
class Recording:
    """
    One recording of a dataset, as its name tells.

    :param dataset: 'bu_3dfe' and so on, the loader's module
    :param subject: as the dataset writes it, unique within it
    :param session: session or sequence; '' where the dataset has none
    :param name: unique within the dataset
    :param condition: `NEUTRAL`, or in the words of the loader ('happiness_3', 'yaw_+20')
    :param path: the file or folder that holds the depth
    """

    dataset: str
    subject: str
    session: str
    name: str
    condition: str
    path: Path


@dataclass(frozen=True, eq=False)
class RgbdFace:
    """
    One face in colour and depth, on one pixel grid.

    The depth's scale across the image is told by `intrinsics` (a camera), by `metres_per_pixel`
    (an orthographic scan), or by neither, where the dataset does not say.

    :param dataset: see `Recording`, as all names here
    :param color: (H, W, 3) uint8 RGB, None where the dataset has no colour
    :param depth: (H, W) float32 metres along the line of sight, NaN where invalid, so all over a
        photo without depth; of an orthographic scan from the plane `ORTHOGRAPHIC_NEAR_M` before
        its nearest point
    :param intrinsics: of both images
    :param metres_per_pixel: of an orthographic scan, the same across and down
    :param landmarks: pixels, corner-origin: name to (2,) float32, or (N, 2) float32 in the
        dataset's own order; NaN where one is not given; None where there are none at all
    :param yaw, pitch, roll: degrees, None where unknown; yaw positive when the subject turns to
        its left, pitch when it looks up, roll clockwise in the image
    :param head_center: pixels, corner-origin, x and y; None where unknown
    :raises DatasetError: shapes or types are not those above, or both kinds of scale are given
    """

    dataset: str
    subject: str
    session: str
    name: str
    condition: str
    color: np.ndarray | None
    depth: np.ndarray
    intrinsics: CameraIntrinsics | None = None
    metres_per_pixel: float | None = None
    landmarks: Mapping[str, np.ndarray] | np.ndarray | None = None
    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None
    head_center: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        who = f'{self.dataset} {self.name}'
        if self.depth.ndim != 2 or self.depth.dtype != np.float32:
            raise DatasetError(f'{who}: depth is {self.depth.dtype} {self.depth.shape}, expected '
                               '(H, W) float32 metres')
        if self.color is not None and (self.color.shape != (*self.depth.shape, 3)
                                       or self.color.dtype != np.uint8):
            raise DatasetError(f'{who}: color is {self.color.dtype} {self.color.shape}, expected '
                               f'uint8 {(*self.depth.shape, 3)} on the grid of the depth')
        if self.intrinsics is not None and self.metres_per_pixel is not None:
            raise DatasetError(f'{who}: has intrinsics and metres_per_pixel, expected the one of '
                               'a camera or the other of an orthographic scan')
        camera = self.intrinsics
        if camera is not None and (camera.height, camera.width) != self.depth.shape:
            raise DatasetError(f'{who}: intrinsics of {camera.width} x {camera.height}, expected '
                               f'those of the image, {self.depth.shape[1]} x '
                               f'{self.depth.shape[0]}')
        if self.metres_per_pixel is not None and not self.metres_per_pixel > 0:
            raise DatasetError(f'{who}: metres_per_pixel is {self.metres_per_pixel}, expected '
                               'more than 0')
        points = self.landmarks
        if isinstance(points, np.ndarray) and (points.ndim != 2 or points.shape[1] != 2):
            raise DatasetError(f'{who}: landmarks are {points.shape}, expected (N, 2) pixels')


class FaceDataset(ABC):
    """
    A dataset's folder.

    :ivar root: the folder
    :ivar recordings: what is in it, by the names of the files alone
    """

    root: Path
    recordings: tuple[Recording, ...]

    def faces(self, recordings: Iterable[Recording] | None = None) -> Iterator[RgbdFace]:
        """
        Read one recording after the other.

        :param recordings: those to read; None: all
        :raises DatasetError: a file is missing or not what it should be
        """
        for recording in self.recordings if recordings is None else recordings:
            yield self.read(recording)

    @abstractmethod
    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one recording.

        :raises DatasetError: a file is missing or not what it should be
        """


@dataclass(frozen=True)
class GalleryProbe:
    """
    A split for identification.

    :param gallery: one recording of each subject, in the order of the subjects
    :param probe: the rest, in the dataset's order
    """

    gallery: tuple[Recording, ...]
    probe: tuple[Recording, ...]


def first_as_gallery(recordings: Iterable[Recording], *, neutral: bool = True) -> GalleryProbe:
    """
    Put the first recording of each subject into the gallery and the rest into the probe.

    :param recordings: in the dataset's order, from which 'first' is taken
    :param neutral: the gallery takes the first neutral recording; a subject without one is absent
        from it, and all its recordings are probes
    :raises DatasetError: no recording fits the gallery
    """
    recordings = tuple(recordings)
    first: dict[str, Recording] = {}
    for recording in recordings:
        if not neutral or recording.condition == NEUTRAL:
            first.setdefault(recording.subject, recording)
    if not first:
        raise DatasetError(f'none of {len(recordings)} recordings is '
                           f'{"neutral" if neutral else "there"}; a gallery needs one of each '
                           'subject')
    chosen = {r.name for r in first.values()}
    return GalleryProbe(tuple(first[s] for s in sorted(first)),
                        tuple(r for r in recordings if r.name not in chosen))


def dataset_root(root: str | os.PathLike[str], holds: Callable[[Path], bool],
                 title: str, layout: str) -> Path:
    """
    Find the dataset's folder: the given one, or one directly in it.

    :param holds: tells whether a folder is the dataset's
    :param title: what the dataset is called
    :param layout: a file of it, as an example
    :raises DatasetError: no such folder, or nothing of the dataset in it
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f'{root} is not a folder; name the one of {title}, with files such as '
                           f'{layout}')
    for folder in (root, *sorted(root.iterdir())):
        if folder.is_dir() and holds(folder):
            return folder
    found = sorted(p.name for p in root.iterdir())[:5]
    raise DatasetError(f'{root} holds {", ".join(found) or "nothing"}, expected files such as '
                       f'{layout}; name the folder of {title}')


def existing(path: Path) -> Path:
    """
    Return the path of a file that is there.

    :raises DatasetError: it is not
    """
    if not path.is_file():
        raise DatasetError(f'{path} is missing; is the copy of the dataset complete?')
    return path


def read_bytes(path: Path) -> bytes:
    """
    Read a whole file.

    :raises DatasetError: missing or unreadable
    """
    try:
        return existing(path).read_bytes()
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error}') from error


def read_text(path: Path) -> str:
    """
    Read a whole text file; bytes that are not UTF-8 are taken as Latin-1.

    :raises DatasetError: missing or unreadable
    """
    content = read_bytes(path)
    try:
        return content.decode('utf-8')
    except UnicodeDecodeError:
        return content.decode('latin-1')


def read_numbers(path: Path, per_line: int, what: str) -> np.ndarray:
    """
    Read a text file of numbers with white space or commas between them.

    :param per_line: how many there are on a line
    :param what: what they are, for the error
    :returns: (N, per_line) float64, finite
    :raises DatasetError: missing, unreadable, empty, or not such numbers
    """
    try:
        numbers = np.array(read_text(path).replace(',', ' ').split(), np.float64)
    except ValueError as error:
        raise DatasetError(f'{path} is not a file of numbers: {error}') from error
    if not numbers.size or numbers.size % per_line or not np.isfinite(numbers).all():
        raise DatasetError(f'{path} has {numbers.size} numbers, expected lines of {what}')
    return numbers.reshape(-1, per_line)


def read_color(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """
    Read a colour image.

    :param size: width and height that it must have; None: any
    :returns: (H, W, 3) uint8 RGB; a grey image has three equal channels
    :raises DatasetError: missing, unreadable, or of another size
    """
    return np.ascontiguousarray(_image(path, cv2.IMREAD_COLOR, size)[..., ::-1])


def read_single_channel(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """
    Read an image of one channel as it is stored, such as 16 bit depth.

    :param size: width and height that it must have; None: any
    :returns: (H, W) uint8 or uint16
    :raises DatasetError: missing, unreadable, of another size, or with differing channels
    """
    image = _image(path, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR, size)
    if image.ndim == 3:
        if (image != image[..., :1]).any():
            raise DatasetError(f'{path} is a colour image, expected one channel of depth')
        image = image[..., 0]
    return np.ascontiguousarray(image)


def _image(path: Path, flags: int, size: tuple[int, int] | None) -> np.ndarray:
    content = np.frombuffer(read_bytes(path), np.uint8)
    image = cv2.imdecode(content, flags) if content.size else None
    if image is None:
        raise DatasetError(f'{path} cannot be read as an image')
    if size is not None and (image.shape[1], image.shape[0]) != size:
        raise DatasetError(f'{path} is {image.shape[1]} x {image.shape[0]}, expected '
                           f'{size[0]} x {size[1]} pixels')
    return image
