# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos of a bank as a face shape network learns from them."""

from __future__ import annotations

from dataclasses import fields

from face_depth_ros.training.identity_bank import IdentityBank
import torch

_ERASED = 0.25


def joined(first: IdentityBank, second: IdentityBank) -> IdentityBank:
    """Return both banks as one; their people are different ones."""
    values = {f.name: torch.cat([getattr(first, f.name), getattr(second, f.name).to(
        first.person.device)]) for f in fields(IdentityBank)}
    values['person'][len(first):] += first.people
    return IdentityBank(**values)


def inputs_of(bank: IdentityBank, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return color (B, 3, 112, 112) 0 to 255 and mask (B, 1, 112, 112), float32."""
    return bank.color[rows].float(), bank.mask[rows].float()[:, None]


def vary(color: torch.Tensor, mask: torch.Tensor,
         generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Change light, contrast and tint of each photo, add noise, hide a part of some faces.

    Nothing is mirrored: mirrored faces have other coefficients.

    :param color: (B, 3, S, S), 0 to 255; mask: (B, 1, S, S)
    """
    count, size, device = len(color), color.shape[-1], color.device

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, device=device)

    middle = color.mean(dim=(1, 2, 3), keepdim=True)
    color = (color - middle) * uniform(0.8, 1.2, count, 1, 1, 1) + middle
    color = color * uniform(0.75, 1.25, count, 1, 1, 1) * uniform(0.95, 1.05, count, 3, 1, 1)
    noise = torch.randn(color.shape, generator=generator, device=device)
    color = (color + uniform(0.0, 5.0, count, 1, 1, 1) * noise).clamp(0.0, 255.0)
    axis = (torch.arange(size, device=device) + 0.5) / size
    centre, half = uniform(0.0, 1.0, count, 2), uniform(0.04, 0.14, count, 2)
    inside = (axis - centre[..., None]).abs() < half[..., None]  # (B, 2, S)
    hidden = inside[:, 0, :, None] & inside[:, 1, None, :]
    hidden = hidden & (uniform(0.0, 1.0, count, 1, 1) < _ERASED)
    return color.contiguous(memory_format=torch.channels_last), mask * ~hidden[:, None]
