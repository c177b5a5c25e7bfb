# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""pix2pix has its authors' layers; in use it is deterministic."""

from __future__ import annotations

from face_depth_ros.networks.pix2pix import (
    build_pix2pix,
    build_pix2pix_discriminator,
    Pix2PixConfig,
    SIZE,
)
import torch
from torch import nn

SMALL = Pix2PixConfig(width=2, levels=5)
REFERENCE_PARAMETERS = 54_413_955
"""Of the U-Net of 256 pixels from colour to colour, as the authors' own code counts."""


def test_the_generator_has_the_reference_size():
    """
    At the paper's width.

    Depth has one channel where their count has three; the two layers down that no normalisation
    follows have biases here.
    """
    with torch.device('meta'):
        network = build_pix2pix(Pix2PixConfig(64)).eval()
        assert network(torch.zeros(1, 3, SIZE, SIZE))['depth'].shape == (1, 1, SIZE, SIZE)
    two_channels, biases = 2 * (128 * 4 * 4 + 1), 64 + 512
    count = sum(p.numel() for p in network.parameters())
    assert count == REFERENCE_PARAMETERS - two_channels + biases


def test_the_decoder_is_the_papers():
    """CD512-CD512-CD512-C512-C256-C128-C64, before the last step to the image."""
    with torch.device('meta'):
        decoder = build_pix2pix(Pix2PixConfig(64)).decoder
    transposed = [m for m in decoder.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in transposed] == [512, 512, 512, 512, 256, 128, 64]
    dropped = [any(isinstance(m, nn.Dropout) for m in level) for level in decoder.levels]
    assert dropped == [True] * 3 + [False] * 4


def test_noise_in_training_alone():
    torch.manual_seed(0)
    network = build_pix2pix(SMALL)
    color = torch.rand(2, 3, 32, 32)
    assert not torch.equal(network(color)['depth'], network(color)['depth'])
    network.eval()
    torch.testing.assert_close(network(color)['depth'], network(color)['depth'], atol=0, rtol=0)


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    network = build_pix2pix(Pix2PixConfig(4, 4, dropout=0.0))
    network(torch.rand(4, 3, 32, 32))['depth'].square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_the_discriminator_sees_colour_and_depth():
    judge = build_pix2pix_discriminator(SMALL)
    assert judge(torch.rand(2, 4, 64, 64)).shape == (2, 1, 6, 6)
