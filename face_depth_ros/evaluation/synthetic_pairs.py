# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pairs rendered by this package's own synthesis: people of the test split, the paper's damage."""

from __future__ import annotations

from collections.abc import Iterator

from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M
from face_depth_ros.evaluation.depth_pairs import DepthPair
from face_depth_ros.synthesis import degradation
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
import numpy as np
import torch

_BATCH = 16
_FIRST_SEED = 1_000_003
"""Seeds of the evaluation begin here, away from those that training steps use."""
_SURROUNDED_SEEDS = 50_000_000
_HIDDEN_BEHIND_M = 0.003
"""Head or neck this far behind what the camera sees is hidden by it."""


def rendered_pairs(count: int, assets: str = '') -> Iterator[DepthPair]:
    """
    Render pairs one after the other; the same count gives the same pairs, more adds to them.

    :param assets: folder of the head assets; '' = FACE_DEPTH_ASSETS or the known places
    :raises AssetsError: the assets are not there
    """
    # More threads than one make these small operations slower.
    torch.set_num_threads(1)
    source = FaceDepthRenderer(find_assets(assets or None), split='test')
    for first in range(0, count, _BATCH):
        seed = _FIRST_SEED + first
        batch = source.render(seed, _BATCH)
        noisy = degradation.degrade(batch.depth, torch.Generator().manual_seed(seed))
        nearest = degradation.nearest_surface(batch.depth)
        truth = degradation.normalise(batch.depth, nearest).numpy()
        degraded = degradation.normalise(noisy, nearest).numpy()
        for i in range(min(_BATCH, count - first)):
            yield DepthPair(truth[i], degraded[i])


def surrounded_pairs(count: int, assets: str = '') -> Iterator[DepthPair]:
    """
    Render pairs with hair, glasses, clothes, hands and walls in view.

    To compare is where the camera sees head or neck; the rest has no truth to judge by.

    :param assets: folder of the head assets; '' = FACE_DEPTH_ASSETS or the known places
    :raises AssetsError: the assets are not there
    """
    torch.set_num_threads(1)
    source = FaceDepthRenderer(find_assets(assets or None), split='test')
    for first in range(0, count, _BATCH):
        seed = _FIRST_SEED + _SURROUNDED_SEEDS + first
        batch = source.render(seed, _BATCH, observed=True)
        scene = batch.depth if batch.observed is None else batch.observed
        nearest = degradation.nearest_surface(scene)
        # The holes of the paper lie on outlines; those of what is far behind do not matter.
        behind = scene - nearest[:, None, None] >= FACE_DEPTH_RANGE_M
        near = torch.where(behind, torch.nan, scene)
        noisy = degradation.degrade(near, torch.Generator().manual_seed(seed))
        truth = degradation.normalise(batch.depth, nearest).numpy()
        degraded = degradation.normalise(noisy, nearest).numpy()
        seen = (batch.depth - scene < _HIDDEN_BEHIND_M).numpy() & (truth < 1.0)
        for i in range(min(_BATCH, count - first)):
            yield DepthPair(truth[i], degraded[i], seen[i], float(nearest[i]))


def damage(depth: np.ndarray, seed: int) -> np.ndarray:
    """
    Add the paper's holes, noise and blur to real depth.

    :param depth: metres, (256, 256) float32, NaN where invalid: a canonical crop
    :returns: the same with damage; what is invalid stays so
    """
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    return degradation.degrade(torch.from_numpy(depth)[None], generator)[0].numpy()
