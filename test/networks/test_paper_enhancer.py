# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The paper's networks have the paper's size, and DDRNet's denoiser its own."""

from __future__ import annotations

from face_depth_ros.networks.ddrnet_denoiser import build_ddrnet_denoiser
from face_depth_ros.networks.paper_enhancer import (
    build_paper_enhancer,
    LAYOUTS,
    PAPER_PARAMETERS,
)
import pytest
import torch
from torch import nn


def parameters(network: nn.Module) -> int:
    """Count what is trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize('name', LAYOUTS)
def test_parameters_are_those_of_table_3(name: str) -> None:
    """Exactly, counted without running anything."""
    with torch.device('meta'):
        assert parameters(build_paper_enhancer(name)) == PAPER_PARAMETERS[name]


def test_gamma_differs_from_alpha_by_the_kernels_alone() -> None:
    """16 x 303,924: all 3 x 3 kernels became 5 x 5, nothing else changed."""
    with torch.device('meta'):
        alpha, gamma = (build_paper_enhancer(n) for n in ('alpha', 'gamma'))
    kernels = sum(p.numel() // 9 for p in alpha.parameters() if p.shape[2:] == (3, 3))
    assert kernels == 303_924
    assert parameters(gamma) - parameters(alpha) == 16 * kernels


@pytest.mark.parametrize('name', LAYOUTS)
def test_shape_is_kept(name: str) -> None:
    """One channel in, one out, any multiple of 32."""
    with torch.device('meta'):
        network = build_paper_enhancer(name).eval()
        assert network(torch.zeros(2, 1, 64, 96)).shape == (2, 1, 64, 96)


def test_delta_learns_the_identity_quickly() -> None:
    """A few steps lower the error: gradients reach every parameter."""
    torch.manual_seed(0)
    network = build_paper_enhancer('delta')
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    x = torch.rand(2, 1, 32, 32)
    losses = []
    for _ in range(6):
        loss = ((network(x) - x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters()
               if p.ndim > 1)


def test_ddrnet_denoiser_corrects_its_input() -> None:
    """With the last layer at zero the output is the input; its range is [0, 1]."""
    network = build_ddrnet_denoiser()
    assert parameters(network) == 868_001
    x = torch.rand(1, 1, 64, 64)
    assert network(x).min() >= 0
    assert network(x).max() <= 1
    nn.init.zeros_(network.last.weight)
    nn.init.zeros_(network.last.bias)
    torch.testing.assert_close(network(x), x, atol=1e-6, rtol=0)
