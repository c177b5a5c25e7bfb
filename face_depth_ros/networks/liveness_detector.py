# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The liveness detector of a robot: enhanced depth alone, compact.

Source: our own. Two branches: one looks at the relief and how it differs from its own
neighbourhood (a half mask lacks only the details of a half), the other at the landmarks as points
in space (a bust has another size). What kind of attack it may be is told besides, which teaches
the network to tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.networks.compact_trunk import CompactTrunk
from face_depth_ros.networks.expression_recognizer import fine_relief
import torch
from torch import nn
from torch.nn import functional

_LAST_PX = 6
_PLANES, _POINTS, _SCALARS = 5, 68 * 4, 3 + 1

_SIZE_GAIN = 4.0
"""Sizes of heads differ by a few percent, logarithms of the other scalars by far more."""


@dataclass(frozen=True)
class LivenessDetectorConfig:
    """
    Layout of the network.

    :param widths: channels at 48, 24, 12 and 6 pixels
    :param blocks: residual blocks, a stage each
    :param points: length of what is told from landmarks and scalars
    :param features: length of the vector that all answers are told from
    :param species: kinds that are told apart, the living among them
    :param dropout: share of the vector that is dropped in training
    """

    widths: tuple[int, ...] = (20, 32, 56, 96)
    blocks: tuple[int, ...] = (0, 1, 1, 1)
    points: int = 96
    features: int = 96
    species: int = 11
    dropout: float = 0.2


class LivenessDetector(CompactTrunk):
    """Inputs as core.liveness_input makes them."""

    def __init__(self, config: LivenessDetectorConfig | None = None) -> None:
        c = config or LivenessDetectorConfig()
        super().__init__(_PLANES, c.widths, c.blocks, _LAST_PX)
        self.config = c
        self.point_layers = nn.Sequential(
            nn.Linear(_POINTS + _SCALARS, c.points), nn.ReLU(), nn.Linear(c.points, c.points),
            nn.ReLU())
        self.join = nn.Linear(2 * c.widths[-1] + c.points, c.features)
        self.live = nn.Linear(c.features, 1)
        self.species = nn.Linear(c.features, c.species)

    def forward(self, planes: torch.Tensor, points: torch.Tensor, scalars: torch.Tensor,
                ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Tell whether faces live.

        :param planes: (B, 4, 96, 96); points: (B, 68, 4); scalars: (B, 3)
        :returns: logit of living (B, 1); logits of the species (B, K), the living first
        """
        x = torch.cat([planes, fine_relief(planes[:, :2])], dim=1)
        x = functional.relu(self.weigh(x))
        y = self.point_layers(shape_and_size(points, scalars))
        x = functional.relu(self.join(torch.cat([x, y], dim=1)))
        x = functional.dropout(x, self.config.dropout, self.training)
        return self.live(x), self.species(x)


def shape_and_size(points: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
    """
    Part the shape that landmarks have from their size, so that a bust is told by one number.

    :param points: (B, 68, 4); scalars: (B, 3)
    :returns: (B, 276): the points at a size of 1, the scalars, and the logarithm of the size
    """
    square = points[..., :2].square().sum(dim=2).mean(dim=1).clamp(min=1e-4)  # (B,)
    size = square.sqrt()[:, None]
    shape = torch.cat([points[..., :3] / size[..., None], points[..., 3:]], dim=2)
    return torch.cat([shape.flatten(1), scalars, _SIZE_GAIN * size.log()], dim=1)


def build_liveness_detector(config: LivenessDetectorConfig | None = None) -> LivenessDetector:
    """Return an untrained network."""
    return LivenessDetector(config)
