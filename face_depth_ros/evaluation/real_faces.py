# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Faces as a depth camera shows them, in their canonical crops: what the tables on real frames share.

They come from a bag, from KinectFaceDB or rendered, one after the other, or from a small file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import os
from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.evaluation.depth_pairs import SIZE
import numpy as np

NEUTRAL, MOUTH, PAPER = VARIANTS = ('neutral', 'mouth', 'paper')
"""An open face; a hand over the mouth; a sheet of paper over one side."""
ATTACK = 'attack: '
"""Begins the variant of what is no face, only held up in place of one."""
LANDMARKS = 68

_STEPS_PER_METRE = 5000
_LAYERS = ('depth', 'mask', 'truth')
_ARRAYS = ('names', 'variants', 'landmarks_68', 'landmarks_few', *_LAYERS)
_ELLIPSE = ((128.0, 146.0), (72.0, 90.0))
"""Centre and half axes of a face from the brows to the chin in a crop of 256 pixels."""


@dataclass(frozen=True)
class FaceSample:
    """
    One face, or what is held up in place of one.

    :param name: of the person and recording; the variants of one recording share it
    :param variant: one of `VARIANTS`, another kind of recording, or `ATTACK` and a kind
    :param depth: metres, (256, 256) float32, NaN where invalid, as the camera gave it
    :param mask: (256, 256) bool, the face area to judge
    :param landmarks_68: pixels of the crop, (68, 2) float32, or None
    :param landmarks_few: pixels of the crop, (N, 2) float32: those of the dataset or the
        detector, or None
    :param color: (256, 256, 3) uint8 RGB, or None
    :param truth: metres, (256, 256) float32, NaN where unknown, or None
    """

    name: str
    variant: str
    depth: np.ndarray
    mask: np.ndarray
    landmarks_68: np.ndarray | None = None
    landmarks_few: np.ndarray | None = None
    color: np.ndarray | None = None
    truth: np.ndarray | None = None

    def __post_init__(self) -> None:
        shapes = {'depth': self.depth, 'mask': self.mask, 'truth': self.truth}
        wrong = [f'{key} is {value.shape}' for key, value in shapes.items()
                 if value is not None and value.shape != (SIZE, SIZE)]
        if self.landmarks_68 is not None and self.landmarks_68.shape != (LANDMARKS, 2):
            wrong.append(f'landmarks_68 is {self.landmarks_68.shape}')
        if wrong:
            raise DatasetError(f'the sample {self.name} ({self.variant}) does not fit: '
                               f'{", ".join(wrong)}; expected ({SIZE}, {SIZE}) images and '
                               f'({LANDMARKS}, 2) landmarks')

    @property
    def is_attack(self) -> bool:
        """Whether this is no face."""
        return self.variant.startswith(ATTACK)


def canonical_ellipse() -> np.ndarray:
    """Return where a frontal face lies in its canonical crop, brows to chin, (256, 256) bool."""
    ys, xs = np.mgrid[:SIZE, :SIZE] + 0.5
    (x, y), (half_x, half_y) = _ELLIPSE
    inside: np.ndarray = ((xs - x) / half_x) ** 2 + ((ys - y) / half_y) ** 2 < 1.0
    return inside


def landmark_hull(points: np.ndarray) -> np.ndarray:
    """
    Return the area between landmarks.

    :param points: pixels of the crop, (N, 2)
    :returns: (256, 256) bool
    """
    mask = np.zeros((SIZE, SIZE), np.uint8)
    hull = cv2.convexHull(np.rint(points - 0.5).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    return mask.astype(bool)


def store_faces(path: Path, samples: Iterable[FaceSample]) -> None:
    """Write samples to an .npz file: depth in steps of 0.2 mm, no colour."""
    kept = list(samples)
    nothing = np.full((SIZE, SIZE), np.nan, np.float32)
    no_points = np.full((LANDMARKS, 2), np.nan, np.float32)
    few = max([len(s.landmarks_few) for s in kept if s.landmarks_few is not None], default=0)

    def points(values: np.ndarray | None, count: int) -> np.ndarray:
        return no_points[:1].repeat(count, 0) if values is None else values.astype(np.float32)

    np.savez_compressed(
        path, names=np.array([s.name for s in kept]),
        variants=np.array([s.variant for s in kept]),
        depth=_codes([s.depth for s in kept]), mask=np.packbits([s.mask for s in kept], axis=-1),
        truth=_codes([nothing if s.truth is None else s.truth for s in kept]),
        landmarks_68=np.stack([points(s.landmarks_68, LANDMARKS) for s in kept]),
        landmarks_few=np.stack([points(s.landmarks_few, few) for s in kept]))


def stored_faces(path: str | os.PathLike[str], limit: int | None = None) -> Iterator[FaceSample]:
    """
    Return the samples of a file that `store_faces` wrote.

    :raises DatasetError: not readable, or not such arrays
    """
    path = Path(path)
    try:
        with np.load(path) as data:
            arrays = {key: data[key] for key in _ARRAYS}
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f'cannot read the faces in {path}: {error}; expected an .npz with '
                           f'{", ".join(_ARRAYS)}') from error
    count = len(arrays['names'])
    wrong = [key for key in _ARRAYS if len(arrays[key]) != count]
    if wrong:
        raise DatasetError(f'{path}: {", ".join(wrong)} have not the {count} entries of names')
    for i in range(count if limit is None else min(limit, count)):
        yield FaceSample(
            str(arrays['names'][i]), str(arrays['variants'][i]), _metres(arrays['depth'][i]),
            np.unpackbits(arrays['mask'][i], axis=-1).astype(bool),
            _known(arrays['landmarks_68'][i]), _known(arrays['landmarks_few'][i]),
            truth=_known(_metres(arrays['truth'][i])))


def _codes(images: list[np.ndarray]) -> np.ndarray:
    steps = np.rint(np.nan_to_num(np.stack(images)) * _STEPS_PER_METRE)
    return np.where(steps < 65536, steps, 0).astype(np.uint16)


def _metres(codes: np.ndarray) -> np.ndarray:
    return np.where(codes > 0, codes / np.float32(_STEPS_PER_METRE),
                    np.float32(np.nan)).astype(np.float32)


def _known(values: np.ndarray) -> np.ndarray | None:
    return values if np.isfinite(values).any() else None
