# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Who it is by the shape of the face alone: a statistical shape model fitted to measured depth.

The model (mean, modes of identity, modes of expression, each of variance 1) is laid on the
measured skin by Gauss-Newton steps: head pose, identity and expression together, point to plane
along the rays of the camera, with the model's own statistics as prior. Metric depth makes the size
of the face part of the shape; head pose and expression stay out of it.

Blanz and Vetter, "Face Recognition Based on Fitting a 3D Morphable Model" (TPAMI 2003), fit such a
model to colour; here it is depth that is fitted.

What of a fit is an embedding: axes along which photos of one person have variance 1 and people
differ most (linear discriminant analysis), each scaled so that its variance is the square of its
reliability; `training/train_shape_model.py` learns them. Beside a network that looks at the same
face, a reading of the fit is added to what that tells, and both say together what the shape is and
who it is (`training/solve_last_layers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import io
from pathlib import Path
import zipfile

import cv2
from face_depth_ros.core.errors import ModelFileError
from face_depth_ros.core.face_photo import LANDMARK_COUNT
from face_depth_ros.core.face_surface import FaceSurface
from face_depth_ros.core.mean_head import RIGID_LANDMARKS
import numpy as np
from threadpoolctl import ThreadpoolController

_NAMES = ('mean', 'identity', 'expression', 'normals', 'projection')
_READING = 'reading'
_COARSE = 200
"""Points that suffice for the first rounds."""
_COARSE_MODES = 12
"""Modes of identity and of expression that move in the first rounds."""
_ROUNDS = ((0.03, True), (0.02, True), (0.015, True), (0.01, False), (0.008, False),
           (0.008, False))
"""How far a point may lie from the surface, metres, and whether the round is coarse."""
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


class ShapeModel:
    """
    A statistical model of faces.

    :param arrays: mean (V + 68, 3) metres from the head point, the head facing the camera (x
        right, y down, z forward), the last 68 the landmarks, the others in random order; identity
        (K, V + 68, 3) and expression (E, V + 68, 3) metres a sigma; normals (V, 3); projection
        (K, D) from coefficients of identity to the embedding; reading, if there is one, (1 + K +
        E + 204, D + J) from `ShapeFit.features` to what is added to the evidence of a network:
        D numbers of the shape, J of who it is by shape, colour and depth jointly
    :raises ModelFileError: arrays are missing, of other shapes, or not finite
    """

    def __init__(self, arrays: dict[str, np.ndarray], where: str = 'shape model') -> None:
        _check(arrays, where)
        mean, identity, expression, normals, projection = (
            np.asarray(arrays[name], np.float32) for name in _NAMES)
        self.mean, self.normals, self.projection = mean, normals, projection
        self.modes = np.concatenate([identity, expression])  # (K + E, V + 68, 3)
        self.identities = len(identity)
        self.dimensions = projection.shape[1]
        self._reading = (np.asarray(arrays[_READING], np.float32) if _READING in arrays else
                         np.zeros((0, 0), np.float32))
        self.evidence = self._reading.shape[1]
        """Dimensions of the evidence that it takes, D + J; 0 = none."""
        points = len(normals)
        self._flat = self.modes.reshape(len(self.modes), -1)
        self._coarse = self._detail(min(_COARSE, points), _COARSE_MODES)
        self._fine = self._detail(points, len(self.modes))
        rigid = mean[points:][list(RIGID_LANDMARKS)].astype(np.float64)
        self._threads = ThreadpoolController()
        self._rigid_mean = rigid.mean(axis=0)
        self._rigid_inverse = np.linalg.pinv(rigid - self._rigid_mean).T  # (N, 3)

    @staticmethod
    def load(path: Path, sha256: str | None = None) -> ShapeModel:
        """
        Read a model.

        :param sha256: that the file must have, hex; None = any
        :raises ModelFileError: not there, another file, or no shape model
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelFileError(f'cannot read the shape model {path} ({error.strerror}); '
                                 'reinstall the package or train the model again',
                                 cause='model_missing') from error
        digest = hashlib.sha256(content).hexdigest()
        if sha256 is not None and digest != sha256:
            raise ModelFileError(
                f'{path} has sha256 {digest[:12]}..., the spec that names it says '
                f'{sha256[:12]}...; it is corrupted or another file: reinstall the package or '
                'export the recogniser again', cause='model_hash')
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as data:
                arrays = {name: data[name] for name in (*_NAMES, _READING) if name in data}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise ModelFileError(f'{path} holds no shape model ({error}); train one by python -m '
                                 'face_depth_ros.training.train_shape_model',
                                 cause='model_file') from error
        return ShapeModel(arrays, str(path))

    def fit(self, surface: FaceSurface) -> ShapeFit | None:
        """
        Lay the model on a face.

        :returns: None where there are too few measured points to begin with, or no solution
        """
        # The products are small: more threads would only wait, and keep cores from the networks.
        with self._threads.limit(limits=1, user_api='blas'):
            return self._fit(surface)

    def _fit(self, surface: FaceSurface) -> ShapeFit | None:
        pose = self._first_pose(surface)
        if pose is None:
            return None
        camera = _Camera(surface)
        rotation, position = pose
        code = np.zeros(len(self.modes))
        shift = self._depth_shift(camera, rotation, position)
        if shift is None:
            return None
        position = position + (0.0, 0.0, shift)
        points, residual = 0, np.inf
        for gate, coarse in _ROUNDS:
            step = self._step(camera, rotation, position, code, gate,
                              self._coarse if coarse else self._fine)
            if step is None:
                return None
            turn, move, change, points, residual = step
            position = position + rotation @ move
            rotation = rotation @ cv2.Rodrigues(turn)[0]
            code = code + change
        return ShapeFit(code[:self.identities].astype(np.float32),
                        code[self.identities:].astype(np.float32), rotation, position,
                        self._landmarks_off(camera, rotation, position, code), points, residual)

    def _landmarks_off(self, camera: _Camera, rotation: np.ndarray, position: np.ndarray,
                       code: np.ndarray) -> np.ndarray:
        """Return `ShapeFit.landmarks`."""
        first = 3 * len(self.normals)
        told = self.mean[len(self.normals):] + (
            code.astype(np.float32) @ self._flat[:, first:]).reshape(-1, 3)
        places = told @ rotation.T + position
        off = (camera.landmarks - places[:, :2] / places[:, 2:]) * places[:, 2:]
        return np.clip(off @ rotation[:2], -_FARTHEST_M, _FARTHEST_M).astype(np.float32)

    def embed(self, surface: FaceSurface) -> np.ndarray | None:
        """
        Return who it is by the shape of the face alone.

        :returns: (D,) float32 of length 1; None where the model does not fit, or too little was
            measured
        """
        fit = self.fit(surface)
        return None if fit is None or not fit.good else self.embedding(fit.identity)

    def embedding(self, identity: np.ndarray) -> np.ndarray | None:
        """Project coefficients (K,) to a vector (D,) of length 1; None for the mean face."""
        return _unit(identity @ self.projection)

    def read(self, surface: FaceSurface, evidence: np.ndarray,
             ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """
        Return who it is by the shape, and by shape, colour and depth jointly.

        :param evidence: (D + J,) what a network tells besides; for models that have a reading
        :returns: (D,) and (J,) float32 of length 1; None as of `embed`
        """
        fit = self.fit(surface)
        if fit is None or not fit.good:
            return None, None
        told = fit.features() @ self._reading + evidence
        return _unit(told[:self.dimensions]), _unit(told[self.dimensions:])

    def _first_pose(self, surface: FaceSurface) -> tuple[np.ndarray, np.ndarray] | None:
        """Return rotation and position by the rigid landmarks, at the distance of the skin."""
        seen = np.isfinite(surface.depth)
        points = surface.landmarks[list(RIGID_LANDMARKS)]
        if int(seen.sum()) < _LEAST_POINTS or not np.isfinite(points).all():
            return None
        middle = float(np.median(surface.depth[seen]))
        if not middle > 0.0:
            return None
        places = points * middle  # metres across
        centre = places.mean(axis=0)
        rows, scales, columns = np.linalg.svd((places - centre).T @ self._rigid_inverse,
                                              full_matrices=False)
        if not scales[1] > 0.2:  # the landmarks lie on a line, or are far too small
            return None
        two = rows @ columns
        rotation = np.vstack([two, np.cross(two[0], two[1])])
        across = centre - two @ self._rigid_mean
        return rotation, np.array([*across, middle + _HEAD_BEHIND_M])

    def _depth_shift(self, camera: _Camera, rotation: np.ndarray,
                     position: np.ndarray) -> float | None:
        """Return by how much the mean face must be moved along the optical axis."""
        points = self.mean[:_COARSE] @ rotation.T + position
        measured = camera.look(points)[:, 2] - points[:, 2]
        known = np.isfinite(measured)
        return float(np.median(measured[known])) if known.sum() >= _LEAST_POINTS / 4 else None

    def _detail(self, count: int, most: int) -> _Detail:
        """Return what the first points and modes, of identity and of expression, change."""
        total = len(self.normals)
        chosen = np.r_[:min(most, self.identities),
                       self.identities:min(self.identities + most, len(self.modes))]
        modes = self.modes[chosen]
        points = self.mean[:count]
        turned = _cross(points, self.normals[:count])
        along = np.einsum('kvc,vc->vk', modes[:, :count], self.normals[:count])
        x, y, z = self.mean[total:].T
        zero, one = np.zeros_like(x), np.ones_like(x)
        pose = np.array([[zero, z, -y, one, zero, zero], [-z, zero, x, zero, one, zero],
                         [y, -x, zero, zero, zero, one]]).transpose(0, 2, 1)
        marks = np.concatenate([pose, modes[:, total:].transpose(2, 1, 0)], axis=2)
        return _Detail(chosen, np.concatenate([turned, self.normals[:count], along], axis=1),
                       np.ascontiguousarray(marks))

    def _step(self, camera: _Camera, rotation: np.ndarray, position: np.ndarray,
              code: np.ndarray, gate: float, detail: _Detail,
              ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, float] | None:
        """Return turn and move of the head in its frame, change of the code; points, residual."""
        total, count = len(self.normals), len(detail.points)
        back = rotation.T.astype(np.float32)
        moved = (self.mean + (code.astype(np.float32) @ self._flat).reshape(-1, 3)) @ back
        points, marks = moved[:count] + position, moved[total:] + position
        normals = self.normals[:count] @ back
        off = _dot(camera.look(points) - points, normals)
        facing = _dot(points, normals) < -_FACING * np.sqrt(_dot(points, points))
        used = facing & (np.abs(off) < gate)
        seen = int(np.count_nonzero(used))
        if seen < _LEAST_POINTS * count / total / 2:
            return None
        off = np.where(used, off, 0.0)
        weight = (used * (np.sqrt(total / count) / _POINT_SIGMA_M)
                  / np.sqrt(1.0 + (off / _OUTLIER_M) ** 2)).astype(np.float32)
        # Points first, then the landmarks across and down; columns: turn, move, modes.
        rows = np.empty((count + 2 * LANDMARK_COUNT, 6 + len(detail.modes)), np.float32)
        wanted = np.empty(len(rows), np.float32)
        np.multiply(detail.points, weight[:, None], out=rows[:count])
        wanted[:count] = off * weight
        _landmark_rows(camera.landmarks, back, marks, detail.landmarks, rows[count:],
                       wanted[count:])
        normal = (rows.T @ rows).astype(np.float64)
        right = (wanted @ rows).astype(np.float64)
        index = np.arange(6, len(normal))
        normal[index, index] += 1.0  # the prior: coefficients of variance 1
        right[6:] -= code[detail.modes]
        try:
            solved = np.linalg.solve(normal, right)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(solved).all():
            return None
        change = np.zeros(len(self.modes))
        change[detail.modes] = solved[6:]
        return solved[:3], solved[3:6], change, seen, float(np.sqrt(off @ off / seen))


@dataclass(frozen=True)
class _Detail:
    """
    What moves in a round, and how, in the frame of the head; seen from the mean face throughout.

    :param modes: (M,) the numbers of the modes
    :param points: (P, 6 + M) how turns, moves and modes move points along their normals
    :param landmarks: (3, 68, 6 + M) how they move the landmarks
    """

    modes: np.ndarray
    points: np.ndarray
    landmarks: np.ndarray


def _landmark_rows(seen: np.ndarray, back: np.ndarray, places: np.ndarray, moves: np.ndarray,
                   rows: np.ndarray, wanted: np.ndarray) -> None:
    """
    Fill in what the landmarks say, in sigmas: metres across the ray, then down.

    :param seen: (68, 2) slopes; back: (3, 3) float32, the rotation transposed
    :param places: (68, 3) metres in the optical frame; moves: of `_Detail.landmarks`
    :param rows: (136, 6 + M), wanted: (136,) float32, to be filled
    """
    depth = places[:, 2]
    slope = places[:, :2].T / depth
    off = (seen.T - slope) * depth  # (2, 68)
    weight = 1.0 / (np.sqrt(1.0 + (off / (3.0 * _LANDMARK_SIGMA_M)) ** 2) * _LANDMARK_SIGMA_M)
    x, y, z = (back.T @ moves.reshape(3, -1)).reshape(moves.shape)
    for out, along, tilt, much in zip(np.split(rows, 2), (x, y), slope.astype(np.float32),
                                      weight.astype(np.float32), strict=True):
        # Less what the new depth does to the ray.
        np.subtract(along, tilt[:, None] * z, out=out)
        out *= much[:, None]
    wanted[:] = (off * weight).ravel()


class _Camera:
    """Looks up what was measured along the ray to a point."""

    def __init__(self, surface: FaceSurface) -> None:
        self.landmarks = surface.landmarks
        linear, offset = surface.pixel_of_slope[:, :2], surface.pixel_of_slope[:, 2]
        # From slopes to cells of a picture with a border where nothing was measured, and from
        # cells to the slopes of their centres.
        self._linear, self._offset = linear.T, offset + 1.0
        self._inverse = np.linalg.inv(linear).T
        self._depth = np.pad(surface.depth, 1, constant_values=np.nan)

    def look(self, points: np.ndarray) -> np.ndarray:
        """Return the measured points (N, 3) in whose pixels points lie; NaN where none was."""
        cells = np.floor(points[:, :2] / points[:, 2:] @ self._linear + self._offset)
        column, row = np.clip(cells, 0, len(self._depth) - 1).astype(np.intp).T
        seen = np.empty((len(points), 3))
        seen[:, 2] = self._depth[row, column]
        np.matmul(cells + (0.5 - self._offset), self._inverse, out=seen[:, :2])
        seen[:, :2] *= seen[:, 2:]
        return seen


def _unit(vector: np.ndarray) -> np.ndarray | None:
    """Return a vector of length 1 along another, None where that is 0 or not finite."""
    length = float(np.linalg.norm(vector))
    good = np.isfinite(length) and length > 1e-6
    return (vector / length).astype(np.float32) if good else None


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return vector products (N, 3), several times faster than np.cross for some hundreds."""
    (x, y, z), (u, v, w) = a.T, b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return inner products of rows (N, 3), (N,)."""
    product: np.ndarray = np.einsum('ij,ij->i', a, b)
    return product


def _check(arrays: dict[str, np.ndarray], where: str) -> None:
    missing = [name for name in _NAMES if name not in arrays]
    if missing:
        raise ModelFileError(f'{where} lacks {", ".join(missing)}; train a shape model by python '
                             '-m face_depth_ros.training.train_shape_model', cause='model_file')
    shapes = {name: arrays[name].shape for name in _NAMES}
    points = shapes['mean'][0] if shapes['mean'] else 0
    modes = shapes['identity'][0] if shapes['identity'] else 0
    expected = {'mean': (points, 3), 'identity': (modes, points, 3),
                'expression': (shapes['expression'][:1] or (0,)) + (points, 3),
                'normals': (points - LANDMARK_COUNT, 3),
                'projection': (modes, (shapes['projection'] or (0,))[-1])}
    if _READING in arrays:
        shapes[_READING] = arrays[_READING].shape
        expected[_READING] = (1 + modes + expected['expression'][0] + 3 * LANDMARK_COUNT,
                              (shapes[_READING] or (0,))[-1])
        if shapes[_READING][-1:] < (shapes['projection'][-1:][0] + 2,):
            raise ModelFileError(f'{where} has a reading {shapes[_READING]}, expected more than '
                                 f'{shapes["projection"]} has dimensions, of shape and joint',
                                 cause='model_file')
    wrong = [f'{name} {shapes[name]} instead of {expected[name]}'
             for name in shapes if shapes[name] != expected[name]]
    if wrong or points < LANDMARK_COUNT + _COARSE or min(modes, *shapes['projection']) < 2:
        raise ModelFileError(f'{where} is no shape model: {"; ".join(wrong) or shapes}',
                             cause='model_file')
    if not all(np.isfinite(arrays[name]).all() for name in shapes):
        raise ModelFileError(f'{where} holds numbers that are not finite', cause='model_file')
