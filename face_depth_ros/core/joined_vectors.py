# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How the embeddings of several modalities make one vector, whose inner products are mean cosines.

The paper on mask-guided RGB-D recognition takes the mean of the cosines of colour and depth. Where
a modality tells more than another, a model may weigh its cosine more; its spec then says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import math
from typing import Any

from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.identity_calibration import MODALITIES
import numpy as np

EVIDENCE = 'shape_evidence'
"""The output that says what colour and depth tell besides the fit of the shape model."""
JOINT_ESTIMATED = 'joint_estimated'
"""The output that says who it is by colour and estimated depth jointly."""


class JoinedVectors:
    """
    The layout of joined vectors.

    :param sizes: modality -> dimensions of its embedding
    :param weights: modality -> what its cosine weighs, > 0; 1 for those that are not named
    """

    def __init__(self, sizes: Mapping[str, int],
                 weights: Mapping[str, float] | None = None) -> None:
        self.parts: dict[str, slice] = {}
        """Modality -> where its embedding lies, in the order of `MODALITIES`."""
        self.dimensions = 0
        for modality in (m for m in MODALITIES if m in sizes):
            self.parts[modality] = slice(self.dimensions, self.dimensions + sizes[modality])
            self.dimensions += sizes[modality]
        given = {m: float((weights or {}).get(m, 1.0)) for m in self.parts}
        self.weights = {m: value / sum(given.values()) for m, value in given.items()}
        """Modality -> its weight; their sum is 1."""

    def join(self, embeddings: Mapping[str, np.ndarray]) -> np.ndarray:
        """
        Join embeddings of some modalities.

        :param embeddings: modality -> (D_m,), of any length
        :returns: (D,) float32, 0 where a modality is missing or 0; of length 1 where none is
        """
        joined = np.zeros(self.dimensions, np.float32)
        for modality, vector in embeddings.items():
            length = float(np.linalg.norm(vector))
            if length > 0.0:
                scale = math.sqrt(self.weights[modality]) / length
                joined[self.parts[modality]] = scale * vector
        return joined

    def split(self, joined: np.ndarray, modality: str) -> np.ndarray:
        """
        Return the embedding of one modality, of length 1, 0 where it is missing.

        :param joined: (..., D)
        """
        part: np.ndarray = joined[..., self.parts[modality]] / np.float32(
            math.sqrt(self.weights[modality]))
        return part

    def query(self, joined: np.ndarray, shared: Iterable[str]) -> np.ndarray:
        """
        Return what gives, as inner product with a joined vector, the mean cosine over some.

        :param joined: (D,); shared: modalities, at least one
        """
        shared = set(shared)
        query = np.zeros_like(joined)
        for modality in shared:
            query[self.parts[modality]] = joined[self.parts[modality]]
        return query / np.float32(self.share(shared))

    def mean_cosine(self, cosines: Mapping[str, float]) -> float:
        """Return the weighed mean of the cosines of some modalities, at least one."""
        total = sum(self.weights[m] * cosine for m, cosine in cosines.items())
        return total / self.share(cosines)

    def share(self, modalities: Iterable[str]) -> float:
        """Return how much of all weight some modalities have."""
        return sum(self.weights[m] for m in modalities)


def read_weights(where: str, value: Any) -> dict[str, float]:
    """
    Read what stands under `normalisation: weights` of a spec.

    :param where: what messages call the spec; value: None = nothing, all weigh the same
    :raises ModelSpecError: not of its form
    """
    if value is None:
        return {}
    try:
        weights = {str(m): float(weight) for m, weight in value.items()}
    except (AttributeError, TypeError, ValueError):
        weights = {}
    if not weights or not weights.keys() <= set(MODALITIES) or not all(
            math.isfinite(w) and w > 0.0 for w in weights.values()):
        raise ModelSpecError(f'{where}: normalisation says weights: {value!r}, expected numbers '
                             f'> 0 by which the cosines of {", ".join(MODALITIES)} are weighed')
    return weights
