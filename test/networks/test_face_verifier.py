# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The Siamese network has the layers of the paper's figure, is symmetric, and learns."""

from __future__ import annotations

from face_depth_ros.networks.face_verifier import build_face_verifier, SIZE
import pytest
import torch
from torch import nn

CONVOLUTIONS = [(64, 1, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (256, 256, 3, 3),
                (256, 256, 3, 3)]
FULLY_CONNECTED = [(128, 256), (32, 128), (1, 32)]


def layers(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, kind)]


def test_every_layer_has_the_shape_of_the_figure() -> None:
    network = build_face_verifier()
    convolutions = layers(network, nn.Conv2d)
    assert [tuple(c.weight.shape) for c in convolutions] == CONVOLUTIONS
    assert {c.stride for c in convolutions} == {(2, 2)}
    assert [tuple(f.weight.shape) for f in layers(network, nn.Linear)] == FULLY_CONNECTED
    assert [p.kernel_size for p in layers(network, nn.AvgPool2d)] == [2]
    others = [p for n, p in network.named_parameters() if n.endswith('weight') and p.ndim == 1]
    assert [len(p) for p in others] == [64, 128, 256, 256, 256]  # batch normalisation


def test_the_pooling_covers_the_last_map_exactly() -> None:
    """96, 47, 23, 11, 5, 2 pixels, then one."""
    x, sides = torch.zeros(2, 1, SIZE, SIZE), []
    network = build_face_verifier().eval()
    for block in network.branch:
        x = block(x)
        sides.append(tuple(x.shape[1:]))
    assert sides == [(64, 47, 47), (128, 23, 23), (256, 11, 11), (256, 5, 5), (256, 2, 2),
                     (256, 1, 1), (256,)]


def test_similarity_is_symmetric_and_within_0_and_1() -> None:
    torch.manual_seed(0)
    network = build_face_verifier().eval()
    first, second = torch.rand(2, 3, 1, SIZE, SIZE) * 2.0 - 1.0
    similarity = network(first, second)
    assert similarity.shape == (3, 1)
    assert bool(((similarity > 0.0) & (similarity < 1.0)).all())
    assert torch.equal(similarity, network(second, first))
    itself = network(first, first)
    torch.testing.assert_close(itself, itself[:1].expand(3, 1))


@pytest.mark.parametrize('seed', [0, 1])
def test_gradients_reach_every_parameter(seed: int) -> None:
    """A few steps lower the error."""
    torch.manual_seed(seed)
    network = build_face_verifier()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    first, other = torch.rand(2, 8, 1, SIZE, SIZE)
    near = first + 0.01 * torch.randn_like(first)
    wanted = torch.cat([torch.ones(8, 1), torch.zeros(8, 1)])
    losses = []
    for _ in range(12):
        features = network.features(torch.cat([first, first, near, other]))
        logits = network.logits(features[:16], features[16:])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    assert all(p.grad is not None and p.grad.abs().sum() > 0
               for p in network.parameters() if p.ndim > 1)
