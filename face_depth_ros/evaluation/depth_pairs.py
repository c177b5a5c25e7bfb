# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pairs of true and degraded face depth, in the papers' normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import os
from pathlib import Path

from face_depth_ros.core.errors import BagError
import numpy as np

SIZE = 256
NEAREST_M = 0.6
"""Where an image whose distance is not known is put: at arm's length."""
_LEVELS = 65534
_HOLE = 65535
_KEYS = ('truth', 'degraded')


@dataclass(frozen=True)
class DepthPair:
    """
    One face.

    :param truth: (256, 256) float32 in [0, 1), 1 where there is nothing
    :param degraded: the same image with holes, noise and blur
    :param face: (256, 256) bool, where to compare; None = where the truth is not a hole
    :param nearest_m: metres, the distance where d is 0
    """

    truth: np.ndarray
    degraded: np.ndarray
    face: np.ndarray | None = None
    nearest_m: float = NEAREST_M

    @property
    def area(self) -> np.ndarray:
        """Return the pixels to compare, (256, 256) bool."""
        return self.truth < 1.0 if self.face is None else self.face


def stored_pairs(path: str | os.PathLike[str], limit: int | None = None) -> Iterator[DepthPair]:
    """
    Return the pairs of an .npz file with `truth` and `degraded`, (N, 256, 256) uint16.

    Codes are d x 65534, 65535 where there is nothing.

    :raises BagError: not readable, or not such arrays
    """
    path = Path(path)
    try:
        with np.load(path) as data:
            truth, degraded = (data[key] for key in _KEYS)
    except (OSError, ValueError, KeyError) as error:
        raise BagError(f'cannot read the pairs in {path}: {error}; expected an .npz with truth '
                       'and degraded', cause='pairs') from error
    for key, codes in zip(_KEYS, (truth, degraded), strict=True):
        if codes.shape[1:] != (SIZE, SIZE) or codes.dtype != np.uint16 or (
                len(codes) != len(truth)):
            raise BagError(f'{path}: {key} is {codes.shape} {codes.dtype}, expected (N, {SIZE}, '
                           f'{SIZE}) uint16, the same N for both', cause='pairs')
    for i in range(len(truth) if limit is None else min(limit, len(truth))):
        yield DepthPair(decode_codes(truth[i]), decode_codes(degraded[i]))


def decode_codes(codes: np.ndarray) -> np.ndarray:
    """Return normalised depth, float32, 1 in holes, from 16 bit codes."""
    return np.where(codes == _HOLE, np.float32(1.0),
                    codes.astype(np.float32) / np.float32(_LEVELS)).astype(np.float32)
