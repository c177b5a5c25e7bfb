# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.synthesis.textures import sample, TextureLevels, to_linear, to_srgb
import numpy as np
import torch


def test_srgb_round_trip_below_the_shoulder():
    values = np.arange(0, 215, dtype=np.float32)
    back = to_srgb(torch.from_numpy(to_linear(values))).numpy()
    assert np.abs(back.astype(int) - values).max() <= 1
    bright = to_srgb(torch.linspace(0.0, 8.0, 500)).int()
    assert bool((bright[1:] >= bright[:-1]).all()) and int(bright[-1]) == 255


def test_sampling_hits_texel_centres_with_v_upwards():
    image = torch.arange(12.0).view(1, 3, 4)
    uv = torch.tensor([[0.125, 5 / 6], [0.875, 1 / 6], [0.25, 0.5]])
    torch.testing.assert_close(sample(image, uv)[:, 0], torch.tensor([0.0, 11.0, 4.5]))


def test_levels_halve_and_keep_the_mean():
    image = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    levels = TextureLevels(image)
    assert [levels.at_width(width).shape[0] for width in (300, 256, 129, 128, 65, 1)] == [
        256, 256, 256, 128, 128, 64]
    assert abs(levels.at_width(64).mean() - image.mean()) < 1.0
