# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The expression recogniser of a robot: compact, one branch, with or without depth.

Source: our own, in place of AFNet-M (networks.afnet_m) where a frame must take milliseconds.
Colour, depth and face enter one compact trunk together. Depth enters twice: as it is, and as the
difference to its own neighbourhood, since brows and lips move by millimetres on a face of
centimetres. Besides the expression it tells valence and arousal and the action units, which are
also what teaches it to look at the parts of a face.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS
from face_depth_ros.networks.compact_trunk import CompactTrunk
import torch
from torch import nn
from torch.nn import functional

_LAST_PX = 8
_COARSE, _NEIGHBOURHOOD = 4, 5
"""The mean is taken over so many blocks of so many pixels, 20 pixels or 28 mm in all."""
_FINE_GAIN = 5.0
_PLANES = 7


@dataclass(frozen=True)
class ExpressionRecognizerConfig:
    """
    Layout of the network.

    :param widths: channels at 64, 32, 16 and 8 pixels
    :param blocks: residual blocks, a stage each
    :param features: length of the vector that all answers are told from
    :param dropout: share of it that is dropped in training
    """

    widths: tuple[int, ...] = (24, 48, 96, 176)
    blocks: tuple[int, ...] = (0, 1, 1, 1)
    features: int = 192
    dropout: float = 0.2


class ExpressionRecognizer(CompactTrunk):
    """Inputs as core.expression_input makes them."""

    def __init__(self, config: ExpressionRecognizerConfig | None = None) -> None:
        c = config or ExpressionRecognizerConfig()
        super().__init__(_PLANES, c.widths, c.blocks, _LAST_PX)
        self.config = c
        self.linear = nn.Linear(2 * c.widths[-1], c.features, bias=False)
        self.normalize = nn.BatchNorm1d(c.features)
        self.expression = nn.Linear(c.features, len(EXPRESSIONS))
        self.affect = nn.Linear(c.features, 2)
        self.units = nn.Linear(c.features, len(ACTION_UNITS))

    def forward(self, color: torch.Tensor, depth: torch.Tensor, face: torch.Tensor,
                ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Tell what faces say.

        :param color: (B, 3, 128, 128) RGB, 0 to 255
        :param depth: (B, 2, 128, 128), depth and where it is known; all 0 = texture alone
        :param face: (B, 1, 128, 128), 1 on the face
        :returns: logits of EXPRESSIONS (B, 7); valence and arousal (B, 2), -1 to 1; intensities of
            ACTION_UNITS (B, 17), 0 to 1
        """
        x = self.describe(color, depth, face)
        return self.expression(x), self.affect(x).tanh(), self.units(x).sigmoid()

    def describe(self, color: torch.Tensor, depth: torch.Tensor,
                 face: torch.Tensor) -> torch.Tensor:
        """Describe faces by a vector, (B, F)."""
        planes = torch.cat([color / 127.5 - 1.0, depth, fine_relief(depth), face], dim=1)
        x = functional.relu(self.weigh(planes))
        x = functional.relu(self.normalize(self.linear(x)))
        return functional.dropout(x, self.config.dropout, self.training)


def fine_relief(depth: torch.Tensor) -> torch.Tensor:
    """
    Return how depth differs from the mean of its known neighbourhood, within +-2.

    :param depth: (B, 2, S, S), depth and where it is known
    :returns: (B, 1, S, S), 0 where nothing is known
    """
    coarse = functional.avg_pool2d(depth, _COARSE)
    around = functional.avg_pool2d(coarse, _NEIGHBOURHOOD, 1, _NEIGHBOURHOOD // 2)
    mean = around[:, :1] / around[:, 1:].clamp(min=1e-3)
    mean = functional.interpolate(mean, scale_factor=float(_COARSE), mode='bilinear',
                                  align_corners=False)
    fine: torch.Tensor = (_FINE_GAIN * depth[:, 1:] * (depth[:, :1] - mean)).clamp(-2.0, 2.0)
    return fine


def build_expression_recognizer(config: ExpressionRecognizerConfig | None = None,
                                ) -> ExpressionRecognizer:
    """Return an untrained network."""
    return ExpressionRecognizer(config)
