# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How a head moved between two canonical crops, from their depth alone.

Point-to-plane registration of block means: few points, so that it costs little, and every one
averages 64 pixels of noise. The robust weights let a mouth or a hand that moved by itself out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M, nearest_surface
from face_depth_ros.core.face_box import FaceBox
import numpy as np

BLOCK = 8
_ROUNDS = 6
_MIN_BLOCKS = 60
_MIN_SHARE = 0.6
_STEEPEST = 3.0
"""Depth per sideways metre; steeper blocks are outlines."""
_FLOOR_M = 0.0004
"""A residual below is rounding."""
_PRIOR = np.array([0.3, 0.3, 0.3, 0.05, 0.05, 0.05])
"""Turn (rad) and shift (m) of a round that would surprise; holds what depth does not show."""
_SETTLED = 5e-4


@dataclass(frozen=True)
class CropCamera:
    """
    Rays of a crop's pixels.

    :param ray_from_crop: (2, 3) affine, corner-origin crop pixels to x / z, y / z
    """

    ray_from_crop: np.ndarray

    @staticmethod
    def of(box: FaceBox, size: int, camera: CameraIntrinsics) -> CropCamera:
        """Return the camera of a box's crop of `size` pixels a side."""
        affine = box.image_from_crop(size)
        affine[:, 2] -= (camera.cx, camera.cy)
        return CropCamera(affine / [[camera.fx], [camera.fy]])

    def points(self, depth: np.ndarray, block: int = 1) -> np.ndarray:
        """
        Lift depth to 3-D.

        :param depth: metres, (h, w) float32, one value per block of `block` x `block` pixels
        :returns: metres, (3, h, w) float32
        """
        a = self.ray_from_crop
        xs = (np.arange(depth.shape[1]) + 0.5) * block
        ys = (np.arange(depth.shape[0]) + 0.5) * block
        result = np.empty((3, *depth.shape), np.float32)
        for i in range(2):
            np.add(a[i, 0] * xs + a[i, 2], (a[i, 1] * ys)[:, None], out=result[i],
                   casting='same_kind')
            result[i] *= depth
        result[2] = depth
        return result

    def pixels(self, points: np.ndarray, block: int = 1) -> np.ndarray:
        """
        Project.

        :param points: metres, (3, ...) float32, z > 0
        :returns: (2, ...) float32, indices of blocks as cv2.remap counts them (centre-origin)
        """
        a = cv2.invertAffineTransform(self.ray_from_crop)
        inverse = np.float32(1.0 / block) / points[2]
        result = np.empty((2, *points.shape[1:]), np.float32)
        for i in range(2):
            np.multiply(points[0], np.float32(a[i, 0]), out=result[i])
            result[i] += np.float32(a[i, 1]) * points[1]
            result[i] *= inverse
            result[i] += np.float32(a[i, 2] / block - 0.5)
        return result


@dataclass(frozen=True)
class BlockSurface:
    """
    Block means of a crop's face.

    :param camera: of the crop
    :param depth: metres, (h, w) float32, NaN where a block is not half measured or behind
    :param slope: depth's change per block in x and y, metres, (2, h, w) float32, NaN likewise
    :param centre: metres, (3,), the median point
    """

    camera: CropCamera
    depth: np.ndarray
    slope: np.ndarray
    centre: np.ndarray

    @staticmethod
    def of(depth: np.ndarray, camera: CropCamera) -> BlockSurface | None:
        """
        Average a crop; None when it has too little of a face.

        :param depth: metres, (S, S) float32, NaN where invalid
        """
        size = (depth.shape[1] // BLOCK, depth.shape[0] // BLOCK)
        near = nearest_surface(depth)
        with np.errstate(invalid='ignore'):
            face = depth < near + FACE_DEPTH_RANGE_M
        share = cv2.resize(face.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        total = cv2.resize(np.where(face, depth, np.float32(0.0)), size,
                           interpolation=cv2.INTER_AREA)
        with np.errstate(invalid='ignore', divide='ignore'):
            mean = np.where(share > 0.5, total / share, np.float32(np.nan))
        if np.isfinite(mean).sum() < _MIN_BLOCKS:
            return None
        slope = np.full((2, *mean.shape), np.nan, np.float32)
        slope[0, :, 1:-1] = 0.5 * (mean[:, 2:] - mean[:, :-2])
        slope[1, 1:-1] = 0.5 * (mean[2:] - mean[:-2])
        a = camera.ray_from_crop
        limit = _STEEPEST * BLOCK * np.hypot(a[0, 0], a[1, 0]) * np.nanmedian(mean)
        with np.errstate(invalid='ignore'):
            slope[:, np.hypot(*slope) > limit] = np.nan
        points = camera.points(mean, BLOCK)[:, np.isfinite(mean)]
        return BlockSurface(camera, mean, slope, np.median(points, axis=1).astype(np.float64))


@dataclass(frozen=True)
class Alignment:
    """
    Where the points of one crop were in another.

    :param motion: (3, 4), X_past = motion [X_present; 1], metres
    :param residual: metres, median distance of blocks after alignment
    :param share: of the present's blocks that meet the past within three times that
    """

    motion: np.ndarray
    residual: float
    share: float

    @property
    def turn(self) -> float:
        """Return the angle of the motion in radians."""
        return float(np.arccos(np.clip((np.trace(self.motion[:, :3]) - 1.0) / 2.0, -1.0, 1.0)))

    def moved(self, points: np.ndarray) -> np.ndarray:
        """
        Take points of the present to the past.

        :param points: metres, (3, ...) float32
        """
        m = self.motion.astype(np.float32)
        result = np.empty_like(points)
        for i in range(3):
            np.multiply(points[0], m[i, 0], out=result[i])
            result[i] += m[i, 1] * points[1]
            result[i] += m[i, 2] * points[2]
            result[i] += m[i, 3]
        return result


def align(present: BlockSurface, past: BlockSurface,
          guess: np.ndarray | None = None) -> Alignment | None:
    """
    Register two crops of one head.

    Begins where the surfaces lie closest: unmoved before the camera, moved along with the box, or
    moved on as `guess` says.

    :param guess: (3, 4) motion, see `Alignment`
    :returns: None when too few blocks meet
    """
    points = present.camera.points(present.depth, BLOCK)[:, np.isfinite(present.slope[0])
                                                         & np.isfinite(present.slope[1])]
    if points.shape[1] < _MIN_BLOCKS:
        return None
    maps = cv2.merge([past.depth, past.slope[0], past.slope[1]])
    still = np.eye(3, 4)
    along = still.copy()
    along[:, 3] = past.centre - present.centre
    starts = [s for s in (still, along, guess) if s is not None]
    motion = min(starts, key=lambda m: _cost(points, m, past, maps))
    for _ in range(_ROUNDS):
        step = _step(points, motion, past, maps)
        if step is None:
            return None
        motion = step @ np.vstack([motion, [0.0, 0.0, 0.0, 1.0]])
        if np.abs(step - still).max() < _SETTLED:
            break
    residual, _, _ = _residuals(points, motion, past, maps)
    distance = np.abs(residual[np.isfinite(residual)])
    if len(distance) < _MIN_BLOCKS or len(distance) < _MIN_SHARE * points.shape[1]:
        return None
    median = float(np.median(distance))
    share = float((distance < 3.0 * max(median, _FLOOR_M)).sum() / points.shape[1])
    return Alignment(motion, median, share)


def _residuals(points: np.ndarray, motion: np.ndarray, past: BlockSurface,
               maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return depth of the past minus moved depth (n,), moved points (3, n), slopes (n, 2)."""
    moved = (motion[:, :3] @ points + motion[:, 3:]).astype(np.float32)
    pixels = past.camera.pixels(moved, BLOCK)
    seen = cv2.remap(maps, pixels[0], pixels[1], cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_CONSTANT, borderValue=[np.nan] * 3)
    seen = seen.reshape(-1, 3)
    return seen[:, 0] - moved[2], moved, seen[:, 1:]


def _cost(points: np.ndarray, motion: np.ndarray, past: BlockSurface, maps: np.ndarray) -> float:
    residual, _, _ = _residuals(points, motion, past, maps)
    known = np.isfinite(residual)
    if known.sum() < _MIN_BLOCKS:
        return float('inf')
    return float(np.median(np.abs(residual[known]))) * points.shape[1] / float(known.sum())


def _step(points: np.ndarray, motion: np.ndarray, past: BlockSurface,
          maps: np.ndarray) -> np.ndarray | None:
    """Return the (3, 4) motion of one Gauss-Newton round, to be made after `motion`."""
    residual, moved, slope = _residuals(points, motion, past, maps)
    known = np.isfinite(residual) & np.isfinite(slope).all(1)
    if known.sum() < _MIN_BLOCKS:
        return None
    r, p, s = residual[known].astype(np.float64), moved[:, known].astype(np.float64), slope[known]
    a = cv2.invertAffineTransform(past.camera.ray_from_crop)[:, :2] / BLOCK
    side = (s @ a) / p[2][:, None]  # change of the past's depth per metre sideways, (n, 2)
    normal = np.stack([side[:, 0], side[:, 1],
                       -1.0 - (side[:, 0] * p[0] + side[:, 1] * p[1]) / p[2]])  # (3, n)
    x, y, z = p - past.centre[:, None]
    turning = np.stack([y * normal[2] - z * normal[1], z * normal[0] - x * normal[2],
                        x * normal[1] - y * normal[0]])
    jacobian = np.concatenate([turning, normal]).T  # (n, 6)
    length = np.linalg.norm(normal, axis=0)
    distance = np.abs(r) / length
    scale = max(1.48 * float(np.median(distance)), _FLOOR_M)
    inside = np.clip(1.0 - (distance / (4.0 * scale)) ** 2, 0.0, None) ** 2
    weight = inside / length ** 2
    normal_matrix = (jacobian * weight[:, None]).T @ jacobian + np.diag((scale / _PRIOR) ** 2)
    solution = -np.linalg.solve(normal_matrix, jacobian.T @ (weight * r))
    turn = cv2.Rodrigues(solution[:3])[0]
    return np.column_stack([turn, past.centre - turn @ past.centre + solution[3:]])
