# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A fully convolutional network from colour to depth, after the depth part of Cui et al.

Source: Cui et al., "Improving 2D Face Recognition via Discriminative Face Depth Estimation", ICB
2018, as far as it is public: its abstract and what others say of it. An FCN recovers the depth
from the colour image; a CNN behind it, in training only, keeps the subjects apart. The layers,
the size of the image and the loss are not public, so this is a network in its spirit and not its
rebuilding. Chosen here: the FCN of Long et al., "Fully Convolutional Networks for Semantic
Segmentation", CVPR 2015, with skips from every stage, summed, and transposed convolutions,
for 128 x 128 pixels; stages of VGG's kind, two 3 x 3 convolutions and a max pooling each, with
batch normalisation, for it begins untrained; mean squared error. The CNN of identities is left
out: it belongs to recognition, not to depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

SIZE = 128


@dataclass(frozen=True)
class CuiFcnConfig:
    """
    Layout.

    :param widths: channels of the stages; the image's side is a multiple of 2^len(widths)
    :param fused: channels in which the skips are summed
    """

    widths: tuple[int, ...] = (32, 64, 128, 256, 256)
    fused: int = 64


class Stage(nn.Sequential):
    """Two convolutions with batch normalisation and ReLU, then max pooling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2))


class CuiFcn(nn.Module):
    """Stages down; from the coarsest up by transposed convolutions, summed with the stages."""

    def __init__(self, config: CuiFcnConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stages = nn.ModuleList(
            Stage(a, b) for a, b in zip((3, *widths[:-1]), widths, strict=True))
        self.scores = nn.ModuleList(nn.Conv2d(width, config.fused, 1) for width in widths)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(config.fused, config.fused, 4, stride=2, padding=1)
            for _ in widths[1:])
        self.head = nn.ConvTranspose2d(config.fused, 1, 4, stride=2, padding=1)

    def forward(self, color: torch.Tensor) -> dict[str, torch.Tensor]:
        """
        Estimate.

        :param color: (B, 3, S, S) RGB in [-1, 1]
        :returns: depth (B, 1, S, S) in [-1, 1], -1 where there is no face
        """
        x, scores = color, []
        for stage, score in zip(self.stages, self.scores, strict=True):
            x = stage(x)
            scores.append(score(x))
        fused = scores.pop()
        for up, score in zip(self.up, reversed(scores), strict=True):
            fused = up(fused) + score
        return {'depth': self.head(fused).tanh()}


def build_cui_fcn(config: CuiFcnConfig | None = None) -> CuiFcn:
    """Return an untrained network."""
    return CuiFcn(config or CuiFcnConfig())
