# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The oriented face box, its canonical crop, and the way back into the image.

A face is a square (centre, side, roll) in the colour image. It alone defines the canonical crop,
an affine warp to S x S with the head upright, and the paste-back with the inverse warp.
Pixels are corner-origin (core/camera.py); OpenCV's half pixel is handled here.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
from face_depth_ros.core.depth_warping import resample_depth
from face_depth_ros.core.errors import InvalidDepthError, InvalidFaceBoxError, InvalidImageError
import numpy as np

_LARGEST_FINE_CROP = 4096
"""Pixels along the side of what a shrinking crop is averaged from."""


@dataclass(frozen=True)
class FaceBox:
    """
    A square around a face.

    :param center_x: pixels
    :param center_y: pixels
    :param side: pixels, > 0
    :param roll: radians in (-pi, pi], positive clockwise in the image, 0 = upright
    """

    center_x: float
    center_y: float
    side: float
    roll: float = 0.0

    def __post_init__(self) -> None:
        values = (self.center_x, self.center_y, self.side, self.roll)
        if not all(math.isfinite(v) for v in values) or self.side <= 0:
            raise InvalidFaceBoxError(
                f'a face box is not usable: got centre ({self.center_x}, {self.center_y}), side '
                f'{self.side}, roll {self.roll}; expected finite numbers and side > 0')
        wrapped = -math.remainder(-self.roll, 2.0 * math.pi)
        object.__setattr__(self, 'roll', math.pi if wrapped == -math.pi else wrapped)

    def corners(self) -> np.ndarray:
        """Return the corners top left, top right, bottom right, bottom left, pixels, (4, 2)."""
        h = self.side / 2.0
        c, s = math.cos(self.roll), math.sin(self.roll)
        unit = np.array([[-h, -h], [h, -h], [h, h], [-h, h]])
        return unit @ np.array([[c, s], [-s, c]]) + (self.center_x, self.center_y)

    def image_from_crop(self, size: int) -> np.ndarray:
        """Return the (2, 3) affine that maps crop pixels to image pixels, corner-origin."""
        k = self.side / size
        c, s = k * math.cos(self.roll), k * math.sin(self.roll)
        h = size / 2.0
        return np.array([[c, -s, self.center_x - c * h + s * h],
                         [s, c, self.center_y - s * h - c * h]])

    def crop_from_image(self, size: int) -> np.ndarray:
        """Return the (2, 3) affine that maps image pixels to crop pixels, corner-origin."""
        return cv2.invertAffineTransform(self.image_from_crop(size))

    def overlaps(self, width: int, height: int) -> bool:
        """Whether the bounding rectangle of the box and the image share any pixel."""
        corners = self.corners()
        low, high = corners.min(0), corners.max(0)
        return bool(high[0] > 0 and high[1] > 0 and low[0] < width and low[1] < height)


def transform_points(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """
    Apply a (2, 3) affine.

    :param points: (..., 2)
    :returns: (..., 2)
    """
    return np.asarray(points, np.float64) @ affine[:, :2].T + affine[:, 2]


def crop_color(image: np.ndarray, box: FaceBox, size: int) -> np.ndarray:
    """
    Canonical colour crop: bilinear, by area when shrinking more than 2 times; 0 outside.

    :param image: (H, W) or (H, W, C) uint8 or float32
    :returns: (size, size[, C]), dtype of the input
    """
    _check_inside(image, box)
    shrink = box.side / size
    if shrink > 2.0:
        # A box far larger than any image must not cost memory of its own size.
        fine = size * min(math.ceil(shrink), max(2, _LARGEST_FINE_CROP // size))
        warped = cv2.warpAffine(image, _for_opencv(box.image_from_crop(fine)), (fine, fine),
                                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.warpAffine(image, _for_opencv(box.image_from_crop(size)), (size, size),
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def crop_labels(labels: np.ndarray, box: FaceBox, size: int) -> np.ndarray:
    """
    Canonical crop of labels, each from the nearest pixel; 0 outside.

    :param labels: (H, W) uint8
    :returns: (size, size) uint8
    """
    _check_inside(labels, box)
    return cv2.warpAffine(labels, _for_opencv(box.image_from_crop(size)), (size, size),
                          flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def crop_depth(depth: np.ndarray, box: FaceBox, size: int) -> np.ndarray:
    """
    Canonical depth crop, hole-aware.

    :param depth: metres, (H, W) float32, NaN where invalid
    :returns: metres, (size, size) float32, NaN where invalid or outside the image
    :raises InvalidDepthError: not a float32 image
    :raises InvalidFaceBoxError: the box lies outside the image
    """
    _check_inside(depth, box)
    return warp_depth(depth, box.image_from_crop(size), size, size)


def covered_region(box: FaceBox, width: int, height: int) -> tuple[int, int, int, int]:
    """
    Part of the image that a box can touch, for pasting back.

    :returns: x0, y0, x1, y1 in pixels, the end excluded; empty (x1 <= x0) when outside
    """
    corners = box.corners()
    low = np.clip(np.floor(corners.min(0)), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(corners.max(0)), 0, (width, height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def crop_from_region(box: FaceBox, size: int, x0: int, y0: int) -> np.ndarray:
    """Return the (2, 3) affine from pixels of a region with corner (x0, y0) to crop pixels."""
    affine = box.crop_from_image(size)
    affine[:, 2] += affine[:, :2] @ (x0, y0)
    return affine


def warp_image(image: np.ndarray, source_from_target: np.ndarray, height: int,
               width: int) -> np.ndarray:
    """
    Resample bilinearly, 0 outside.

    :param image: (H, W) uint8 or float32
    :param source_from_target: (2, 3) affine, corner-origin pixels
    :returns: (height, width)
    """
    return cv2.warpAffine(image, _for_opencv(source_from_target), (width, height),
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def warp_depth(depth: np.ndarray, source_from_target: np.ndarray, height: int,
               width: int) -> np.ndarray:
    """
    Resample depth: bilinear over valid neighbours near the nearest one, invalid if it is.

    :param depth: metres, (H, W) float32, NaN where invalid
    :param source_from_target: (2, 3) affine, corner-origin pixels
    :returns: metres, (height, width) float32, NaN where invalid
    """
    if depth.ndim != 2 or depth.dtype != np.float32:
        raise InvalidDepthError(
            f'depth must be an (H, W) float32 image in metres, got shape {depth.shape} '
            f'{depth.dtype}; decode it with core.depth first')
    if height == 0 or width == 0:
        return np.empty((height, width), np.float32)
    return resample_depth(depth, source_from_target, height, width)


def _for_opencv(affine: np.ndarray) -> np.ndarray:
    """Same affine between pixel-centre-origin coordinates."""
    result = affine.astype(np.float64).copy()
    result[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    return result


def _check_inside(image: np.ndarray, box: FaceBox) -> None:
    if image.ndim < 2 or 0 in image.shape:
        raise InvalidImageError(f'an image of shape {image.shape} has no pixels to crop')
    height, width = image.shape[:2]
    if not box.overlaps(width, height):
        raise InvalidFaceBoxError(
            f'the face box at ({box.center_x:.1f}, {box.center_y:.1f}), side {box.side:.1f}, lies '
            f'outside the {width} x {height} image', cause='face_box_outside')
