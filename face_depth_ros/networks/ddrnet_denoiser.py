# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
DDRNet-dn: the depth-only denoiser of DDRNet.

Source: Yan et al., "DDRNet: Depth Map Denoising and Refinement for Consumer Depth Cameras Using
Cascaded CNNs", ECCV 2018; layout of the denoiser that its training script names (`convResnet`,
github.com/neycyanshi/DDRNet at 2877199, MIT; its facts, none of its code):
3 x 3 convolutions of 32, 64 and 128 channels with stride 2 between them, two residual blocks, and
3 x 3 transposed convolutions after each concatenated skip; no normalisation, leaky ReLU, a tanh
correction to the input in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

_SLOPE = 0.2


@dataclass(frozen=True)
class DDRNetDenoiserConfig:
    """
    Layout.

    :param width: channels at full resolution
    :param blocks: residual blocks at a quarter of it
    """

    width: int = 32
    blocks: int = 2


class PreactivatedBlock(nn.Module):
    """Residual block with the activation before its first convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the shape (B, C, H, W)."""
        return x + self.second(functional.relu(self.first(functional.relu(x))))


class DDRNetDenoiser(nn.Module):
    """Two scales down, residual blocks, two scales up, a correction to the input."""

    def __init__(self, config: DDRNetDenoiserConfig | None = None) -> None:
        super().__init__()
        self.config = config or DDRNetDenoiserConfig()
        w = self.config.width
        self.first = nn.Conv2d(1, w, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(w, 2 * w, 3, stride=2, padding=1),
                                   nn.Conv2d(2 * w, 4 * w, 3, stride=2, padding=1)])
        self.blocks = nn.Sequential(*(PreactivatedBlock(4 * w)
                                      for _ in range(self.config.blocks)))
        self.up = nn.ModuleList([
            nn.ConvTranspose2d(8 * w, 2 * w, 3, stride=2, padding=1, output_padding=1),
            nn.ConvTranspose2d(4 * w, w, 3, stride=2, padding=1, output_padding=1)])
        self.last = nn.Conv2d(2 * w, 1, 3, padding=1)

    def forward(self, depth: torch.Tensor) -> torch.Tensor:
        """
        Denoise.

        :param depth: (B, 1, H, W) in [0, 1], holes = 1; H and W multiples of 4
        :returns: the same form
        """
        x = 2.0 * depth - 1.0
        skips = [functional.leaky_relu(self.first(x), _SLOPE)]
        for layer in self.down:
            skips.append(functional.leaky_relu(layer(skips[-1]), _SLOPE))
        y = self.blocks(skips[-1])
        for layer in self.up:
            y = functional.leaky_relu(layer(torch.cat([skips.pop(), y], dim=1)), _SLOPE)
        y = torch.tanh(self.last(torch.cat([skips.pop(), y], dim=1)))
        return 0.5 * (x + y).clamp(-1.0, 1.0) + 0.5


def build_ddrnet_denoiser(config: DDRNetDenoiserConfig | None = None) -> DDRNetDenoiser:
    """Return an untrained network."""
    return DDRNetDenoiser(config)
