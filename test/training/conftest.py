# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Hand-made banks of depth, so that training is tested without rendering."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from face_depth_ros.training.enhancement_data import encode, FaceDepthBank, SIZE
import numpy as np
import pytest
import torch


def make_domes(count: int) -> torch.Tensor:
    """Return spheres of 9 cm radius seen from 0.6 m, (B, S, S) metres, NaN around."""
    axis = (torch.arange(SIZE) + 0.5 - SIZE / 2) / SIZE * 0.22
    squared = axis[:, None] ** 2 + axis[None, :] ** 2
    depth = 0.6 - (0.09 ** 2 - squared).clamp_min(0).sqrt()
    return torch.where(squared < 0.09 ** 2, depth, torch.nan).expand(count, SIZE, SIZE).clone()


def make_bank(folder: Path, count: int, scene: bool = False) -> FaceDepthBank:
    """Store domes as the renderer does."""
    folder.mkdir()
    depth = make_domes(count)
    codes = encode(torch.where(depth.isnan(), 1.0, (depth - 0.51) / 0.25))
    np.save(folder / 'codes.npy', codes.numpy())
    np.save(folder / 'meta.npy', np.tile(np.float32([0.51, 700.0]), (count, 1)))
    if scene:
        tenths = (depth.nan_to_num(nan=0.7) * 1e4).round()
        tenths[:, :40] = 4000.0
        np.save(folder / 'scene.npy', tenths.numpy().astype(np.uint16))
    return FaceDepthBank(folder)


@pytest.fixture
def dome() -> Callable[[int], torch.Tensor]:
    """Return what makes domes."""
    return make_domes


@pytest.fixture
def write_bank() -> Callable[..., FaceDepthBank]:
    """Return what writes a bank of domes."""
    return make_bank
