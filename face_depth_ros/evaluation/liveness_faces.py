# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Living faces and attacks as a depth camera on a robot shows them: small images around a face box.

A presentation is one person, or one thing held up, before one camera; it has one frame or a few,
each measured anew. Files are .npz: depth as PNG of 16 bit, in steps that the file tells; masks of
8 bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
import itertools
from pathlib import Path
from typing import Any
import zipfile

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError, FaceDepthError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
from face_depth_ros.core.live_identities import LIVE
from face_depth_ros.evaluation.photo_store import packed, png, unpacked
import numpy as np

STEPS_PER_METRE = 5000
_NUMBERS = ('person', 'presentation', 'frame')
_ARRAYS = ('species', 'sensor', *_NUMBERS, 'distance_m', 'box', 'intrinsics', 'landmarks',
           'size')


@dataclass(frozen=True)
class LivenessFace:
    """
    One frame of a living face or of an attack.

    :param species: `LIVE`, or the kind of attack
    :param depth: metres, (H, W) float32, NaN where invalid, as the camera gave it
    :param box: of the face, as a detector in colour sees it
    :param intrinsics: of the image
    :param mask: (S, S) uint8 of core.face_photo.MASK_LABELS, in the canonical crop of the box
    :param landmarks: (68, 2) float32 pixels of the image
    :param person: whose face it is or shows
    :param presentation: number, the same for the frames of one
    :param frame: its place in the presentation, from 0
    :param distance_m: of the face from the camera
    :param sensor: kind of camera
    """

    species: str
    depth: np.ndarray
    box: FaceBox
    intrinsics: CameraIntrinsics
    mask: np.ndarray
    landmarks: np.ndarray
    person: int
    presentation: int
    frame: int
    distance_m: float
    sensor: str

    def __post_init__(self) -> None:
        wrong = []
        shape = (self.intrinsics.height, self.intrinsics.width)
        if self.depth.shape != shape or self.depth.dtype != np.float32:
            wrong.append(f'depth is {self.depth.shape} {self.depth.dtype}, the camera has '
                         f'{shape}, expected float32')
        if self.mask.ndim != 2 or self.mask.dtype != np.uint8 or (
                self.mask.size and self.mask.max() >= len(MASK_LABELS)):
            wrong.append(f'mask is {self.mask.shape} {self.mask.dtype}, expected labels below '
                         f'{len(MASK_LABELS)}, uint8')
        if self.landmarks.shape != (LANDMARK_COUNT, 2):
            wrong.append(f'landmarks are {self.landmarks.shape}, expected ({LANDMARK_COUNT}, 2)')
        if wrong:
            raise DatasetError(f'presentation {self.presentation} ({self.species}) does not fit: '
                               + '; '.join(wrong))

    @property
    def is_live(self) -> bool:
        """Whether this is a living face."""
        return self.species == LIVE


def presentations(faces: Iterable[LivenessFace]) -> Iterator[list[LivenessFace]]:
    """Return runs of frames of one presentation; faces lie one presentation after the other."""
    for _, run in itertools.groupby(faces, key=lambda face: face.presentation):
        yield sorted(run, key=lambda face: face.frame)


def save_liveness_faces(path: Path, faces: Sequence[LivenessFace],
                        steps_per_metre: int = STEPS_PER_METRE) -> Path:
    """
    Write faces; the file appears whole or not at all.

    :param steps_per_metre: of depth
    :raises DatasetError: there are none
    """
    if not faces:
        raise DatasetError(f'there are no faces to write to {path}')
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    arrays: dict[str, Any] = {
        'steps_per_metre': np.int64(steps_per_metre),
        'species': np.array([f.species for f in faces]),
        'sensor': np.array([f.sensor for f in faces]),
        'distance_m': np.array([f.distance_m for f in faces], np.float32),
        'box': np.array([(f.box.center_x, f.box.center_y, f.box.side, f.box.roll)
                         for f in faces], np.float64),
        'intrinsics': np.array([(f.intrinsics.fx, f.intrinsics.fy, f.intrinsics.cx,
                                 f.intrinsics.cy) for f in faces], np.float64),
        'landmarks': np.stack([f.landmarks for f in faces]).astype(np.float32),
        'size': np.array([f.depth.shape for f in faces], np.int32),
        **{name: np.array([getattr(f, name) for f in faces], np.int64) for name in _NUMBERS},
        **packed('depth', [_encoded(f.depth, steps_per_metre) for f in faces]),
        **packed('mask', [png(f.mask) for f in faces])}
    with partial.open('wb') as file:
        np.savez_compressed(file, **arrays)
    partial.replace(path)
    return path


def load_liveness_faces(path: Path) -> list[LivenessFace]:
    """
    Read a file of faces.

    :raises DatasetError: not readable, or not such a file
    """
    try:
        with np.load(path) as data:
            arrays = {name: data[name] for name in _ARRAYS}
            count = len(arrays['species'])
            wrong = [name for name in _ARRAYS if len(arrays[name]) != count]
            if wrong or not count:
                raise ValueError(f'{", ".join(wrong) or "species"} have not the entries of '
                                 f'{count} faces')
            steps = int(data['steps_per_metre'])
            depths = [_decoded(content, tuple(size), steps) for content, size in zip(
                unpacked(data, 'depth', count), arrays['size'], strict=True)]
            masks = [cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
                     for content in unpacked(data, 'mask', count)]
            return [_face(arrays, i, depths[i], masks[i]) for i in range(count)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, cv2.error,
            FaceDepthError) as error:
        raise DatasetError(f'cannot read the faces in {path}: {error}; expected a file of '
                           'evaluation.render_liveness_faces; remove it to render it '
                           'anew') from error


def part_file(folder: Path, number: int) -> Path:
    """Return where a part of a folder lies."""
    return folder / f'part_{number:05d}.npz'


def read_liveness_parts(folder: Path, parts: int | None = None,
                        ) -> Iterator[list[LivenessFace]]:
    """
    Read the parts of a folder.

    :param parts: only so many, None = all
    :raises DatasetError: there are none, or one is damaged
    """
    paths = sorted(folder.glob('part_*.npz'))[:parts]
    if not paths:
        raise DatasetError(f'{folder} has no part_*.npz with rendered faces; render them with '
                           'python -m face_depth_ros.evaluation.render_liveness_faces')
    for path in paths:
        yield load_liveness_faces(path)


def _encoded(depth: np.ndarray, steps_per_metre: int) -> np.ndarray:
    codes = np.rint(np.nan_to_num(depth) * steps_per_metre)
    kept = np.where((codes > 0) & (codes < 65536), codes, 0).astype(np.uint16)
    return cv2.imencode('.png', kept, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel()


def _decoded(content: np.ndarray, size: tuple[int, ...], steps_per_metre: int) -> np.ndarray:
    codes = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if codes is None or codes.dtype != np.uint16 or codes.shape != tuple(size):
        found = 'no image' if codes is None else f'{codes.shape} {codes.dtype}'
        raise ValueError(f'depth is {found}, expected {size} of 16 bit')
    return np.where(codes > 0, codes / np.float32(steps_per_metre),
                    np.float32(np.nan)).astype(np.float32)


def _face(arrays: dict[str, np.ndarray], i: int, depth: np.ndarray,
          mask: np.ndarray | None) -> LivenessFace:
    if mask is None:
        raise ValueError(f'mask {i} is no image')
    height, width = depth.shape
    return LivenessFace(
        str(arrays['species'][i]), depth, FaceBox(*map(float, arrays['box'][i])),
        CameraIntrinsics(width, height, *map(float, arrays['intrinsics'][i])), mask,
        arrays['landmarks'][i], int(arrays['person'][i]), int(arrays['presentation'][i]),
        int(arrays['frame'][i]), float(arrays['distance_m'][i]), str(arrays['sensor'][i]))
