# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Masks of filled ellipses: one interface, a compiled loop on CPUs, torch on GPUs."""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.errors import SettingsError
import numba
import numpy as np
import torch

BACKENDS = ('auto', 'compiled', 'torch')


@dataclass(frozen=True)
class Ellipses:
    """
    K ellipses in each of B images.

    :param centres: (B, K, 2) float32: x, y in pixels
    :param axes: (B, K, 2) float32: semi-axes in pixels, > 0
    :param angles: (B, K) float32: radians, of the first axis, clockwise
    :param drawn: (B, K) bool
    """

    centres: torch.Tensor
    axes: torch.Tensor
    angles: torch.Tensor
    drawn: torch.Tensor


def ellipse_mask(ellipses: Ellipses, height: int, width: int,
                 backend: str = 'auto') -> torch.Tensor:
    """
    Mark the pixels whose centre lies in any ellipse.

    :param backend: compiled (CPU tensors only), torch, or auto: by the device
    :returns: (B, height, width) bool
    :raises SettingsError: unknown or unfit backend
    """
    on_cpu = ellipses.centres.device.type == 'cpu'
    if backend not in BACKENDS or (backend == 'compiled' and not on_cpu):
        raise SettingsError(f'the backend {backend!r} cannot draw ellipses on '
                            f'{ellipses.centres.device}, expected one of {BACKENDS}, compiled '
                            'only on the CPU')
    if backend == 'torch' or not on_cpu:
        return _mask_torch(ellipses, height, width)
    mask = np.zeros((len(ellipses.centres), height, width), np.bool_)
    _mask_compiled(ellipses.centres.numpy(), ellipses.axes.numpy(), ellipses.angles.numpy(),
                   ellipses.drawn.numpy(), mask)
    return torch.from_numpy(mask)


def _mask_torch(ellipses: Ellipses, height: int, width: int) -> torch.Tensor:
    """Evaluate every ellipse in a window that holds the largest one."""
    centres, axes = ellipses.centres, ellipses.axes
    device = centres.device
    cos, sin = ellipses.angles.cos()[..., None], ellipses.angles.sin()[..., None]  # (B, K, 1)
    reach = math.ceil(float(axes.max())) + 1 if axes.numel() else 1
    steps = torch.arange(-reach, reach + 1, device=device)
    row, column = (s.flatten() for s in torch.meshgrid(steps, steps, indexing='ij'))  # (P,)
    corner = centres.floor().long()
    x, y = corner[..., :1] + column, corner[..., 1:] + row  # (B, K, P)
    dx, dy = x + 0.5 - centres[..., :1], y + 0.5 - centres[..., 1:]
    along = (cos * dx + sin * dy) / axes[..., :1]
    across = (cos * dy - sin * dx) / axes[..., 1:]
    inside = (along * along + across * across <= 1.0) & ellipses.drawn[..., None]
    inside &= (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = inside.nonzero(as_tuple=True)
    mask = torch.zeros(len(centres), height, width, dtype=torch.bool, device=device)
    mask[index[0], y[index], x[index]] = True
    return mask


@numba.njit(nogil=True, cache=True)
def _mask_compiled(centres, axes, angles, drawn, mask):
    batch, height, width = mask.shape
    for item in range(batch):
        for k in range(centres.shape[1]):
            if not drawn[item, k]:
                continue
            x, y = centres[item, k]
            first, second = axes[item, k]
            cos, sin = np.cos(angles[item, k]), np.sin(angles[item, k])
            half_width = np.sqrt((first * cos) ** 2 + (second * sin) ** 2)
            half_height = np.sqrt((first * sin) ** 2 + (second * cos) ** 2)
            for row in range(max(int(np.floor(y - half_height)), 0),
                             min(int(np.ceil(y + half_height)), height)):
                for column in range(max(int(np.floor(x - half_width)), 0),
                                    min(int(np.ceil(x + half_width)), width)):
                    dx, dy = column + 0.5 - x, row + 0.5 - y
                    along, across = (cos * dx + sin * dy) / first, (cos * dy - sin * dx) / second
                    if along * along + across * across <= 1.0:
                        mask[item, row, column] = True
