# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The face recogniser of a robot: a compact student of the mask-guided recogniser.

Source: our own. The layout is that of the mask-guided recogniser (networks.mask_guided_recognizer)
with a fraction of its size: branches are compact trunks (networks.compact_trunk), the mask branch
is three convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.networks.compact_trunk import CompactTrunk, convolution
from face_depth_ros.networks.mask_guided_recognizer import (
    face_only,
    one_hot,
    SpatialAttention,
)
import torch
from torch import nn
from torch.nn import functional

_BLOCK = 2
_LAST_PX = 7


@dataclass(frozen=True)
class FaceRecognizerConfig:
    """
    Layout of the network.

    :param widths: channels at 56, 28, 14 and 7 pixels
    :param blocks: residual blocks, a stage each
    :param mask_widths: channels of the mask branch at 56, 28 and 14 pixels
    :param dimensions: of each embedding
    :param evidence: dimensions of what is told besides, see `FaceRecognizer`; 0 = nothing
    :param joint: of what is told of estimated depth besides, with `evidence` alone
    :param hidden_units: rectified units of each of the hidden layers that add to embedding_color,
        to the last `joint` numbers of `evidence` (who it is) and to `joint`; 0 = there are none;
        with `evidence` alone
    :param inner_color, inner_depth: channels within the residual blocks of a branch, in order;
        empty = those of their stages (training/compress_face_recognizer.py)
    :param ranks_color, ranks_depth: channels between the halves of the steps down of a branch;
        empty = the steps are whole
    """

    widths: tuple[int, ...] = (40, 72, 120, 176)
    blocks: tuple[int, ...] = (1, 2, 3, 1)
    mask_widths: tuple[int, ...] = (16, 24, 32)
    dimensions: int = 80
    evidence: int = 0
    joint: int = 0
    hidden_units: int = 0
    inner_color: tuple[int, ...] = ()
    inner_depth: tuple[int, ...] = ()
    ranks_color: tuple[int, ...] = ()
    ranks_depth: tuple[int, ...] = ()


class CompactBranch(CompactTrunk):
    """
    The stages of one modality and its embedding.

    :param inputs: channels of the image
    """

    def __init__(self, inputs: int, config: FaceRecognizerConfig, inner: tuple[int, ...],
                 ranks: tuple[int, ...]) -> None:
        super().__init__(inputs, config.widths, config.blocks, _LAST_PX, inner, ranks)
        self.linear = nn.Linear(2 * config.widths[-1], config.dimensions, bias=False)
        self.normalize = nn.BatchNorm1d(config.dimensions)

    def forward(self, image: torch.Tensor, maps: dict[int, torch.Tensor]) -> torch.Tensor:
        """(B, I, 112, 112) -> (B, D), not yet of unit length."""
        return self.describe(self.weigh(image, maps))

    def describe(self, weighed: torch.Tensor) -> torch.Tensor:
        """(B, 2 C) of `weigh` -> (B, D), not yet of unit length."""
        described: torch.Tensor = self.normalize(self.linear(weighed))
        return described


class FaceRecognizer(nn.Module):
    """
    Both branches and the mask branch; inputs and answers as of the mask-guided recogniser.

    Input as core.recognition_input makes it; colour and depth lose their background here. With
    `evidence` a third answer says, linear in what both branches see, what they tell of the shape
    of the head and of who it is; it is added to what the fit of a shape model tells
    (core.shape_model). Where depth is estimated nothing is fitted: the fourth says who it is then.
    Both are solved in closed form once the branches are trained (training/solve_last_layers.py);
    hidden layers may add to them and to colour (training/train_hidden_layers.py).
    """

    ATTENDED = (0, 2)
    """Stages after which attention acts: 56 x 56 and 14 x 14."""

    def __init__(self, config: FaceRecognizerConfig | None = None) -> None:
        super().__init__()
        self.config = config or FaceRecognizerConfig()
        c = self.config
        self.color = CompactBranch(3, c, c.inner_color, c.ranks_color)
        self.depth = CompactBranch(1, c, c.inner_depth, c.ranks_depth)
        self.mask = nn.ModuleList([convolution(len(MASK_LABELS) * _BLOCK * _BLOCK,
                                               c.mask_widths[0])] + [
            convolution(a, b, stride=2)
            for a, b in zip(c.mask_widths[:-1], c.mask_widths[1:], strict=True)])
        self.attention = nn.ModuleList(SpatialAttention() for _ in self.ATTENDED)
        if c.evidence:
            self.evidence = nn.Linear(4 * c.widths[-1], c.evidence)
            self.joint = nn.Linear(4 * c.widths[-1], c.joint)
            sizes = {'color': (2 * c.widths[-1], c.dimensions),
                     'joint': (4 * c.widths[-1], c.joint),
                     'joint_estimated': (4 * c.widths[-1], c.joint)}
            self.hidden = nn.ModuleDict({name: nn.Sequential(
                nn.Linear(seen, c.hidden_units), nn.ReLU(), nn.Linear(c.hidden_units, told))
                for name, (seen, told) in sizes.items() if c.hidden_units})

    def forward(self, color: torch.Tensor, depth: torch.Tensor,
                mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """
        Describe faces; either embedding depends on its own modality and the mask alone.

        :param color: (B, 3, 112, 112) RGB, 0 to 255
        :param depth: (B, 1, 112, 112)
        :param mask: (B, 1, 112, 112) labels
        :returns: embeddings of colour and of depth, (B, D) each, of unit length; with `evidence`
            that too, (B, E), and (B, J)
        """
        weighed = self.weigh(color, depth, mask)
        embeddings = tuple(functional.normalize(described, dim=1)
                           for described in self._described(*weighed))
        if not self.config.evidence:
            return embeddings
        both = torch.cat(weighed, dim=1)
        evidence, joint = self.evidence(both), self.joint(both)
        if self.config.hidden_units:
            shape, who = evidence.split([self.config.evidence - self.config.joint,
                                         self.config.joint], dim=1)
            evidence = torch.cat([shape, who + self.hidden['joint'](both)], dim=1)
            joint = joint + self.hidden['joint_estimated'](both)
        return *embeddings, evidence, joint

    def features(self, color: torch.Tensor, depth: torch.Tensor,
                 mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Describe faces before their length is made 1; see `forward`."""
        return self._described(*self.weigh(color, depth, mask))

    def _described(self, color: torch.Tensor,
                   depth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 2 C) each of `weigh` -> (B, D) each, not yet of unit length."""
        described = self.color.describe(color)
        if self.config.evidence and self.config.hidden_units:
            described = described + self.hidden['color'](color)
        return described, self.depth.describe(depth)

    def weigh(self, color: torch.Tensor, depth: torch.Tensor,
              mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what both branches see before their last layers, (B, 2 C) each."""
        maps = self.attention_maps(mask)
        seen_color, seen_depth = face_only(color, depth, mask)
        return self.color.weigh(seen_color, maps), self.depth.weigh(seen_depth, maps)

    def attention_maps(self, mask: torch.Tensor) -> dict[int, torch.Tensor]:
        """
        Return where to look, by stage: 0 (B, 1, 56, 56) and 2 (B, 1, 14, 14).

        :param mask: (B, 1, 112, 112) labels
        """
        x = functional.pixel_unshuffle(one_hot(mask), _BLOCK)
        maps = {}
        for index, layer in enumerate(self.mask):
            x = functional.relu(layer(x))
            if index in self.ATTENDED:
                maps[index] = self.attention[self.ATTENDED.index(index)](x)
        return maps


def build_face_recognizer(config: FaceRecognizerConfig | None = None) -> FaceRecognizer:
    """Return an untrained network."""
    return FaceRecognizer(config)
