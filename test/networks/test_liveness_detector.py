# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The liveness network: its size, its shapes, size and shape of landmarks apart."""

from __future__ import annotations

from face_depth_ros.core.liveness_input import PLANES, POINT_VALUES, SCALARS, SIZE
from face_depth_ros.networks.liveness_detector import build_liveness_detector, shape_and_size
from face_depth_ros.synthesis.liveness_attacks import SPECIES
import torch


def inputs(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return (torch.rand(count, len(PLANES), SIZE, SIZE),
            torch.rand(count, 68, len(POINT_VALUES)) * 2.0 - 1.0, torch.rand(count, len(SCALARS)))


def test_the_network_is_small_and_answers_for_each_species() -> None:
    torch.manual_seed(0)
    network = build_liveness_detector().eval()
    assert sum(p.numel() for p in network.parameters()) <= 500_000
    live, species = network(*inputs(3))
    assert (live.shape, species.shape) == ((3, 1), (3, len(SPECIES)))


def test_faces_of_a_batch_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    network = build_liveness_detector().eval()
    batch = inputs(2)
    together = network(*batch)
    for row in range(2):
        alone = network(*(values[row:row + 1] for values in batch))
        for one, both in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], both[row], atol=1e-5, rtol=1e-4)


def test_a_smaller_head_has_the_same_shape_and_another_size() -> None:
    torch.manual_seed(0)
    _, points, scalars = inputs(2)
    smaller = torch.cat([0.5 * points[..., :3], points[..., 3:]], dim=2)
    one, other = shape_and_size(points, scalars), shape_and_size(smaller, scalars)
    torch.testing.assert_close(one[:, :-1], other[:, :-1])
    assert (one[:, -1] - other[:, -1] > 1.0).all()
    nothing = shape_and_size(torch.zeros_like(points), scalars)
    assert nothing.isfinite().all()
