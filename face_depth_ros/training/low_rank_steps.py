# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Convolutions in two halves with few channels between them, in closed form.

The answers of a convolution to real inputs lie near a space of far fewer dimensions than it has
channels. Its axes are the principal components of these answers; the first half gives the
coordinates, the second one makes answers of them again (Zhang et al., "Accelerating Very Deep
Convolutional Networks for Classification and Detection", TPAMI 2016, section 2.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


@torch.no_grad()
def halves(step: Any, answers: Iterable[torch.Tensor], rank: int) -> nn.Sequential:
    """
    Return a folded step down in two halves, `networks.compact_trunk.step_down` folded.

    :param step: a convolution (O, I, 3, 3) of stride 2 with its bias, or two halves of one
    :param answers: what it says to inputs, (B, O, H, W) each, of as many places
    :param rank: channels between the halves, 1 to O
    """
    flat = [maps.double().transpose(0, 1).flatten(1) for maps in answers]
    mean = torch.stack([part.mean(dim=1) for part in flat]).mean(dim=0)
    squares = torch.stack([part @ part.T / part.shape[1] for part in flat]).mean(dim=0)
    axes = torch.linalg.eigh(squares - mean[:, None] * mean).eigenvectors[:, -rank:]  # (O, R)
    weight, bias = (part.double() for part in whole_step(step))
    first = nn.Conv2d(weight.shape[1], rank, 3, 2, 1, bias=False)
    second: Any = nn.Conv2d(rank, len(weight), 1)
    first.weight.copy_(torch.einsum('or,oihw->rihw', axes, weight))
    second.weight.copy_(axes[:, :, None, None])
    second.bias.copy_(mean + axes @ (axes.T @ (bias - mean)))
    return nn.Sequential(first, second)


def whole_step(step: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight (O, I, 3, 3) and bias (O,) of a folded step down, whole or in two halves."""
    if not isinstance(step, nn.Sequential):
        return step.weight, step.bias
    parts: list[Any] = list(step)
    weight = torch.einsum('or,rihw->oihw', parts[1].weight[:, :, 0, 0], parts[0].weight)
    return weight, parts[1].bias
