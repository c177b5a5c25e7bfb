# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
pix2pix from colour to depth.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR
2017, sections 3 and 6.1: the U-Net of eight levels at 256 x 256, dropout of one half in the three
coarsest steps up as its noise, the 70 x 70 patch discriminator conditioned on the input image, L1
with the weight 100. Changed here: half the paper's width (32 for 64), so that a processor can
train it; and in use the dropout is off and batch normalisation takes its running statistics, where
the paper keeps both as in training, for a depth image must not change from one call to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.networks.unet_blocks import (
    draw_weights,
    image_head,
    PatchDiscriminator,
    unet_widths,
    UNetDecoder,
    UNetEncoder,
)
import torch
from torch import nn

SIZE = 256


@dataclass(frozen=True)
class Pix2PixConfig:
    """
    Layout.

    :param width: channels of the finest level, 64 in the paper
    :param levels: halvings of the image; its side is a multiple of 2^levels
    """

    width: int = 32
    levels: int = 8
    dropout: float = 0.5


class Pix2Pix(nn.Module):
    """The generator."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        widths = unet_widths(config.width, config.levels)
        self.encoder = UNetEncoder(3, widths)
        self.decoder = UNetDecoder(widths, config.dropout)
        self.head = image_head(self.decoder.outputs, 1)
        draw_weights(self)

    def forward(self, color: torch.Tensor) -> dict[str, torch.Tensor]:
        """
        Translate.

        :param color: (B, 3, S, S) RGB in [-1, 1]
        :returns: depth (B, 1, S, S) in [-1, 1], -1 where there is no face
        """
        return {'depth': self.head(self.decoder(self.encoder(color))).tanh()}


def build_pix2pix(config: Pix2PixConfig | None = None) -> Pix2Pix:
    """Return an untrained generator."""
    return Pix2Pix(config or Pix2PixConfig())


def build_pix2pix_discriminator(config: Pix2PixConfig) -> PatchDiscriminator:
    """Return the discriminator: of colour and depth together, (B, 4, S, S)."""
    judge = PatchDiscriminator(4, config.width)
    draw_weights(judge)
    return judge
