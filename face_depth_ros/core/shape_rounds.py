# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The rounds in which a model of faces comes to lie on measured depth (core/shape_fitting.py).

Gauss-Newton steps, point to plane along the rays of the camera. `NumpyRounds` says what they are;
core/compiled_rounds.py does the same in a fraction of the time, where it was built.

A fit is some hundred small operations, so their number and the memory they touch make its time:
coordinates lie in rows of their own, in float32, and points that a round cannot use are left out
before their products are summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
from face_depth_ros.core.face_photo import LANDMARK_COUNT
from face_depth_ros.core.face_surface import FaceSurface
import numpy as np
from threadpoolctl import ThreadpoolController

COARSE_POINTS = 200
"""Points that suffice for the first rounds."""
COARSE_MODES = 12
"""Modes of identity and of expression that move in the first rounds."""
ROUNDS = ((0.03, True, False), (0.02, True, False), (0.015, True, False), (0.01, False, False),
          (0.008, False, False), (0.008, False, True))
"""How far a point may lie from the surface, metres; whether the round is coarse; whether it goes
on with the normal matrix of the round before, which takes a third of the time and is as good in
the last round (of 200 people 99.1 % are told either way; in the last two rounds 98.9 %)."""
POINT_SIGMA_M = 0.003
"""What a point tells: sensor noise, shared by neighbours, counted as if it were independent."""
LANDMARK_SIGMA_M = 0.015
"""An estimator's landmarks are off by 2 to 4 mm, much the same way in all photos of a person and
towards the mean face: they are believed little."""
OUTLIER_M, LANDMARK_OUTLIER_M = 0.004, 3.0 * LANDMARK_SIGMA_M
"""Points and landmarks further away than this count half, and less the further."""
FACING = 0.35
"""Least cosine between a point's normal and the way to the camera."""
LEAST_POINTS = 60
FARTHEST_M = 0.02
"""By which a landmark may be off; what is further is taken to be so far."""
POSE = 6


class Laid(NamedTuple):
    """
    How a model lies on a face.

    :param code: (M,) float64 of all modes
    :param rotation: (3, 3) from the head facing the camera to the optical frame
    :param position: (3,) metres, the head point in the optical frame
    :param landmarks: (68, 3) float32 metres, from the model's landmarks to the rays of those that
        were seen, in the frame of the head
    :param points: how many points of the model lay on measured skin in the last round
    :param residual_m: root mean square of their distance from it
    """

    code: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    landmarks: np.ndarray
    points: int
    residual_m: float


class NumpyRounds:
    """
    Lays a model on faces, from where they are nearly.

    :param coarse, fine: what moves in the first rounds and in the last
    :param modes: how many modes there are in all
    """

    def __init__(self, coarse: Detail, fine: Detail, modes: int) -> None:
        self._coarse, self._fine, self._count = coarse, fine, modes
        self._points = len(fine.points)
        self._threads = ThreadpoolController()

    def __call__(self, camera: Camera, rotation: np.ndarray, position: np.ndarray) -> Laid | None:
        """
        Lay the model on a face.

        :param rotation, position: of the head, nearly
        :returns: None where there are too few measured points, or no solution
        """
        # The products are small: more threads would only wait, and keep cores from the networks.
        with self._threads.limit(limits=1, user_api='blas'):
            return self._laid(camera, rotation, position)

    def _laid(self, camera: Camera, rotation: np.ndarray, position: np.ndarray) -> Laid | None:
        shift = self._depth_shift(camera, rotation, position)
        if shift is None:
            return None
        position = position + (0.0, 0.0, shift)
        code = np.zeros(self._count)
        points, residual, normal = 0, np.inf, None
        for gate, coarse, again in ROUNDS:
            step = self._step(camera, rotation, position, code, gate,
                              self._coarse if coarse else self._fine,
                              normal if again else None)
            if step is None:
                return None
            normal = step.normal
            position = position + rotation @ step.change[3:POSE]
            rotation = rotation @ cv2.Rodrigues(step.change[:3])[0]
            code[step.modes] += step.change[POSE:]
            points, residual = step.points, step.residual_m
        return Laid(code, rotation, position,
                    self._landmarks_off(camera, rotation, position, code), points, residual)

    def _depth_shift(self, camera: Camera, rotation: np.ndarray,
                     position: np.ndarray) -> float | None:
        """Return by how much the mean face must be moved along the optical axis."""
        detail = self._coarse
        points = detail.places(rotation.astype(np.float32), position)[:, :len(detail.points)]
        measured = camera.look(points)[1] - points[2]
        known = measured[np.isfinite(measured)]
        return middle_of(known) if len(known) >= LEAST_POINTS / 4 else None

    def _step(self, camera: Camera, rotation: np.ndarray, position: np.ndarray,
              code: np.ndarray, gate: float, detail: Detail,
              normal: np.ndarray | None) -> _Step | None:
        """
        Return one step of Gauss and Newton; None without a solution.

        :param normal: matrix of an earlier step of the same detail, to go on with
        """
        count, turn = len(detail.points), rotation.astype(np.float32)
        places = detail.places(turn, position, code)
        used, off = _distances(camera, places[:, :count], turn @ detail.normals, gate)
        if len(used) < LEAST_POINTS * count / self._points / 2:
            return None
        weight = _weights(off, POINT_SIGMA_M * np.sqrt(count / self._points), OUTLIER_M)
        rays, far = _landmark_rays(camera.landmarks, turn, places[:, count:])
        moves = detail.points[used]
        forces = (rays * far.T[:, :, None]).sum(axis=1)
        right = ((off * weight * weight) @ moves + forces.ravel() @ detail.landmarks.reshape(
            forces.size, -1)).astype(np.float64)
        right[POSE:] -= code[detail.modes]
        if normal is None:
            normal = _normal_matrix(moves, weight, rays, detail.landmarks)
        try:
            change = np.linalg.solve(normal, right)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(change).all():
            return None
        return _Step(change, detail.modes, normal, len(used),
                     float(np.sqrt(off @ off / len(off))))

    def _landmarks_off(self, camera: Camera, rotation: np.ndarray, position: np.ndarray,
                       code: np.ndarray) -> np.ndarray:
        """Return `ShapeFit.landmarks`."""
        x, y, z = self._fine.places(rotation.astype(np.float32), position,
                                    code)[:, self._points:]
        seen_x, seen_y = camera.landmarks
        off = np.stack([seen_x * z - x, seen_y * z - y], axis=1)
        return np.clip(off @ rotation[:2], -FARTHEST_M, FARTHEST_M).astype(np.float32)


class _Step(NamedTuple):
    """
    A step of a fit.

    :param change: (6 + M,) turn and move of the head in its frame, change of the code
    :param modes: (M,) which modes that is of
    :param normal: (6 + M, 6 + M) the normal matrix
    :param points: that were used; residual_m: the root mean square of their distances before
    """

    change: np.ndarray
    modes: np.ndarray
    normal: np.ndarray
    points: int
    residual_m: float


@dataclass(frozen=True)
class Detail:
    """
    What moves in a round, and how, in the frame of the head; seen from the mean face throughout.

    :param modes: (M,) the numbers of the modes
    :param mean: (3, P + 68) metres, points and landmarks
    :param basis: (M, 3 (P + 68)) by which modes move them
    :param normals: (3, P)
    :param points: (P, 6 + M) how turns, moves and modes move points along their normals
    :param landmarks: (68, 3, 6 + M) how they move the landmarks
    """

    modes: np.ndarray
    mean: np.ndarray
    basis: np.ndarray
    normals: np.ndarray
    points: np.ndarray
    landmarks: np.ndarray

    def places(self, rotation: np.ndarray, position: np.ndarray,
               code: np.ndarray | None = None) -> np.ndarray:
        """
        Return points and landmarks in the optical frame, (3, P + 68) float32 metres.

        :param rotation: float32
        :param code: of all modes, of which only those move that this has; None = the mean face
        """
        told = self.mean if code is None else self.mean + (
            code[self.modes].astype(np.float32) @ self.basis).reshape(3, -1)
        moved: np.ndarray = rotation @ told
        moved += position.astype(np.float32)[:, None]
        return moved


def detail_of(mean: np.ndarray, modes: np.ndarray, normals: np.ndarray, count: int,
            chosen: np.ndarray) -> Detail:
    """Return what the first points and some modes change."""
    total = len(normals)
    kept = np.r_[:count, total:len(mean)]
    some = modes[chosen]
    x, y, z = mean[total:].T
    zero, one = np.zeros_like(x), np.ones_like(x)
    pose = np.array([[zero, z, -y, one, zero, zero], [-z, zero, x, zero, one, zero],
                     [y, -x, zero, zero, zero, one]]).transpose(2, 0, 1)
    marks = np.concatenate([pose, some[:, total:].transpose(1, 2, 0)], axis=2)
    along = np.einsum('kvc,vc->vk', some[:, :count], normals[:count])
    points = np.concatenate([np.cross(mean[:count], normals[:count]), normals[:count], along],
                            axis=1)
    basis = some[:, kept].transpose(0, 2, 1).reshape(len(some), -1)
    return Detail(chosen, *(np.ascontiguousarray(array, np.float32) for array in (
        mean[kept].T, basis, normals[:count].T, points, marks)))


def _distances(camera: Camera, points: np.ndarray, normals: np.ndarray, gate: float,
               ) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which points face a measured surface that is near, (U,), and how far it is off, (U,).

    :param points: (3, P) metres in the optical frame; normals: (3, P)
    :param gate: metres along the normal
    """
    rays, depth = camera.look(points)
    along = _dot(points, normals)
    off = depth * _dot(rays, normals) - along
    facing = along < np.float32(-FACING) * np.sqrt(_dot(points, points))
    used = np.flatnonzero(facing & (np.abs(off) < gate))
    return used, off[used]


def _normal_matrix(moves: np.ndarray, weight: np.ndarray, rays: np.ndarray,
                   landmarks: np.ndarray) -> np.ndarray:
    """
    Return what a step solves, (6 + M, 6 + M) float64.

    :param moves: (U, 6 + M) of points that are used; weight: (U,)
    :param rays: (68, 2, 3) of `_landmark_rays`; landmarks: (68, 3, 6 + M)
    """
    rows = np.empty((len(moves) + 2 * LANDMARK_COUNT, moves.shape[1]), np.float32)
    np.multiply(moves, weight[:, None], out=rows[:len(moves)])
    np.matmul(rays, landmarks, out=rows[len(moves):].reshape(LANDMARK_COUNT, 2, -1))
    normal: np.ndarray = (rows.T @ rows).astype(np.float64)
    normal.flat[POSE * (len(normal) + 1)::len(normal) + 1] += 1.0  # the prior: variance 1
    return normal


def _weights(off: np.ndarray, sigma: float, outlier: float) -> np.ndarray:
    """
    Return what residuals count, the less the larger they are, in 1 / metres.

    :param outlier: metres at which they count half
    """
    return np.float32(1.0 / sigma) / np.sqrt(1.0 + np.square(off * np.float32(1.0 / outlier)))


def _landmark_rays(seen: np.ndarray, rotation: np.ndarray, places: np.ndarray,
                   ) -> tuple[np.ndarray, np.ndarray]:
    """
    Return what moves landmarks across the rays they were seen along, in sigmas.

    :param seen: (2, 68) slopes
    :param places: (3, 68) metres in the optical frame
    :returns: (68, 2, 3) across and down, by a move in the frame of the head; (2, 68) how far off
        they are
    """
    depth = places[2]
    slope = places[:2] / depth
    off = (seen - slope) * depth
    weight = _weights(off, LANDMARK_SIGMA_M, LANDMARK_OUTLIER_M)
    # Less what the new depth does to the ray.
    rays = (rotation[:2, :, None] - slope[:, None] * rotation[2, :, None]) * weight[:, None]
    return rays.transpose(2, 0, 1), off * weight


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return inner products of columns (3, N), (N,)."""
    product: np.ndarray = np.einsum('ij,ij->j', a, b)
    return product


class Camera:
    """
    Looks up what was measured along rays.

    :ivar landmarks: (2, 68) float32 slopes
    :ivar to_cells: from slopes to cells of `picture`, (2, 2) and (2, 1) float32
    :ivar to_rays: from cells to the rays through their middle, (3, 2) and (3, 1) float32
    :ivar picture: (side * side,) float32 metres, with a border where nothing was measured; side
    """

    def __init__(self, surface: FaceSurface) -> None:
        self.landmarks = np.ascontiguousarray(surface.landmarks.T, np.float32)
        linear, offset = surface.pixel_of_slope[:, :2], surface.pixel_of_slope[:, 2:]
        inverse = np.linalg.inv(linear)
        self.to_cells = linear.astype(np.float32), (offset + 1.0).astype(np.float32)
        self.to_rays = (np.concatenate([inverse, np.zeros((1, 2))]).astype(np.float32),
                         np.concatenate([inverse @ (-0.5 - offset), [[1.0]]]).astype(np.float32))
        side = len(surface.depth) + 2
        depth = np.full((side, side), np.nan, np.float32)
        depth[1:-1, 1:-1] = surface.depth
        self.picture, self._last = (depth.ravel(), side), np.float32(side - 1)
        self._steps = np.array([1, side], np.float32)

    def look(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Look up what was measured in the pixels in which points (3, N) lie.

        :returns: (3, N) the rays through the middle of the pixels, z = 1; (N,) metres along the
            optical axis, NaN where nothing was measured; float32
        """
        linear, offset = self.to_cells
        cells = linear @ (points[:2] / points[2]) + offset
        np.fmin(np.fmax(cells, np.float32(0.0), out=cells), self._last, out=cells)
        np.floor(cells, out=cells)
        linear, offset = self.to_rays
        return linear @ cells + offset, self.picture[0][(self._steps @ cells).astype(np.intp)]


def middle_of(values: np.ndarray) -> float:
    """Return the median, of an even number the upper one of the two in the middle."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])
