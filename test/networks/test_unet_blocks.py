# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Parts of pix2pix that DepthNet shares: what a score sees, what skips carry, first weights."""

from __future__ import annotations

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


def test_widths_double_up_to_eight_times():
    assert unet_widths(64, 8) == (64, 128, 256, 512, 512, 512, 512, 512)
    assert unet_widths(4, 2) == (4, 8)


def test_a_score_sees_a_patch_of_70():
    """The gradient of one score reaches 70 x 70 pixels and no more."""
    torch.manual_seed(0)
    judge = PatchDiscriminator(1, 4).eval()
    image = torch.rand(1, 1, 128, 128, requires_grad=True)
    scores = judge(image)
    assert scores.shape == (1, 1, 14, 14)
    scores[0, 0, 7, 7].backward()
    assert image.grad is not None
    rows, columns = image.grad[0, 0].nonzero().unbind(1)
    assert rows.max() - rows.min() == columns.max() - columns.min() == 69


def test_the_discriminator_has_the_reference_size():
    """2.769 million parameters for colour beside colour, as the authors' own code prints."""
    with torch.device('meta'):
        judge = PatchDiscriminator(6, 64)
    assert sum(p.numel() for p in judge.parameters()) == 2_768_705


def test_features_halve_and_come_back():
    widths = unet_widths(4, 4)
    encoder, decoder = UNetEncoder(3, widths), UNetDecoder(widths)
    features = encoder(torch.rand(2, 3, 32, 32))
    assert [tuple(f.shape[1:]) for f in features] == [
        (4, 16, 16), (8, 8, 8), (16, 4, 4), (32, 2, 2)]
    decoded = decoder(features)
    assert decoded.shape == (2, decoder.outputs, 16, 16)
    assert image_head(decoder.outputs, 5)(decoded).shape == (2, 5, 32, 32)
    torch.testing.assert_close(decoded[:, -4:], features[0])


def test_skips_reach_the_output_by_themselves():
    """With the coarsest features silenced the decoder's answer still depends on the others."""
    widths = unet_widths(4, 3)
    decoder = UNetDecoder(widths).eval()
    features = [torch.rand(1, w, 16 // 2 ** i, 16 // 2 ** i) for i, w in enumerate(widths)]
    features[-1].zero_()
    first = decoder(features)
    features[1] += 1.0
    assert not torch.equal(decoder(features)[:, :4], first[:, :4])


def test_neither_the_first_layer_nor_the_coarsest_is_normalised():
    encoder = UNetEncoder(3, unet_widths(4, 4))
    normalised = [any(isinstance(m, nn.BatchNorm2d) for m in level) for level in encoder.levels]
    assert normalised == [False, True, True, False]
    # So one pixel in training mode does not turn into zeros.
    assert encoder(torch.rand(1, 3, 16, 16))[-1].abs().sum() > 0


def test_first_weights():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(512))
    draw_weights(network)
    convolution, norm = network
    assert abs(float(convolution.weight.detach().std()) - 0.02) < 1e-3
    assert abs(float(norm.weight.detach().mean()) - 1.0) < 5e-3
    assert not convolution.bias.any()
