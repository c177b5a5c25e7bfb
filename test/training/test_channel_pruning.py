# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Removing inner channels: the least squares that remain, and the order, against brute force."""

from __future__ import annotations

from types import SimpleNamespace

from face_depth_ros.training.channel_pruning import (
    average,
    InnerProducts,
    keep_channels,
    removal_order,
)
import pytest
import torch
from torch import nn

CHANNELS = 4


@pytest.fixture(scope='module')
def maps() -> torch.Tensor:
    """Return maps (8, 4, 9, 9) whose third channel is nearly the sum of the first two."""
    drawn = torch.rand(8, CHANNELS, 9, 9, generator=torch.Generator().manual_seed(0))
    drawn[:, 2] = drawn[:, 0] + drawn[:, 1] + 0.01 * drawn[:, 2]
    return drawn


@pytest.fixture(scope='module')
def layer() -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(CHANNELS, 5, 3, padding=1)


def error_without(layer: nn.Conv2d, maps: torch.Tensor, channels: set[int]) -> float:
    """Return the mean squared error of the best weights of the other channels, by brute force."""
    left = [c for c in range(CHANNELS) if c not in channels]
    columns = nn.functional.unfold(maps[:, left], 3, padding=1).transpose(1, 2).flatten(0, 1)
    known = torch.cat([columns, torch.ones(len(columns), 1)], dim=1).double()
    wanted = layer(maps).flatten(2).transpose(1, 2).flatten(0, 1).double()
    best = torch.linalg.lstsq(known, wanted).solution
    return float((known @ best - wanted).square().mean())


@torch.no_grad()
def test_the_channel_that_matters_least_goes_first(maps: torch.Tensor, layer: nn.Conv2d) -> None:
    products = average([InnerProducts.of(part) for part in maps.split(4)])
    order, weight, bias = removal_order(layer.weight, layer.bias, products, 2)
    errors = {c: error_without(layer, maps, {c}) for c in range(CHANNELS)}
    assert order[0] == min(errors, key=lambda c: errors[c])
    second = {c: error_without(layer, maps, {order[0], c}) for c in range(CHANNELS)
              if c != order[0]}
    assert order[1] == min(second, key=lambda c: second[c])
    assert len(order) == 2 and weight.shape == layer.weight.shape and bias.shape == (5,)


@torch.no_grad()
def test_what_is_left_has_the_least_error(maps: torch.Tensor, layer: nn.Conv2d) -> None:
    products = InnerProducts.of(maps)
    order, weight, bias = removal_order(layer.weight, layer.bias, products, 2)
    assert float(weight[:, order].abs().max()) == 0.0
    told = nn.functional.conv2d(maps, weight, bias, padding=1)
    error = float((told - layer(maps)).square().mean())
    best = error_without(layer, maps, set(order))
    assert best <= error <= 1.02 * best
    cut = nn.functional.conv2d(maps[:, [c for c in range(CHANNELS) if c not in order]],
                               layer.weight[:, [c for c in range(CHANNELS) if c not in order]],
                               layer.bias, padding=1)
    assert error < 0.5 * float((cut - layer(maps)).square().mean())


@torch.no_grad()
def test_a_block_keeps_the_channels_alone(maps: torch.Tensor, layer: nn.Conv2d) -> None:
    torch.manual_seed(2)
    block = SimpleNamespace(first=nn.Conv2d(3, CHANNELS, 3, padding=1), second=layer)
    image = torch.rand(2, 3, 9, 9)
    inner = torch.relu(block.first(image))
    wanted = nn.functional.conv2d(inner[:, [0, 3]], layer.weight[:, [0, 3]], layer.bias,
                                  padding=1)
    keep_channels(block, [0, 3], layer.weight, layer.bias)
    assert block.first.out_channels == block.second.in_channels == 2
    torch.testing.assert_close(block.second(torch.relu(block.first(image))), wanted)
