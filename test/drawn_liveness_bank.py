# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Banks of drawn looks at faces and attacks, so that networks are trained without rendering."""

from __future__ import annotations

from face_depth_ros.core.liveness_input import SIZE
from face_depth_ros.synthesis.liveness_attacks import SPECIES
from face_depth_ros.training.liveness_bank import LivenessBank
import torch

_BUSTS = [SPECIES.index('small bust'), SPECIES.index('large bust')]
_ATTACKS = torch.tensor([*range(1, len(SPECIES)), *_BUSTS, *_BUSTS])


def drawn_looks(count: int = 44, seed: int = 0) -> LivenessBank:
    """
    Draw looks: every second one a living face, a dome with a nose; attacks are slopes and busts.

    Attacks go round, busts most often; these are domes with landmarks of another size.
    """
    generator = torch.Generator().manual_seed(seed)
    attack = _ATTACKS[torch.arange(count) // 2 % len(_ATTACKS)]
    species = torch.where(torch.arange(count) % 2 == 0, 0, attack)
    axis = torch.linspace(-1.0, 1.0, SIZE)
    x, y = axis[None, :], axis[:, None]
    face = (x / 0.7) ** 2 + (y / 0.9) ** 2 < 1.0
    dome = 0.5 - x ** 2 - 0.5 * y ** 2 + 0.9 * torch.exp(-40.0 * (x ** 2 + (y - 0.1) ** 2))
    size = torch.ones(count)
    size[species == _BUSTS[0]], size[species == _BUSTS[1]] = 0.5, 1.7
    solid = (species == 0) | (size != 1.0)
    slope = torch.rand(count, 1, 1, generator=generator) * 2.0 - 1.0
    relief = torch.where(solid[:, None, None], dome, slope * x.expand(SIZE, SIZE))
    relief = relief + 0.05 * torch.randn(count, SIZE, SIZE, generator=generator)
    place = torch.rand(68, 2, generator=torch.Generator().manual_seed(9)) * 2.0 - 1.0
    points = torch.cat([place.expand(count, 68, 2) * size[:, None, None],
                        torch.zeros(count, 68, 1), torch.ones(count, 68, 1)], dim=2)
    # The nose tip stands out of what is solid.
    points[:, 30, 2] = torch.where(solid, 0.8, -0.1)
    flags = torch.full((count, SIZE, SIZE), 0b111, dtype=torch.uint8) * face
    return LivenessBank(
        (relief * face).half(), flags, points.half(), torch.log(size)[:, None].repeat(1, 3),
        species, torch.arange(count), torch.full((count,), 0.7), torch.zeros(count),
        torch.ones(count), torch.where(solid, 0.05, 0.6))
