# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The compact expression recogniser: its size, its shapes, what depth does in it."""

from __future__ import annotations

from face_depth_ros.networks.expression_recognizer import (
    build_expression_recognizer,
    fine_relief,
)
import pytest
import torch


def test_the_network_is_small_and_answers_in_its_ranges() -> None:
    torch.manual_seed(0)
    network = build_expression_recognizer().eval()
    assert sum(p.numel() for p in network.parameters()) <= 3_000_000
    logits, affect, units = network(255.0 * torch.rand(3, 3, 128, 128),
                                    torch.rand(3, 2, 128, 128), torch.ones(3, 1, 128, 128))
    assert (logits.shape, affect.shape, units.shape) == ((3, 7), (3, 2), (3, 17))
    assert affect.abs().max() <= 1.0 and units.min() >= 0.0 and units.max() <= 1.0


def test_faces_of_a_batch_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    network = build_expression_recognizer().eval()
    inputs = (255.0 * torch.rand(2, 3, 128, 128), torch.rand(2, 2, 128, 128),
              torch.ones(2, 1, 128, 128))
    together = network(*inputs)
    for row in range(2):
        alone = network(*(image[row:row + 1] for image in inputs))
        for one, both in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], both[row], atol=1e-5, rtol=1e-4)


def test_fine_relief_sees_millimetres_and_no_slope() -> None:
    column = torch.linspace(-1.0, 1.0, 128)
    slope = column.expand(1, 1, 128, 128)
    known = torch.ones(1, 1, 128, 128)
    inner = fine_relief(torch.cat([slope, known], dim=1))[..., 20:-20, 20:-20]
    assert inner.abs().max() < 0.1
    bump = slope.clone()
    bump[..., 60:66, 60:66] += 0.1  # 3 mm
    seen = fine_relief(torch.cat([bump, known], dim=1))
    assert 0.3 < float(seen[..., 63, 63].detach()) < 0.6


@pytest.mark.parametrize('value', [0.0, 1.5])
def test_unknown_depth_is_nothing(value: float) -> None:
    depth = torch.full((1, 2, 128, 128), value)
    depth[:, 1] = 0.0
    depth[:, 0] = 0.0
    assert torch.equal(fine_relief(depth), torch.zeros(1, 1, 128, 128))
