# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The face estimator: relief, mask, 68 landmarks and a confidence from one colour crop.

Source: our own; the task is that of DepthNet (Chiu et al., "High-Accuracy RGB-D Face Recognition
via Segmentation-Aware Face Depth Estimation and Mask-Guided Attention Network", section III.A)
and of Pini et al., "Learning to Generate Facial Depth Maps". It differs from both: one encoder and
one decoder whose features serve depth, mask and landmarks alike; relief is regressed with its own
expected error instead of painted under an adversary; the mask says where it holds; landmarks are
the means of 68 heat maps (Nibali et al., "Numerical Coordinate Regression", 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
import torch
from torch import nn
from torch.nn import functional

SIZE = 192
"""Pixels along a side of the crop."""
_BLOCK = 2
_LEAST_CONTRAST = 8.0
_LOG_SIGMA_START = -4.0
_COARSE_BLOCK, _LEAST_SHAPE, _BLANK_PENALTY = 8, 1.5, 40.0


@dataclass(frozen=True)
class FaceEstimatorConfig:
    """
    Size of the network.

    :param widths: channels at 1/2, 1/4, 1/8, 1/16, 1/32 of the input resolution
    :param encoder_blocks: residual blocks on the way down, per scale but the finest
    :param decoder_blocks: residual blocks on the way up, per scale but the finest and coarsest
    """

    widths: tuple[int, ...] = (32, 64, 96, 160, 224)
    encoder_blocks: tuple[int, ...] = (1, 2, 2, 3)
    decoder_blocks: tuple[int, ...] = (1, 1, 1)


class FaceEstimates(NamedTuple):
    """
    What the network says of B crops.

    :param relief: (B, 1, S, S) depth behind the head point, in sides of the face box
    :param log_sigma: (B, 1, S, S) natural logarithm of its expected absolute error, same unit
    :param mask: (B, 7, S, S) logits of the classes of core.face_photo.MASK_LABELS
    :param landmarks: (B, 68, 2) in sides of the crop, x and y from its corner
    :param visibility: (B, 68) logits of "nothing hides this point"
    :param confidence: (B, 1) logit of "there is a face in this crop"
    """

    relief: torch.Tensor
    log_sigma: torch.Tensor
    mask: torch.Tensor
    landmarks: torch.Tensor
    visibility: torch.Tensor
    confidence: torch.Tensor


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation around a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width)
        nn.init.zeros_(self.second.get_parameter('1.weight'))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the shape (B, C, H, W)."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class FaceEstimator(nn.Module):
    """
    Encoder-decoder on 2 x 2 pixel blocks.

    Input: (B, 3, S, S) RGB, 0 to 255, S a multiple of 32.
    """

    def __init__(self, config: FaceEstimatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or FaceEstimatorConfig()
        widths = self.config.widths
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.stem = convolution(3 * _BLOCK * _BLOCK, widths[0])
        self.down = nn.ModuleList(convolution(a, b, stride=2) for a, b in pairs)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(n)))
            for w, n in zip(widths[1:], self.config.encoder_blocks, strict=True))
        self.context = nn.Linear(widths[-1], widths[-1])
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.decoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(n)))
            for w, n in zip(widths[1:-1], self.config.decoder_blocks, strict=True))
        self.fine = convolution(widths[0], widths[0])
        self.maps = nn.Conv2d(widths[0], _BLOCK * _BLOCK * (2 + len(MASK_LABELS)), 3, padding=1)
        self.points = nn.Conv2d(widths[1], LANDMARK_COUNT, 1)
        self.visibility = nn.Linear(widths[-1], LANDMARK_COUNT)
        self.confidence = nn.Linear(widths[-1], 1)
        self.finest = ResidualBlock(widths[0])
        nn.init.normal_(self.maps.weight, std=1e-2)

    def forward(self, color: torch.Tensor) -> FaceEstimates:
        """
        Estimate.

        :param color: (B, 3, S, S) RGB, 0 to 255
        """
        x = functional.relu(self.stem(functional.pixel_unshuffle(normalised(color), _BLOCK)))
        skips = []
        for down, blocks in zip(self.down, self.encoder, strict=True):
            skips.append(x)
            x = blocks(functional.relu(down(x)))
        summary = functional.relu(self.context(x.mean(dim=(2, 3))))  # (B, C)
        x = x + summary[:, :, None, None]
        for level in reversed(range(1, len(self.up))):
            x = functional.interpolate(self.up[level](x), scale_factor=2.0, mode='nearest')
            x = self.decoder[level - 1](functional.relu(x + skips[level]))
        points = mean_places(self.points(x))
        x = functional.interpolate(self.up[0](x), scale_factor=2.0, mode='nearest')
        x = self.finest(functional.relu(self.fine(functional.relu(x + skips[0]))))
        relief, log_sigma, mask = functional.pixel_shuffle(self.maps(x), _BLOCK).split(
            (1, 1, len(MASK_LABELS)), dim=1)
        return FaceEstimates(relief, log_sigma + _LOG_SIGMA_START, mask, points,
                             self.visibility(summary),
                             self.confidence(summary) - _BLANK_PENALTY * blankness(color))


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3 x 3, then batch normalisation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                         nn.BatchNorm2d(outputs))


def normalised(color: torch.Tensor) -> torch.Tensor:
    """
    Free a crop of its exposure: mean 0 and deviation 1 over its pixels and channels.

    :param color: (B, 3, S, S), 0 to 255
    """
    centred = color - color.mean(dim=(1, 2, 3), keepdim=True)
    spread = (centred ** 2).mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / spread.clamp_min(_LEAST_CONTRAST)


def blankness(color: torch.Tensor) -> torch.Tensor:
    """
    Tell crops that show nothing: a wall, a lens cap, light that leaves nothing.

    Freed of their exposure they would be noise, of which the network has learned nothing.

    :param color: (B, 3, S, S), 0 to 255
    :returns: (B, 1): 0 where coarse blocks differ by `_LEAST_SHAPE` grey levels or more, up to 1
        where they are all the same
    """
    coarse = functional.avg_pool2d(color, _COARSE_BLOCK)
    centred = coarse - coarse.mean(dim=(2, 3), keepdim=True)
    spread = (centred ** 2).mean(dim=(2, 3)).sqrt().amax(dim=1, keepdim=True)  # (B, 1)
    return functional.relu(1.0 - spread / _LEAST_SHAPE)


def mean_places(heat: torch.Tensor) -> torch.Tensor:
    """
    Return the mean place under each heat map.

    :param heat: (B, N, H, W) logits
    :returns: (B, N, 2) x and y, in sides of the map
    """
    height, width = heat.shape[-2:]
    share = torch.softmax(heat.flatten(2).float(), dim=2)  # (B, N, H * W)
    x = (torch.arange(width, device=heat.device) + 0.5) / width
    y = (torch.arange(height, device=heat.device) + 0.5) / height
    places = torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)  # (H * W, 2)
    return share @ places


def build_face_estimator(config: FaceEstimatorConfig | None = None) -> FaceEstimator:
    """Return an untrained network."""
    return FaceEstimator(config)
