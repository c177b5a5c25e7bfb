# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth units on the wire and inside, and the papers' 25 cm normalisation.

Inside, depth is metres along the optical axis, (H, W) float32, NaN where invalid. On the wire it
is 16UC1 millimetres with 0 invalid, or 32FC1 metres (REP-118).
Source of the normalisation: Schlett et al., "Deep Learning-based Single Image Face Depth Data
Enhancement", section IV.J.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
from face_depth_ros.core.errors import InvalidDepthError
import numpy as np

FACE_DEPTH_RANGE_M = 0.25
"""What lies this much or more behind the nearest face point is background."""

DEPTH_ENCODINGS = ('16UC1', '32FC1')

_BLOCK = 4
_PYRAMID_STOP = 2


def depth_to_metres(image: np.ndarray, encoding: str) -> np.ndarray:
    """
    Metres from a depth image as it stands on the wire.

    Zero, negative, infinite and saturated (65535) values become NaN.

    :param image: (H, W), uint16 for 16UC1, float32 for 32FC1
    :returns: metres, (H, W) float32, NaN where invalid
    :raises InvalidDepthError: unknown encoding, or array of another type
    """
    _check_wire(image, encoding)
    if encoding == '16UC1':
        metres = image.astype(np.float32) * np.float32(0.001)
        metres[(image == 0) | (image == np.iinfo(np.uint16).max)] = np.nan
        return metres
    with np.errstate(invalid='ignore'):
        return np.where(np.isfinite(image) & (image > 0), image, np.float32(np.nan))


def metres_to_depth(depth: np.ndarray, encoding: str) -> np.ndarray:
    """
    Depth image for the wire: rounded and saturated millimetres, or metres with NaN.

    :param depth: metres, (H, W) float32, NaN where invalid
    :returns: (H, W), uint16 for 16UC1 (0 = invalid, 65534 at most), float32 for 32FC1
    :raises InvalidDepthError: unknown encoding
    """
    if encoding == '32FC1':
        return np.ascontiguousarray(depth, np.float32)
    if encoding != '16UC1':
        raise _unknown_encoding(encoding)
    millimetres = depth * np.float32(1000.0)
    np.rint(millimetres, out=millimetres)
    np.fmax(millimetres, np.float32(0.0), out=millimetres)  # of NaN and 0 that is 0
    np.fmin(millimetres, np.float32(np.iinfo(np.uint16).max - 1), out=millimetres)
    wire = millimetres.astype(np.uint16)
    wire[np.isinf(depth)] = 0
    return wire


def nearest_surface(depth: np.ndarray) -> float:
    """
    Distance of the nearest surface: the smallest mean of a 4 x 4 block that is half valid.

    A block and not a pixel, so that one flying pixel does not move the whole normalisation.

    :param depth: metres, (H, W) float32, NaN where invalid
    :returns: metres; NaN when nothing is valid
    """
    valid = np.isfinite(depth)
    if not valid.any():
        return float('nan')
    h, w = (s // _BLOCK * _BLOCK for s in depth.shape)
    if h and w:
        shape = (w // _BLOCK, h // _BLOCK)
        part = valid[:h, :w].astype(np.float32)
        share = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
        total = cv2.resize(np.where(valid[:h, :w], depth[:h, :w], np.float32(0.0)), shape,
                           interpolation=cv2.INTER_AREA)
        dense = share >= 0.499
        if dense.any():
            return float((total[dense] / share[dense]).min())
    return float(np.nanmin(depth))


@dataclass(frozen=True)
class DepthRange:
    """
    The slab of 25 cm in which a face is normalised: d = (z - nearest) / span.

    :param nearest: metres, distance of the nearest surface
    :param span: metres
    """

    nearest: float
    span: float = FACE_DEPTH_RANGE_M

    def normalise(self, depth: np.ndarray) -> np.ndarray:
        """
        Depth as the enhancers see it.

        :param depth: metres, (H, W) float32, NaN where invalid
        :returns: (H, W) float32 in [0, 1); 1 where invalid or behind the slab
        """
        with np.errstate(invalid='ignore'):
            d = (depth - np.float32(self.nearest)) / np.float32(self.span)
            return np.where(d < 1.0, np.maximum(d, np.float32(0.0)), np.float32(1.0))

    def denormalise(self, d: np.ndarray) -> np.ndarray:
        """
        Metres from normalised depth.

        :param d: (H, W) float32, 1 and more where there is nothing
        :returns: metres, (H, W) float32, NaN where there is nothing
        """
        return np.where(d < 1.0, d * np.float32(self.span) + np.float32(self.nearest),
                        np.float32(np.nan)).astype(np.float32)


def fill_holes(d: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """
    Smooth extension of the valid pixels over the others (pull-push over a pyramid).

    :param d: (H, W) float32; its values where `valid` is False are not read
    :param valid: (H, W) bool
    :returns: (H, W) float32: `d` where valid, elsewhere averages of ever larger surroundings;
        0 everywhere when nothing is valid
    """
    weight = valid.astype(np.float32)
    return _pull_push(np.where(valid, d, np.float32(0.0)), weight)


def _pull_push(weighted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fill one level from the next coarser one; `weighted` is value times weight."""
    h, w = weight.shape
    known = weight > 0
    value = np.divide(weighted, weight, out=np.zeros_like(weighted), where=known)
    if min(h, w) <= _PYRAMID_STOP or known.all():
        if not known.all() and known.any():
            value[~known] = weighted.sum() / weight.sum()
        return value
    size = ((w + 1) // 2, (h + 1) // 2)
    coarse = _pull_push(cv2.resize(weighted, size, interpolation=cv2.INTER_AREA),
                        cv2.resize(weight, size, interpolation=cv2.INTER_AREA))
    rough = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR)
    np.copyto(value, rough, where=~known)
    return value


def _check_wire(image: np.ndarray, encoding: str) -> None:
    if encoding not in DEPTH_ENCODINGS:
        raise _unknown_encoding(encoding)
    expected = np.uint16 if encoding == '16UC1' else np.float32
    if image.ndim != 2 or image.dtype != expected:
        raise InvalidDepthError(
            f'a {encoding} depth image must be (H, W) {np.dtype(expected)}, got shape '
            f'{image.shape} {image.dtype}')


def _unknown_encoding(encoding: str) -> InvalidDepthError:
    hint = '; the driver publishes a colourised image: turn its colorizer off' if (
        encoding in ('rgb8', 'bgr8', 'rgba8', 'bgra8')) else ''
    return InvalidDepthError(
        f'depth encoding {encoding!r} is not known, expected one of {DEPTH_ENCODINGS}{hint}',
        cause='depth_encoding')
