# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Textures in linear light: size levels against aliasing, bilinear sampling."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional

_GAMMA = 2.2


@dataclass(frozen=True)
class Texture:
    """
    What is painted on triangles.

    :param color: (3, h, w) float32, linear light
    :param alpha: (1, h, w) float32 in [0, 1]; None = opaque
    :param overlay: (1, h, w) float32 in [0, 1], where something else is painted on; None = nowhere
    """

    color: torch.Tensor
    alpha: torch.Tensor | None = None
    overlay: torch.Tensor | None = None


def to_linear(color: np.ndarray | tuple[float, ...]) -> np.ndarray:
    """Convert sRGB in [0, 255] to linear light in [0, 1], float32."""
    return (np.asarray(color, np.float32) / np.float32(255.0)) ** np.float32(_GAMMA)


def to_srgb(linear: torch.Tensor) -> torch.Tensor:
    """
    Convert linear light to sRGB with a soft shoulder at the bright end.

    :param linear: any shape, 1 = white
    :returns: uint8
    """
    knee = 0.75
    over = (linear - knee).clamp(min=0.0)
    soft = linear.clamp(0.0, knee) + (1 - knee) * (1.0 - torch.exp(-over / (1 - knee)))
    return (soft.clamp(0.0, 1.0) ** (1 / _GAMMA) * 255.0 + 0.5).to(torch.uint8)


class TextureLevels:
    """
    An image at 1, 1/2, 1/4 ... of its size.

    :param image: (H, W) or (H, W, C) uint8
    """

    def __init__(self, image: np.ndarray, smallest: int = 64) -> None:
        self._levels = [image]
        while min(self._levels[-1].shape[:2]) // 2 >= smallest:
            height, width = self._levels[-1].shape[:2]
            self._levels.append(cv2.resize(self._levels[-1], (width // 2, height // 2),
                                           interpolation=cv2.INTER_AREA))

    def at_width(self, width: float) -> np.ndarray:
        """Return the smallest level that is at least this wide, (h, w[, C]) float32 0 to 255."""
        fitting = [level for level in self._levels if level.shape[1] >= width]
        return (fitting[-1] if fitting else self._levels[0]).astype(np.float32)


def sample(image: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
    """
    Sample bilinearly, clamped at the border.

    :param image: (C, h, w)
    :param uv: (N, 2) in [0, 1], v upwards
    :returns: (N, C)
    """
    grid = torch.stack([uv[:, 0] * 2.0 - 1.0, 1.0 - uv[:, 1] * 2.0], dim=1)  # (N, 2)
    values = functional.grid_sample(image[None], grid[None, None], mode='bilinear',
                                    padding_mode='border', align_corners=False)
    return values[0, :, 0].transpose(0, 1)  # (N, C)


def as_planes(image: np.ndarray, device: torch.device) -> torch.Tensor:
    """Move an (h, w, C) float array to a (C, h, w) tensor."""
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(device).permute(2, 0, 1)
