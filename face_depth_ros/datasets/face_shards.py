# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The files of a data set of described faces: whole or not there at all, the same from every run.

    OUT/dataset.json          what it is made of: model and hashes, settings, persons
    OUT/images.jsonl          the sorted list of images, one JSON string a line
    OUT/shards/00000.tar      faces, uncompressed, in the naming of WebDataset: of image number 12
                              00000012.color.jpg, .relief.png, .mask.png and .json
    OUT/shards/00000.jsonl    first a line on the shard with the hash of its tar, then one on each
                              of its images: the key of its face, or why there is none
    OUT/manifest.jsonl        written last: first a line on the whole, then each shard's first line

Image i goes to shard i mod the number of shards: people are spread over all shards. A shard is
done when its .jsonl is there, which is written after its .tar. Relief is stored as 16 bits, 0 off
the face, else 0.1 mm above 32768.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import hashlib
import io
import json
import logging
import os
from pathlib import Path
import tarfile
import tempfile
from typing import Any, BinaryIO

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
from face_depth_ros.datasets.image_faces import DescribedFace, LeftOut
import numpy as np

FORM = 1
"""Of the files; another form is not read."""
PLAN, LIST, MANIFEST, SHARDS = 'dataset.json', 'images.jsonl', 'manifest.jsonl', 'shards'
_PARTIAL = '.partial'
_STEP_M, _MIDDLE = 1e-4, 32768
_QUALITY = 95
_ENDINGS = ('color.jpg', 'relief.png', 'mask.png', 'json')
_LOG = logging.getLogger('augment_dataset')


@dataclass(frozen=True)
class Entry:
    """
    An image of a shard and what came of it.

    :param number: in the sorted list
    """

    number: int
    image: str
    person: str
    result: DescribedFace | LeftOut

    @property
    def key(self) -> str:
        """Return the name of its files in the tar."""
        return f'{self.number:08d}'


@dataclass(frozen=True)
class StoredFace:
    """
    A face as it is read back.

    :param about: the content of its .json: image, person, box, score, confidence
    :param color: (S, S, 3) uint8 RGB; relief: (S, S) float32 metres behind the head point, NaN
        off the face, in steps of 0.1 mm; mask: (S, S) uint8 of core.face_photo.MASK_LABELS
    :param landmarks: (68, 2) float32 pixels of the crop, NaN if the estimator has none
    :param visibility: (68,) float32, 0 to 1, NaN likewise
    """

    about: dict[str, Any]
    color: np.ndarray
    relief: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray
    visibility: np.ndarray


def shard_path(out: Path, number: int, ending: str) -> Path:
    """Return the path of a shard's 'tar' or 'jsonl'."""
    return out / SHARDS / f'{number:05d}.{ending}'


def read_done(out: Path, number: int) -> list[dict[str, Any]] | None:
    """
    Return the line on a shard and those on its images; None if it is not there, whole.

    A damaged .jsonl is logged and counts as none: its shard is made again.

    :raises DatasetError: the disk does not give it
    """
    path = shard_path(out, number, 'jsonl')
    try:
        if not path.is_file() or not shard_path(out, number, 'tar').is_file():
            return None
        head, *lines = _parsed(path.read_bytes())
        promised = {'shard': number, 'images': len(lines),
                    'faces': sum('key' in line for line in lines)}
        if {**head, **promised} != head or not {'sha256', 'engines'} <= head.keys() or not all(
                'key' in line or 'cause' in line for line in lines):
            raise ValueError('its lines are not those that its first one promises')
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error}; see to the disk and run it again'
                           ) from error
    except ValueError as error:
        _LOG.warning('%s is damaged (%s): the shard counts as not made', path, error)
        return None
    return [head, *lines]


def write_shard(out: Path, number: int, entries: Iterable[Entry],
                engines: dict[str, str]) -> dict[str, Any]:
    """
    Write a shard; one that is there already is replaced.

    :param entries: of its images in their order; consumed one by one
    :param engines: that the describer runs in, for the record
    :returns: the line on the shard
    :raises DatasetError: it cannot be written
    """
    lines: list[dict[str, Any]] = []
    path = shard_path(out, number, 'tar')
    try:
        with complete_file(path) as file:
            with tarfile.open(fileobj=file, mode='w', format=tarfile.USTAR_FORMAT) as tar:
                for entry in entries:
                    line: dict[str, Any] = {'image': entry.image, 'person': entry.person}
                    if isinstance(entry.result, LeftOut):
                        line.update(cause=entry.result.cause, reason=entry.result.reason)
                    else:
                        line.update(key=entry.key)
                        _add_face(tar, entry, entry.result)
                    lines.append(line)
            file.seek(0)
            digest = _digest(file)
        head = {'shard': number, 'images': len(lines),
                'faces': sum('key' in line for line in lines), 'sha256': digest,
                'engines': engines}
        write_file(shard_path(out, number, 'jsonl'), json_lines([head, *lines]))
    except OSError as error:
        raise DatasetError(f'shard {number} cannot be written to {path}: {error}; see to the disk '
                           'and run it again') from error
    return head


def read_faces(path: Path) -> Iterator[StoredFace]:
    """
    Read the faces of a shard's tar one by one.

    :raises DatasetError: it is no such file
    """
    try:
        with tarfile.open(path, 'r:') as tar:
            members = iter(tar)
            while (first := next(members, None)) is not None:
                group = [first, *(m for _, m in zip(_ENDINGS[1:], members, strict=False))]
                key = first.name.split('.', 1)[0]
                if [m.name for m in group] != [f'{key}.{ending}' for ending in _ENDINGS]:
                    raise ValueError(f'the files of {key} are {[m.name for m in group]}')
                yield _face(*(_content(tar, m) for m in group))
    except (OSError, ValueError, KeyError, TypeError, tarfile.TarError, cv2.error) as error:
        raise DatasetError(f'{path} is no shard of faces or damaged: {error}; delete it with its '
                           '.jsonl and run augment_dataset again') from error


def json_lines(lines: Iterable[Any]) -> bytes:
    """Return values as JSON lines, keys sorted."""
    return ''.join(json.dumps(line, sort_keys=True) + '\n' for line in lines).encode('ascii')


def read_lines(path: Path) -> list[dict[str, Any]]:
    """
    Return the objects of a file of JSON lines, at least one.

    :raises DatasetError: there is no such file, or it is damaged
    """
    try:
        return _parsed(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f'{path} cannot be read: {error}; run augment_dataset again') from error


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, hex."""
    with path.open('rb') as file:
        return _digest(file)


class complete_file:  # noqa: N801 (used as a function)
    """
    A file, open for writing and reading, that takes its place when the block ends well.

    What a killed process leaves behind is a hidden file that `clear_partials` removes.

    :param path: replaced if it is there
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        handle, name = tempfile.mkstemp(_PARTIAL, f'.{path.name}.', path.parent)
        self._temporary = Path(name)
        self._file = os.fdopen(handle, 'w+b')

    def __enter__(self) -> BinaryIO:
        return self._file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._temporary.chmod(0o644)
                self._temporary.replace(self._path)
                _sync_folder(self._path.parent)
        finally:
            try:
                self._file.close()  # writes what is left, or fails at it again
            finally:
                self._temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with complete_file(path) as file:
        file.write(content)


def clear_partials(out: Path) -> None:
    """Remove what killed processes left."""
    for folder in (out, out / SHARDS):
        for path in folder.glob(f'.*{_PARTIAL}'):
            path.unlink(missing_ok=True)


def _parsed(content: bytes) -> list[dict[str, Any]]:
    """Return the objects of JSON lines, at least one; raise ValueError for anything else."""
    lines = [json.loads(line) for line in content.decode('ascii').splitlines()]
    if not lines or not all(isinstance(line, dict) for line in lines):
        raise ValueError('not one JSON object a line')
    return lines


def _add_face(tar: tarfile.TarFile, entry: Entry, face: DescribedFace) -> None:
    """Write the four files of a face; nothing in them depends on time or machine."""
    found = face.found
    code = np.rint(face.relief / np.float32(_STEP_M)) + np.float32(_MIDDLE)
    relief = np.where(np.isnan(code), np.float32(0), np.clip(code, 1, 65535)).astype(np.uint16)
    box = found.box
    about = {
        'image': entry.image, 'person': entry.person, 'score': round(found.score, 4),
        'box': [round(v, 4) for v in (box.center_x, box.center_y, box.side, box.roll)],
        'confidence': round(face.confidence, 4),
        'landmarks': None if face.landmarks is None else _rounded(face.landmarks, 2),
        'visibility': None if face.visibility is None else _rounded(face.visibility, 3)}
    color = cv2.cvtColor(found.color, cv2.COLOR_RGB2BGR)
    contents = (
        cv2.imencode('.jpg', color, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes(),
        cv2.imencode('.png', relief, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes(),
        cv2.imencode('.png', face.mask)[1].tobytes(),
        json_lines([about]))
    for ending, content in zip(_ENDINGS, contents, strict=True):
        info = tarfile.TarInfo(f'{entry.key}.{ending}')
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def _face(color: bytes, relief: bytes, mask: bytes, about: bytes) -> StoredFace:
    image = cv2.imdecode(np.frombuffer(color, np.uint8), cv2.IMREAD_COLOR)
    code, labels = (cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
                    for png in (relief, mask))
    if image is None or code is None or labels is None or code.dtype != np.uint16 or (
            labels.dtype != np.uint8 or not image.shape[:2] == code.shape == labels.shape
            or labels.max() >= len(MASK_LABELS)):
        raise ValueError('its images are not of the known form')
    metres = (code.astype(np.float32) - np.float32(_MIDDLE)) * np.float32(_STEP_M)
    known = json.loads(about)
    points, seen = (np.full(shape, np.nan, np.float32) if known[name] is None
                    else np.array(known[name], np.float32).reshape(shape)
                    for name, shape in (('landmarks', (LANDMARK_COUNT, 2)),
                                        ('visibility', (LANDMARK_COUNT,))))
    return StoredFace(known, cv2.cvtColor(image, cv2.COLOR_BGR2RGB),
                      np.where(code > 0, metres, np.float32(np.nan)), labels, points, seen)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    content = b'' if file is None else file.read()
    if len(content) != member.size:
        raise ValueError(f'{member.name} is cut off')
    return content


def _rounded(values: np.ndarray, digits: int) -> list[Any]:
    result: list[Any] = np.round(values.astype(np.float64), digits).tolist()
    return result


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Bring renamed files to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
