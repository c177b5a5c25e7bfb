# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The last layers of a face recogniser and its shape model, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.joined_vectors import EVIDENCE, JOINT_ESTIMATED
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.training.folding import stored_tensors
import numpy as np

HIDDEN = ('color', 'joint', 'joint_estimated')
"""What hidden layers may add to."""


class Affine(NamedTuple):
    """
    A layer: (N, I) @ weight + bias.

    :param weight: (I, O); bias: (O,)
    """

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """(N, I) -> (N, O)."""
        told: np.ndarray = inputs @ self.weight + self.bias
        return told

    def then(self, projection: np.ndarray) -> Affine:
        """Return the layer followed by a projection (O, P)."""
        return Affine(self.weight @ projection, self.bias @ projection)


class Hidden(NamedTuple):
    """
    A layer of rectified units between two others.

    :param first: (I, U); second: (U, O)
    """

    first: Affine
    second: Affine

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """(N, I) -> (N, O)."""
        told: np.ndarray = self.second(np.maximum(self.first(inputs), 0.0))
        return told


@dataclass(frozen=True)
class LastLayers:
    """
    What was solved.

    :param color: (D, D') axes of the embedding of colour that are kept
    :param depth: from the branch of depth to its embedding
    :param evidence: (2 C, S + J) from both branches to shape and joint
    :param reading: (F, S + J) likewise from the fit, the first row added always
    :param joint_estimated: from both branches to joint, where depth is estimated
    :param hidden: what is added (training/train_hidden_layers.py) to colour's embedding, from its
        branch, to joint, from both branches, and to `joint_estimated`; empty = nothing
    """

    color: np.ndarray
    depth: Affine
    evidence: np.ndarray
    reading: np.ndarray
    joint_estimated: Affine
    hidden: Mapping[str, Hidden] = field(default_factory=dict)


def layers_of(spec: ModelSpec, shape_model: Path) -> LastLayers:
    """
    Return the last layers of a shipped student.

    :raises SettingsError: it has none that were solved
    """
    stored = {name: tensor.numpy().astype(np.float64)
              for name, tensor in stored_tensors(spec).items()}
    with np.load(shape_model) as data:
        reading = data['reading'] if 'reading' in data else None
    if reading is None or 'evidence.weight' not in stored:
        raise SettingsError(f'{spec.path} has no last layers that were solved with its shape '
                            'model; run solve_last_layers on it first')
    outputs = {output.name: int(output.shape[1]) for output in spec.outputs}
    depth, evidence, joint = (
        stored[f'{name}.weight'].reshape(size, -1).T for name, size in (
            ('depth.linear', outputs['embedding_depth']), ('evidence', outputs[EVIDENCE]),
            ('joint', outputs[JOINT_ESTIMATED])))
    hidden = {name: Hidden(*(_affine(stored, f'hidden.{name}.{part}') for part in (0, 2)))
              for name in HIDDEN if f'hidden.{name}.0.bias' in stored}
    return LastLayers(np.eye(outputs['embedding_color'], dtype=np.float32),
                      Affine(depth, stored['depth.linear.bias']), evidence,
                      reading.astype(np.float64), Affine(joint, stored['joint.bias']), hidden)


def _affine(stored: Mapping[str, np.ndarray], name: str) -> Affine:
    bias = stored[f'{name}.bias']
    return Affine(stored[f'{name}.weight'].reshape(len(bias), -1).T, bias)
