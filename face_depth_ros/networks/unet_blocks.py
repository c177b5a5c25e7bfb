# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Parts that DepthNet and pix2pix have in common: the U-Net and the patch discriminator of pix2pix.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR
2017, sections 3.2 and 6.1 (appendix): 4 x 4 kernels of stride 2, LeakyReLU 0.2 on the way down,
ReLU on the way up, batch normalisation everywhere but in the first layer and where there is but
one pixel (its only activation would be normalised to zero), weights drawn from N(0, 0.02).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

_SLOPE = 0.2
_SPREAD = 0.02


class Down(nn.Sequential):
    """Half the size: activation, convolution, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, *, first: bool = False, norm: bool = True,
                 ) -> None:
        convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not norm)
        super().__init__(nn.Identity() if first else nn.LeakyReLU(_SLOPE), convolution,
                         nn.BatchNorm2d(outputs) if norm else nn.Identity())


class Up(nn.Sequential):
    """Twice the size: activation, transposed convolution, batch normalisation, dropout."""

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs), nn.Dropout(dropout) if dropout else nn.Identity())


def unet_widths(width: int, levels: int) -> tuple[int, ...]:
    """Return the channels of each level: doubling from `width`, at most 8 times that."""
    return tuple(width * min(2 ** level, 8) for level in range(levels))


class UNetEncoder(nn.Module):
    """
    The way down.

    :param inputs: channels of the image
    :param widths: channels of each level, the last one has a side of 2^-levels
    """

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        last = len(widths) - 1
        self.levels = nn.ModuleList(
            Down(a, b, first=level == 0, norm=0 < level < last)
            for level, (a, b) in enumerate(zip((inputs, *widths[:-1]), widths, strict=True)))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """
        Encode.

        :param image: (B, inputs, S, S), S a multiple of 2^levels
        :returns: features of each level, finest first
        """
        features = [image]
        for level in self.levels:
            features.append(level(features[-1]))
        return features[1:]


class UNetDecoder(nn.Module):
    """
    The way up, with skip connections, to half the image's size; heads do the last step.

    :param widths: as the encoder's
    :param dropout: of the three coarsest steps
    """

    def __init__(self, widths: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.levels = nn.ModuleList(
            Up(below if i == 0 else 2 * below, up, dropout if i < 3 else 0.0)
            for i, (below, up) in enumerate(steps))
        self.outputs = 2 * widths[0]

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """
        Decode.

        :param features: of the encoder
        :returns: (B, outputs, S / 2, S / 2)
        """
        x = features[-1]
        for level, skip in zip(self.levels, features[-2::-1], strict=True):
            x = torch.cat([level(x), skip], dim=1)
        return x


def image_head(inputs: int, outputs: int) -> nn.Sequential:
    """Return the last step up, with bias and without normalisation."""
    return nn.Sequential(nn.ReLU(),
                         nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1))


class PatchDiscriminator(nn.Module):
    """
    Judges 70 x 70 patches: C64-C128-C256-C512 and one score, widths in units of `width` / 64.

    :param inputs: channels of what is judged
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Down(inputs, width, first=True, norm=False),
            Down(width, 2 * width), Down(2 * width, 4 * width), nn.LeakyReLU(_SLOPE),
            nn.Conv2d(4 * width, 8 * width, 4, padding=1, bias=False),
            nn.BatchNorm2d(8 * width), nn.LeakyReLU(_SLOPE), nn.Conv2d(8 * width, 1, 4, padding=1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """
        Judge.

        :param image: (B, inputs, S, S)
        :returns: scores (B, 1, S / 8 - 2, S / 8 - 2), the larger the more real; no sigmoid
        """
        scores: torch.Tensor = self.layers(image)
        return scores


def draw_weights(network: nn.Module) -> None:
    """Draw the weights as in the paper: N(0, 0.02), scales of normalisations N(1, 0.02)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, _SPREAD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, _SPREAD)
            nn.init.zeros_(module.bias)
