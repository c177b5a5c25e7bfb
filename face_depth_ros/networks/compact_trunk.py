# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What the compact networks of faces share: from an image to a vector, in milliseconds on a CPU.

Source: our own. Images enter as blocks of 2 x 2 pixels, so that nothing is computed at full size;
residual blocks without squeeze-and-excitation, which breaks up the work of a CPU; the last map is
weighed place by place (a depthwise convolution over all of it) instead of averaged, since a
face's parts have their places.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

_BLOCK = 2


class ResidualBlock(nn.Module):
    """
    Two 3 x 3 convolutions with batch normalisation around a skip.

    :param inner: channels between them
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.first = convolution(width, inner)
        self.second = convolution(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the shape (B, C, H, W)."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class CompactTrunk(nn.Module):
    """
    Stages of residual blocks, and the last map weighed by place.

    :param planes: channels of the image
    :param widths: channels at a half, a quarter and so on of its size
    :param blocks: residual blocks, a stage each
    :param last: pixels along a side of the last map
    :param inner: channels within the blocks, in order; empty = those of their stages
    :param ranks: channels that are left between the halves of each step down, in order; empty =
        all steps are whole, one convolution each
    """

    def __init__(self, planes: int, widths: Sequence[int], blocks: Sequence[int],
                 last: int, inner: Sequence[int] = (), ranks: Sequence[int] = ()) -> None:
        super().__init__()
        within = iter(inner or [w for w, count in zip(widths, blocks, strict=True)
                                for _ in range(count)])
        self.stem = convolution(planes * _BLOCK * _BLOCK, widths[0])
        self.down = nn.ModuleList(
            step_down(a, rank, b) if rank else convolution(a, b, stride=2)
            for a, b, rank in zip(widths[:-1], widths[1:], ranks or [0] * (len(widths) - 1),
                                  strict=True))
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, next(within)) for _ in range(count)))
            for width, count in zip(widths, blocks, strict=True))
        self.places = nn.Conv2d(widths[-1], 2 * widths[-1], last, groups=widths[-1], bias=False)
        self.normalize_places = nn.BatchNorm2d(2 * widths[-1])

    def weigh(self, image: torch.Tensor,
              maps: dict[int, torch.Tensor] | None = None) -> torch.Tensor:
        """
        Turn images into vectors.

        :param image: (B, P, S, S)
        :param maps: what the features after a stage are multiplied by, by stage
        :returns: (B, 2 C), C = the last width
        """
        x = functional.relu(self.stem(functional.pixel_unshuffle(image, _BLOCK)))
        for index, stage in enumerate(self.stages):
            if index:
                x = functional.relu(self.down[index - 1](x))
            x = stage(x)
            if maps is not None and index in maps:
                x = x * maps[index]
        weighed: torch.Tensor = self.normalize_places(self.places(x)).flatten(1)
        return weighed


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3 x 3, then batch normalisation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                         nn.BatchNorm2d(outputs))


def step_down(inputs: int, rank: int, outputs: int) -> nn.Sequential:
    """
    3 x 3 of stride 2 in two halves, the first one linear; then batch normalisation.

    Source: Jaderberg et al., "Speeding up Convolutional Neural Networks with Low Rank Expansions"
    (BMVC 2014), and Zhang et al., "Accelerating Very Deep Convolutional Networks" (TPAMI 2016),
    whose halves these are.

    :param rank: channels between the halves
    """
    return nn.Sequential(
        nn.Conv2d(inputs, rank, 3, 2, 1, bias=False),
        nn.Sequential(nn.Conv2d(rank, outputs, 1, bias=False), nn.BatchNorm2d(outputs)))
