# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Which inner channels a residual block can do without, and what the others then have to weigh.

A block's second convolution is linear in its inner channels. Without some of them the least
squared error of its answers, and the weights that have it, follow in closed form from the products
of its inputs: the optimal brain surgeon (Hassibi and Stork, "Second order derivatives for network
pruning", NIPS 1992), a channel at a time instead of a weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

_TAPS = 9
_RIDGE = 1e-3
"""Times the mean square of an input, so that the products can be inverted."""


@dataclass(frozen=True)
class InnerProducts:
    """
    What pruning needs to know of the inputs of a second convolution.

    :param squares: (9 I + 1, 9 I + 1) float64, mean products of its inputs, the last one always 1
    """

    squares: torch.Tensor

    @staticmethod
    def of(inputs: torch.Tensor) -> InnerProducts:
        """Sum up over all places of maps (B, I, H, W)."""
        columns = functional.unfold(inputs.float(), 3, padding=1)  # (B, 9 I, H W)
        flat = columns.transpose(0, 1).flatten(1)
        flat = torch.cat([flat, torch.ones_like(flat[:1])])
        return InnerProducts((flat @ flat.T).double() / flat.shape[1])


def average(parts: list[InnerProducts]) -> InnerProducts:
    """Return the mean of products of equally many places."""
    return InnerProducts(torch.stack([part.squares for part in parts]).mean(dim=0))


def removal_order(weight: torch.Tensor, bias: torch.Tensor, products: InnerProducts,
                  least: int) -> tuple[list[int], torch.Tensor, torch.Tensor]:
    """
    Remove channels one by one, each time the one that matters least.

    :param weight: (O, I, 3, 3); bias: (O,) of the second convolution
    :param least: how many channels are left in the end
    :returns: channels in the order of their removal; the weights (O, I, 3, 3) then, 0 for channels
        that are removed, and the bias
    """
    outputs, channels = weight.shape[:2]
    squares = products.squares
    ridge = _RIDGE * squares.diagonal()[:-1].mean()
    inverse = torch.linalg.inv(squares + ridge * torch.eye(len(squares), dtype=squares.dtype))
    solved = torch.cat([weight.reshape(outputs, -1).T, bias[None]]).double()  # (9 I + 1, O)
    left, order = list(range(channels)), []
    while len(left) > least:
        start = _TAPS * torch.tensor(left)
        rows = start[:, None] + torch.arange(_TAPS)  # (L, 9)
        blocks = inverse[rows[:, :, None], rows[:, None, :]]  # (L, 9, 9)
        own = solved[rows]  # (L, 9, O)
        costs = (own * torch.linalg.solve(blocks, own)).sum(dim=(1, 2))
        worst = int(costs.argmin())
        at = rows[worst]
        across = inverse[:, at] @ torch.linalg.inv(blocks[worst])  # (9 I + 1, 9)
        solved = solved - across @ solved[at]
        inverse = inverse - across @ inverse[at]
        solved[at], inverse[at], inverse[:, at] = 0.0, 0.0, 0.0
        order.append(left.pop(worst))
    return order, solved[:-1].T.reshape(outputs, channels, 3, 3).float(), solved[-1].float()


@torch.no_grad()
def keep_channels(block: Any, kept: list[int], weight: torch.Tensor, bias: torch.Tensor) -> None:
    """
    Leave some inner channels of a folded block alone, in place.

    :param kept: channels, in order
    :param weight, bias: of the second convolution, see `removal_order`
    """
    block.first = _convolution(block.first.weight[kept], block.first.bias[kept])
    block.second = _convolution(weight[:, kept], bias)


def _convolution(weight: torch.Tensor, bias: torch.Tensor) -> torch.nn.Conv2d:
    layer = torch.nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
    layer.weight = torch.nn.Parameter(weight.clone())
    layer.bias = torch.nn.Parameter(bias.clone())
    return layer
