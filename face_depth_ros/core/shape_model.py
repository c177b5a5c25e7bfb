# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Who it is by the shape of the face alone: a statistical shape model fitted to measured depth.

The model (mean, modes of identity, modes of expression, each of variance 1) is laid on the
measured skin (core/shape_fitting.py). Metric depth makes the size of the face part of the shape;
head pose and expression stay out of it.

What of a fit is an embedding: axes along which photos of one person have variance 1 and people
differ most (linear discriminant analysis), each scaled so that its variance is the square of its
reliability; `training/train_shape_model.py` learns them. Beside a network that looks at the same
face, a reading of the fit is added to what that tells, and both say together what the shape is and
who it is (`training/solve_last_layers.py`).
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
import zipfile

from face_depth_ros.core.errors import ModelFileError
from face_depth_ros.core.face_photo import LANDMARK_COUNT
from face_depth_ros.core.face_surface import FaceSurface
from face_depth_ros.core.shape_fitting import ShapeFit, ShapeFitter
from face_depth_ros.core.shape_rounds import COARSE_POINTS
import numpy as np

_NAMES = ('mean', 'identity', 'expression', 'normals', 'projection')
_READING = 'reading'


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
        self._fitter = ShapeFitter(mean, self.modes, self.identities, normals)

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
        return self._fitter.fit(surface)

    def embed(self, fit: ShapeFit | None) -> np.ndarray | None:
        """
        Return who it is by the shape of the face alone.

        :param fit: of `fit`
        :returns: (D,) float32 of length 1; None where the model does not fit, or too little was
            measured
        """
        return None if fit is None or not fit.good else self.embedding(fit.identity)

    def embedding(self, identity: np.ndarray) -> np.ndarray | None:
        """Project coefficients (K,) to a vector (D,) of length 1; None for the mean face."""
        return _unit(identity @ self.projection)

    def read(self, fit: ShapeFit | None, evidence: np.ndarray,
             ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """
        Return who it is by the shape, and by shape, colour and depth jointly.

        :param fit: of `fit`
        :param evidence: (D + J,) what a network tells besides; for models that have a reading
        :returns: (D,) and (J,) float32 of length 1; None as of `embed`
        """
        if fit is None or not fit.good:
            return None, None
        told = fit.features() @ self._reading + evidence
        return _unit(told[:self.dimensions]), _unit(told[self.dimensions:])


def _unit(vector: np.ndarray) -> np.ndarray | None:
    """Return a vector of length 1 along another, None where that is 0 or not finite."""
    length = float(np.linalg.norm(vector))
    good = np.isfinite(length) and length > 1e-6
    return (vector / length).astype(np.float32) if good else None


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
    if wrong or points < LANDMARK_COUNT + COARSE_POINTS or min(modes, *shapes['projection']) < 2:
        raise ModelFileError(f'{where} is no shape model: {"; ".join(wrong) or shapes}',
                             cause='model_file')
    if not all(np.isfinite(arrays[name]).all() for name in shapes):
        raise ModelFileError(f'{where} holds numbers that are not finite', cause='model_file')
