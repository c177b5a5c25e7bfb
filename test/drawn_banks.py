# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Hand-made banks whose colours tell the first coefficients, for tests of shape training."""

from __future__ import annotations

from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
from face_depth_ros.training.identity_bank import IdentityBank, SIZE
import torch

EXPRESSIONS = 57


def drawn_bank(people: int = 8, images: int = 4, seed: int = 0) -> IdentityBank:
    """
    Return photos of grey level that follow the first identity and one expression coefficient.

    :param images: of each person
    """
    generator = torch.Generator().manual_seed(seed)
    identity = torch.randn(people, IDENTITY_MODES, generator=generator)
    person = torch.arange(people).repeat(images)
    count = len(person)
    expression = torch.zeros(count, EXPRESSIONS)
    expression[:, 30] = torch.rand(count, generator=generator)
    color = torch.full((count, 3, SIZE, SIZE), 128.0)
    color[:, 0] += 50.0 * identity[person, 0].clamp(-2.0, 2.0)[:, None, None]
    color[:, 1] += 50.0 * identity[person, 1].clamp(-2.0, 2.0)[:, None, None]
    color[:, 2, SIZE // 2:] += 100.0 * expression[:, 30, None, None]
    mask = torch.ones(count, SIZE, SIZE, dtype=torch.uint8)
    mask[:, :8] = 0
    depth = torch.zeros(count, SIZE, SIZE, dtype=torch.float16)
    yaw = torch.linspace(-90.0, 90.0, count)
    return IdentityBank(color.clamp(0.0, 255.0).to(torch.uint8), mask, depth, depth, person, yaw,
                        identity, expression, identity[:, :5], torch.zeros(count, 0))
