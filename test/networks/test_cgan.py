# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The conditional GAN has the paper's layers, one by one."""

from __future__ import annotations

from face_depth_ros.networks.cgan import (
    build_cgan,
    build_cgan_discriminator,
    CganConfig,
    SIZE,
)
import pytest
import torch
from torch import nn

CONFIG = CganConfig()
SMALL = CganConfig((4, 8), (6, 4), 16)
# Figure 2: kernel, feature maps in and out, stride; the side of what comes out.
ENCODER = [(5, 1, 128, 2, 48), (5, 128, 256, 2, 24), (5, 256, 512, 2, 12), (5, 512, 1024, 2, 6)]
DECODER = [(5, 1024, 512, 2, 12), (5, 512, 256, 2, 24), (5, 256, 128, 2, 48), (5, 128, 64, 2, 96)]


def layers_and_sides(stages: nn.Module, image: torch.Tensor) -> list[tuple[int, ...]]:
    """Run through and note each convolution's kernel, channels, stride and the side after it."""
    noted = []
    for layer in stages.children():
        image = layer(image)
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            assert image.shape[1] == layer.out_channels
            assert image.shape[2] == image.shape[3]
            noted.append((layer.kernel_size[0], layer.in_channels, layer.out_channels,
                          layer.stride[0], image.shape[2]))
    return noted


def test_the_generator_layer_by_layer():
    with torch.device('meta'):
        generator = build_cgan().eval()
        assert layers_and_sides(generator.encoder, torch.zeros(1, 1, SIZE, SIZE)) == ENCODER
        assert layers_and_sides(generator.decoder, torch.zeros(1, 1024, 6, 6)) == DECODER
    convolutions = [m for m in generator.modules() if isinstance(m, nn.Conv2d)]
    transposed = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [tuple(m.weight.shape) for m in convolutions] == [
        (128, 1, 5, 5), (256, 128, 5, 5), (512, 256, 5, 5), (1024, 512, 5, 5), (1, 64, 5, 5)]
    # Transposed convolutions hold (in, out, k, k).
    assert [tuple(m.weight.shape) for m in transposed] == [
        (1024, 512, 5, 5), (512, 256, 5, 5), (256, 128, 5, 5), (128, 64, 5, 5)]
    assert generator.head.stride == (1, 1)


@pytest.mark.parametrize(('part', 'convolution', 'activation'), [
    ('encoder', nn.Conv2d, nn.LeakyReLU), ('decoder', nn.ConvTranspose2d, nn.ReLU)])
def test_normalisation_comes_before_each_activation(part, convolution, activation):
    with torch.device('meta'):
        kinds = [type(m) for m in getattr(build_cgan(), part)]
    assert kinds == [convolution, nn.BatchNorm2d, activation] * 4


def test_the_slope_is_a_fifth():
    slopes = {m.negative_slope for m in build_cgan(SMALL).modules()
              if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}


def test_the_discriminator_is_the_encoder_and_one_unit():
    with torch.device('meta'):
        generator, discriminator = build_cgan(), build_cgan_discriminator(CONFIG)
        assert discriminator(torch.zeros(3, 1, SIZE, SIZE)).shape == (3, 1)
    shapes = [{n: tuple(p.shape) for n, p in m.encoder.named_parameters()}
              for m in (generator, discriminator)]
    assert shapes[0] == shapes[1]
    assert tuple(discriminator.fc1.weight.shape) == (1, 1024 * 6 * 6)
    assert str(discriminator.encoder) == str(generator.encoder)


def test_the_last_layer_is_tanh_without_normalisation():
    generator = build_cgan(SMALL)
    with torch.no_grad():
        generator.head.weight.zero_()
        generator.head.bias.fill_(0.5)
        depth = generator(torch.rand(2, 1, 16, 16))['depth']
    torch.testing.assert_close(depth, torch.full_like(depth, 0.5).tanh())


def test_it_learns():
    """A few steps lower the error; gradients reach every parameter."""
    torch.manual_seed(0)
    generator = build_cgan(SMALL)
    optimizer = torch.optim.Adam(generator.parameters(), 1e-2)
    grey = torch.rand(4, 1, 16, 16) * 2 - 1
    losses = []
    for _ in range(30):
        loss = ((generator(grey)['depth'] - grey.mean(dim=(2, 3), keepdim=True)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())
