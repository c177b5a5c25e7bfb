# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The Siamese network that tells from two depth images whether they show the same person.

Source: Pini et al., "Learning to Generate Facial Depth Maps", section 4.3 and Figure 3: k3n64s2 -
k3n128s2 - k3n256s2 - k3n256s2 - k3n256s2 - avgpool k2 - fc128 - fc32 - fc1 on 96 x 96 depth,
similarity in [0, 1]. The rest is our choice:

- Join: the absolute difference of both branches' 256 pooled features goes into fc128. The answer
  is then the same in either order, and the fully connected layers see how the faces differ, not
  what they look like; fed with both features they could learn the people of the training by heart.
- No padding: 96, 47, 23, 11, 5, 2 pixels; the pooling of 2 then covers the last map exactly.
- Batch normalisation and ReLU after each convolution, as the paper's encoder has normalisation;
  ReLU between the fully connected layers, a sigmoid at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

SIZE = 96


@dataclass(frozen=True)
class FaceVerifierConfig:
    """
    Layout of the network.

    :param widths: channels of the convolutions, each of stride 2
    :param kernel: of the convolutions
    :param pool: kernel and stride of the average pooling; one pixel must be left of 96
    :param hidden: units of the fully connected layers but the last
    """

    widths: tuple[int, ...] = (64, 128, 256, 256, 256)
    kernel: int = 3
    pool: int = 2
    hidden: tuple[int, ...] = (128, 32)


class ConvolutionBlock(nn.Sequential):
    """A convolution of stride 2 without padding, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride=2), nn.BatchNorm2d(outputs),
                         nn.ReLU())


class FaceVerifier(nn.Module):
    """Two branches with the same weights, joined by their absolute difference."""

    def __init__(self, config: FaceVerifierConfig) -> None:
        super().__init__()
        self.config = config
        blocks = [ConvolutionBlock(a, b, config.kernel)
                  for a, b in zip((1, *config.widths), config.widths, strict=False)]
        self.branch = nn.Sequential(*blocks, nn.AvgPool2d(config.pool), nn.Flatten())
        layers: list[nn.Module] = []
        for a, b in zip((config.widths[-1], *config.hidden), config.hidden, strict=False):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.head = nn.Sequential(*layers, nn.Linear(config.hidden[-1], 1))

    def features(self, depth: torch.Tensor) -> torch.Tensor:
        """
        Describe faces.

        :param depth: (B, 1, 96, 96) in [-1, 1], grey depth / 127.5 - 1
        :returns: (B, 256), at least 0
        """
        described: torch.Tensor = self.branch(depth)
        return described

    def logits(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """
        Compare described faces.

        :param first: (B, 256) of `features`, and so `second`
        :returns: (B, 1), positive where they are rather the same person
        """
        compared: torch.Tensor = self.head((first - second).abs())
        return compared

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """
        Compare faces.

        :param first: as of `features`, and so `second`
        :returns: similarity, (B, 1) in [0, 1], above 0.5 for the same person
        """
        return torch.sigmoid(self.logits(self.features(first), self.features(second)))


def build_face_verifier(config: FaceVerifierConfig | None = None) -> FaceVerifier:
    """Return an untrained network, by default the paper's."""
    return FaceVerifier(config or FaceVerifierConfig())
