# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The rounds of core/shape_rounds.py, compiled (core/native/shape_fitting.cpp).

Set-up builds them where there is a compiler; where there was none, `rounds_library` finds nothing
and the rounds run in NumPy, as well and more slowly. Other Python threads run meanwhile.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

from face_depth_ros.core.face_photo import LANDMARK_COUNT
from face_depth_ros.core.native_library import native_library
from face_depth_ros.core.shape_rounds import (
    Camera,
    Detail,
    FACING,
    FARTHEST_M,
    Laid,
    LANDMARK_OUTLIER_M,
    LANDMARK_SIGMA_M,
    LEAST_POINTS,
    OUTLIER_M,
    POINT_SIGMA_M,
    ROUNDS,
)
import numpy as np

_FLOATS = ctypes.POINTER(ctypes.c_float)
_DOUBLES = ctypes.POINTER(ctypes.c_double)
_INTS = ctypes.POINTER(ctypes.c_int32)


class _Detail(ctypes.Structure):
    _fields_ = [('points', ctypes.c_int32), ('modes', ctypes.c_int32), ('numbers', _INTS),
                ('mean', _FLOATS), ('basis', _FLOATS), ('normals', _FLOATS), ('moves', _FLOATS),
                ('landmarks', _FLOATS)]


class _Surface(ctypes.Structure):
    _fields_ = [('side', ctypes.c_int32), ('depth', _FLOATS), ('landmarks', _FLOATS),
                ('to_cells', ctypes.c_float * 6), ('to_rays', ctypes.c_float * 9)]


class _Round(ctypes.Structure):
    _fields_ = [('gate', ctypes.c_float), ('coarse', ctypes.c_int32), ('again', ctypes.c_int32)]


class _Beliefs(ctypes.Structure):
    _fields_ = [('all_points', ctypes.c_int32), ('least_points', ctypes.c_int32)] + [
        (name, ctypes.c_float) for name in (
            'point_sigma', 'point_outlier', 'landmark_sigma', 'landmark_outlier', 'facing',
            'farthest')]


class _State(ctypes.Structure):
    _fields_ = [('rotation', ctypes.c_double * 9), ('position', ctypes.c_double * 3),
                ('code', _DOUBLES), ('landmarks', _FLOATS), ('points', ctypes.c_int32),
                ('residual', ctypes.c_double)]


@lru_cache(maxsize=1)
def rounds_library() -> ctypes.CDLL | None:
    """Return the compiled rounds, None where they were not built or cannot be loaded."""
    library = native_library('shape_fitting', 'lay_on')
    if library is None:
        return None
    function = library.lay_on
    function.restype = ctypes.c_int
    function.argtypes = [ctypes.POINTER(kind) for kind in (_Detail, _Detail, _Surface, _Round)] + [
        ctypes.c_int, ctypes.POINTER(_Beliefs), ctypes.POINTER(_State)]
    return library


class CompiledRounds:
    """
    Lays a model on faces, as `NumpyRounds` does; several threads may at once.

    :param library: of `rounds_library`
    """

    def __init__(self, library: ctypes.CDLL, coarse: Detail, fine: Detail, modes: int) -> None:
        self._function = library.lay_on
        self._modes = modes
        self._kept: list[np.ndarray] = []
        """What the structures point to."""
        self._coarse, self._fine = self._detail(coarse), self._detail(fine)
        self._rounds = (_Round * len(ROUNDS))(*(_Round(*values) for values in ROUNDS))
        self._beliefs = _Beliefs(len(fine.points), LEAST_POINTS, POINT_SIGMA_M, OUTLIER_M,
                                 LANDMARK_SIGMA_M, LANDMARK_OUTLIER_M, FACING, FARTHEST_M)

    def _detail(self, detail: Detail) -> _Detail:
        numbers = np.ascontiguousarray(detail.modes, np.int32)
        arrays = (detail.mean, detail.basis, detail.normals, detail.points, detail.landmarks)
        self._kept += [numbers, *arrays]
        return _Detail(len(detail.points), len(detail.modes), numbers.ctypes.data_as(_INTS),
                       *map(_floats, arrays))

    def __call__(self, camera: Camera, rotation: np.ndarray, position: np.ndarray) -> Laid | None:
        """
        Lay the model on a face.

        :param rotation, position: of the head, nearly
        :returns: None where there are too few measured points, or no solution
        """
        depth, side = camera.picture
        seen = _Surface(side, _floats(depth), _floats(camera.landmarks),
                        _flat(ctypes.c_float * 6, camera.to_cells),
                        _flat(ctypes.c_float * 9, camera.to_rays))
        code = np.zeros(self._modes)
        landmarks = np.zeros((LANDMARK_COUNT, 3), np.float32)
        state = _State((ctypes.c_double * 9)(*rotation.ravel()), (ctypes.c_double * 3)(*position),
                       code.ctypes.data_as(_DOUBLES), _floats(landmarks))
        if self._function(self._coarse, self._fine, seen, self._rounds, len(ROUNDS),
                          self._beliefs, state) != 0:
            return None
        return Laid(code, np.array(state.rotation).reshape(3, 3), np.array(state.position),
                    landmarks, state.points, state.residual)


def _floats(array: np.ndarray) -> ctypes._Pointer[ctypes.c_float]:
    """Return where float32 of C order lie."""
    return array.ctypes.data_as(_FLOATS)


def _flat(kind: type[ctypes.Array[ctypes.c_float]],
          affine: tuple[np.ndarray, np.ndarray]) -> ctypes.Array[ctypes.c_float]:
    """Return an affine map, (R, C) and (R, 1), as rows of C + 1 numbers."""
    return kind(*np.concatenate(affine, axis=1).ravel())
