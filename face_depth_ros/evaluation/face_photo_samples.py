# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos of faces with their truth, as the estimators are measured on, and the file that holds a few.

A file is an .npz: `color_00` (JPEG), `mask_00` (8 bit PNG) and `relief_00` (16 bit PNG, steps of
0.25 mm from -0.5 m on, 0 = nothing) of each face, `negative_00` (JPEG) of each crop without a
face, and arrays of all faces: landmarks, visible, pose, identity, covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import zipfile

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_photo import (
    CROP_PX,
    FacePhoto,
    LANDMARK_COUNT,
    MASK_LABELS,
)
import numpy as np

_STEP_M = 0.00025
_FIRST_M = -0.5
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class FaceSample:
    """
    A face to estimate.

    :param photo: (256, 256) crop with its truth
    :param covered: something is held before the face
    """

    photo: FacePhoto
    covered: bool = False


@dataclass(frozen=True)
class StoredFaces:
    """
    What a file holds.

    :param samples: faces
    :param negatives: (256, 256, 3) uint8 RGB crops without a face
    """

    samples: list[FaceSample]
    negatives: list[np.ndarray]


def save_faces(path: Path, faces: StoredFaces) -> None:
    """Write faces to an .npz; colour loses what JPEG takes, relief at most 0.125 mm."""
    members: dict[str, np.ndarray] = {}
    for i, photo in enumerate(s.photo for s in faces.samples):
        members[f'color_{i:02d}'] = _jpeg(photo.color)
        members[f'mask_{i:02d}'] = _png(photo.mask)
        members[f'relief_{i:02d}'] = _png(_encode_relief(photo.relief))
    for i, negative in enumerate(faces.negatives):
        members[f'negative_{i:02d}'] = _jpeg(negative)
    photos = [s.photo for s in faces.samples]
    members |= {
        'landmarks': np.array([p.landmarks for p in photos], np.float32),
        'visible': np.array([p.visible for p in photos], bool),
        'pose': np.array([(p.yaw, p.pitch, p.roll) for p in photos], np.float32),
        'identity': np.array([p.identity for p in photos], np.int32),
        'covered': np.array([s.covered for s in faces.samples], bool)}
    np.savez(path, **members)  # type: ignore[arg-type]


def load_faces(path: Path, limit: int | None = None) -> StoredFaces:
    """
    Read faces of an .npz; see the module.

    :param limit: read at most so many faces
    :raises DatasetError: not readable, or not such a file
    """
    try:
        with np.load(path) as data:
            count = len(data['identity'])
            _check_arrays(path, data, count)
            samples = [_sample(data, i)
                       for i in range(count if limit is None else min(limit, count))]
            negatives = [_decode_color(data[name]) for name in sorted(data.files)
                         if name.startswith('negative_')]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f'cannot read the faces in {path}: {error}; expected an .npz of '
                           '`python -m face_depth_ros.evaluation.render_face_photos fixture`'
                           ) from error
    return StoredFaces(samples, negatives)


def _check_arrays(path: Path, data: np.lib.npyio.NpzFile, count: int) -> None:
    expected = {'landmarks': (count, LANDMARK_COUNT, 2), 'visible': (count, LANDMARK_COUNT),
                'pose': (count, 3), 'covered': (count,)}
    for name, shape in expected.items():
        if data[name].shape != shape:
            raise DatasetError(f'{path}: {name} is {data[name].shape}, expected {shape}')


def _sample(data: np.lib.npyio.NpzFile, i: int) -> FaceSample:
    mask = _decode(data[f'mask_{i:02d}'], cv2.IMREAD_UNCHANGED, (CROP_PX, CROP_PX), 'u1')
    if int(mask.max()) >= len(MASK_LABELS):
        raise ValueError(f'mask {i} has the label {mask.max()}, expected less than '
                         f'{len(MASK_LABELS)}')
    codes = _decode(data[f'relief_{i:02d}'], cv2.IMREAD_UNCHANGED, (CROP_PX, CROP_PX), 'u2')
    relief = np.where(codes > 0, codes * np.float32(_STEP_M) + np.float32(_FIRST_M),
                      np.float32(np.nan))
    yaw, pitch, roll = (float(angle) for angle in data['pose'][i])
    photo = FacePhoto(_decode_color(data[f'color_{i:02d}']), relief.astype(np.float32), mask,
                      data['landmarks'][i], data['visible'][i], yaw, pitch, roll,
                      int(data['identity'][i]))
    return FaceSample(photo, bool(data['covered'][i]))


def _encode_relief(relief: np.ndarray) -> np.ndarray:
    known = np.isfinite(relief)
    codes = np.rint((np.where(known, relief, 0.0) - _FIRST_M) / _STEP_M)
    return np.where(known, np.clip(codes, 1, 65535), 0).astype(np.uint16)


def _jpeg(color: np.ndarray) -> np.ndarray:
    bgr = cv2.cvtColor(color, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].ravel()


def _png(image: np.ndarray) -> np.ndarray:
    return cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel()


def _decode_color(data: np.ndarray) -> np.ndarray:
    bgr = _decode(data, cv2.IMREAD_COLOR, (CROP_PX, CROP_PX, 3), 'u1')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _decode(data: np.ndarray, flags: int, shape: Sequence[int], kind: str) -> np.ndarray:
    image = cv2.imdecode(data, flags) if data.dtype == np.uint8 and data.size else None
    if image is None:
        raise ValueError('an image does not decode')
    if image.shape != tuple(shape) or image.dtype != np.dtype(kind):
        raise ValueError(f'an image is {image.shape} {image.dtype}, expected {tuple(shape)} '
                         f'{np.dtype(kind)}')
    return image
