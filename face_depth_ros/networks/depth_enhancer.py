# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The depth enhancer: a small residual U-Net from degraded to repaired face depth.

Source: our own. The task, the 25 cm normalisation and the depth-only rule are those of Schlett et
al., "Deep Learning-based Single Image Face Depth Data Enhancement" (section III); the network is
not. It differs from the paper's U-Nets in that it works on 4 x 4 pixel blocks (pixel unshuffle,
Shi et al., CVPR 2016), predicts a correction to a smoothly filled input instead of the depth
itself (how much of the blocks' own smoothing to take, and what to add), and tells geometry (depth
everywhere) from support (is there a head at all) and from its own expected error. RGB never
reaches it, so a picture of a face cannot become a face.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

BLOCK = 4
"""Pixels along the side of a block that the stem turns into channels."""

_FINE_GAIN, _FINE_LIMIT = 30.0, 3.0
"""Noise is a hundredth of the depth range; amplified so far, training sees it from the start."""
_CORRECTION_GAIN = 0.05
_STEM_CHANNELS = 2 * BLOCK * BLOCK + 3


@dataclass(frozen=True)
class DepthEnhancerConfig:
    """
    Size of the network.

    :param widths: channels at 1/4, 1/8, 1/16, 1/32 of the input resolution
    :param encoder_blocks: residual blocks on the way down, per scale
    :param decoder_blocks: residual blocks on the way up, per scale but the coarsest
    """

    widths: tuple[int, ...] = (64, 80, 128, 160)
    encoder_blocks: tuple[int, ...] = (1, 1, 1, 2)
    decoder_blocks: tuple[int, ...] = (1, 1, 1)


class EnhancerOutput(NamedTuple):
    """
    What the network says, each (B, 1, H, W).

    :param correction: to be added to the filled depth, normalised units (1 = 25 cm)
    :param log_error: natural logarithm of the expected absolute error, normalised units
    :param support: logit of "there is head or neck surface here"
    """

    correction: torch.Tensor
    log_error: torch.Tensor
    support: torch.Tensor


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a skip; starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the shape (B, C, H, W)."""
        return x + self.second(functional.relu(self.first(functional.relu(x))))


class DepthEnhancer(nn.Module):
    """
    Residual U-Net on 4 x 4 blocks.

    Input: filled depth and validity, each (B, 1, H, W) with H and W multiples of 32.
    """

    interpolation: torch.Tensor

    def __init__(self, config: DepthEnhancerConfig | None = None) -> None:
        super().__init__()
        self.config = config or DepthEnhancerConfig()
        widths = self.config.widths
        self.stem = nn.Conv2d(_STEM_CHANNELS, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(n)))
            for w, n in zip(widths, self.config.encoder_blocks, strict=True))
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(
            nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(n)))
            for w, n in zip(widths[:-1], self.config.decoder_blocks, strict=True))
        self.head = nn.Conv2d(widths[0], 4 * BLOCK * BLOCK + 1, 3, padding=1)
        self.register_buffer('interpolation', interpolation_kernel(2), persistent=False)
        for parameter in self.head.parameters():
            nn.init.normal_(parameter, std=1e-2)

    def forward(self, depth: torch.Tensor, valid: torch.Tensor) -> EnhancerOutput:
        """
        Repair.

        :param depth: normalised, holes filled by `fill_holes`, (B, 1, H, W) in [0, 1)
        :param valid: 1 where the depth was measured within the slab, else 0, (B, 1, H, W)
        """
        x = self.stem(block_features(depth, valid))  # (B, C, H/4, W/4)
        skips = []
        for level, blocks in enumerate(self.encoder):
            x = blocks(x)
            if level < len(self.down):
                skips.append(x)
                x = self.down[level](functional.relu(x))
        for level in reversed(range(len(self.down))):
            x = functional.interpolate(self.up[level](x), scale_factor=2.0, mode='nearest')
            x = self.decoder[level](x + skips[level])
        x = self.head(functional.relu(x))  # (B, 65, H/4, W/4)
        fine, log_error, support, gate, coarse = x.split([BLOCK * BLOCK] * 4 + [1], dim=1)
        mean = functional.avg_pool2d(depth, BLOCK)
        padded = functional.pad(torch.cat([mean, _CORRECTION_GAIN * coarse], dim=1),
                                (1, 1, 1, 1), mode='replicate')
        smooth, coarse = functional.conv2d(padded, self.interpolation, groups=2).chunk(2, dim=1)
        correction = (torch.sigmoid(gate) * (smooth - functional.pixel_unshuffle(depth, BLOCK))
                      + coarse + _CORRECTION_GAIN * fine)  # (B, 16, H/4, W/4)
        return EnhancerOutput(*(functional.pixel_shuffle(t, BLOCK)
                                for t in (correction, log_error - 4.0, support)))


def interpolation_kernel(channels: int) -> torch.Tensor:
    """
    Weights of a grouped 3 x 3 convolution that interpolates bilinearly from blocks to pixels.

    :returns: (16 C, 1, 3, 3): of C block images with a border of one repeated block, it makes
        (B, 16 C, H/4, W/4), of which `pixel_shuffle` makes C images; the same numbers as resizing,
        in half of the time on a CPU
    """
    offset = (torch.arange(BLOCK) + 0.5) / BLOCK - 0.5
    line = torch.stack([(-offset).clamp_min(0), 1.0 - offset.abs(), offset.clamp_min(0)], 1)
    kernel = torch.einsum('ai,bj->abij', line, line).reshape(BLOCK * BLOCK, 1, 3, 3)
    return kernel.repeat(channels, 1, 1, 1)


def block_features(depth: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """
    Depth by blocks, split into parts of like size: shape, relief and noise.

    :param depth: (B, 1, H, W)
    :param valid: (B, 1, H, W)
    :returns: (B, 35, H/4, W/4): each pixel against its block's mean, validity, the block's mean,
        and that against the means of 3 x 3 and 9 x 9 blocks
    """
    mean = functional.avg_pool2d(depth, BLOCK)  # (B, 1, H/4, W/4)
    relief = [mean - functional.avg_pool2d(mean, k, 1, k // 2, count_include_pad=False)
              for k in (3, 9)]
    fine = torch.cat([functional.pixel_unshuffle(depth, BLOCK) - mean, *relief], dim=1)
    fine = (_FINE_GAIN * fine).clamp(-_FINE_LIMIT, _FINE_LIMIT)  # (B, 18, H/4, W/4)
    return torch.cat([fine, functional.pixel_unshuffle(valid, BLOCK), 4.0 * mean - 1.0], dim=1)


def build_depth_enhancer(config: DepthEnhancerConfig | None = None) -> DepthEnhancer:
    """Return an untrained network."""
    return DepthEnhancer(config)


def fill_holes(depth: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """
    Batched twin of core.depth.fill_holes.

    :param depth: (B, 1, H, W), H and W powers of two; not read where `valid` is 0
    :param valid: (B, 1, H, W) of 0 and 1
    :returns: (B, 1, H, W): `depth` where valid, elsewhere averages of larger surroundings
    """
    values, weights = [depth * valid], [valid]
    while min(values[-1].shape[-2:]) > 2:
        values.append(functional.avg_pool2d(values[-1], 2))
        weights.append(functional.avg_pool2d(weights[-1], 2))
    total = weights[-1].sum(dim=(2, 3), keepdim=True)
    mean = values[-1].sum(dim=(2, 3), keepdim=True) / total.clamp_min(1e-12)
    filled = mean.expand_as(values[-1])
    for value, weight in zip(reversed(values), reversed(weights), strict=True):
        if filled.shape != value.shape:
            filled = functional.interpolate(filled, scale_factor=2.0, mode='bilinear',
                                            align_corners=False)
        filled = torch.where(weight > 0, value / weight.clamp_min(1e-12), filled)
    return filled
