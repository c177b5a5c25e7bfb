# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
DepthNet: depth and a segmentation mask of a face from one colour image, trained adversarially.

Source: Chiu et al., "High-Accuracy RGB-D Face Recognition via Segmentation-Aware Face Depth
Estimation and Mask-Guided Attention Network", sections III.A and IV.B. Told by the paper: a U-Net
with skip connections, one encoder, a face decoder that gives the image back, an auxiliary decoder
whose weights depth and the seven-channel mask share, a discriminator each for image, depth and
mask, least-squares adversarial losses, 256 x 256 pixels. Not told, and chosen here: the layers,
which are those of pix2pix (eight levels, patch discriminators of 70 x 70 that see the judged image
alone) at half its width, 32 for 64, so that a processor can train it; where the sharing of the
auxiliary decoder ends, here before its last transposed convolution, of which depth and mask have
one each; tanh for image and depth, a sigmoid for each channel of the mask, as its binary cross
entropy wants (equation 3); no dropout, for the paper names none. `mask=False` is the ablation.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.networks.unet_blocks import (
    draw_weights,
    image_head,
    PatchDiscriminator,
    unet_widths,
    UNetDecoder,
    UNetEncoder,
)
import torch
from torch import nn

SIZE = 256


@dataclass(frozen=True)
class DepthNetConfig:
    """
    Layout.

    :param width: channels of the finest level
    :param levels: halvings of the image; its side is a multiple of 2^levels
    :param mask: whether there is a mask at all
    """

    width: int = 32
    levels: int = 8
    mask: bool = True


class DepthNet(nn.Module):
    """The generator: an encoder, a face decoder and an auxiliary decoder."""

    def __init__(self, config: DepthNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = unet_widths(config.width, config.levels)
        self.encoder = UNetEncoder(3, widths)
        self.face_decoder = UNetDecoder(widths)
        self.rgb_head = image_head(self.face_decoder.outputs, 3)
        self.auxiliary_decoder = UNetDecoder(widths)
        self.depth_head = image_head(self.auxiliary_decoder.outputs, 1)
        self.mask_head = image_head(self.auxiliary_decoder.outputs,
                                    len(MASK_LABELS)) if config.mask else None
        draw_weights(self)

    def forward(self, color: torch.Tensor) -> dict[str, torch.Tensor]:
        """
        Estimate, and give the image back.

        :param color: (B, 3, S, S) RGB in [-1, 1]
        :returns: those of `estimate`, and rgb (B, 3, S, S) in [-1, 1]
        """
        features = self.encoder(color)
        result = self._auxiliary(features)
        result['rgb'] = self.rgb_head(self.face_decoder(features)).tanh()
        return result

    def estimate(self, color: torch.Tensor) -> dict[str, torch.Tensor]:
        """
        Estimate alone, as in use: the face decoder serves training only.

        :param color: (B, 3, S, S) RGB in [-1, 1]
        :returns: depth (B, 1, S, S) in [-1, 1], -1 where there is no face; with a mask also mask
            (B, 7, S, S), logits of `MASK_LABELS`
        """
        return self._auxiliary(self.encoder(color))

    def _auxiliary(self, features: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        shared = self.auxiliary_decoder(features)
        result = {'depth': self.depth_head(shared).tanh()}
        if self.mask_head is not None:
            result['mask'] = self.mask_head(shared)
        return result


def build_depthnet(config: DepthNetConfig | None = None) -> DepthNet:
    """Return an untrained generator."""
    return DepthNet(config or DepthNetConfig())


def build_depthnet_discriminators(config: DepthNetConfig) -> dict[str, nn.Module]:
    """
    Return what judges each of the generator's images, by its name.

    :returns: rgb, depth and, with a mask, mask: it takes probabilities, not logits
    """
    channels = {'rgb': 3, 'depth': 1} | ({'mask': len(MASK_LABELS)} if config.mask else {})
    judges: dict[str, nn.Module] = {name: PatchDiscriminator(count, config.width)
                                    for name, count in channels.items()}
    for judge in judges.values():
        draw_weights(judge)
    return judges
