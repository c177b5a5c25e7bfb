# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos of the six basic expressions at the side of AFNet-M, in memory, and how they vary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from face_depth_ros.core.afnet_input import afnet_planes, AfnetPlanes, MASK_STEPS
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_input import SIZE as PART_PX
from face_depth_ros.core.expression_labels import ACTION_UNITS, NEUTRAL
from face_depth_ros.core.face_photo import LANDMARK_COUNT, MIRRORED_68
from face_depth_ros.training.expression_bank import ExpressionBank, read_part
import numpy as np
import torch
from torch.nn import functional

SHIFT_PX = 2


@dataclass(frozen=True)
class AfnetData:
    """
    N photos at side S, as core.afnet_input makes them.

    :param texture: (N, 3, S, S) uint8 RGB
    :param depth: (N, S, S) float16, 0 = missing
    :param salient: (N, S, S) bool
    :param label: (N,) int64 of the first six of EXPRESSIONS
    :param level: (N,) int64, 1 to 4
    :param yaw: (N,) float32 degrees
    :param units: (N, 17) float32 of ACTION_UNITS, NaN where nobody knows
    :param landmarks: (N, 68, 2) float32 in sides of the image, NaN where nobody knows
    """

    texture: torch.Tensor
    depth: torch.Tensor
    salient: torch.Tensor
    label: torch.Tensor
    level: torch.Tensor
    yaw: torch.Tensor
    units: torch.Tensor
    landmarks: torch.Tensor

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: torch.Tensor) -> AfnetData:
        """Return some of the photos."""
        return AfnetData(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True)
class Batch:
    """Inputs of the network in its order, and what is true, on its device."""

    texture: torch.Tensor
    depth: torch.Tensor
    mask_1: torch.Tensor
    mask_2: torch.Tensor
    label: torch.Tensor
    units: torch.Tensor
    landmarks: torch.Tensor

    @property
    def images(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what the network takes."""
        return self.texture, self.depth, self.mask_1, self.mask_2


def read_afnet_data(folder: Path, size: int, limit: int | None = None) -> AfnetData:
    """
    Read the photos of the six expressions of an expression bank; neutral faces are left out.

    :param size: side of the images
    :param limit: stop at so many photos, None = all
    :raises SettingsError: there is none, or a part is damaged
    """
    parts: list[AfnetData] = []
    for path in sorted(folder.glob('part_*.npz')):
        parts.append(afnet_data_of(read_part(path), size))
        if limit is not None and sum(len(part) for part in parts) >= limit:
            break
    if not parts:
        raise SettingsError(f'no photos in {folder}; render them with `python -m '
                            'face_depth_ros.training.render_expression_bank`')
    data = join_data(parts)
    return data if limit is None else data.take(torch.arange(min(limit, len(data))))


def afnet_data_of(bank: ExpressionBank, size: int) -> AfnetData:
    """Bring the photos of a bank that are not neutral to the network's side."""
    bank = bank.take((bank.label != NEUTRAL).nonzero()[:, 0])
    planes = list(_planes(bank, size))
    return AfnetData(*_images(planes), bank.label, bank.level, bank.yaw, bank.action_units,
                     bank.landmarks.float() / PART_PX)


def afnet_data_from(planes: Sequence[AfnetPlanes], label: torch.Tensor,
                    level: torch.Tensor) -> AfnetData:
    """Put frontal faces together, at least one, of which no more is known."""
    count = len(planes)
    return AfnetData(*_images(planes), label, level, torch.zeros(count),
                     torch.full((count, len(ACTION_UNITS)), torch.nan),
                     torch.full((count, LANDMARK_COUNT, 2), torch.nan))


def _images(planes: Sequence[AfnetPlanes]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return texture, depth and salient regions."""
    texture = np.stack([np.rint(p.texture).astype(np.uint8) for p in planes])
    return (torch.from_numpy(texture).permute(0, 3, 1, 2).contiguous(),
            torch.from_numpy(np.stack([p.depth.astype(np.float16) for p in planes])),
            torch.from_numpy(np.stack([p.salient for p in planes])))


def join_data(parts: Sequence[AfnetData]) -> AfnetData:
    """Return all photos."""
    return AfnetData(*(torch.cat([getattr(part, f.name) for part in parts])
                       for f in fields(AfnetData)))


def _planes(bank: ExpressionBank, size: int) -> Iterator[AfnetPlanes]:
    for color, depth, mask, points in zip(bank.color, bank.depth, bank.mask, bank.landmarks,
                                          strict=True):
        values = depth.float().numpy()
        known = np.isfinite(values)
        yield afnet_planes(color.permute(1, 2, 0).numpy(),
                           np.stack([np.where(known, values, 0.0), known]).astype(np.float32),
                           mask.numpy(), points.numpy(), size)


def batch_of(data: AfnetData, device: torch.device) -> Batch:
    """Return photos as the network takes them."""
    texture = (data.texture.to(device).float() / 255.0).contiguous(
        memory_format=torch.channels_last)
    depth = data.depth.to(device).float()[:, None].expand(-1, 3, -1, -1).contiguous(
        memory_format=torch.channels_last)
    salient = data.salient.to(device).float()[:, None]
    first, second = ((functional.avg_pool2d(salient, step) >= 0.5).float()
                     for step in MASK_STEPS)
    return Batch(texture, depth, first, second, data.label.to(device), data.units.to(device),
                 data.landmarks.to(device))


def vary(data: AfnetData, generator: torch.Generator, *, without_depth: float = 0.0) -> AfnetData:
    """
    Mirror half of the photos, shift each by up to 2 pixels, take the depth from some.

    Texture, depth, salient regions and landmarks move together; in a mirrored face a landmark is
    the one of the other side. Colour stays: a bank has its own lights.

    :param generator: on the CPU
    """
    count, size = len(data), data.texture.shape[-1]
    mirrored = torch.rand(count, generator=generator) < 0.5
    absent = torch.rand(count, generator=generator) < without_depth
    shift = torch.randint(-SHIFT_PX, SHIFT_PX + 1, (count, 2), generator=generator)
    place = torch.arange(size)
    down = (place + shift[:, :1]).clamp(0, size - 1)
    across = (place + shift[:, 1:]).clamp(0, size - 1)
    across = torch.where(mirrored[:, None], across.flip(1), across)
    photo, rows, columns = torch.arange(count)[:, None, None], down[:, :, None], across[:, None]
    texture = data.texture.permute(0, 2, 3, 1)[photo, rows, columns].permute(0, 3, 1, 2)
    depth = data.depth[photo, rows, columns].masked_fill(absent[:, None, None], 0.0)
    x, y = data.landmarks.unbind(-1)
    moved = torch.stack([x - shift[:, 1:] / size, y - shift[:, :1] / size], dim=-1)
    other = torch.stack([1.0 + shift[:, 1:] / size - x, moved[..., 1]], dim=-1)
    landmarks = torch.where(mirrored[:, None, None], other[:, list(MIRRORED_68)], moved)
    return AfnetData(texture, depth, data.salient[photo, rows, columns], data.label, data.level,
                     torch.where(mirrored, -data.yaw, data.yaw), data.units, landmarks)
