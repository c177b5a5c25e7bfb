# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos of people on whom recognition is measured: parts of a folder, and the file that holds a few.

A folder holds `part_00000.npy` and so on, arrays of `record_type()`, all photos of a person in
one part. The file is an .npz: `color` and `mask` hold a JPEG and an 8 bit PNG of each photo,
`relief` an 8 bit PNG of 96 x 96 pixels in steps of 1 mm, 0 where there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import zipfile

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.evaluation import photo_store
from face_depth_ros.evaluation.photo_store import (
    decoded_color,
    decoded_plane,
    decoded_relief,
    encoded_relief,
    jpeg,
    packed,
    part_path,
    png,
    unpacked,
    write_records,
)
import numpy as np

PHOTO_PX = 192
"""Side of the crop of the face's box."""
CONDITIONS = ('gallery', 'expression', 'pose', 'occlusion', 'time')
"""A photo's condition is an index into these; those after the first are probes."""
_FIELDS = ('person', 'condition', 'yaw', 'pitch', 'position', 'camera')


def record_type() -> np.dtype:
    """
    Return the type of a photo.

    color: RGB crop of the face's box; relief: metres along the ray, behind the head point, as a
    depth sensor measures it, NaN where it does not; mask: true labels of
    core.face_photo.MASK_LABELS; person: number; condition: index into `CONDITIONS`; yaw, pitch:
    degrees, as in core.face_photo; position: of the head point in the optical frame, metres;
    camera: affine from slopes (x/z, y/z) to pixels of the crop.
    """
    square = (PHOTO_PX, PHOTO_PX)
    return np.dtype([('color', 'u1', (*square, 3)), ('relief', '<f2', square),
                     ('mask', 'u1', square), ('person', '<i4'), ('condition', 'u1'),
                     ('yaw', '<f4'), ('pitch', '<f4'), ('position', '<f4', (3,)),
                     ('camera', '<f4', (2, 3))])


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
    return photo_store.read_parts(folder, check_photos, 'identity', people)


def check_photos(where: str, photos: np.ndarray) -> None:
    """
    Check what the types of the fields do not tell.

    :raises DatasetError: another type, no photos, or values out of range
    """
    if photos.dtype != record_type() or photos.ndim != 1 or not len(photos):
        raise DatasetError(f'{where} holds {photos.shape} of {photos.dtype.names}, expected '
                           f'photos of {record_type().names}, at least 1')
    labels, condition = int(photos['mask'].max()), int(photos['condition'].max())
    if labels >= len(MASK_LABELS) or condition >= len(CONDITIONS):
        raise DatasetError(f'{where} has the label {labels} and the condition {condition}, '
                           f'expected less than {len(MASK_LABELS)} and {len(CONDITIONS)}')
    if not (np.isfinite(photos['yaw']).all() and np.isfinite(photos['pitch']).all()):
        raise DatasetError(f'{where} has a yaw or pitch that is not finite')
    if not (np.isfinite(photos['camera']).all() and (photos['position'][:, 2] > 0).all()):
        raise DatasetError(f'{where} has a camera that is not finite, or a head behind it')


def save_faces(path: Path, photos: np.ndarray) -> None:
    """
    Write photos to an .npz; colour loses what JPEG takes, relief its fine detail.

    :param photos: of `record_type()`
    :raises DatasetError: see `check_photos`
    """
    check_photos(str(path), photos)
    members: dict[str, np.ndarray] = {name: photos[name] for name in _FIELDS}
    for name, encode in (('color', jpeg), ('mask', png), ('relief', encoded_relief)):
        members |= packed(name, [encode(image) for image in photos[name]])
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
            for name in ('color', 'mask', 'relief'):
                for i, content in enumerate(unpacked(data, name, len(photos))):
                    photos[name][i] = _decode(name, content)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f'cannot read the faces in {path}: {error}; expected an .npz of '
                           '`python -m face_depth_ros.evaluation.render_identity_faces`'
                           ) from error
    check_photos(str(path), photos)
    return photos


def _decode(name: str, content: np.ndarray) -> np.ndarray:
    if name == 'color':
        return decoded_color(name, content, PHOTO_PX)
    if name == 'mask':
        return decoded_plane(name, content, PHOTO_PX)
    return decoded_relief(name, content, PHOTO_PX)
