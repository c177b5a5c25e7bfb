# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth of one camera brought onto the pixels of another, for datasets that keep the two apart.

The depth image is refined until its samples lie closer than the pixels of the colour image, moved
to the colour camera, and the nearest surface in each pixel wins. What the colour camera sees and
the depth camera does not stays invalid.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth_warping import NEIGHBOUR_RANGE_M
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_box import warp_depth
import numpy as np

_DENSITY = 1.2
"""Samples per pixel along a line, on a surface across the line of sight; more for slant ones."""
_ROTATION_TOLERANCE = 1e-3
_FEWEST_POINTS = 12
_WORST_CONDITION = 1e4


@dataclass(frozen=True, eq=False)
class CameraPair:
    """
    A depth camera and a colour camera; lenses without distortion.

    :param depth: of the depth image
    :param color: of the colour image
    :param rotation: (3, 3) from the depth camera's optical frame to the colour camera's
    :param translation: (3,) metres, likewise: x_color = rotation @ x_depth + translation
    :raises DatasetError: not a rotation and a finite vector
    """

    depth: CameraIntrinsics
    color: CameraIntrinsics
    rotation: np.ndarray
    translation: np.ndarray

    def __post_init__(self) -> None:
        r, t = self.rotation, self.translation
        if r.shape != (3, 3) or t.shape != (3,) or not np.isfinite(t).all() or not (
                np.allclose(r @ r.T, np.eye(3), atol=_ROTATION_TOLERANCE)
                and np.linalg.det(r) > 0):
            raise DatasetError(f'the pose of the colour camera is not one: rotation {r.tolist()}, '
                               f'translation {t.tolist()}; expected a (3, 3) rotation and metres')


def depth_on_color_grid(depth: np.ndarray, pair: CameraPair) -> np.ndarray:
    """
    Return the depth seen by the colour camera.

    :param depth: metres, (H, W) float32 of `pair.depth`, NaN where invalid
    :returns: metres along the colour camera's axis, (H, W) float32 of `pair.color`, NaN where the
        depth camera sees nothing
    :raises DatasetError: depth of another size
    """
    source, target = pair.depth, pair.color
    if depth.shape != (source.height, source.width):
        raise DatasetError(f'depth is {depth.shape[1]} x {depth.shape[0]}, expected '
                           f'{source.width} x {source.height}, the size of its calibration')
    ratio = max(target.fx / source.fx, target.fy / source.fy)
    points = _samples(depth, source, math.ceil(_DENSITY * ratio))
    points = points @ pair.rotation.T + pair.translation
    points = points[points[:, 2] > 0]
    cells = np.floor(target.project(points)).astype(np.int64)
    inside = ((cells >= 0) & (cells < (target.width, target.height))).all(axis=1)
    z = points[inside, 2].astype(np.float32)
    flat = cells[inside, 1] * target.width + cells[inside, 0]
    count = target.height * target.width
    nearest = np.full(count, np.inf, np.float32)
    np.minimum.at(nearest, flat, z)
    # The mean of one surface's samples: the nearest alone would lie before a slant surface.
    same = z - nearest[flat] < NEIGHBOUR_RANGE_M
    total = np.bincount(flat[same], z[same], count)
    samples = np.bincount(flat[same], minlength=count)
    seen = np.divide(total, samples, out=np.full(count, np.nan), where=samples > 0)
    return seen.astype(np.float32).reshape(target.height, target.width)


def camera_from_points(points: np.ndarray, pixels: np.ndarray, width: int,
                       height: int) -> tuple[CameraIntrinsics, np.ndarray, float]:
    """
    Find the camera that sees known points where they are seen, by least squares.

    The camera's axes are those of the points' frame: a small turn against them comes out as a
    shift of the principal point, which is the same but for the corners of the image. The camera's
    place along its axis is taken as that of the points' origin.

    :param points: metres, (N, 3), z > 0
    :param pixels: where they are seen, (N, 2), corner-origin
    :returns: camera; translation (3,) metres to it from the points' frame; RMS of what remains,
        pixels
    :raises DatasetError: too few points, or they do not tell the camera
    """
    z = points[:, 2]
    found, rest = [], []
    for axis in range(2):
        # u = c + f (x + t) / z
        system = np.stack([np.ones_like(z), points[:, axis] / z, 1.0 / z], axis=1)
        if len(points) < _FEWEST_POINTS or np.linalg.cond(system) > _WORST_CONDITION:
            raise DatasetError(
                f'{len(points)} points do not tell where the camera is, expected at least '
                f'{_FEWEST_POINTS} spread over image and depth')
        solution = np.linalg.lstsq(system, pixels[:, axis], rcond=None)[0]
        found.append(solution)
        rest.append(system @ solution - pixels[:, axis])
    (cx, fx, tx), (cy, fy, ty) = ([float(v) for v in solution] for solution in found)
    if not (fx > 0 and fy > 0):
        raise DatasetError(f'points and pixels give focal lengths of {fx:.1f} and {fy:.1f}, '
                           'expected more than 0; are their axes right?')
    rms = float(np.sqrt(np.mean(np.square(rest)) * 2.0))
    camera = CameraIntrinsics(width, height, fx, fy, cx, cy)
    return camera, np.array([tx / fx, ty / fy, 0.0]), rms


def _samples(depth: np.ndarray, camera: CameraIntrinsics, finer: int) -> np.ndarray:
    """Return points of the depth image refined so many times, metres, (N, 3)."""
    if finer > 1:
        scale = np.array([[1.0 / finer, 0.0, 0.0], [0.0, 1.0 / finer, 0.0]])
        depth = warp_depth(depth, scale, camera.height * finer, camera.width * finer)
    rows, columns = np.nonzero(depth > 0)  # False for NaN
    pixels = (np.stack([columns, rows], axis=1) + 0.5) / finer
    return camera.unproject(pixels, depth[rows, columns])
