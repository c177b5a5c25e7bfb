# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
From the face detector's maps to faces: peaks, geometry, and one detection a face.

The maps have one cell per `stride` pixels of the image that the network saw. A face is a local
maximum of the score; its geometry is what the network says in that very cell.
"""

from __future__ import annotations

import math

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
import numpy as np

CANDIDATES = 100
"""Peaks that are looked at, best first, before overlapping ones are dropped."""
MAX_OVERLAP = 0.35
"""Faces whose inscribed circles have a larger intersection over union are one face."""
MIN_CENTRE_DISTANCE = 0.35
"""Faces whose centres are nearer than this, in sides of the larger, are one face."""
_MAX_LOG_SIDE = 8.0


def decode_faces(score: np.ndarray, box: np.ndarray, landmarks: np.ndarray, *, stride: int,
                 side_unit: float, threshold: float, max_faces: int) -> tuple[Detection, ...]:
    """
    Read the faces of one image.

    :param score: (h, w) float32 in 0 to 1
    :param box: (5, h, w) float32: offset x, y from the cell's centre in cells, log(side /
        side_unit), sine and cosine of the roll
    :param landmarks: (10, h, w) float32: x, y from the box centre in sides
    :param stride: pixels a cell
    :param side_unit: pixels
    :param threshold: smallest score that counts
    :returns: best first, pixels of the image that the network saw; cells with values that are not
        finite are left out
    :raises InvalidImageError: the maps do not fit each other
    """
    if score.ndim != 2 or box.shape != (5, *score.shape) or landmarks.shape != (10, *score.shape):
        raise InvalidImageError(
            f'detector maps of the shapes {score.shape}, {box.shape}, {landmarks.shape} do not '
            'belong together, expected (h, w), (5, h, w), (10, h, w)')
    rows, columns = find_peaks(score, threshold)
    scores = score[rows, columns]
    dx, dy, log_side, sine, cosine = box[:, rows, columns]  # each (K,)
    centres = np.stack([columns + 0.5 + dx, rows + 0.5 + dy], axis=1) * stride  # (K, 2)
    sides = side_unit * np.exp(np.clip(log_side, -_MAX_LOG_SIDE, _MAX_LOG_SIDE))
    rolls = np.arctan2(sine, cosine)
    offsets = landmarks[:, rows, columns].T.reshape(-1, 5, 2)  # (K, 5, 2)
    points = centres[:, None] + offsets * sides[:, None, None]
    values = np.concatenate([centres, sides[:, None], rolls[:, None], points.reshape(-1, 10)], 1)
    finite = np.isfinite(values).all(axis=1)
    scores, centres, sides, rolls, points = (
        a[finite] for a in (scores, centres, sides, rolls, points))
    return tuple(
        Detection(FaceBox(float(centres[k, 0]), float(centres[k, 1]), float(sides[k]),
                          float(rolls[k])), float(scores[k]), points[k].astype(np.float32))
        for k in distinct_faces(centres, sides, max_faces))


def find_peaks(score: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Local maxima of a map over 3 x 3 cells, best first.

    :param score: (h, w) float32
    :returns: rows and columns, each (K,), K <= `CANDIDATES`
    """
    score = np.ascontiguousarray(score, np.float32)
    highest = cv2.dilate(score, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((score >= highest) & (score >= threshold))
    order = np.argsort(-score[rows, columns], kind='stable')[:CANDIDATES]
    return rows[order], columns[order]


def distinct_faces(centres: np.ndarray, sides: np.ndarray, max_faces: int) -> list[int]:
    """
    Drop every face that is a better one seen again.

    :param centres: (K, 2) pixels, best first
    :param sides: (K,) pixels
    :returns: indices to keep, in order
    """
    kept: list[int] = []
    for k in range(len(sides)):
        if len(kept) >= max_faces:
            break
        others = np.array(kept, np.intp)
        distance = np.hypot(*(centres[others] - centres[k]).T)
        near = distance < MIN_CENTRE_DISTANCE * np.maximum(sides[others], sides[k])
        overlap = circle_overlap(distance, sides[others] / 2.0, sides[k] / 2.0)
        if not (near | (overlap > MAX_OVERLAP)).any():
            kept.append(k)
    return kept


def circle_overlap(distance: np.ndarray, radius_a: np.ndarray,
                   radius_b: np.ndarray | float) -> np.ndarray:
    """
    Intersection over union of circles; it needs no roll, unlike that of squares.

    :param distance: between the centres, (...)
    :param radius_a: > 0, broadcast against the distance
    :param radius_b: > 0, broadcast against the distance
    :returns: (...) in 0 to 1
    """
    distance, a, b = np.broadcast_arrays(
        np.asarray(distance, np.float64), np.asarray(radius_a, np.float64),
        np.asarray(radius_b, np.float64))
    d = np.clip(distance, np.maximum(np.abs(a - b), 1e-9), np.maximum(a + b, 1e-9))
    cos_a = np.clip((d * d + a * a - b * b) / (2.0 * d * a), -1.0, 1.0)
    cos_b = np.clip((d * d + b * b - a * a) / (2.0 * d * b), -1.0, 1.0)
    angle_a, angle_b = np.arccos(cos_a), np.arccos(cos_b)
    lens = (a * a * (angle_a - np.sin(2.0 * angle_a) / 2.0)
            + b * b * (angle_b - np.sin(2.0 * angle_b) / 2.0))
    smaller = math.pi * np.minimum(a, b) ** 2
    lens = np.where(distance <= np.abs(a - b), smaller, lens)
    return lens / (math.pi * (a * a + b * b) - lens)
