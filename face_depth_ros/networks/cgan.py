# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The conditional GAN from grey face to depth map, and its encoder-decoder alone (AE).

Source: Pini et al., "Learning to Generate Facial Depth Maps", 3DV 2018, section 3.1 and figure 2.
In its shorthand (kernel, feature maps, stride) the generator is k5n128s2 - k5n256s2 - k5n512s2 -
k5n1024s2, transposed k5n512s2 - k5n256s2 - k5n128s2 - k5n64s2, and k5n1s1; the discriminator is
the generator's encoder and one unit on the flattened 6 x 6 x 1024; it sees the depth alone, as
text and figure have it. 96 x 96 pixels. AE is the same generator without a discriminator. Not in
the paper: padding, here such that a layer halves or doubles the side exactly, and the first
weights, here torch's own. A convolution before batch normalisation has no bias, which that would
take away again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

SIZE = 96
_KERNEL = 5
_SLOPE = 0.2


@dataclass(frozen=True)
class CganConfig:
    """
    Layout.

    :param down: feature maps of the encoder; of the discriminator too
    :param up: feature maps of the decoder
    :param size: side of the image, a multiple of 2^len(down)
    """

    down: tuple[int, ...] = (128, 256, 512, 1024)
    up: tuple[int, ...] = (512, 256, 128, 64)
    size: int = SIZE


def build_encoder(widths: tuple[int, ...]) -> nn.Sequential:
    """Return convolutions of stride 2, each with batch normalisation and LeakyReLU 0.2."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip((1, *widths[:-1]), widths, strict=True):
        layers += [nn.Conv2d(inputs, outputs, _KERNEL, stride=2, padding=_KERNEL // 2, bias=False),
                   nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers)


def build_decoder(inputs: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Return transposed convolutions of stride 2, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for before, after in zip((inputs, *widths[:-1]), widths, strict=True):
        layers += [nn.ConvTranspose2d(before, after, _KERNEL, stride=2, padding=_KERNEL // 2,
                                      output_padding=1, bias=False),
                   nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


class CganGenerator(nn.Module):
    """Fully convolutional encoder and decoder, without skip connections."""

    def __init__(self, config: CganConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.down)
        self.decoder = build_decoder(config.down[-1], config.up)
        self.head = nn.Conv2d(config.up[-1], 1, _KERNEL, padding=_KERNEL // 2)

    def forward(self, grey: torch.Tensor) -> dict[str, torch.Tensor]:
        """
        Generate.

        :param grey: (B, 1, S, S) in [-1, 1]
        :returns: depth (B, 1, S, S) in [-1, 1], -1 where there is no face
        """
        return {'depth': self.head(self.decoder(self.encoder(grey))).tanh()}


class CganDiscriminator(nn.Module):
    """The encoder once more, and one unit."""

    def __init__(self, config: CganConfig) -> None:
        super().__init__()
        self.encoder = build_encoder(config.down)
        side = config.size // 2 ** len(config.down)
        self.fc1 = nn.Linear(config.down[-1] * side * side, 1)

    def forward(self, depth: torch.Tensor) -> torch.Tensor:
        """
        Judge.

        :param depth: (B, 1, S, S) in [-1, 1]
        :returns: (B, 1), the logit of "real": the paper's sigmoid is in the loss, where it does
            not overflow
        """
        logits: torch.Tensor = self.fc1(self.encoder(depth).flatten(1))
        return logits


def build_cgan(config: CganConfig | None = None) -> CganGenerator:
    """Return an untrained generator."""
    return CganGenerator(config or CganConfig())


def build_cgan_discriminator(config: CganConfig) -> CganDiscriminator:
    """Return an untrained discriminator."""
    return CganDiscriminator(config)
