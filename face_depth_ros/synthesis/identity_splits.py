# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Identities of the synthetic people, disjoint between training, validation and test."""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
import numpy as np

IDENTITY_MODES = 100
SPLITS = {
    'train': range(0, 1_000_000),
    'validation': range(1_000_000, 1_010_000),
    'test': range(1_010_000, 1_110_000),
}
"""Seeds of each split's people; a person is its seed."""
_STREAM = 0x1DE27171
"""Keeps the identity draws apart from any other generator that is seeded with a small number."""


def identity_seed(split: str, index: int) -> int:
    """
    Return the seed of one person.

    :param split: train, validation or test
    :param index: 0 to the size of the split - 1
    :raises SettingsError: there is no such split, or it has fewer people
    """
    if split not in SPLITS:
        raise SettingsError(f'unknown split {split!r}, expected one of {sorted(SPLITS)}')
    seeds = SPLITS[split]
    if not 0 <= index < len(seeds):
        raise SettingsError(f'identity {index} is outside the split {split!r}, expected 0 to '
                            f'{len(seeds) - 1}')
    return seeds[index]


def identity_coefficients(split: str, index: int) -> np.ndarray:
    """
    Shape coefficients of one person: normal, times a factor of 0.8 to 1 that looks natural.

    :returns: (100,) float32
    :raises SettingsError: see identity_seed
    """
    generator = np.random.default_rng((_STREAM, identity_seed(split, index)))
    factor = generator.uniform(0.8, 1.0)
    return (factor * generator.standard_normal(IDENTITY_MODES)).astype(np.float32)


def sample_identities(split: str, count: int,
                      generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw people of a split.

    :returns: indices within the split (count,) int64; coefficients (count, 100) float32
    :raises SettingsError: there is no such split
    """
    identity_seed(split, 0)
    indices = generator.integers(0, len(SPLITS[split]), count)
    return indices, np.stack([identity_coefficients(split, int(index)) for index in indices])
