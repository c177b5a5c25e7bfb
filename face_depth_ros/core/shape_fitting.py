# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A statistical model of faces laid on measured depth.

Gauss-Newton steps move head pose, identity and expression together, point to plane along the rays
of the camera, with the model's own statistics as prior.

Blanz and Vetter, "Face Recognition Based on Fitting a 3D Morphable Model" (TPAMI 2003), fit such a
model to colour; here it is depth that is fitted.

core/shape_rounds.py says what a round does; core/compiled_rounds.py does it faster.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.compiled_rounds import CompiledRounds, rounds_library
from face_depth_ros.core.face_surface import FaceSurface
from face_depth_ros.core.mean_head import RIGID_LANDMARKS
from face_depth_ros.core.shape_rounds import (
    Camera,
    COARSE_MODES,
    COARSE_POINTS,
    detail_of,
    LEAST_POINTS,
    middle_of,
    NumpyRounds,
)
import numpy as np

_LARGEST_RESIDUAL_M = 0.003
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
        return self.points >= LEAST_POINTS and self.residual_m <= _LARGEST_RESIDUAL_M


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
        self._identities, points = identities, len(normals)
        fine = detail_of(mean, modes, normals, points, np.arange(len(modes)))
        coarse = detail_of(mean, modes, normals, min(COARSE_POINTS, points), np.r_[
            :min(COARSE_MODES, identities),
            identities:min(identities + COARSE_MODES, len(modes))])
        library = rounds_library()
        self._lay_on = (NumpyRounds(coarse, fine, len(modes)) if library is None else
                        CompiledRounds(library, coarse, fine, len(modes)))
        rigid = mean[points:][list(RIGID_LANDMARKS)].astype(np.float64)
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
        laid = self._lay_on(Camera(surface), *pose)
        if laid is None:
            return None
        identity, expression = np.split(laid.code.astype(np.float32), [self._identities])
        return ShapeFit(identity, expression, *laid[1:])

    def _first_pose(self, surface: FaceSurface) -> tuple[np.ndarray, np.ndarray] | None:
        """Return rotation and position by the rigid landmarks, at the distance of the skin."""
        seen = surface.depth[np.isfinite(surface.depth)]
        points = surface.landmarks[list(RIGID_LANDMARKS)]
        if len(seen) < LEAST_POINTS or not np.isfinite(points).all():
            return None
        middle = middle_of(seen)
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

