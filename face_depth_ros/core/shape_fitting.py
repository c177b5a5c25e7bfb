# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A statistical model of faces laid on measured depth.

Gauss-Newton steps move head pose, identity and expression together, point to plane along the rays
of the camera, with the model's own statistics as prior.

Blanz and Vetter, "Face Recognition Based on Fitting a 3D Morphable Model" (TPAMI 2003), fit such a
model to colour; here it is depth that is fitted.

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
from face_depth_ros.core.mean_head import RIGID_LANDMARKS
import numpy as np

COARSE_POINTS = 200
"""Points that suffice for the first rounds."""
_COARSE_MODES = 12
"""Modes of identity and of expression that move in the first rounds."""
_ROUNDS = ((0.03, True, False), (0.02, True, False), (0.015, True, False), (0.01, False, False),
           (0.008, False, False), (0.008, False, True))
"""How far a point may lie from the surface, metres; whether the round is coarse; whether it goes
on with the normal matrix of the round before, which takes a third of the time and is as good in
the last round (of 200 people 99.1 % are told either way; in the last two rounds 98.9 %)."""
_POINT_SIGMA_M = 0.003
"""What a point tells: sensor noise, shared by neighbours, counted as if it were independent."""
_LANDMARK_SIGMA_M = 0.015
"""An estimator's landmarks are off by 2 to 4 mm, much the same way in all photos of a person and
towards the mean face: they are believed little."""
_OUTLIER_M = 0.004
"""Points further away than this count half, and less the further."""
_FACING = 0.35
"""Least cosine between a point's normal and the way to the camera."""
_LEAST_POINTS, _LARGEST_RESIDUAL_M = 60, 0.003
_FARTHEST_M = 0.02
"""By which a landmark may be off; what is further is taken to be so far."""
_PER_LANDMARK = np.float32(1.0 / 0.003)
"""Of features, a metre of landmarks: they are off by some 3 mm."""
_HEAD_BEHIND_M = 0.02
"""Where the head point lies behind the median of the skin before anything is known."""
_POSE = 6


@dataclass(frozen=True)
class ShapeFit:
    """
    The model laid on a face.

    :param identity: (K,) coefficients, each of variance 1 over people
    :param expression: (E,) likewise over expressions
    :param rotation: (3, 3) from the head facing the camera to the optical frame
    :param position: (3,) metres, the head point in the optical frame
    :param landmarks: (68, 3) metres, from the model's landmarks to the rays of those that were
        seen, in the frame of the head
    :param points: how many points of the model lie on measured skin
    :param residual_m: root mean square of their distance from it
    """

    identity: np.ndarray
    expression: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    landmarks: np.ndarray
    points: int
    residual_m: float

    def features(self) -> np.ndarray:
        """Return what a reading reads, (1 + K + E + 204,) float32."""
        return np.concatenate([np.ones(1, np.float32), self.identity, self.expression,
                               _PER_LANDMARK * self.landmarks.ravel()])

    @property
    def good(self) -> bool:
        """Whether it says who it is."""
        return self.points >= _LEAST_POINTS and self.residual_m <= _LARGEST_RESIDUAL_M


class ShapeFitter:
    """
    Lays a model on faces.

    :param mean: (V + 68, 3) float32 metres from the head point, the head facing the camera (x
        right, y down, z forward), the last 68 the landmarks, the others in random order
    :param modes: (M, V + 68, 3) metres a sigma, the first `identities` of identity, the others of
        expression
    :param normals: (V, 3)
    """

    def __init__(self, mean: np.ndarray, modes: np.ndarray, identities: int,
                 normals: np.ndarray) -> None:
        self._count, self._identities = len(modes), identities
        self._points = len(normals)
        self._fine = _detail(mean, modes, normals, self._points, np.arange(len(modes)))
        few = min(COARSE_POINTS, self._points)
        self._coarse = _detail(mean, modes, normals, few, np.r_[
            :min(_COARSE_MODES, identities),
            identities:min(identities + _COARSE_MODES, len(modes))])
        rigid = mean[self._points:][list(RIGID_LANDMARKS)].astype(np.float64)
        self._rigid_mean = rigid.mean(axis=0)
        self._rigid_inverse = np.linalg.pinv(rigid - self._rigid_mean).T  # (N, 3)

    def fit(self, surface: FaceSurface) -> ShapeFit | None:
        """
        Lay the model on a face.

        :returns: None where there are too few measured points to begin with, or no solution
        """
        pose = self._first_pose(surface)
        if pose is None:
            return None
        camera = _Camera(surface)
        rotation, position = pose
        shift = self._depth_shift(camera, rotation, position)
        if shift is None:
            return None
        position = position + (0.0, 0.0, shift)
        code = np.zeros(self._count)
        points, residual, normal = 0, np.inf, None
        for gate, coarse, again in _ROUNDS:
            step = self._step(camera, rotation, position, code, gate,
                              self._coarse if coarse else self._fine,
                              normal if again else None)
            if step is None:
                return None
            normal = step.normal
            position = position + rotation @ step.change[3:_POSE]
            rotation = rotation @ cv2.Rodrigues(step.change[:3])[0]
            code[step.modes] += step.change[_POSE:]
            points, residual = step.points, step.residual_m
        return ShapeFit(code[:self._identities].astype(np.float32),
                        code[self._identities:].astype(np.float32), rotation, position,
                        self._landmarks_off(camera, rotation, position, code), points, residual)

    def _first_pose(self, surface: FaceSurface) -> tuple[np.ndarray, np.ndarray] | None:
        """Return rotation and position by the rigid landmarks, at the distance of the skin."""
        seen = surface.depth[np.isfinite(surface.depth)]
        points = surface.landmarks[list(RIGID_LANDMARKS)]
        if len(seen) < _LEAST_POINTS or not np.isfinite(points).all():
            return None
        middle = _middle(seen)
        if not middle > 0.0:
            return None
        places = points * middle  # metres across
        centre = places.mean(axis=0)
        rows, scales, columns = np.linalg.svd((places - centre).T @ self._rigid_inverse,
                                              full_matrices=False)
        if not scales[1] > 0.2:  # the landmarks lie on a line, or are far too small
            return None
        two = rows @ columns
        (a, b, c), (d, e, f) = two
        rotation = np.array([*two, (b * f - c * e, c * d - a * f, a * e - b * d)])
        across = centre - two @ self._rigid_mean
        return rotation, np.array([*across, middle + _HEAD_BEHIND_M])

    def _depth_shift(self, camera: _Camera, rotation: np.ndarray,
                     position: np.ndarray) -> float | None:
        """Return by how much the mean face must be moved along the optical axis."""
        detail = self._coarse
        points = detail.places(rotation.astype(np.float32), position)[:, :len(detail.points)]
        measured = camera.look(points)[1] - points[2]
        known = measured[np.isfinite(measured)]
        return _middle(known) if len(known) >= _LEAST_POINTS / 4 else None

    def _step(self, camera: _Camera, rotation: np.ndarray, position: np.ndarray,
              code: np.ndarray, gate: float, detail: _Detail,
              normal: np.ndarray | None) -> _Step | None:
        """
        Return one step of Gauss and Newton; None without a solution.

        :param normal: matrix of an earlier step of the same detail, to go on with
        """
        count, turn = len(detail.points), rotation.astype(np.float32)
        places = detail.places(turn, position, code)
        used, off = _distances(camera, places[:, :count], turn @ detail.normals, gate)
        if len(used) < _LEAST_POINTS * count / self._points / 2:
            return None
        weight = _weights(off, _POINT_SIGMA_M * np.sqrt(count / self._points), _OUTLIER_M)
        rays, far = _landmark_rays(camera.landmarks, turn, places[:, count:])
        moves = detail.points[used]
        forces = (rays * far.T[:, :, None]).sum(axis=1)
        right = ((off * weight * weight) @ moves + forces.ravel() @ detail.landmarks.reshape(
            forces.size, -1)).astype(np.float64)
        right[_POSE:] -= code[detail.modes]
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

    def _landmarks_off(self, camera: _Camera, rotation: np.ndarray, position: np.ndarray,
                       code: np.ndarray) -> np.ndarray:
        """Return `ShapeFit.landmarks`."""
        x, y, z = self._fine.places(rotation.astype(np.float32), position,
                                    code)[:, self._points:]
        seen_x, seen_y = camera.landmarks
        off = np.stack([seen_x * z - x, seen_y * z - y], axis=1)
        return np.clip(off @ rotation[:2], -_FARTHEST_M, _FARTHEST_M).astype(np.float32)


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
class _Detail:
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


def _detail(mean: np.ndarray, modes: np.ndarray, normals: np.ndarray, count: int,
            chosen: np.ndarray) -> _Detail:
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
    return _Detail(chosen, *(np.ascontiguousarray(array, np.float32) for array in (
        mean[kept].T, basis, normals[:count].T, points, marks)))


def _distances(camera: _Camera, points: np.ndarray, normals: np.ndarray, gate: float,
               ) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which points face a measured surface that is near, (U,), and how far it is off, (U,).

    :param points: (3, P) metres in the optical frame; normals: (3, P)
    :param gate: metres along the normal
    """
    rays, depth = camera.look(points)
    along = _dot(points, normals)
    off = depth * _dot(rays, normals) - along
    facing = along < np.float32(-_FACING) * np.sqrt(_dot(points, points))
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
    normal.flat[_POSE * (len(normal) + 1)::len(normal) + 1] += 1.0  # the prior: variance 1
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
    weight = _weights(off, _LANDMARK_SIGMA_M, 3.0 * _LANDMARK_SIGMA_M)
    # Less what the new depth does to the ray.
    rays = (rotation[:2, :, None] - slope[:, None] * rotation[2, :, None]) * weight[:, None]
    return rays.transpose(2, 0, 1), off * weight


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return inner products of columns (3, N), (N,)."""
    product: np.ndarray = np.einsum('ij,ij->j', a, b)
    return product


class _Camera:
    """
    Looks up what was measured along rays.

    :ivar landmarks: (2, 68) float32 slopes
    """

    def __init__(self, surface: FaceSurface) -> None:
        self.landmarks = np.ascontiguousarray(surface.landmarks.T, np.float32)
        linear, offset = surface.pixel_of_slope[:, :2], surface.pixel_of_slope[:, 2:]
        # From slopes to cells of a picture with a border where nothing was measured, and from
        # cells to the rays through their centres.
        inverse = np.linalg.inv(linear)
        self._to_cells = linear.astype(np.float32), (offset + 1.0).astype(np.float32)
        self._to_rays = (np.concatenate([inverse, np.zeros((1, 2))]).astype(np.float32),
                         np.concatenate([inverse @ (-0.5 - offset), [[1.0]]]).astype(np.float32))
        side = len(surface.depth) + 2
        depth = np.full((side, side), np.nan, np.float32)
        depth[1:-1, 1:-1] = surface.depth
        self._depth, self._last = depth.ravel(), np.float32(side - 1)
        self._steps = np.array([1, side], np.float32)

    def look(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Look up what was measured in the pixels in which points (3, N) lie.

        :returns: (3, N) the rays through the middle of the pixels, z = 1; (N,) metres along the
            optical axis, NaN where nothing was measured; float32
        """
        linear, offset = self._to_cells
        cells = linear @ (points[:2] / points[2]) + offset
        np.fmin(np.fmax(cells, np.float32(0.0), out=cells), self._last, out=cells)
        np.floor(cells, out=cells)
        linear, offset = self._to_rays
        return linear @ cells + offset, self._depth[(self._steps @ cells).astype(np.intp)]


def _middle(values: np.ndarray) -> float:
    """Return the median, of an even number the upper one of the two in the middle."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])
