# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The mask-guided RGB-D recogniser: a colour branch and a depth branch, both led by the mask.

Source: Chiu et al., "High-Accuracy RGB-D Face Recognition via Segmentation-Aware Face Depth
Estimation and Mask-Guided Attention Network", section III.B, figure 3, section IV.B: SENet
branches for colour, depth and mask at 112 x 112; spatial attention (Woo et al., CBAM) on features
of 56 x 56 x 64 and 14 x 14 x 256, driven by the mask branch, its weights shared between the
colour and the depth branch; score-level fusion by the mean of two cosines. What the paper leaves
open, and what was chosen:

- SENet depth: residual blocks of two 3 x 3 convolutions (1, 3, 4, 2), squeeze ratio 16. The first
  convolution is 7 x 7 of stride 2, without pooling after it, so that the first stage works at
  56 x 56 x 64.
- The mask branch has one block a stage and ends at 14 x 14 x 256, the last place that needs it.
- Attention: mean and maximum of the mask's features over the channels, a 7 x 7 convolution, a
  sigmoid; it multiplies the features of either branch. One such module a place, used by both.
- The embedding: dropout, a linear layer from the whole last map (7 x 7 x 512) to 256, batch
  normalisation, unit length: as Deng et al. do ("ArcFace", CVPR 2019), since the parts of a face
  have their places.
- All this holds the compact student (networks.face_recognizer), so that training can begin from
  what that knows (training/widen_recognizer.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.recognition_input import DEPTH_LIMIT, SIZE
import torch
from torch import nn
from torch.nn import functional

_STEM = 7


@dataclass(frozen=True)
class MaskGuidedRecognizerConfig:
    """
    Layout of the network.

    :param widths: channels at 56, 28, 14 and 7 pixels
    :param blocks: residual blocks of the colour and depth branches, a stage each
    :param mask_blocks: of the mask branch, which has the first stages alone
    :param squeeze: ratio of the squeeze-and-excitation
    :param dimensions: of each embedding
    :param dropout: before the embedding
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (1, 3, 4, 2)
    mask_blocks: tuple[int, ...] = (1, 1, 1)
    squeeze: int = 16
    dimensions: int = 256
    dropout: float = 0.2


class SqueezeExcitation(nn.Module):
    """Weigh the channels by what all of the image says (Hu et al., CVPR 2018)."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, max(width // ratio, 4), 1)
        self.excite = nn.Conv2d(max(width // ratio, 4), width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the shape (B, C, H, W)."""
        seen = functional.relu(self.squeeze(x.mean(dim=(2, 3), keepdim=True)))
        return x * torch.sigmoid(self.excite(seen))


class SEBlock(nn.Module):
    """Two 3 x 3 convolutions around a skip, their sum weighed by channels."""

    def __init__(self, inputs: int, outputs: int, stride: int, ratio: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, 3, stride)
        self.second = _convolution(outputs, outputs, 3, 1)
        self.excitation = SqueezeExcitation(outputs, ratio)
        self.skip = (nn.Identity() if inputs == outputs and stride == 1
                     else _convolution(inputs, outputs, 1, stride))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, I, H, W) -> (B, O, H / stride, W / stride)."""
        y = self.second(functional.relu(self.first(x)))
        return functional.relu(self.excitation(y) + self.skip(x))


class SEBranch(nn.Module):
    """
    A stem and the stages of one modality.

    :param inputs: channels of the image
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], blocks: tuple[int, ...],
                 ratio: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_convolution(inputs, widths[0], _STEM, 2),
                                  nn.ReLU(inplace=True))
        stages = []
        for index, count in enumerate(blocks):
            before = widths[max(index - 1, 0)]
            stages.append(nn.Sequential(
                SEBlock(before, widths[index], 1 if index == 0 else 2, ratio),
                *(SEBlock(widths[index], widths[index], 1, ratio) for _ in range(count - 1))))
        self.stages = nn.ModuleList(stages)


class SpatialAttention(nn.Module):
    """Where the mask's features say that a face is worth looking at."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, 1, H, W) in (0, 1)."""
        seen = torch.cat([features.mean(dim=1, keepdim=True),
                          features.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.weigh(seen))


class Embedding(nn.Module):
    """
    A linear layer from the last map, and batch normalisation; not yet of unit length.

    :param inputs: channels of the map; pixels: along its side
    """

    def __init__(self, inputs: int, pixels: int, dimensions: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(inputs * pixels * pixels, dimensions, bias=False)
        self.normalize = nn.BatchNorm1d(dimensions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, D)."""
        described: torch.Tensor = self.normalize(self.linear(self.dropout(x).flatten(1)))
        return described


class MaskGuidedRecognizer(nn.Module):
    """
    Both branches and the mask branch.

    Input as core.recognition_input makes it; colour and depth lose their background here.
    """

    ATTENDED = (0, 2)
    """Stages after which attention acts: 56 x 56 x 64 and 14 x 14 x 256."""

    def __init__(self, config: MaskGuidedRecognizerConfig | None = None) -> None:
        super().__init__()
        self.config = config or MaskGuidedRecognizerConfig()
        c = self.config
        self.color = SEBranch(3, c.widths, c.blocks, c.squeeze)
        self.depth = SEBranch(1, c.widths, c.blocks, c.squeeze)
        self.mask = SEBranch(len(MASK_LABELS), c.widths, c.mask_blocks, c.squeeze)
        self.attention = nn.ModuleList(SpatialAttention() for _ in self.ATTENDED)
        last = SIZE >> len(c.widths)
        self.embed_color, self.embed_depth = (
            Embedding(c.widths[-1], last, c.dimensions, c.dropout) for _ in range(2))

    def forward(self, color: torch.Tensor, depth: torch.Tensor,
                mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Describe faces; either answer depends on its own modality and the mask alone.

        :param color: (B, 3, 112, 112) RGB, 0 to 255
        :param depth: (B, 1, 112, 112)
        :param mask: (B, 1, 112, 112) labels
        :returns: embeddings of colour and of depth, (B, D) each, of unit length
        """
        f_color, f_depth = self.features(color, depth, mask)
        return functional.normalize(f_color, dim=1), functional.normalize(f_depth, dim=1)

    def features(self, color: torch.Tensor, depth: torch.Tensor,
                 mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Describe faces before their length is made 1; see `forward`."""
        maps = self.attention_maps(mask)
        seen_color, seen_depth = face_only(color, depth, mask)
        return (self.embed_color(_run(self.color, seen_color, maps)),
                self.embed_depth(_run(self.depth, seen_depth, maps)))

    def attention_maps(self, mask: torch.Tensor) -> dict[int, torch.Tensor]:
        """
        Return where to look, by stage: 0 (B, 1, 56, 56) and 2 (B, 1, 14, 14).

        :param mask: (B, 1, 112, 112) labels
        """
        x = self.mask.stem(one_hot(mask))
        maps = {}
        for index, stage in enumerate(self.mask.stages):
            x = stage(x)
            if index in self.ATTENDED:
                maps[index] = self.attention[self.ATTENDED.index(index)](x)
        return maps


def face_only(color: torch.Tensor, depth: torch.Tensor,
              mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Scale both images to about -1 to 1, their background set to zero intensity.

    :param color: (B, 3, H, W), 0 to 255; depth: (B, 1, H, W); mask: (B, 1, H, W) labels
    """
    face = (mask > 0.5).to(color.dtype)
    return color * face / 127.5 - 1.0, (depth + DEPTH_LIMIT) * face / DEPTH_LIMIT - 1.0


def one_hot(mask: torch.Tensor) -> torch.Tensor:
    """Turn labels (B, 1, H, W) into one channel a class, (B, 7, H, W)."""
    number = torch.arange(len(MASK_LABELS), device=mask.device, dtype=mask.dtype)
    return ((mask - number[:, None, None]).abs() < 0.5).to(mask.dtype)


def build_mask_guided_recognizer(config: MaskGuidedRecognizerConfig | None = None,
                                 ) -> MaskGuidedRecognizer:
    """Return an untrained network, by default the paper's."""
    return MaskGuidedRecognizer(config)


def _run(branch: SEBranch, x: torch.Tensor, maps: dict[int, torch.Tensor]) -> torch.Tensor:
    x = branch.stem(x)
    for index, stage in enumerate(branch.stages):
        x = stage(x)
        if index in maps:
            x = x * maps[index]
    return x


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(outputs))
