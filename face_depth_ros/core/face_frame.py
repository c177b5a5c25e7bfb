# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The frame in which recognisers see faces: where the mean head would stand that has the landmarks.

A detector's box is off by some percent of its side, which moves a face by more than what people
differ by. The 68 landmarks tell where head point, size and roll are many times better: the rigid
ones are fitted by the mean head in scaled orthography, so that the frame stays the same while the
head turns.
"""

from __future__ import annotations

import math

import cv2
from face_depth_ros.core.face_box import crop_color, crop_labels, FaceBox, transform_points
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M, RIGID_LANDMARKS
from face_depth_ros.core.recognition_input import recognition_input, RecognitionInput, SIZE
import numpy as np

FRAMED_CROP = 'landmarks'
"""What `normalisation: crop` says of networks that see faces in frames."""
FRAME_PX = 2 * SIZE
"""Pixels along a side of the grid to which a face is warped."""
_COVERED = 0.5
_POINTS = MEAN_LANDMARKS_M[list(RIGID_LANDMARKS)]
_FIT = np.linalg.pinv(np.concatenate([_POINTS, np.ones((len(_POINTS), 1))], axis=1))  # (4, N)
_LEAST_SIDE, _LARGEST_SIDE = 0.4, 2.0
"""Of the frame, from sides of the box; what lies beyond is no fit."""


def frames_of(landmarks: np.ndarray) -> np.ndarray:
    """
    Fit frames to many faces.

    :param landmarks: (B, 68, 2) in shares of the side of a box, from its corner
    :returns: (B, 2, 3) float64, affine from places in the box to places in the frame, both in
        shares of their sides; the box itself where the landmarks fix no frame
    """
    points = np.asarray(landmarks, np.float64)[:, list(RIGID_LANDMARKS)]
    good = np.asarray(np.isfinite(points).all(axis=(1, 2)))
    points = np.where(good[:, None, None], points, 0.0)
    told = _FIT @ points  # (B, 4, 2)
    affine, place = told[:, :3].transpose(0, 2, 1), told[:, 3]  # (B, 2, 3) per metre, (B, 2)
    rows, singular, columns = np.linalg.svd(affine, full_matrices=False)
    scale = singular.mean(axis=1)
    turned = rows @ columns  # (B, 2, 3): two rows of a rotation
    roll = np.arctan2(-turned[:, 0, 1], turned[:, 1, 1])
    side = scale * BOX_SIDE_M
    good &= (side > _LEAST_SIDE) & (side < _LARGEST_SIDE) & (np.abs(place - 0.5) < 0.5).all(axis=1)
    side = np.where(good, side, 1.0)
    roll = np.where(good, roll, 0.0)
    place = np.where(good[:, None], place, 0.5)
    cos, sin = np.cos(roll) / side, np.sin(roll) / side
    linear = np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1)
    shift = 0.5 - (linear @ place[..., None])[..., 0]
    return np.concatenate([linear, shift[..., None]], axis=2)


def frame_of(landmarks: np.ndarray, box: FaceBox) -> FaceBox:
    """
    Fit the frame of one face.

    :param landmarks: (68, 2) pixels of the image in which the box is
    :returns: the frame, in the same image; the box itself where the landmarks fix none
    """
    shares = transform_points(box.crop_from_image(1), landmarks)
    affine = frames_of(shares[None])[0]
    x, y = transform_points(box.image_from_crop(1), np.linalg.solve(
        affine[:, :2], 0.5 - affine[:, 2])[None])[0]
    # The affine turns a place by minus the frame's roll within the box.
    return FaceBox(float(x), float(y), box.side / math.hypot(affine[0, 0], affine[0, 1]),
                   box.roll + math.atan2(affine[0, 1], affine[0, 0]))


def within_crop(frame: FaceBox, box: FaceBox, size: int) -> FaceBox:
    """Return a frame of an image in the pixels of a box's crop of `size` pixels a side."""
    x, y = transform_points(box.crop_from_image(size), np.array([frame.center_x, frame.center_y]))
    return FaceBox(float(x), float(y), frame.side * size / box.side, frame.roll - box.roll)


def framed_input(color: np.ndarray, color_frame: FaceBox, relief: np.ndarray, mask: np.ndarray,
                 frame: FaceBox) -> RecognitionInput:
    """
    Make the inputs of a recogniser that sees faces in their frames.

    :param color: (H, W, 3) uint8 RGB; color_frame: the frame in it
    :param relief: (N, N) float32 metres, NaN where invalid
    :param mask: (N, N) uint8 labels on the same grid; frame: the frame in pixels of the grid
    :raises InvalidImageError: the frame lies outside, or as `recognition_input`
    """
    fine = crop_color(color, color_frame, FRAME_PX)
    small = cv2.resize(fine, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    valid = np.isfinite(relief)
    both = np.stack([valid, np.where(valid, relief, 0.0)], axis=2).astype(np.float32)
    share, total = np.moveaxis(crop_color(both, frame, FRAME_PX), 2, 0)
    known = share > _COVERED
    warped = np.full(share.shape, np.nan, np.float32)
    warped[known] = total[known] / share[known]
    return recognition_input(small, warped, crop_labels(mask, frame, FRAME_PX))
