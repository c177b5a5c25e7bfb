# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos on which expressions are measured: parts of a folder, and the file that holds a few.

A folder holds `part_00000.npy` and so on, arrays of `record_type()`, all photos of a person in
one part. The file is an .npz of evaluation.photo_store: JPEGs of colour, relief in steps of 1 mm.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import zipfile

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS, NEUTRAL
from face_depth_ros.evaluation import photo_store
from face_depth_ros.evaluation.photo_store import (
    decoded_color,
    decoded_relief,
    encoded_relief,
    jpeg,
    packed,
    part_path,
    unpacked,
    write_records,
)
import numpy as np

PHOTO_PX = 192
"""Side of the crop of the face's box."""
CONDITIONS = ('posed', 'speech', 'pose', 'occlusion', 'light')
"""A photo's condition is an index into these; the first is that of BU-3DFE."""
MOST_LEVEL = 4
_FIELDS = ('person', 'condition', 'label', 'level', 'strength', 'action_units', 'yaw')


def record_type() -> np.dtype:
    """
    Return the type of a photo.

    color: RGB crop of the face's box; relief: metres along the ray, behind the head point, as a
    depth sensor measures it, NaN where it does not; person: number; condition: index into
    `CONDITIONS`; label: index into EXPRESSIONS; level: 1 to 4 as in BU-3DFE, 0 of a neutral face;
    strength: share of the full expression; action_units: intensities 0 to 1 of ACTION_UNITS; yaw:
    degrees, as in core.face_photo.
    """
    square = (PHOTO_PX, PHOTO_PX)
    return np.dtype([('color', 'u1', (*square, 3)), ('relief', '<f2', square), ('person', '<i4'),
                     ('condition', 'u1'), ('label', 'u1'), ('level', 'u1'), ('strength', '<f4'),
                     ('action_units', '<f4', (len(ACTION_UNITS),)), ('yaw', '<f4')])


def write_part(folder: Path, number: int, photos: np.ndarray) -> Path:
    """
    Write a part; it appears whole or not at all.

    :raises DatasetError: not photos, see `check_photos`
    """
    check_photos(f'part {number}', photos)
    return write_records(part_path(folder, number), photos)


def read_parts(folder: Path, people: int | None = None) -> Iterator[np.ndarray]:
    """
    Read one part after the other.

    :param people: stop after so many people; None: all
    :returns: arrays of `record_type()`
    :raises DatasetError: no parts, fewer people than asked for, or a file that holds no photos
    """
    return photo_store.read_parts(folder, check_photos, 'expression', people)


def check_photos(where: str, photos: np.ndarray) -> None:
    """
    Check what the types of the fields do not tell.

    :raises DatasetError: another type, no photos, or values out of range
    """
    if photos.dtype != record_type() or photos.ndim != 1 or not len(photos):
        raise DatasetError(f'{where} holds {photos.shape} of {photos.dtype.names}, expected '
                           f'photos of {record_type().names}, at least 1')
    for name, most in (('condition', len(CONDITIONS) - 1), ('label', len(EXPRESSIONS) - 1),
                       ('level', MOST_LEVEL)):
        if (largest := int(photos[name].max())) > most:
            raise DatasetError(f'{where} has the {name} {largest}, expected at most {most}')
    if ((photos['label'] == NEUTRAL) != (photos['level'] == 0)).any():
        raise DatasetError(f'{where} has a neutral face of level 1 to 4, or another of level 0; '
                           'expected level 0 for neutral faces and for these alone')
    for name in ('strength', 'action_units', 'yaw'):
        if not np.isfinite(photos[name]).all():
            raise DatasetError(f'{where} has a value of {name} that is not finite')


def save_faces(path: Path, photos: np.ndarray) -> None:
    """
    Write photos to an .npz; colour loses what JPEG takes, relief its fine detail.

    :param photos: of `record_type()`
    :raises DatasetError: see `check_photos`
    """
    check_photos(str(path), photos)
    members: dict[str, np.ndarray] = {name: photos[name] for name in _FIELDS}
    members |= packed('color', [jpeg(color) for color in photos['color']])
    members |= packed('relief', [encoded_relief(relief) for relief in photos['relief']])
    np.savez(path, **members)  # type: ignore[arg-type]


def load_faces(path: Path) -> np.ndarray:
    """
    Read photos of an .npz.

    :returns: of `record_type()`
    :raises DatasetError: not readable, or not such a file
    """
    try:
        with np.load(path) as data:
            photos = np.zeros(len(data['person']), record_type())
            for name in _FIELDS:
                photos[name] = data[name]
            for i, content in enumerate(unpacked(data, 'color', len(photos))):
                photos['color'][i] = decoded_color('color', content, PHOTO_PX)
            for i, content in enumerate(unpacked(data, 'relief', len(photos))):
                photos['relief'][i] = decoded_relief('relief', content, PHOTO_PX)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f'cannot read the faces in {path}: {error}; expected an .npz of '
                           '`python -m face_depth_ros.evaluation.render_expression_faces`'
                           ) from error
    check_photos(str(path), photos)
    return photos
