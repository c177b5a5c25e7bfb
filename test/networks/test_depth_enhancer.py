# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The depth enhancer network and the batched twin of the hole filling."""

from __future__ import annotations

from face_depth_ros.core.depth import fill_holes as fill_holes_numpy
from face_depth_ros.networks.depth_enhancer import (
    build_depth_enhancer,
    DepthEnhancerConfig,
    fill_holes,
    interpolation_kernel,
)
import numpy as np
import pytest
import torch
from torch.nn import functional

SMALL = DepthEnhancerConfig(widths=(8, 8, 8, 8))


def test_shapes_and_start() -> None:
    """An untrained network does nothing but take half of the blocks' smoothing."""
    network = build_depth_enhancer(SMALL)
    depth = torch.rand(2, 1, 64, 64)
    output = network(depth, torch.ones_like(depth))
    for tensor in output:
        assert tensor.shape == (2, 1, 64, 64)
    smooth = functional.interpolate(functional.avg_pool2d(depth, 4), scale_factor=4.0,
                                    mode='bilinear', align_corners=False)
    assert (output.correction - 0.5 * (smooth - depth)).abs().max() < 0.05


def test_interpolation_is_that_of_resizing() -> None:
    """The convolution with fixed weights gives the numbers of bilinear resizing."""
    values = torch.rand(1, 2, 8, 6)
    blocks = functional.pad(values, (1, 1, 1, 1), mode='replicate')
    got = functional.pixel_shuffle(
        functional.conv2d(blocks, interpolation_kernel(2), groups=2), 4)
    expected = functional.interpolate(values, scale_factor=4.0, mode='bilinear',
                                      align_corners=False)
    torch.testing.assert_close(got, expected)


def test_every_parameter_gets_a_gradient() -> None:
    """After one step away from the identity nothing is left out of training."""
    torch.manual_seed(0)
    network = build_depth_enhancer(SMALL)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    output = network(torch.rand(2, 1, 64, 64), torch.ones(2, 1, 64, 64))
    sum(t.square().mean() for t in output).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_size_of_the_shipped_network() -> None:
    """The size that README and the report speak of."""
    parameters = sum(p.numel() for p in build_depth_enhancer().parameters())
    assert 1_500_000 < parameters < 2_500_000


@pytest.mark.parametrize('seed', range(5))
def test_fill_holes_is_the_predictors(seed: int) -> None:
    """Training and run time fill holes alike; any difference would be a shift of domains."""
    chance = np.random.default_rng(seed)
    depth = chance.random((256, 256), np.float32)
    valid = chance.random((256, 256)) < (0.9, 0.5, 0.02, 0.0001, 0.0)[seed]
    valid[40:200, 60:130] = False
    expected = fill_holes_numpy(depth, valid)
    got = fill_holes(torch.from_numpy(depth)[None, None],
                     torch.from_numpy(valid.astype(np.float32))[None, None])[0, 0].numpy()
    np.testing.assert_allclose(got, expected, atol=2e-6)
    np.testing.assert_array_equal(got[valid], depth[valid])
