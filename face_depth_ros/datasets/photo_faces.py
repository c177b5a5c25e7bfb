# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What the loaders of photos share: faces without depth, pairs of faces, boxes of heads.

A photo is an `RgbdFace` all of whose depth is invalid, so that it goes wherever a face of colour
and depth goes; what needs depth says that there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
import csv
from dataclasses import dataclass
import io
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import read_text, Recording, RgbdFace
import numpy as np

UNKNOWN = 'unknown'
"""The condition of a photo taken anywhere."""
AROUND_HEAD = 2.0
"""Sides of a head's box that are kept around it: the detector shall find that head, no other."""


@dataclass(frozen=True)
class FacePair:
    """
    Two faces, or two sets of faces, to be told the same or not.

    :param first, second: names of what is compared: recordings, videos or templates
    :param same: whether they show one person
    :param fold: from 1
    """

    first: str
    second: str
    same: bool
    fold: int


@dataclass(frozen=True)
class HeadBox:
    """
    An upright box around a head in an image; pixels, corner-origin.

    :param x, y: of the upper left corner
    """

    x: float
    y: float
    width: float
    height: float


def photo_face(recording: Recording, color: np.ndarray, head: HeadBox | None = None) -> RgbdFace:
    """
    Make a face of a photo.

    :param color: (H, W, 3) uint8 RGB
    :param head: where the head is; the photo is cut to twice its box around it
    :returns: depth NaN everywhere
    :raises DatasetError: the box lies outside the photo
    """
    center = None
    if head is not None:
        color, center = _cut(recording, color, head)
    depth = np.full(color.shape[:2], np.nan, np.float32)
    return RgbdFace(recording.dataset, recording.subject, recording.session, recording.name,
                    recording.condition, color, depth, head_center=center)


def has_depth(face: RgbdFace) -> bool:
    """Whether a face has any valid depth."""
    return bool(np.isfinite(face.depth).any())


def read_rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """
    Read a CSV file with a heading.

    :param columns: that it must have
    :returns: by heading, white space around the values removed
    :raises DatasetError: missing, unreadable, without a column, or a line is too short
    """
    reader = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
    headings = [h.strip() for h in reader.fieldnames or ()]
    missing = [c for c in columns if c not in headings]
    if missing:
        raise DatasetError(f'{path} has the columns {", ".join(headings) or "(none)"}, expected '
                           f'{", ".join(missing)} too')
    rows = []
    for line in reader:
        row = {str(k).strip(): (v or '').strip() for k, v in line.items() if isinstance(k, str)
               and (v is None or isinstance(v, str))}
        short = [c for c in columns if not row.get(c)]
        if short:
            raise DatasetError(f'{path}, line {reader.line_num} has no {", ".join(short)}')
        rows.append(row)
    return rows


def number(path: Path, text: str, what: str) -> float:
    """
    Read a number of a line.

    :raises DatasetError: it is none, or not finite
    """
    try:
        value = float(text)
    except ValueError as error:
        raise DatasetError(f'{path}: {what} is {text!r}, expected a number') from error
    if not np.isfinite(value):
        raise DatasetError(f'{path}: {what} is {text!r}, expected a finite number')
    return value


def _cut(recording: Recording, color: np.ndarray, head: HeadBox,
         ) -> tuple[np.ndarray, tuple[float, float]]:
    height, width = color.shape[:2]
    x, y = head.x + head.width / 2.0, head.y + head.height / 2.0
    half = AROUND_HEAD * max(head.width, head.height) / 2.0
    left, top = max(0, int(x - half)), max(0, int(y - half))
    right, bottom = min(width, int(np.ceil(x + half))), min(height, int(np.ceil(y + half)))
    if not half > 0.0 or right - left < 2 or bottom - top < 2 or not (
            0 <= x < width and 0 <= y < height):
        raise DatasetError(f'{recording.dataset} {recording.name}: the head at ({x:.0f}, '
                           f'{y:.0f}), {head.width:.0f} x {head.height:.0f} px, lies outside the '
                           f'photo of {width} x {height}')
    part = np.ascontiguousarray(color[top:bottom, left:right])
    return part, (x - left, y - top)
