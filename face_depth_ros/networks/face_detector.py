# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Face detector: an anchor-free, fully convolutional network for oriented face boxes.

Source: own design of this package. It takes the idea of a face as a peak in a heatmap of centres
from Zhou et al., "Objects as Points" (arXiv:1904.07850), and the training of a face's geometry
over a neighbourhood of its centre from Liu et al., "Training-Time-Friendly Network for Real-Time
Object Detection" (arXiv:1909.00700). No reference code was used.
Changed against them: the box is a square with a roll (sine and cosine) and five landmarks in units
of its side; one output level of stride 8 serves all sizes; about 0.42 GMAC at 320 x 256.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from face_depth_ros.core.errors import SettingsError
import torch
from torch import nn
from torch.nn import functional

STRIDE = 8
"""Pixels of the input image along a side of one cell of the output maps."""
SIZE_MULTIPLE = 32
"""The network takes images whose height and width are multiples of this."""
SIDE_UNIT_PX = 32.0
"""A predicted log side of 0 is a box of this side."""
_SCORE_PRIOR = 0.01


@dataclass(frozen=True)
class FaceDetectorConfig:
    """
    Sizes of the network.

    :param stem: channels at strides 2 and 4
    :param widths: channels at strides 8, 16 and 32
    :param blocks: residual blocks at strides 8, 16 and 32
    :param neck: channels of the top-down path and the head
    """

    stem: tuple[int, int] = (16, 32)
    widths: tuple[int, int, int] = (48, 96, 128)
    blocks: tuple[int, int, int] = (2, 2, 3)
    neck: int = 64

    def __post_init__(self) -> None:
        sizes = (*self.stem, *self.widths, self.neck)
        if len(sizes) != 6 or len(self.blocks) != 3 or min(sizes) < 1 or min(self.blocks) < 0:
            raise SettingsError(
                f'the face detector cannot be built from {self}; expected two stem sizes, three '
                'widths and a neck > 0, and three block counts >= 0')


class FaceMaps(NamedTuple):
    """
    What the network says of every cell; h = H / 8, w = W / 8.

    :param score: (N, 1, h, w), logit of a face centre being in or near the cell
    :param box: (N, 5, h, w): offset x, y of the box centre from the cell's centre in cells;
        log of the side / 32 px; sine and cosine of the roll, about of unit length
    :param landmarks: (N, 10, h, w): x, y of the five landmarks from the box centre, in sides
    """

    score: torch.Tensor
    box: torch.Tensor
    landmarks: torch.Tensor


class ConvUnit(nn.Sequential):
    """Convolution, batch normalisation, ReLU; the size is divided by the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a skip connection; keeps size and channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, C, h, w) from (N, C, h, w)."""
        return functional.relu(x + self.norm(self.second(self.first(x))))


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(ConvUnit(inputs, outputs, stride=2),
                         *(ResidualBlock(outputs) for _ in range(blocks)))


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=2.0)  # (N, C, 2 h, 2 w)


class FaceDetectorNet(nn.Module):
    """
    The detector; input normalisation is part of it.

    :param config: sizes
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, config: FaceDetectorConfig = FaceDetectorConfig()) -> None:
        super().__init__()
        self.config = config
        self.register_buffer('mean', torch.tensor(127.5), persistent=False)
        self.register_buffer('scale', torch.tensor(1.0 / 64.0), persistent=False)
        stem, widths, neck = config.stem, config.widths, config.neck
        self.stem = nn.Sequential(ConvUnit(3, stem[0], stride=2),
                                  ConvUnit(stem[0], stem[1], stride=2))
        self.stages = nn.ModuleList(
            _stage(a, b, n) for a, b, n in zip((stem[1], *widths[:-1]), widths, config.blocks,
                                                    strict=True))
        self.lateral = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in widths)
        self.merge = ConvUnit(neck, neck)
        self.head = ConvUnit(neck, neck)
        self.score = nn.Conv2d(neck, 1, 1)
        self.box = nn.Conv2d(neck, 5, 1)
        self.landmarks = nn.Conv2d(neck, 10, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, ResidualBlock):
                nn.init.zeros_(module.norm.weight)
        for output in (self.score, self.box, self.landmarks):
            nn.init.normal_(output.weight, std=0.01)
        prior = torch.tensor(_SCORE_PRIOR)
        nn.init.constant_(self.score.get_parameter('bias'), float(torch.logit(prior)))

    def forward(self, image: torch.Tensor) -> FaceMaps:
        """
        Look for faces.

        :param image: (N, 3, H, W) float32 RGB in 0 to 255, H and W multiples of 32
        """
        x = self.stem((image - self.mean) * self.scale)  # (N, stem[1], H / 4, W / 4)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)  # strides 8, 16, 32
        fine, middle, coarse = (
            lateral(x) for lateral, x in zip(self.lateral, levels, strict=True))
        middle = self.merge(functional.relu(middle + _doubled(coarse)))
        fine = self.head(functional.relu(fine + _doubled(middle)))
        return FaceMaps(self.score(fine), self.box(fine), self.landmarks(fine))


class ExportedFaceDetector(nn.Module):
    """
    The detector as it is exported: a probability instead of a logit, maps as a tuple.

    :param network: the trained detector
    """

    def __init__(self, network: FaceDetectorNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return score in 0 to 1, box and landmarks; else as `FaceDetectorNet.forward`."""
        maps = self.network(image)
        return torch.sigmoid(maps.score), maps.box, maps.landmarks


def build_face_detector(config: FaceDetectorConfig = FaceDetectorConfig()) -> FaceDetectorNet:
    """Return an untrained detector."""
    return FaceDetectorNet(config)
