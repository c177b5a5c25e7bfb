# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Box sums and smooth random fields on batches of images."""

from __future__ import annotations

import torch
from torch.nn import functional


def box_sum(image: torch.Tensor, size: int, padding_value: float = 0.0) -> torch.Tensor:
    """
    Sum over a square window around each pixel.

    :param image: (B, H, W)
    :param size: odd number of pixels
    :param padding_value: what lies outside the image
    :returns: (B, H, W)
    """
    reach = size // 2
    padded = functional.pad(image, (reach, reach, reach, reach), value=padding_value)
    rows = _sliding_sum(padded, size, 1)
    return _sliding_sum(rows, size, 2)


def _sliding_sum(image: torch.Tensor, size: int, axis: int) -> torch.Tensor:
    length = image.shape[axis] - size + 1
    if size == 1:
        return image
    total = image.narrow(axis, 0, length) + image.narrow(axis, 1, length)
    for shift in range(2, size):
        total += image.narrow(axis, shift, length)
    return total


def smooth_noise(shape: tuple[int, ...], cell: float, generator: torch.Generator) -> torch.Tensor:
    """
    Draw a smooth random field of about unit variance.

    :param shape: (B, H, W)
    :param cell: pixels between independent values
    :returns: (B, H, W) float32 on the generator's device
    """
    batch, height, width = shape
    coarse = (batch, 1, int(height / cell) + 3, int(width / cell) + 3)
    noise = torch.randn(coarse, generator=generator, device=generator.device)
    field = functional.interpolate(noise, size=(height, width), mode='bilinear',
                                   align_corners=True)[:, 0]
    return field * 1.5
