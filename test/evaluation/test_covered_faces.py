# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A made hand and sheet: where they lie, how they are measured, what of the face stays."""

from __future__ import annotations

from collections.abc import Callable

from face_depth_ros.evaluation.covered_faces import (
    covered_by_hand,
    covered_by_paper,
    sensor_noise,
)
from face_depth_ros.evaluation.real_faces import canonical_ellipse
import numpy as np
import pytest

COVERS = pytest.mark.parametrize('cover', [covered_by_hand, covered_by_paper])
SEEDS = range(12)


def bulge(noise: float = 0.0) -> np.ndarray:
    """Return a head of 0.6 m distance before nothing, (256, 256) metres."""
    ys, xs = np.mgrid[:256, :256] + 0.5
    away = ((xs - 128) / 100) ** 2 + ((ys - 135) / 125) ** 2
    depth = 0.6 + 0.08 * away + noise * np.random.default_rng(0).standard_normal(away.shape)
    return np.where(away < 1, depth, np.nan).astype(np.float32)


@COVERS
def test_the_cover_is_before_the_face_and_the_rest_stays(
        cover: Callable[[np.ndarray, int], np.ndarray]) -> None:
    depth = bulge()
    for seed in SEEDS:
        covered = cover(depth, seed)
        thing = np.isfinite(covered) & ~(covered >= depth - 1e-6)
        near = depth[np.isfinite(depth) & thing]
        assert (covered[thing] < 0.6 + 0.08 - 0.02).all()
        assert near.size and np.median(near - covered[np.isfinite(depth) & thing]) > 0.02
        rest = ~thing & np.isfinite(covered)
        np.testing.assert_array_equal(covered[rest], depth[rest])
        assert covered.dtype == np.float32


@COVERS
def test_about_half_the_face_stays_open(
        cover: Callable[[np.ndarray, int], np.ndarray]) -> None:
    depth, face = bulge(), canonical_ellipse()
    for seed in SEEDS:
        hidden = np.mean(cover(depth, seed)[face] != depth[face])
        assert 0.2 < hidden < 0.75


def test_the_hand_covers_the_mouth_and_paper_one_side() -> None:
    depth = bulge()
    mouth = np.s_[176:192, 112:144]
    assert all(np.nanmean(covered_by_hand(depth, s)[mouth] < depth[mouth] - 0.02) > 0.5
               for s in SEEDS)
    for seed in SEEDS:
        changed = covered_by_paper(depth, seed) < depth - 0.02
        left, right = changed[100:200, 70:110].mean(), changed[100:200, 150:190].mean()
        assert max(left, right) > 0.95 and min(left, right) < 0.05


@COVERS
def test_a_shadow_lies_to_the_left(cover: Callable[[np.ndarray, int], np.ndarray]) -> None:
    depth = bulge()
    for seed in SEEDS:
        covered = cover(depth, seed)
        lost = np.isfinite(depth) & ~np.isfinite(covered)
        rows, columns = np.nonzero(lost)
        for row, column in zip(rows[::50], columns[::50], strict=True):
            ahead = covered[row, column + 1:column + 30]
            assert (ahead < depth[row, column] - 0.02).any()


def test_the_noise_is_that_of_the_camera() -> None:
    mask = canonical_ellipse()
    assert sensor_noise(bulge(0.002), mask) == pytest.approx(0.002, rel=0.05)
    covered = covered_by_paper(bulge(0.002), 3)
    sheet = covered < bulge() - 0.02
    assert sensor_noise(covered, sheet & mask) == pytest.approx(0.002, rel=0.1)
    assert sensor_noise(np.full((256, 256), np.nan, np.float32), mask) == 0.0


@COVERS
def test_without_a_face_nothing_is_put_before_it(
        cover: Callable[[np.ndarray, int], np.ndarray]) -> None:
    nothing = np.full((256, 256), np.nan, np.float32)
    np.testing.assert_array_equal(cover(nothing, 0), nothing)


@COVERS
def test_equal_seeds_give_equal_covers(
        cover: Callable[[np.ndarray, int], np.ndarray]) -> None:
    depth = bulge(0.001)
    np.testing.assert_array_equal(cover(depth, 5), cover(depth, 5))
    assert not np.array_equal(cover(depth, 5), cover(depth, 6), equal_nan=True)
