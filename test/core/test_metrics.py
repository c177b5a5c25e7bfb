# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Metrics against scipy, against formulas written out, and by their invariants."""

from __future__ import annotations

import math

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.metrics import (
    box_iou,
    BoxError,
    Distribution,
    hole_share,
    landmark_nme,
    mask_iou,
    mean_absolute_error,
    percentiles,
    rmse,
    roughness,
)
import numpy as np
import pytest
from scipy import ndimage, stats


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_distribution_agrees_with_scipy(rng: np.random.Generator) -> None:
    x = rng.gamma(2.0, size=500)
    d = Distribution.of(x)
    assert d.mean == pytest.approx(np.mean(x))
    assert d.std == pytest.approx(stats.tstd(x))
    assert d.skewness == pytest.approx(stats.skew(x))
    assert d.kurtosis == pytest.approx(stats.kurtosis(x))


def test_distribution_without_shape_is_nan() -> None:
    empty, one, equal = (Distribution.of(v) for v in ([], [2.0], [0.1] * 10))
    assert math.isnan(empty.mean)
    assert one.mean == 2.0
    assert math.isnan(one.std)
    assert equal.std == pytest.approx(0.0, abs=1e-12)
    assert math.isnan(equal.skewness)
    assert math.isnan(equal.kurtosis)


def test_distribution_skips_values_that_are_not_finite() -> None:
    assert Distribution.of([1.0, np.nan, 3.0, np.inf]).mean == 2.0


def test_rmse_of_a_constant_offset_is_the_offset(rng: np.random.Generator) -> None:
    truth = rng.random((8, 9))
    assert rmse(truth + 0.25, truth) == pytest.approx(0.25)
    assert mean_absolute_error(truth - 0.25, truth) == pytest.approx(0.25)


def test_rmse_looks_only_under_the_mask() -> None:
    truth = np.zeros((4, 4), np.float32)
    values = truth.copy()
    values[0] = np.nan
    values[1] = 3.0
    mask = np.zeros((4, 4), bool)
    mask[1:3] = True
    assert rmse(values, truth, mask) == pytest.approx(math.sqrt(4.5))
    assert math.isnan(rmse(values, truth))
    assert math.isnan(rmse(values, truth, np.zeros_like(mask)))
    assert math.isnan(mean_absolute_error(values, truth, np.zeros_like(mask)))


def test_rmse_of_16_bit_images_does_not_wrap() -> None:
    low, high = np.zeros((2, 2), np.uint16), np.full((2, 2), 40000, np.uint16)
    assert rmse(low, high) == 40000.0


def test_roughness_is_the_papers_kernel(rng: np.random.Generator) -> None:
    depth = rng.random((20, 30))
    kernel = np.full((3, 3), -1 / 8)
    kernel[1, 1] = 1.0
    expected = np.abs(ndimage.convolve(depth, kernel)[1:-1, 1:-1]).mean()
    assert roughness(depth) == pytest.approx(expected)


def test_roughness_of_a_plane_is_zero_and_holes_do_not_count() -> None:
    y, x = np.mgrid[:20, :20]
    plane = 0.5 + 0.01 * x - 0.02 * y
    plane[8:11, 4] = np.nan
    assert roughness(plane) == pytest.approx(0.0, abs=1e-12)
    mask = np.zeros((20, 20), bool)
    mask[9, 4] = True
    assert math.isnan(roughness(plane, mask))


def test_roughness_of_too_small_or_flat_arrays() -> None:
    assert math.isnan(roughness(np.ones((2, 5))))
    with pytest.raises(InvalidImageError, match=r'needs an \(H, W\) image'):
        roughness(np.ones(5))


def test_hole_share() -> None:
    depth = np.ones((4, 4), np.float32)
    depth[0] = np.nan
    assert hole_share(depth) == 0.25
    assert hole_share(depth, np.eye(4, dtype=bool)) == 0.25
    assert math.isnan(hole_share(depth, np.zeros((4, 4), bool)))


def test_mask_iou() -> None:
    a = np.zeros((4, 4), bool)
    b = a.copy()
    assert mask_iou(a, b) == 1.0
    a[:2], b[1:3] = True, True
    assert mask_iou(a, b) == pytest.approx(1 / 3)


def test_box_iou_of_shifted_and_turned_squares() -> None:
    box = FaceBox(1000.0, 500.0, 100.0, 0.3)
    along = FaceBox(1000.0 + 50.0 * math.cos(0.3), 500.0 + 50.0 * math.sin(0.3), 100.0, 0.3)
    assert box_iou(box, box) == pytest.approx(1.0)
    assert box_iou(box, along) == pytest.approx(1 / 3, rel=1e-4)
    # Two equal squares at 45 degrees share a regular octagon.
    octagon = 2.0 * (math.sqrt(2.0) - 1.0) * 100.0 ** 2
    turned = FaceBox(1000.0, 500.0, 100.0, 0.3 + math.pi / 4)
    assert box_iou(box, turned) == pytest.approx(octagon / (2e4 - octagon), rel=1e-4)
    assert box_iou(box, FaceBox(2000.0, 500.0, 100.0)) == 0.0


def test_box_error_wraps_the_roll() -> None:
    error = BoxError.of(FaceBox(13.0, 14.0, 55.0, 3.1), FaceBox(10.0, 10.0, 50.0, -3.1))
    assert error.center == pytest.approx(0.1)
    assert error.side == pytest.approx(0.1)
    assert error.roll == pytest.approx(6.2 - 2 * math.pi)


def test_landmark_nme_is_percent_of_the_side() -> None:
    truth = np.array([[0.0, 0.0], [10.0, 0.0], [np.nan, np.nan]])
    points = np.array([[3.0, 4.0], [10.0, 5.0], [1.0, 1.0]])
    assert landmark_nme(points, truth, 50.0) == pytest.approx(10.0)
    assert math.isnan(landmark_nme(points[2:], truth[2:], 50.0))


def test_percentiles_agree_with_scipy(rng: np.random.Generator) -> None:
    x = rng.random(101)
    found = percentiles(x, (50, 95))
    assert found == {'p50': pytest.approx(stats.scoreatpercentile(x, 50)),
                     'p95': pytest.approx(stats.scoreatpercentile(x, 95))}
    assert all(math.isnan(v) for v in percentiles([]).values())


@pytest.mark.parametrize('metric', [rmse, mean_absolute_error, mask_iou])
def test_shapes_must_agree(metric) -> None:
    with pytest.raises(InvalidImageError, match='expected the same shape'):
        metric(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


@pytest.mark.parametrize('metric', [rmse, roughness, hole_share])
def test_masks_must_fit(metric) -> None:
    arrays = (np.ones((4, 4)),) * (2 if metric is rmse else 1)
    with pytest.raises(InvalidImageError, match='expected the same shape'):
        metric(*arrays, np.ones((4, 3), bool))
