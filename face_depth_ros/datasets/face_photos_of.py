# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Faces of the datasets as the estimators are trained and judged on them: crops with relief and mask.

A face is cropped either by equation 6 of the paper on depth from a conditional GAN (320 mm, see
core.dynamic_crop), or by our own face box (22 cm at the depth of the head point). The datasets
know the head's surface and not the head point; it is taken 5 cm behind the mean of the surface
in the middle 6 cm of the box. There it was in 141 rendered faces with yaw within 60 and pitch
within 15 degrees (standard deviation 4 mm); in 256 of every pose it was at 5.3 cm (7 mm).

The head's centre is the dataset's own where it has one, else the nose tip by its name, else the
middle of the landmarks, else, of a scan, its nearest place, which is the nose of a frontal one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math

import cv2
from face_depth_ros.core.dynamic_crop import HEAD_MM, mean_depth_around
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_box import crop_color, crop_depth, FaceBox, transform_points
from face_depth_ros.core.face_photo import (
    BOX_SIDE_M,
    CROP_PX,
    FacePhoto,
    LANDMARK_COUNT,
    MASK_LABELS,
)
from face_depth_ros.core.face_placement import along_ray
from face_depth_ros.datasets.rgbd_faces import RgbdFace
import numpy as np

HEAD_POINT_BEHIND_M = 0.05
"""From the surface around the head's centre to the head point."""
FACE_SLAB_M = (-0.13, 0.13)
"""Relief that may be the face's, metres: a nose and a beard before the head point, ears behind."""

NO_HEAD = 'no_head'
"""Cause of the error where one face, and not the dataset, lacks the place of its head."""

_SKIN = MASK_LABELS.index('skin')
_NOSE_BLOCK_M = 0.008


@dataclass(frozen=True)
class FaceCrop:
    """
    A face box in a dataset's image, and its size in space.

    :param box: square, in pixels of the image
    :param head_depth: metres, of the head point
    :param side_m: what the box measures at that depth
    """

    box: FaceBox
    head_depth: float
    side_m: float


def head_center(face: RgbdFace) -> tuple[float, float]:
    """
    Return the head's centre in the image, see the top of this file; pixels.

    :raises DatasetError: nothing tells it
    """
    if face.head_center is not None:
        return face.head_center
    points = face.landmarks
    if isinstance(points, Mapping):
        tip = next((p for name, p in points.items()
                    if 'nose' in name.lower() and 'tip' in name.lower()), None)
        points = np.array([tip] if tip is not None else list(points.values()))
    if points is not None:
        points = np.asarray(points, np.float64).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            x, y = points.mean(axis=0).tolist()
            return x, y
    if face.metres_per_pixel is None:
        raise DatasetError(f'{face.dataset} {face.name}: neither the dataset nor a landmark tells '
                           'where the head is', cause=NO_HEAD)
    return _nearest_place(face.depth, face.metres_per_pixel)


def face_crop(face: RgbdFace, crop_mm: float | None = HEAD_MM, *,
              upright: bool = False) -> FaceCrop:
    """
    Return the crop of a face.

    :param crop_mm: side of the box at the depth of the surface (equation 6); None: our own box,
        22 cm at the depth of the head point
    :param upright: turn the box with the head, if the dataset tells its roll
    :raises DatasetError: nothing tells where the head is or how large a pixel, or bad `crop_mm`
    :raises InvalidDepthError: no valid depth around the head's centre
    """
    who = f'{face.dataset} {face.name}'
    if crop_mm is not None and not crop_mm > 0:
        raise DatasetError(f'crop_mm is {crop_mm}, expected more than 0, or None')
    height, width = face.depth.shape
    x, y = head_center(face)
    if not (0 <= x < width and 0 <= y < height):
        raise DatasetError(f'{who}: the centre of the head, ({x:.1f}, {y:.1f}), lies outside the '
                           f'{width} x {height} image', cause=NO_HEAD)
    if face.intrinsics is not None:
        camera = face.intrinsics
        surface = mean_depth_around((x, y), face.depth, camera.fx, camera.fy)
        focal = max(camera.fx, camera.fy)
        head = surface + HEAD_POINT_BEHIND_M
        side = (focal * BOX_SIDE_M / head if crop_mm is None
                else focal * crop_mm / 1000.0 / surface)
        side_m = side * head / focal
    elif face.metres_per_pixel is not None:
        # A scan stands about 1 m away: there, a focal length is what a metre measures in pixels.
        per_metre = 1.0 / face.metres_per_pixel
        head = mean_depth_around((x, y), face.depth, per_metre, per_metre) + HEAD_POINT_BEHIND_M
        side_m = BOX_SIDE_M if crop_mm is None else crop_mm / 1000.0
        side = side_m * per_metre
    else:
        raise DatasetError(f'{who}: nothing tells how large a pixel is, neither a camera nor '
                           'metres_per_pixel; give it with dataclasses.replace')
    roll = math.radians(face.roll) if upright and face.roll is not None else 0.0
    return FaceCrop(FaceBox(x, y, side, roll), head, side_m)


def face_photo_of(face: RgbdFace, crop_mm: float | None = HEAD_MM, *, upright: bool = False,
                  size: int = CROP_PX, mask: np.ndarray | None = None,
                  identity: int = -1) -> FacePhoto:
    """
    Crop a face of a dataset.

    The mask is skin wherever the depth is valid and not far from the head point's, unless a better
    one is given. No dataset has the 68 landmarks: they are NaN and not visible.

    :param crop_mm: see `face_crop`, as `upright`
    :param mask: (M, M) uint8 of core.face_photo.MASK_LABELS in the crop of our own upright box
        (`face_crop(face, None, upright=True)`), as datasets.pseudo_masks keeps them
    :param identity: number of the person
    :returns: relief NaN where the mask is background or the depth invalid; angles that the
        dataset does not tell are 0
    :raises DatasetError: no colour, nothing tells the crop, or a mask of another form
    :raises InvalidDepthError: no valid depth around the head's centre
    """
    if face.color is None:
        raise DatasetError(f'{face.dataset} {face.name} has no colour; open the dataset with it')
    crop = face_crop(face, crop_mm, upright=upright)
    behind = _behind_head_point(face, crop, size)
    with np.errstate(invalid='ignore'):
        near = (behind > FACE_SLAB_M[0]) & (behind < FACE_SLAB_M[1])
    labels = (near.astype(np.uint8) * np.uint8(_SKIN) if mask is None
              else _mask_in_crop(mask, face, crop, size))
    relief = np.where(near & (labels > 0), behind * np.float32(BOX_SIDE_M / crop.side_m),
                      np.float32(np.nan))
    return FacePhoto(
        crop_color(face.color, crop.box, size), relief, labels,
        np.full((LANDMARK_COUNT, 2), np.nan, np.float32), np.zeros(LANDMARK_COUNT, bool),
        face.yaw or 0.0, face.pitch or 0.0, face.roll or 0.0, identity)


def _behind_head_point(face: RgbdFace, crop: FaceCrop, size: int) -> np.ndarray:
    """Return how far the crop's pixels lie behind the head point on the ray to it, metres."""
    depth = crop_depth(face.depth, crop.box, size)
    distance = crop.head_depth
    if face.intrinsics is not None:
        centre = np.array([crop.box.center_x, crop.box.center_y])
        ys, xs = np.mgrid[:size, :size] + 0.5
        pixels = transform_points(crop.box.image_from_crop(size), np.stack([xs, ys], axis=-1))
        depth = depth * along_ray(crop.box, face.intrinsics, pixels).astype(np.float32)
        distance = float(np.linalg.norm(face.intrinsics.unproject(centre, np.array(distance))))
    return (depth - np.float32(distance)).astype(np.float32)


def _mask_in_crop(mask: np.ndarray, face: RgbdFace, crop: FaceCrop, size: int) -> np.ndarray:
    """Bring a mask from our own box to a crop, background outside it; (size, size) uint8."""
    if mask.dtype != np.uint8 or mask.ndim != 2 or mask.shape[0] != mask.shape[1] or (
            mask.size == 0 or mask.max() >= len(MASK_LABELS)):
        raise DatasetError(f'{face.dataset} {face.name}: the mask is {mask.dtype} {mask.shape}, '
                           f'expected a square of uint8 labels below {len(MASK_LABELS)}')
    own = face_crop(face, None, upright=True).box.crop_from_image(len(mask))
    image = crop.box.image_from_crop(size)
    affine = np.empty((2, 3))  # from pixels of the crop to those of the mask
    affine[:, :2] = own[:, :2] @ image[:, :2]
    affine[:, 2] = own[:, :2] @ image[:, 2] + own[:, 2]
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV counts from pixel centres
    return cv2.warpAffine(mask, affine, (size, size),
                          flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def _nearest_place(depth: np.ndarray, metres_per_pixel: float) -> tuple[float, float]:
    """Return the middle of the block of 8 mm whose mean is nearest; pixels."""
    block = max(1, round(_NOSE_BLOCK_M / metres_per_pixel))
    height, width = (s // block for s in depth.shape)
    if not height or not width:
        raise DatasetError(f'a scan of {depth.shape[1]} x {depth.shape[0]} pixels is no face')
    blocks = depth[:height * block, :width * block].reshape(height, block, width, block)
    means = blocks.mean(axis=(1, 3))  # (height, width), NaN where anything is invalid
    if np.isnan(means).all():
        raise DatasetError('a scan has no valid depth in one piece; nothing tells where its nose '
                           'is')
    row, column = np.unravel_index(np.nanargmin(means), means.shape)
    return (float(column) + 0.5) * block, (float(row) + 0.5) * block
