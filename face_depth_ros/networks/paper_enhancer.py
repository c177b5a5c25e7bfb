# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
DL-Alpha, DL-Beta, DL-Gamma and DL-Delta: the U-Net-like face depth enhancers of the paper.

Source: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", sections
III.C and IV.C, Table III. The paper gives the trainable parameters of each network, and in words
how they differ: Gamma is Alpha with 5 x 5 for 3 x 3 convolutions, Beta is Alpha with more filters
in these, Delta is Alpha shrunk and simplified. From the numbers follows that 303,924 weights of
Alpha, times 9, lie in 3 x 3 convolutions and 3,995,725 in layers that Gamma leaves alone. The
layouts below are found by search: they meet all four numbers exactly and keep the order of cost;
whether they are the authors' own cannot be known. One channel in and out, depth in [0, 1], holes
= 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn


@dataclass(frozen=True)
class PaperEnhancerConfig:
    """
    Layout of one network.

    :param widths: channels of each scale, from full resolution down by halves
    :param up_widths: channels of the transposed convolutions into each scale but the coarsest
    :param coarsest_convolutions: at the coarsest scale; elsewhere two on each side of the U
    :param kernel: of the convolutions, odd
    :param up_kernel: of the transposed convolutions, even
    :param up_norm: whether batch normalisation follows these
    :param head_kernel: of the last convolution, odd
    """

    widths: tuple[int, ...]
    up_widths: tuple[int, ...]
    coarsest_convolutions: int = 1
    kernel: int = 3
    up_kernel: int = 4
    up_norm: bool = False
    head_kernel: int = 1


ALPHA = PaperEnhancerConfig((36, 64, 80, 160, 400), (56, 88, 272, 488))
BETA = replace(ALPHA, widths=(72, 136, 144, 312, 536))
GAMMA = replace(ALPHA, kernel=5)
DELTA = PaperEnhancerConfig((48, 64, 80, 128, 192, 256), (48, 64, 80, 128, 192),
                            coarsest_convolutions=2, up_kernel=2, up_norm=True, head_kernel=3)
LAYOUTS = {'alpha': ALPHA, 'beta': BETA, 'gamma': GAMMA, 'delta': DELTA}
PAPER_PARAMETERS = {'alpha': 6_731_041, 'beta': 13_746_881, 'gamma': 11_593_825,
                    'delta': 4_175_713}
"""Table III; a test counts."""
_CONVOLUTIONS = 2


class ConvolutionBlock(nn.Sequential):
    """Convolutions of one scale, each with batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, count: int) -> None:
        layers: list[nn.Module] = []
        for i in range(count):
            layers += [nn.Conv2d(inputs if i == 0 else outputs, outputs, kernel,
                                 padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()]
        super().__init__(*layers)


class PaperEnhancer(nn.Module):
    """U-Net: convolutions and max pooling down, transposed convolutions and skips up."""

    def __init__(self, config: PaperEnhancerConfig) -> None:
        super().__init__()
        self.config = config
        widths, kernel = config.widths, config.kernel
        counts = [_CONVOLUTIONS] * (len(widths) - 1) + [config.coarsest_convolutions]
        self.encoder = nn.ModuleList(
            ConvolutionBlock(a, b, kernel, count)
            for a, b, count in zip((1, *widths[:-1]), widths, counts, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(below, up, config.up_kernel, stride=2,
                                             padding=(config.up_kernel - 2) // 2),
                          nn.BatchNorm2d(up) if config.up_norm else nn.Identity())
            for below, up in zip(widths[1:], config.up_widths, strict=True))
        self.decoder = nn.ModuleList(
            ConvolutionBlock(width + up, width, kernel, _CONVOLUTIONS)
            for width, up in zip(widths[:-1], config.up_widths, strict=True))
        self.head = nn.Conv2d(widths[0], 1, config.head_kernel, padding=config.head_kernel // 2)

    def forward(self, depth: torch.Tensor) -> torch.Tensor:
        """
        Enhance.

        :param depth: (B, 1, H, W) in [0, 1], holes = 1; H and W multiples of 2^(scales - 1)
        :returns: the same form, not clipped
        """
        x, skips = depth, []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else self.pool(x))
            skips.append(x)
        skips.pop()
        for level in reversed(range(len(self.up))):
            x = self.decoder[level](torch.cat([skips[level], self.up[level](x)], dim=1))
        enhanced: torch.Tensor = self.head(x)
        return enhanced


def build_paper_enhancer(name: str) -> PaperEnhancer:
    """
    Return an untrained network.

    :param name: alpha, beta, gamma or delta
    """
    return PaperEnhancer(LAYOUTS[name])
