# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
FRGC v2, the Face Recognition Grand Challenge's 3D scans, read from its own folders.

Source: Phillips et al., "Overview of the Face Recognition Grand Challenge", CVPR 2005: a laser
scanner with a colour image; 943 scans of Spring 2003 for training, 4,007 scans of 466 people of
Fall 2003 and Spring 2004 for tests.

    <root>/Fall2003range/02463d546.abs.gz    points on a grid, text (or .abs, unpacked)
    <root>/Fall2003range/02463d547.ppm       colour image of the same size (or .jpg)

Subject, 'd', number of the recording.

Certain, since independent programs for the dataset agree on it: these folders and names; the text:
'480 rows', '640 columns', 'pixels (flag X Y Z):', then four lines of flags (0: nothing there),
x, y, z for all points row by row, -999999 where there is nothing; that the colour image's number
is the next after the points'. Assumed, for want of the data: millimetres, x to the right, y up, z
to the viewer; the colour image covers the grid pixel by pixel (its authors call them registered);
where no image with the next number is there, one with the same number is taken.

The names do not tell the expression; the dataset's metadata does ('BlankStare', 'Happiness' and
so on), in XML whose layout could not be confirmed. `read_expressions` looks in it for elements
`Expression` with a `value` under the one that names the recording's file, and says so where there
is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import gzip
import os
from pathlib import Path
import re
from xml.etree import ElementTree
import zlib

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    existing,
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    NEUTRAL,
    read_bytes,
    read_color,
    Recording,
    RgbdFace,
)
from face_depth_ros.datasets.scan_images import (
    front_view,
    grid_surface,
    METRES_PER_PIXEL,
    render,
)
import numpy as np

DATASET = 'frgc_v2'
TRAINING_SESSION = 'Spring2003'
TEST_SESSIONS = ('Fall2003', 'Spring2004')
GALLERY, PROBE = 466, 3541
"""How many scans the papers' split of the whole test part has."""
UNKNOWN = 'unknown'
NEUTRAL_WORDS = ('blankstare', 'blank stare', 'neutral', 'blank')
"""What the metadata calls a face without expression, in small letters."""

_TITLE = 'FRGC v2'
_LAYOUT = 'Fall2003range/02463d546.abs.gz'
_SESSIONS = (TRAINING_SESSION, *TEST_SESSIONS)
_NAME = re.compile(r'(\d+)d(\d+)\.abs(?:\.gz)?')
_HEADER = re.compile(rb'\s*(\d+)\s+rows\s+(\d+)\s+columns\s+pixels \(flag X Y Z\):\s*')
_NOTHING_MM = -999999.0
_MM = 0.001


class FrgcV2(FaceDataset):
    """
    The dataset's folder.

    :param root: the folder that holds Fall2003range and so on, or the one that holds that folder
        (nd1)
    :param expressions: expression by the recording's name, as `read_expressions` returns them;
        None: `condition` is 'unknown'
    :param metres_per_pixel: of the orthographic images
    :raises DatasetError: no such folder, nothing of the dataset in it, or a name that is not of it
    """

    def __init__(self, root: str | os.PathLike[str], *,
                 expressions: Mapping[str, str] | None = None,
                 metres_per_pixel: float = METRES_PER_PIXEL) -> None:
        self.root = dataset_root(root, lambda folder: bool(_scans(folder)), _TITLE, _LAYOUT)
        self.metres_per_pixel = metres_per_pixel
        self.recordings = tuple(sorted(
            (_recording(path, expressions) for path in _scans(self.root)),
            key=lambda r: (_SESSIONS.index(r.session), r.subject, _number(r.name))))

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one recording.

        :returns: an orthographic view from the front, nominal yaw and pitch 0
        :raises DatasetError: a file is missing or not what it should be
        """
        points = read_abs(recording.path)
        rows, columns = points.shape[:2]
        texture = read_color(_color_path(recording), (columns, rows))
        at_row, at_column = np.mgrid[:rows, :columns] + 0.5
        surface = grid_surface(points, np.stack([at_column, at_row], axis=-1), texture)
        view = front_view(surface, recording.name, self.metres_per_pixel)
        color, depth = render(surface, view)
        return RgbdFace(DATASET, recording.subject, recording.session, recording.name,
                        recording.condition, color, depth, metres_per_pixel=view.metres_per_pixel,
                        yaw=0.0, pitch=0.0)


def read_abs(path: Path) -> np.ndarray:
    """
    Read a file of points.

    :returns: metres, (rows, columns, 3) float64, NaN where there is nothing
    :raises DatasetError: missing, unreadable, or not the text that it should be
    """
    content = read_bytes(path)
    if path.suffix == '.gz':
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DatasetError(f'{path} is not a whole gzip file: {error}') from error
    header = _HEADER.match(content)
    if not header:
        raise DatasetError(f'{path} begins with {content[:40]!r}, expected rows, columns and '
                           "'pixels (flag X Y Z):'")
    rows, columns = int(header[1]), int(header[2])
    try:
        numbers = np.array(content[header.end():].split(), np.float64)
    except ValueError as error:
        raise DatasetError(f'{path} is not a file of numbers: {error}') from error
    if numbers.size != 4 * rows * columns or not numbers.size:
        raise DatasetError(f'{path} has {numbers.size} numbers, expected 4 for each of {rows} x '
                           f'{columns} points')
    flags, *coordinates = numbers.reshape(4, rows, columns)
    points = np.stack(coordinates, axis=-1)
    known = (flags != 0) & np.isfinite(points).all(axis=-1) & (points != _NOTHING_MM).all(axis=-1)
    return np.where(known[..., None], points * _MM, np.nan)


def read_expressions(metadata: str | os.PathLike[str]) -> dict[str, str]:
    """
    Read the expressions of recordings from the dataset's metadata.

    :param metadata: an XML file
    :returns: by the recording's name (02463d546): `NEUTRAL`, or the metadata's word in small
        letters
    :raises DatasetError: missing, not XML, or without an expression of any recording
    """
    path = Path(metadata)
    try:
        tree = ElementTree.fromstring(read_bytes(path))
    except ElementTree.ParseError as error:
        raise DatasetError(f'{path} is not XML: {error}') from error
    found: dict[str, str] = {}
    for element in tree.iter():
        words = [e.get('value', '') for e in element.iter() if _tag(e) == 'expression']
        if len(words) != 1 or not words[0]:
            continue
        for part in element.iter():
            for value in part.attrib.values():
                if name := _NAME.fullmatch(re.split(r'[/\\]', value)[-1]):
                    word = words[0].lower()
                    found[f'{name[1]}d{name[2]}'] = NEUTRAL if word in NEUTRAL_WORDS else word
    if not found:
        raise DatasetError(f'{path} tells no expression: expected elements that hold one '
                           "Expression with a value and the name of the recording's file")
    return found


def identification_split(recordings: Iterable[Recording], *,
                         neutral: bool = True) -> GalleryProbe:
    """
    Split the test part: the first neutral scan of each subject, and the others.

    Of the whole dataset these are 466 and 3,541.

    :param neutral: False takes the first scan whatever its expression, for a copy of the dataset
        without metadata
    :raises DatasetError: no recording of the test part, or none of them is known to be neutral
    """
    return first_as_gallery((r for r in recordings if r.session in TEST_SESSIONS),
                            neutral=neutral)


def training_part(recordings: Iterable[Recording]) -> tuple[Recording, ...]:
    """Return the scans of Spring 2003, 943 in the whole dataset."""
    return tuple(r for r in recordings if r.session == TRAINING_SESSION)


def _scans(folder: Path) -> list[Path]:
    """Return the files of points; the unpacked one where both are there."""
    packed = {path.with_suffix(''): path for session in _SESSIONS
              for path in folder.glob(f'{session}range/*.abs.gz')}
    plain = {path: path for session in _SESSIONS for path in folder.glob(f'{session}range/*.abs')}
    return sorted((packed | plain).values())


def _recording(path: Path, expressions: Mapping[str, str] | None) -> Recording:
    found = _NAME.fullmatch(path.name)
    if not found:
        raise DatasetError(f'{path} is not a name of {_TITLE}, expected such as {_LAYOUT}')
    name = f'{found[1]}d{found[2]}'
    condition = (expressions or {}).get(name, UNKNOWN)
    return Recording(DATASET, found[1], path.parent.name.removesuffix('range'), name, condition,
                     path)


def _number(name: str) -> int:
    return int(name.partition('d')[2])


def _color_path(recording: Recording) -> Path:
    folder, number = recording.path.parent, _number(recording.name)
    candidates = [folder / f'{recording.subject}d{n}{suffix}'
                  for n in (number + 1, number) for suffix in ('.ppm', '.jpg', '.JPG')]
    return existing(next((path for path in candidates if path.is_file()), candidates[0]))


def _tag(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace, in small letters."""
    return element.tag.rpartition('}')[2].lower()
