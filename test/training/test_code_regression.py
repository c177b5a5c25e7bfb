# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The closed last layer is that of ridge regression, and each code has the ridge it needs."""

from __future__ import annotations

from drawn_banks import drawn_bank
from face_depth_ros.networks.face_shape import FaceShapeConfig, FaceShapeEncoder
from face_depth_ros.training.code_regression import features_of, Moments, solve_last_layer
import pytest
import torch


def encoder() -> FaceShapeEncoder:
    torch.manual_seed(0)
    return FaceShapeEncoder(FaceShapeConfig(
        10, 4, identity=2, residual=1, widths=(4, 4, 4, 8), units=(1, 1, 1, 1), last=2))


def test_the_solution_is_that_of_the_normal_equations() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 6, generator=generator) + 2.0
    wanted = torch.randn(40, 3, generator=generator) - 1.0
    ridges = torch.tensor([0.01, 0.01, 1.0])
    weight, bias = Moments.of(features, wanted).solved(ridges)
    a, b = (x.double() - x.double().mean(dim=0) for x in (features, wanted))
    gram = a.T @ a / 40
    for code in range(3):
        unit = gram.diagonal().mean() * torch.eye(6, dtype=torch.float64)
        expected = torch.linalg.solve(gram + float(ridges[code]) * unit, a.T @ b[:, code] / 40)
        torch.testing.assert_close(weight[:, code].double(), expected, atol=1e-5, rtol=1e-4)
    residual = wanted - (features @ weight + bias)
    torch.testing.assert_close(residual.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize('people', [12, 1])
def test_codes_that_the_features_tell_are_told_and_noise_is_not(people: int) -> None:
    network, bank = encoder(), drawn_bank(people, 48 // people)
    features = features_of(network, bank, 16)
    assert features.shape == (48, 2 * 7 * 7)
    told = features @ torch.randn(features.shape[1], 1, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(48, 2, generator=torch.Generator().manual_seed(2))
    wanted = torch.cat([told / told.std(), noise], dim=1)
    solve_last_layer(network, bank, wanted, 16)
    said = (features @ network.codes.weight.T + network.codes.bias).detach()
    right = (said - wanted).square().mean(dim=0)
    assert float(right[0]) < 0.1
    if people > 1:  # else nobody is held out to choose the ridges by
        assert float(said[:, 1:].square().mean()) < 0.9
