# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Two depth images of faces in, how likely they show the same person out."""

from __future__ import annotations

from face_depth_ros.core.errors import InvalidDepthError, ModelSpecError
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.engines import open_engine
import numpy as np

INPUTS, OUTPUT = ('first', 'second'), 'similarity'
_PAIRS_AT_ONCE = 64
"""Of one run of the network; more would only need more memory."""


class DepthVerifier:
    """
    Compares faces by their grey depth images (see core.face_photo), without colour.

    :param model: name or path of the network's ModelSpec
    :param backend: of the engine
    :param precision: of the engine
    :raises FaceDepthError: the model or the backend is missing
    """

    def __init__(self, model: str = 'face_verifier', backend: str = 'auto',
                 precision: str = 'auto') -> None:
        spec = find_model(model)
        self.size = _side(spec)
        self.threshold = spec.number('threshold')
        self.engine = open_engine(spec, backend, precision)

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """
        Compare faces pair by pair; the order within a pair does not matter.

        :param first: (B, 96, 96) grey depth, 0 = no face, 1 to 255 nearer = brighter; float32 or
            uint8, not changed
        :param second: the same form
        :returns: (B,) float32 in [0, 1]; above `threshold` for the same person
        :raises InvalidDepthError: not such images, or not as many
        """
        for name, grey in zip(INPUTS, (first, second), strict=True):
            _check(name, grey, self.size)
        if len(first) != len(second):
            raise InvalidDepthError(f'the face verifier compares pairs, got {len(first)} first '
                                    f'and {len(second)} second images')
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(first), _PAIRS_AT_ONCE):
            rows = slice(start, start + _PAIRS_AT_ONCE)
            feeds = {name: np.asarray(grey[rows], np.float32)[:, None]  # (B, 1, S, S)
                     for name, grey in zip(INPUTS, (first, second), strict=True)}
            parts.append(self.engine(feeds)[OUTPUT][:, 0])
        return np.concatenate(parts)

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.engine.close()


def _check(name: str, grey: np.ndarray, size: int) -> None:
    if grey.dtype not in (np.float32, np.uint8) or grey.shape[1:] != (size, size):
        raise InvalidDepthError(
            f'the {name} images of the face verifier have the shape {grey.shape} and are '
            f'{grey.dtype}, expected (B, {size}, {size}) float32 or uint8')
    if grey.size and not (grey.min() >= 0.0 and grey.max() <= 255.0):  # also where NaN
        raise InvalidDepthError(
            f'the {name} images of the face verifier range from {grey.min()} to {grey.max()}, '
            'expected grey depth of 0 to 255 (core.face_photo.relief_to_grey)')


def _side(spec: ModelSpec) -> int:
    """Return the side of the network's inputs."""
    shapes = {t.name: t.shape for t in spec.inputs}
    side = max(shapes.get(INPUTS[0], (0,)))
    if side < 1 or shapes != dict.fromkeys(INPUTS, (-1, 1, side, side)):
        raise ModelSpecError(f'{spec.path}: the inputs are {shapes}, expected first and second '
                             '(-1, 1, S, S) with one fixed S; export the model again')
    return side
