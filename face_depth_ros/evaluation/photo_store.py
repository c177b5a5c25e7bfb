# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Rendered photos in files: parts of a folder that are whole or not there, and small fixtures.

A fixture is an .npz in which each kind of image is one run of bytes: JPEG for colour, 8 bit PNG
for labels and for relief, which is shrunk to half and rounded to 1 mm, as a depth camera does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
import numpy as np

RELIEF_SHRINK = 2
_JPEG_QUALITY = 85
_STEP_M, _ZERO = 0.001, 128


def write_records(path: Path, records: np.ndarray) -> Path:
    """Write records as .npy; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.save(file, records)
    partial.replace(path)
    return path


def read_records(path: Path, *, mapped: bool = False) -> np.ndarray:
    """
    Read records.

    :param mapped: leave them on the disk until they are looked at
    :raises DatasetError: the file is damaged
    """
    try:
        records: np.ndarray = np.load(path, mmap_mode='r' if mapped else None)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f'cannot read {path}: {error}; remove it to render it anew') from error
    return records


def part_path(folder: Path, number: int) -> Path:
    """Return where a part of a folder lies."""
    return folder / f'part_{number:05d}.npy'


def read_parts(folder: Path, check: Callable[[str, np.ndarray], None], command: str,
               people: int | None = None) -> Iterator[np.ndarray]:
    """
    Read photos of people, one part after the other.

    :param check: called with where they are from and the photos; raises DatasetError
    :param command: of `evaluate`, for the message
    :param people: stop after so many people; None: all
    :raises DatasetError: no parts, fewer people than asked for, or what `check` raises
    """
    paths = sorted(folder.glob('part_*.npy'))
    if not paths:
        raise DatasetError(f'{folder} holds no part_00000.npy; render people into it: python -m '
                           f'face_depth_ros.evaluation.render_{command}_faces, or let `evaluate '
                           f'{command}` do so')
    seen = 0
    for path in paths:
        photos = read_records(path)
        check(str(path), photos)
        found = first_people(photos, None if people is None else people - seen)
        seen += len(np.unique(found['person']))
        yield found
        if people is not None and seen >= people:
            return
    if people is not None:
        raise DatasetError(f'{folder} holds {seen} people, expected {people}; render more, or ask '
                           'for fewer by --people')


def holds_people(folder: Path, people: int) -> bool:
    """
    Whether a folder has so many people already, so that nothing need be rendered.

    :raises DatasetError: a part is damaged
    """
    seen: set[int] = set()
    for path in sorted(folder.glob('part_*.npy')):
        records = read_records(path, mapped=True)
        if records.dtype.names and 'person' in records.dtype.names:
            seen |= set(records['person'].tolist())
        if len(seen) >= people:
            return True
    return False


def first_people(photos: np.ndarray, people: int | None) -> np.ndarray:
    """Return the photos of the first so many people; None: of all."""
    persons = list(dict.fromkeys(photos['person'].tolist()))[:people]
    return photos[np.isin(photos['person'], persons)]


def packed(name: str, encoded: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return encoded images as members of an .npz."""
    return {name: np.concatenate(encoded),
            f'{name}_bytes': np.array([e.size for e in encoded], np.int64)}


def unpacked(data: np.lib.npyio.NpzFile, name: str, count: int) -> list[np.ndarray]:
    """
    Return the encoded images of an .npz.

    :raises ValueError: the bytes do not make so many images
    :raises KeyError: there are none
    """
    content, sizes = data[name], data[f'{name}_bytes']
    if sizes.shape != (count,) or content.dtype != np.uint8 or sizes.sum() != content.size:
        raise ValueError(f'{name} has {content.size} bytes for {sizes.shape} sizes of '
                         f'{int(sizes.sum())} bytes and {count} photos')
    return np.split(content, np.cumsum(sizes)[:-1])


def jpeg(color: np.ndarray) -> np.ndarray:
    """Encode (h, w, 3) uint8 RGB."""
    bgr = cv2.cvtColor(color, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].ravel()


def png(image: np.ndarray) -> np.ndarray:
    """Encode (h, w) uint8."""
    return cv2.imencode('.png', np.ascontiguousarray(image),
                        [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel()


def decoded_color(name: str, content: np.ndarray, side: int) -> np.ndarray:
    """
    Decode a square colour image, (side, side, 3) uint8 RGB.

    :raises ValueError: it is none, or of another size
    """
    return cv2.cvtColor(_decoded(name, content, side, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def decoded_plane(name: str, content: np.ndarray, side: int) -> np.ndarray:
    """
    Decode a square grey image, (side, side) uint8.

    :raises ValueError: it is none, or of another size
    """
    return _decoded(name, content, side, cv2.IMREAD_UNCHANGED)


def encoded_relief(relief: np.ndarray) -> np.ndarray:
    """Encode (S, S) metres, NaN where invalid; what is not within +-127 mm is lost."""
    small = len(relief) // RELIEF_SHRINK
    blocks = relief.astype(np.float32).reshape(small, RELIEF_SHRINK, small, RELIEF_SHRINK)
    valid = np.isfinite(blocks)
    count = valid.sum(axis=(1, 3))
    mean = np.where(valid, blocks, np.float32(0.0)).sum(axis=(1, 3)) / np.maximum(count, 1)
    codes = np.rint(mean / _STEP_M) + _ZERO
    kept = (2 * count >= RELIEF_SHRINK ** 2) & (codes >= 1) & (codes <= 255)
    return png(np.where(kept, codes, 0).astype(np.uint8))


def decoded_relief(name: str, content: np.ndarray, side: int) -> np.ndarray:
    """
    Decode relief, (side, side) float32 metres, NaN where invalid.

    :raises ValueError: it is no image, or of another size
    """
    codes = decoded_plane(name, content, side // RELIEF_SHRINK)
    codes = codes.repeat(RELIEF_SHRINK, axis=0).repeat(RELIEF_SHRINK, axis=1).astype(np.float32)
    return np.where(codes > 0, (codes - _ZERO) * np.float32(_STEP_M), np.float32(np.nan))


def _decoded(name: str, content: np.ndarray, side: int, flags: int) -> np.ndarray:
    image = cv2.imdecode(content, flags) if content.size else None
    shape = (side, side, 3) if flags == cv2.IMREAD_COLOR else (side, side)
    if image is None or image.shape != shape or image.dtype != np.uint8:
        found = 'no image' if image is None else f'{image.shape} {image.dtype}'
        raise ValueError(f'{name} is {found}, expected {side} x {side} of 8 bit')
    return image
