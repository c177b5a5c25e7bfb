# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How photos of a bank are varied while recognisers learn from them: light, gaps, place."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_ERASED = 0.25


def vary(inputs: tuple[torch.Tensor, ...], generator: torch.Generator,
         shift: Sequence[int] = (0, 0)) -> tuple[torch.Tensor, ...]:
    """
    Shift a batch, change each photo's light, erase parts of the mask.

    :param inputs: color (B, 3, S, S), depth and mask (B, 1, S, S)
    :param shift: pixels down and to the right
    """
    color, depth, mask = inputs
    color = varied_color(color, generator)
    return shifted((color, depth, erased(mask, generator)), shift)


def varied_color(color: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change the light of each photo and add noise, (B, 3, S, S), 0 to 255."""
    count, device = len(color), color.device

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, device=device)

    gain = 0.8 + 0.4 * uniform(count, 1, 1, 1)
    tint = 0.94 + 0.12 * uniform(count, 3, 1, 1)
    noise = torch.randn(color.shape, generator=generator, device=device)
    return (color * gain * tint + 4.0 * uniform(count, 1, 1, 1) * noise).clamp(0.0, 255.0)


def erased(mask: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Erase a rectangle of some masks, (B, 1, S, S)."""
    device, count, size = mask.device, len(mask), mask.shape[-1]
    axis = (torch.arange(size, device=device) + 0.5) / size
    half = 0.05 + 0.15 * torch.rand((count, 2), generator=generator, device=device)
    middle = torch.rand((count, 2), generator=generator, device=device)
    inside = ((axis - middle[:, :1]).abs() < half[:, :1])[:, None, None, :] & (
        (axis - middle[:, 1:]).abs() < half[:, 1:])[:, None, :, None]
    chosen = torch.rand((count,), generator=generator, device=device) < _ERASED
    return mask * ~(inside & chosen[:, None, None, None])


def shifted(images: Sequence[torch.Tensor], shift: Sequence[int]) -> tuple[torch.Tensor, ...]:
    """Shift a batch by pixels down and to the right; what leaves comes in on the other side."""
    moved = tuple(torch.roll(image, tuple(shift), (2, 3)) for image in images)
    return tuple(image.contiguous(memory_format=torch.channels_last) for image in moved)
