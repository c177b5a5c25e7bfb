# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The network after Cui et al.: shape, range, skips, learning."""

from __future__ import annotations

from face_depth_ros.networks.cui_fcn import build_cui_fcn, CuiFcnConfig, SIZE
import torch

SMALL = CuiFcnConfig((4, 8, 8), 4)


def test_shape_and_range():
    with torch.device('meta'):
        depth = build_cui_fcn().eval()(torch.zeros(2, 3, SIZE, SIZE))['depth']
    assert depth.shape == (2, 1, SIZE, SIZE)
    depth = build_cui_fcn(SMALL)(torch.rand(2, 3, 16, 16) * 100)['depth']
    assert depth.abs().max() <= 1.0


def test_every_stage_is_summed():
    """Each stage's score moves the answer by itself."""
    torch.manual_seed(0)
    network = build_cui_fcn(SMALL).eval()
    color = torch.rand(1, 3, 16, 16)
    before = network(color)['depth']
    for score in network.scores:
        with torch.no_grad():
            score.bias.add_(1.0)
        after = network(color)['depth']
        assert not torch.allclose(after, before)
        before = after


def test_it_learns():
    """A few steps lower the error; gradients reach every parameter."""
    torch.manual_seed(0)
    network = build_cui_fcn(SMALL)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    color = torch.rand(2, 3, 16, 16) * 2 - 1
    losses = []
    for _ in range(40):
        loss = ((network(color)['depth'] - color[:, :1]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
