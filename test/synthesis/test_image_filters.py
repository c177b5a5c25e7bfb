# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.synthesis.image_filters import box_sum, smooth_noise
import pytest
import torch
from torch.nn import functional


@pytest.mark.parametrize('size', [1, 3, 5, 9])
def test_box_sum_is_a_convolution_with_ones(size):
    image = torch.rand(2, 13, 17, generator=torch.Generator().manual_seed(0))
    ones = torch.ones(1, 1, size, size)
    expected = functional.conv2d(image[:, None], ones, padding=size // 2)[:, 0]
    torch.testing.assert_close(box_sum(image, size), expected)


def test_box_sum_pads_with_the_given_value():
    assert float(box_sum(torch.ones(1, 4, 4), 3, padding_value=1.0).min()) == 9.0


def test_smooth_noise_is_about_normal_and_smooth():
    field = smooth_noise((20, 128, 96), 8, torch.Generator().manual_seed(1))
    assert field.shape == (20, 128, 96)
    assert abs(float(field.mean())) < 0.05
    assert 0.85 < float(field.std()) < 1.15
    steps = (field[:, :, 1:] - field[:, :, :-1]).std()
    assert float(steps) < 0.35
