# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos of people on whom recognition is measured: parts of a folder, and the file that holds a few.

A folder holds `part_00000.npy` and so on, arrays of `record_type()`, all photos of a person in
one part. The file is an .npz: `color` and `mask` hold a JPEG and an 8 bit PNG of each photo,
`relief` an 8 bit PNG of 96 x 96 pixels in steps of 1 mm, 0 where there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
import zipfile

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_photo import MASK_LABELS
import numpy as np

PHOTO_PX = 192
"""Side of the crop of the face's box."""
CONDITIONS = ('gallery', 'expression', 'pose', 'occlusion', 'time')
"""A photo's condition is an index into these; those after the first are probes."""
_JPEG_QUALITY = 85
_STORED_PX = 96
_STEP_M, _ZERO = 0.001, 128
_MEMBERS = ('color', 'color_bytes', 'mask', 'mask_bytes', 'relief', 'relief_bytes')
_FIELDS = ('person', 'condition', 'yaw', 'pitch')


def record_type() -> np.dtype:
    """
    Return the type of a photo.

    color: RGB crop of the face's box; relief: metres along the ray, behind the head point, as a
    depth sensor measures it, NaN where it does not; mask: true labels of
    core.face_photo.MASK_LABELS; person: number; condition: index into `CONDITIONS`; yaw, pitch:
    degrees, as in core.face_photo.
    """
    square = (PHOTO_PX, PHOTO_PX)
    return np.dtype([('color', 'u1', (*square, 3)), ('relief', '<f2', square),
                     ('mask', 'u1', square), ('person', '<i4'), ('condition', 'u1'),
                     ('yaw', '<f4'), ('pitch', '<f4')])


def write_part(folder: Path, number: int, photos: np.ndarray) -> Path:
    """
    Write a part; it appears whole or not at all.

    :raises DatasetError: not photos, see `check_photos`
    """
    check_photos(f'part {number}', photos)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'part_{number:05d}.npy'
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.save(file, photos)
    partial.replace(path)
    return path


def read_parts(folder: Path, people: int | None = None) -> Iterator[np.ndarray]:
    """
    Read one part after the other.

    :param people: stop after so many people; None: all
    :returns: arrays of `record_type()`
    :raises DatasetError: no parts, fewer people than asked for, or a file that holds no photos
    """
    paths = sorted(folder.glob('part_*.npy'))
    if not paths:
        raise DatasetError(f'{folder} holds no part_00000.npy; render people into it: python -m '
                           'face_depth_ros.evaluation.render_identity_faces, or let `evaluate '
                           'identity` do so')
    seen: set[int] = set()
    for path in paths:
        photos = _read_part(path)
        persons = list(dict.fromkeys(photos['person'].tolist()))
        if people is not None:
            persons = persons[:people - len(seen)]
        yield photos[np.isin(photos['person'], persons)]
        seen.update(persons)
        if people is not None and len(seen) >= people:
            return
    if people is not None:
        raise DatasetError(f'{folder} holds {len(seen)} people, expected {people}; render more, '
                           'or ask for fewer by --people')


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


def save_faces(path: Path, photos: np.ndarray) -> None:
    """
    Write photos to an .npz; colour loses what JPEG takes, relief its fine detail.

    :param photos: of `record_type()`
    :raises DatasetError: see `check_photos`
    """
    check_photos(str(path), photos)
    members: dict[str, np.ndarray] = {name: photos[name] for name in _FIELDS}
    for name, encoded in (('color', [_jpeg(c) for c in photos['color']]),
                          ('mask', [_png(m) for m in photos['mask']]),
                          ('relief', [_png(_small(r)) for r in photos['relief']])):
        members[name] = np.concatenate(encoded)
        members[f'{name}_bytes'] = np.array([e.size for e in encoded], np.int64)
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
                for i, content in enumerate(_split(name, data, len(photos))):
                    photos[name][i] = _decode(name, content)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f'cannot read the faces in {path}: {error}; expected an .npz of '
                           '`python -m face_depth_ros.evaluation.render_identity_faces`'
                           ) from error
    check_photos(str(path), photos)
    return photos


def _read_part(path: Path) -> np.ndarray:
    try:
        photos: np.ndarray = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f'cannot read {path}: {error}; remove it to render it anew') from error
    check_photos(str(path), photos)
    return photos


def _split(name: str, data: np.lib.npyio.NpzFile, count: int) -> Iterable[np.ndarray]:
    content, sizes = data[name], data[f'{name}_bytes']
    if sizes.shape != (count,) or content.dtype != np.uint8 or sizes.sum() != content.size:
        raise ValueError(f'{name} has {content.size} bytes for {sizes.shape} sizes of '
                         f'{int(sizes.sum())} bytes and {count} photos')
    return np.split(content, np.cumsum(sizes)[:-1])


def _decode(name: str, content: np.ndarray) -> np.ndarray:
    flags = cv2.IMREAD_COLOR if name == 'color' else cv2.IMREAD_UNCHANGED
    image = cv2.imdecode(content, flags) if content.size else None
    side = _STORED_PX if name == 'relief' else PHOTO_PX
    if image is None or image.shape[:2] != (side, side) or image.dtype != np.uint8:
        found = 'no image' if image is None else f'{image.shape} {image.dtype}'
        raise ValueError(f'{name} is {found}, expected {side} x {side} of 8 bit')
    if name == 'color':
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if name == 'mask':
        return image
    scale = PHOTO_PX // _STORED_PX
    codes = image.repeat(scale, axis=0).repeat(scale, axis=1).astype(np.float32)
    return np.where(codes > 0, (codes - _ZERO) * np.float32(_STEP_M), np.float32(np.nan))


def _small(relief: np.ndarray) -> np.ndarray:
    """Return relief as 8 bit of the stored size: the mean of what is valid; 0 = nothing."""
    scale = PHOTO_PX // _STORED_PX
    blocks = relief.astype(np.float32).reshape(_STORED_PX, scale, _STORED_PX, scale)
    valid = np.isfinite(blocks)
    count = valid.sum(axis=(1, 3))
    mean = np.where(valid, blocks, np.float32(0.0)).sum(axis=(1, 3)) / np.maximum(count, 1)
    codes = np.rint(mean / _STEP_M) + _ZERO
    return np.where((2 * count >= scale * scale) & (codes >= 1) & (codes <= 255), codes,
                    0).astype(np.uint8)


def _jpeg(color: np.ndarray) -> np.ndarray:
    bgr = cv2.cvtColor(color, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].ravel()


def _png(image: np.ndarray) -> np.ndarray:
    return cv2.imencode('.png', np.ascontiguousarray(image),
                        [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel()
