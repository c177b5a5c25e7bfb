# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Modes on the face mesh, the error that forgives the place, whole shapes, alignment."""

from __future__ import annotations

from face_depth_ros.core.similarity_alignment import align_similarity, rms_distance
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.training.shape_targets import (
    aligned_rmse,
    place_of,
    shape_error,
    shape_modes,
    ShapeModes,
    whole_modes,
)
import numpy as np
import pytest
import torch


@pytest.fixture(scope='module')
def modes(assets_folder) -> ShapeModes:
    return shape_modes(MorphableHead(FaceAssets(assets_folder)), 400)


def points(count: int = 40, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)) * 5.0


@pytest.mark.assets
def test_differences_are_those_of_the_head(modes: ShapeModes, assets_folder) -> None:
    head = MorphableHead(FaceAssets(assets_folder))
    generator = torch.Generator().manual_seed(3)
    identity = torch.randn(2, 100, generator=generator)
    expression = torch.rand(2, 57, generator=generator)
    rows = torch.as_tensor(modes.mesh.vertices)
    told, rest = modes.differences(identity, expression)
    torch.testing.assert_close(modes.mean + told, head.identity_vertices(identity)[:, rows],
                               atol=1e-4, rtol=0.0)
    torch.testing.assert_close(modes.mean + told + rest,
                               head.vertices(identity, expression)[:, rows], atol=2e-4, rtol=0.0)


@pytest.mark.assets
def test_whole_modes_make_the_same_shapes_from_white_codes(modes: ShapeModes) -> None:
    generator = torch.Generator().manual_seed(3)
    identity = torch.randn(4000, 100, generator=generator)
    expression = torch.rand(4000, 57, generator=generator)
    to_codes, whole = whole_modes(modes, identity, expression)
    codes = torch.cat([identity, expression], dim=1) @ to_codes
    told, rest = modes.differences(identity[:5], expression[:5])
    torch.testing.assert_close((codes[:5] @ whole).unflatten(1, (-1, 3)), told + rest, atol=1e-3,
                               rtol=0.0)
    torch.testing.assert_close(codes.T @ codes / 4000, torch.eye(157), atol=2e-2, rtol=0.0)
    size = whole.square().sum(dim=1)
    assert bool((size[:-1] >= size[1:] - 1e-4).all())


def test_the_error_counts_form_fully_and_place_a_tenth() -> None:
    mean = points()
    place = place_of(mean)
    torch.testing.assert_close(place.T @ place, torch.eye(7), atol=1e-5, rtol=0.0)
    shift = torch.tensor([0.1, 0.0, 0.0]).expand_as(mean)  # 1 mm
    growth = 0.01 * (mean - mean.mean(dim=0))
    turn = torch.linalg.cross(torch.tensor([0.0, 0.01, 0.0]).expand_as(mean),
                              mean - mean.mean(dim=0))
    for moved in (shift, growth, turn):
        full = 100.0 * moved.square().sum() / len(mean)
        torch.testing.assert_close(shape_error(moved[None], place)[0], 0.1 * full)
    form = points(seed=1)
    left = form.flatten() - place @ (place.T @ form.flatten())
    torch.testing.assert_close(shape_error(left.view(1, -1, 3), place)[0],
                               100.0 * left.square().sum() / len(mean))


def test_aligned_rmse_is_that_of_the_closed_form_in_numpy() -> None:
    source = torch.stack([points(), points(seed=2)])
    mirrored = points() * torch.tensor([-1.0, 1.0, 1.0])
    target = torch.stack([1.3 * points() + 2.0, mirrored])
    told = aligned_rmse(source, target)
    assert float(told[0]) < 1e-3
    for index in range(2):
        a, b = source[index].numpy().astype(np.float64), target[index].numpy().astype(np.float64)
        expected = 10.0 * rms_distance(align_similarity(a, b).moved(a), b)
        assert float(told[index]) == pytest.approx(expected, rel=1e-4, abs=1e-3)
