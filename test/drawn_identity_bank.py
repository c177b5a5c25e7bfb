# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Banks of drawn people, so that recognisers are trained and exported without rendering."""

from __future__ import annotations

from dataclasses import replace

from drawn_shapes import MODES, seen_surface
from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.recognition_input import DEPTH_LIMIT, SIZE
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
from face_depth_ros.training.identity_bank import IdentityBank, row_of_surface
import numpy as np
import torch

EXPRESSIONS = 57


def drawn_bank(people: int = 4, images: int = 3, seed: int = 0, noise: float = 0.2,
               ) -> IdentityBank:
    """
    Draw the photos of some people in rounds, as a renderer does.

    A person is a coarse pattern of colour, one of relief and one of labels.

    :param noise: of a photo, as a share of what people differ by
    """
    generator = torch.Generator().manual_seed(seed)

    def pattern(count: int, channels: int) -> torch.Tensor:
        coarse = torch.rand(count, channels, 7, 7, generator=generator)
        return coarse.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)

    person = torch.arange(people).repeat(images)
    count = len(person)
    color = pattern(people, 3)[person] + noise * torch.randn(count, 3, SIZE, SIZE,
                                                             generator=generator)
    relief = pattern(people, 1)[person, 0]
    labels = (1 + pattern(people, 1)[:, 0] * (len(MASK_LABELS) - 1.001)).to(torch.uint8)
    mask = labels[person]
    mask[:, :16] = 0
    mask[:, :, :8] = 0

    def depth() -> torch.Tensor:
        values = 2.0 * relief - 1.0 + noise * torch.randn(relief.shape, generator=generator)
        return torch.where(mask > 0, values.clamp(-DEPTH_LIMIT, DEPTH_LIMIT), -DEPTH_LIMIT).half()

    return IdentityBank(
        (255.0 * color).clamp(0.0, 255.0).to(torch.uint8), mask, depth(), depth(), person,
        60.0 * torch.rand(count, generator=generator) - 30.0,
        torch.randn(people, IDENTITY_MODES, generator=generator),
        torch.rand(count, EXPRESSIONS, generator=generator), torch.zeros(people, 0),
        torch.zeros(count, 0))


def drawn_bank_with_surfaces(people: int, noise: float = 0.2) -> IdentityBank:
    """Draw three photos of each, estimated depth as measured, with surfaces of turned heads."""
    drawn = drawn_bank(people, 3, noise=noise)
    shapes = np.random.default_rng(1).standard_normal((people, MODES))
    rows = [row_of_surface(seen_surface(shapes[p], yaw=0.1 * (i % 3), size=64))
            for i, p in enumerate(drawn.person.tolist())]
    return replace(drawn, estimated=drawn.measured, surface=torch.from_numpy(np.stack(rows)))
