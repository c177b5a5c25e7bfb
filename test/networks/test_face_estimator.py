# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The face estimator: forms, freedom of exposure, places under heat maps, what training learns."""

from __future__ import annotations

from face_depth_ros.networks.face_estimator import (
    blankness,
    build_face_estimator,
    FaceEstimatorConfig,
    mean_places,
    normalised,
    SIZE,
)
import pytest
import torch

SMALL = FaceEstimatorConfig((8, 8, 16, 16, 16), (1, 1, 1, 1), (1, 1, 1))


def test_outputs_have_the_forms_that_the_spec_names():
    output = build_face_estimator(SMALL).eval()(torch.rand(2, 3, SIZE, SIZE) * 255)
    assert [tuple(t.shape) for t in output] == [
        (2, 1, SIZE, SIZE), (2, 1, SIZE, SIZE), (2, 7, SIZE, SIZE), (2, 68, 2), (2, 68), (2, 1)]


def test_the_shipped_size_is_small():
    count = sum(p.numel() for p in build_face_estimator().parameters())
    assert count < 6_000_000  # 12 MB with float16 weights


def test_exposure_and_contrast_do_not_change_the_answer():
    torch.manual_seed(0)
    network = build_face_estimator(SMALL).eval()
    color = torch.rand(1, 3, 64, 64) * 100 + 20
    with torch.no_grad():
        first, second = network(color), network(color * 1.7 + 30)
    torch.testing.assert_close(first.relief, second.relief, atol=1e-4, rtol=1e-3)


def test_a_black_crop_gives_finite_answers():
    output = build_face_estimator(SMALL).eval()(torch.zeros(1, 3, 64, 64))
    assert all(bool(torch.isfinite(t).all()) for t in output)


def test_normalised_has_mean_0_and_deviation_1_for_each_crop():
    result = normalised(torch.rand(3, 3, 32, 32) * torch.tensor([255.0, 90.0, 60.0]
                                                                ).view(3, 1, 1, 1))
    torch.testing.assert_close(result.mean(dim=(1, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(result.std(dim=(1, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)


def test_blank_crops_are_told_from_shapes_whatever_the_noise():
    torch.manual_seed(0)
    flat = torch.full((1, 3, 192, 192), 90.0)
    ramp = flat + torch.linspace(-4.0, 4.0, 192)
    crops = torch.cat([flat, flat + 5.0 * torch.randn_like(flat), ramp])
    blank = blankness(crops)[:, 0]
    assert blank[0] == 1.0 and blank[1] > 0.4 and blank[2] == 0.0


@pytest.mark.parametrize(('row', 'column'), [(0, 0), (3, 7), (11, 2)])
def test_mean_place_of_a_peak_is_the_middle_of_its_cell(row, column):
    heat = torch.zeros(1, 1, 12, 16)
    heat[0, 0, row, column] = 50.0
    place = mean_places(heat)[0, 0]
    torch.testing.assert_close(place, torch.tensor([(column + 0.5) / 16, (row + 0.5) / 12]),
                               atol=1e-4, rtol=0)


def test_a_step_of_training_reaches_every_weight():
    network = build_face_estimator(SMALL).train()
    sum(t.float().square().mean() for t in network(torch.rand(2, 3, 64, 64) * 255)).backward()
    without = [name for name, p in network.named_parameters()
               if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    # The second convolution of a block starts behind a scale of 0: what lies before it waits.
    assert all('.first.' in name or name.endswith('second.0.weight') for name in without)
