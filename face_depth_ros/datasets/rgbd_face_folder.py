# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Prepared faces on disk: a colour PNG, a 16 bit depth PNG and a line of JSON for each.

    <root>/faces.jsonl                             one line a face, all but the images
    <root>/bu_3dfe/F0001_NE00WH_y+30_p+0.color.png
    <root>/bu_3dfe/F0001_NE00WH_y+30_p+0.depth.png  0.1 mm, 0 where invalid

A face is there when its line is: the line is written last, after both images are in place, so that
work that was broken off is taken up where it stopped. One process writes into a folder at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import (
    read_bytes,
    read_color,
    read_single_channel,
    RgbdFace,
)
import numpy as np

INDEX = 'faces.jsonl'
DEPTH_UNIT_M = 0.0001
_WORDS = ('dataset', 'subject', 'session', 'name', 'condition')
_NUMBERS = ('metres_per_pixel', 'yaw', 'pitch', 'roll')


class RgbdFaceFolder:
    """
    A folder of prepared faces, for writing and reading.

    :param root: made where it is not there yet
    :raises DatasetError: it is a file, or its index is broken elsewhere than at its end
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(f'{self.root} cannot be made a folder: {error}') from error
        self._records = self._read_index()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the faces that are there, in the order of writing."""
        return tuple(self._records)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def write(self, face: RgbdFace) -> None:
        """
        Write a face; one of the same name is replaced.

        :raises DatasetError: its name leads out of the folder, or its depth does not fit 16 bit
        """
        place = PurePosixPath(face.dataset, face.name)
        if place.is_absolute() or '..' in place.parts:
            raise DatasetError(f'{face.dataset!r}, {face.name!r} cannot name a file in '
                               f'{self.root}')
        steps = np.rint(np.nan_to_num(face.depth / DEPTH_UNIT_M, nan=0.0))
        if steps.min() < 0 or steps.max() > np.iinfo(np.uint16).max:
            raise DatasetError(f'{face.name}: depth from {np.nanmin(face.depth):g} to '
                               f'{np.nanmax(face.depth):g} m, expected 0 to '
                               f'{np.iinfo(np.uint16).max * DEPTH_UNIT_M:g} m')
        record: dict[str, Any] = {word: getattr(face, word) for word in (*_WORDS, *_NUMBERS)}
        record['intrinsics'] = None if face.intrinsics is None else asdict(face.intrinsics)
        record['head_center'] = (None if face.head_center is None
                                 else [float(value) for value in face.head_center])
        record['landmarks'] = _to_json(face.landmarks)
        record['color'] = None if face.color is None else f'{place}.color.png'
        record['depth'] = f'{place}.depth.png'
        if face.color is not None:
            self._write_png(record['color'], face.color[..., ::-1])
        self._write_png(record['depth'], steps.astype(np.uint16))
        line = (json.dumps(record, allow_nan=False) + '\n').encode()
        with (self.root / INDEX).open('ab') as index:
            index.write(line)
            index.flush()
            os.fsync(index.fileno())
        self._records[face.name] = record

    def faces(self) -> Iterator[RgbdFace]:
        """
        Read one face after the other.

        :raises DatasetError: a file is missing or not what it should be
        """
        for name in self.names:
            yield self.read(name)

    def read(self, name: str) -> RgbdFace:
        """
        Read a face.

        :raises DatasetError: no such face, or a file is missing or not what it should be
        """
        record = self._records.get(name)
        if record is None:
            raise DatasetError(f'{self.root} has no face {name!r} among {len(self._records)}')
        try:
            depth_path, color_path = self.root / record['depth'], record['color']
            camera, center = record['intrinsics'], record['head_center']
            known = {word: record[word] for word in (*_WORDS, *_NUMBERS)}
            known['intrinsics'] = None if camera is None else CameraIntrinsics(**camera)
            known['head_center'] = None if center is None else (center[0], center[1])
            known['landmarks'] = _from_json(record['landmarks'])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DatasetError(f'{self.root / INDEX}: the line of {name!r} lacks or spoils '
                               f'{error}') from error
        steps = read_single_channel(depth_path)
        if steps.dtype != np.uint16:
            raise DatasetError(f'{depth_path} is {steps.dtype}, expected 16 bit')
        depth = np.where(steps > 0, steps * DEPTH_UNIT_M, np.nan).astype(np.float32)
        color = (None if color_path is None
                 else read_color(self.root / color_path, (steps.shape[1], steps.shape[0])))
        return RgbdFace(color=color, depth=depth, **known)

    def _read_index(self) -> dict[str, dict[str, Any]]:
        path = self.root / INDEX
        if not path.exists():
            return {}
        content = read_bytes(path)
        whole = content[:content.rfind(b'\n') + 1]
        if whole != content:  # the last line was broken off
            _replace(path, whole)
        records: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                records[record['name']] = record
            except (ValueError, KeyError, TypeError) as error:
                raise DatasetError(f'{path}, line {number}, is not the JSON of a face: {error}; '
                                   'delete the folder or that line') from error
        return records

    def _write_png(self, name: str, image: np.ndarray) -> None:
        done, png = cv2.imencode('.png', image)
        if not done:
            raise DatasetError(f'{name}: no PNG can be made of {image.dtype} {image.shape}')
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, png.tobytes())


def _replace(path: Path, content: bytes) -> None:
    """Write a file that is either the old or the new one, whatever happens."""
    partial = path.with_name(f'{path.name}.partial')
    partial.write_bytes(content)
    partial.replace(path)


def _to_json(landmarks: Mapping[str, np.ndarray] | np.ndarray | None) -> Any:
    """Return lists of pixels, None for a landmark that is not given."""
    if landmarks is None:
        return None
    if isinstance(landmarks, Mapping):
        return {label: _to_json(np.asarray(pixel)[None])[0] for label, pixel in landmarks.items()}
    return [[round(float(v), 3) for v in pixel] if np.isfinite(pixel).all() else None
            for pixel in landmarks]


def _from_json(landmarks: Any) -> dict[str, np.ndarray] | np.ndarray | None:
    if landmarks is None:
        return None
    if isinstance(landmarks, dict):
        return {label: _pixels([pixel])[0] for label, pixel in landmarks.items()}
    return _pixels(landmarks)


def _pixels(points: list[list[float] | None]) -> np.ndarray:
    return np.array([point or (np.nan, np.nan) for point in points],
                    np.float32).reshape(len(points), 2)
