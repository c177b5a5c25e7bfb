# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The Bosphorus 3D face database, read from its own folders.

Source: Savran et al., "Bosphorus Database for 3D Face Analysis", BioID 2008: 4,666 scans of 105
people with expressions, action units, head poses and occlusions, by structured light.

    <root>/bs000/bs000_N_N_0.bnt    points on a grid, with places in the image
    <root>/bs000/bs000_N_N_0.png    colour image
    <root>/bs000/bs000_N_N_0.lm2    landmarks in the image
    <root>/bs000/bs000_N_N_0.lm3    landmarks in space

Subject, type (see `TYPES`), code within it, number of the repetition.

Certain, since independent programs for the dataset agree on it: these folders and names; the
bytes of the .bnt file, little-endian: rows and columns (uint16), z of the background (float64,
-1000000000), length (uint16) and text of the image's name, count of the numbers (uint32, 5 rows
columns), then all x, all y, all z, all u, all v (float64), row by row; that u and v are fractions
of the image's width and height; millimetres; the words 'Labels:' and '2D Image coordinates:' of
the .lm2 file, and that the .lm3 file has a label and a line of three numbers by turns. Assumed,
for want of the data: y points up and z to the viewer; in 'YR_R10' the subject turns to its own
right; the .lm2 file counts from the centre of the first pixel. Whether v counts from the top or
from the bottom is told by whether it falls or rises with y.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import os
from pathlib import Path
import re
import struct

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    NEUTRAL,
    read_bytes,
    read_color,
    read_text,
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

DATASET = 'bosphorus'
TYPES = {'N': NEUTRAL, 'E': 'expression', 'LFAU': 'lower_face_unit', 'UFAU': 'upper_face_unit',
         'CAU': 'combined_units', 'YR': 'yaw', 'PR': 'pitch', 'CR': 'cross_rotation',
         'O': 'occlusion', 'IGN': 'ignored'}
EXPRESSION_TYPES = ('N', 'E', 'LFAU', 'UFAU', 'CAU')
"""What the papers' first setting considers."""
EXPRESSIONS = {'ANGER': 'anger', 'DISGUST': 'disgust', 'FEAR': 'fear', 'HAPPY': 'happiness',
               'SADNESS': 'sadness', 'SURPRISE': 'surprise'}
"""Codes of the six basic expressions, of type E."""
GALLERY, PROBE_1, PROBE_2 = 105, 2797, 4561
"""How many scans the papers' settings 1 and 2 of the whole dataset have."""

_TITLE = 'the Bosphorus database'
_LAYOUT = 'bs000/bs000_N_N_0.bnt'
_NAME = re.compile(r'(bs\d{3})_([A-Z]+)(?:_(.+))?_(\d+)\.bnt')
_YAW = re.compile(r'([LR])(\d+)')
_MM = 0.001
_COLUMNS = 5
_NUMBER = re.compile(r'[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?')


@dataclass(frozen=True)
class BntGrid:
    """
    What a .bnt file holds.

    :param points: metres, (rows, columns, 3) float64, NaN where there is nothing
    :param places: (rows, columns, 2) float64 fractions of the image's width from its left and
        of its height from its top
    :param image_name: of the colour image, as it stands in the file
    """

    points: np.ndarray
    places: np.ndarray
    image_name: str


class Bosphorus(FaceDataset):
    """
    The dataset's folder.

    :param root: the folder that holds bs000 and so on, or the one that holds that folder
    :param metres_per_pixel: of the orthographic images
    :raises DatasetError: no such folder, nothing of the dataset in it, or a name that is not of it
    """

    def __init__(self, root: str | os.PathLike[str], *,
                 metres_per_pixel: float = METRES_PER_PIXEL) -> None:
        self.root = dataset_root(root, lambda folder: any(folder.glob('bs*/bs*.bnt')), _TITLE,
                                 _LAYOUT)
        self.metres_per_pixel = metres_per_pixel
        self.recordings = tuple(_recording(p) for p in sorted(self.root.glob('bs*/bs*.bnt')))

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one recording.

        :returns: an orthographic view from the front; landmarks by their labels, of the .lm3 file
            or else of the .lm2 file, None where there is neither
        :raises DatasetError: a file is missing or not what it should be
        """
        grid = read_bnt(recording.path)
        texture = read_color(recording.path.with_suffix('.png'))
        height, width = texture.shape[:2]
        surface = grid_surface(grid.points, grid.places * (width, height), texture)
        view = front_view(surface, recording.name, self.metres_per_pixel)
        color, depth = render(surface, view)
        marks = self._landmarks(recording, grid, width, height)
        pixels = view.landmarks(np.array(list(marks.values())).reshape(-1, 3), recording.name)
        return RgbdFace(DATASET, recording.subject, recording.session, recording.name,
                        recording.condition, color, depth,
                        landmarks=dict(zip(marks, pixels, strict=True)) or None,
                        metres_per_pixel=view.metres_per_pixel, yaw=yaw_of(recording.name),
                        pitch=pitch_of(recording.name))

    def _landmarks(self, recording: Recording, grid: BntGrid, width: int,
                   height: int) -> dict[str, np.ndarray]:
        """Return metres of the scanner's frame, (3,), by label."""
        in_space = recording.path.with_suffix('.lm3')
        if in_space.is_file():
            return read_lm3(in_space)
        in_image = recording.path.with_suffix('.lm2')
        if not in_image.is_file():
            return {}
        known = np.isfinite(grid.points).all(axis=-1)
        points, places = grid.points[known], grid.places[known] * (width, height)
        return {label: points[np.argmin(((places - pixel) ** 2).sum(axis=1))]
                for label, pixel in read_lm2(in_image).items()}


def read_bnt(path: Path) -> BntGrid:
    """
    Read a file of points.

    :raises DatasetError: missing, or not the bytes that it should be
    """
    content = read_bytes(path)
    try:
        rows, columns, background, length = struct.unpack_from('<HHdH', content)
        count, = struct.unpack_from('<I', content, 14 + length)
    except struct.error as error:
        raise DatasetError(f'{path} has {len(content)} bytes, too few for its header') from error
    begin = 18 + length
    if count != rows * columns * _COLUMNS or len(content) - begin != 8 * count or not count:
        raise DatasetError(f'{path} has {rows} rows, {columns} columns, {count} numbers and '
                           f'{len(content) - begin} bytes of them, expected {_COLUMNS} numbers '
                           'of 8 bytes for every point')
    numbers = np.frombuffer(content, '<f8', count, begin).reshape(_COLUMNS, rows, columns)
    points, places = np.moveaxis(numbers[:3], 0, -1).copy(), np.moveaxis(numbers[3:], 0, -1)
    known = (points != background).all(axis=-1) & np.isfinite(points).all(axis=-1)
    points[~known] = np.nan
    if known.sum() < 3:
        raise DatasetError(f'{path} has {known.sum()} points that are not background')
    inside = places[known]
    if not np.isfinite(inside).all() or inside.min() < -0.01 or inside.max() > 1.01:
        raise DatasetError(f'{path}: places in the image are {inside.min():g} to '
                           f'{inside.max():g}, expected fractions from 0 to 1')
    along_x, along_y = (_slope(points[known][:, i], inside[:, i]) for i in (0, 1))
    if along_x < 0:
        raise DatasetError(f'{path}: u falls with x, expected x to point right in the image')
    if along_y > 0:  # v counts from the bottom
        places = places * (1, -1) + (0, 1)
    return BntGrid(points * _MM, np.where(known[..., None], places, np.nan),
                   content[14:14 + length].decode('latin-1'))


def read_lm2(path: Path) -> dict[str, np.ndarray]:
    """
    Read landmarks in the image.

    :returns: by label, pixels (2,) float64, corner-origin
    :raises DatasetError: missing, or not labels followed by as many points
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    try:
        labels_at, points_at = lines.index('Labels:'), lines.index('2D Image coordinates:')
    except ValueError as error:
        raise DatasetError(f"{path} lacks the line 'Labels:' or '2D Image coordinates:'"
                           ) from error
    labels = [line for line in lines[labels_at + 1:points_at] if line]
    points = [_numbers(path, line, 2) for line in lines[points_at + 1:] if line]
    if not labels or len(labels) != len(points):
        raise DatasetError(f'{path} has {len(labels)} labels and {len(points)} points')
    return {label: point + 0.5 for label, point in zip(labels, points, strict=True)}


def read_lm3(path: Path) -> dict[str, np.ndarray]:
    """
    Read landmarks in space.

    :returns: by label, metres of the scanner's frame, (3,) float64
    :raises DatasetError: missing, or not labels and points by turns
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    counts = [i for i, line in enumerate(lines) if re.match(r'\d+(\s+landmarks.*)?:?$', line)]
    if not counts:
        raise DatasetError(f'{path} has no line with the count of landmarks')
    count = int(re.split(r'\D', lines[counts[0]])[0])
    rest = [line for line in lines[counts[0] + 1:] if line]
    if not count or len(rest) != 2 * count:
        raise DatasetError(f'{path} has {len(rest)} lines for {count} landmarks, expected a label '
                           'and a point for each')
    return {label: _numbers(path, line, 3) * _MM
            for label, line in zip(rest[::2], rest[1::2], strict=True)}


def yaw_of(name: str) -> float | None:
    """
    Return the yaw that a recording's name tells, degrees.

    :returns: as asked for; positive when the subject turns to its left; 0 for the types without a
        turn; None where the name does not tell
    """
    _, kind, code, _ = _parts(name)
    if kind in (*EXPRESSION_TYPES, 'O', 'PR'):
        return 0.0
    turned = _YAW.fullmatch(code) if kind == 'YR' else None
    if turned is None:
        return None
    return float(turned[2]) * (1.0 if turned[1] == 'L' else -1.0)


def pitch_of(name: str) -> float | None:
    """
    Return the pitch that a recording's name tells, degrees.

    :returns: 0 for the types in which the subject does not look up or down, None for the others,
        whose names give no angle
    """
    return 0.0 if _parts(name)[1] in (*EXPRESSION_TYPES, 'O', 'YR') else None


def expression_of(recording: Recording) -> tuple[str, int] | None:
    """
    Return the basic expression of a recording, and 4 as its strength: there is one, the full one.

    :returns: None of all other recordings
    """
    _, kind, code, _ = _parts(recording.name)
    word = EXPRESSIONS.get(code.upper()) if kind == 'E' else None
    return None if word is None else (word, 4)


def setting_1(recordings: Iterable[Recording]) -> GalleryProbe:
    """
    Split the scans with expressions: the first neutral one of each subject, and the others.

    Of the whole dataset these are 105 and 2,797.
    """
    return first_as_gallery(r for r in recordings if _parts(r.name)[1] in EXPRESSION_TYPES)


def setting_2(recordings: Iterable[Recording]) -> GalleryProbe:
    """
    Split all scans: the first neutral one of each subject, and the others.

    Of the whole dataset these are 105 and 4,561.
    """
    return first_as_gallery(recordings)


def _parts(name: str) -> tuple[str, str, str, int]:
    found = _NAME.fullmatch(f'{name}.bnt')
    if not found or found[2] not in TYPES:
        raise DatasetError(f'{name} is not a name of {_TITLE}, expected such as {_LAYOUT} with a '
                           f'type of {", ".join(TYPES)}')
    return found[1], found[2], found[3] or '', int(found[4])


def _recording(path: Path) -> Recording:
    subject, kind, code, _ = _parts(path.stem)
    condition = TYPES[kind]
    if condition != NEUTRAL and code:
        condition = f'{condition}_{code.lower()}'
    return Recording(DATASET, subject, '', path.stem, condition, path)


def _numbers(path: Path, line: str, count: int) -> np.ndarray:
    words = line.split()
    if len(words) != count or not all(_NUMBER.fullmatch(word) for word in words):
        raise DatasetError(f'{path}: {line!r} is not a point of {count} numbers')
    return np.array(words, np.float64)


def _slope(along: np.ndarray, values: np.ndarray) -> float:
    """Tell whether values rise (> 0) or fall along a coordinate."""
    return float(((along - along.mean()) * (values - values.mean())).sum())
