# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Measures of estimated depth against their formulas written out, and by their invariants."""

from __future__ import annotations

import math

from face_depth_ros.core.errors import InvalidDepthError, InvalidImageError
from face_depth_ros.core.estimation_metrics import (
    common_mean_square,
    DELTAS,
    GREY_METRICS,
    grey_metrics,
    GreyError,
    MaskConfusion,
    ReliefError,
    shrink_relief,
)
import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def images(rng: np.random.Generator, count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions and truths; a part of each truth has no face."""
    pairs = []
    for _ in range(count):
        truth = rng.uniform(1, 255, (8, 8))
        truth[rng.random((8, 8)) < 0.3] = 0
        pairs.append((rng.uniform(0, 255, (8, 8)), truth))
    return pairs


def test_grey_measures_are_those_of_the_formulas(rng: np.random.Generator) -> None:
    pairs = images(rng)
    found = grey_metrics([GreyError.of(p, t) for p, t in pairs])
    p, t = (np.stack(x) for x in zip(*pairs, strict=True))
    assert found['l1_norm'] == pytest.approx(np.abs(p - t).mean())
    assert found['l2_norm'] == pytest.approx(np.mean([np.linalg.norm(a - b) for a, b in pairs]))
    assert found['rmse_linear'] == pytest.approx(math.sqrt(((p - t) ** 2).mean()))
    face = t > 0
    q, u = np.maximum(p[face], 1), t[face]
    assert found['absolute_difference'] == pytest.approx((np.abs(p[face] - u) / u).mean())
    assert found['squared_difference'] == pytest.approx(((p[face] - u) ** 2 / u).mean())
    assert found['rmse_log'] == pytest.approx(math.sqrt((np.log(q / u) ** 2).mean()))
    variances = [np.log(np.maximum(a[b > 0], 1) / b[b > 0]).var() for a, b in pairs]
    assert found['rmse_scale_invariant'] == pytest.approx(math.sqrt(np.mean(variances)))
    for name, limit in DELTAS.items():
        assert found[name] == pytest.approx((np.maximum(q / u, u / q) < limit).mean())
    assert tuple(found) == GREY_METRICS


def test_the_truth_has_no_error(rng: np.random.Generator) -> None:
    _, truth = images(rng, 1)[0]
    found = grey_metrics([GreyError.of(truth, truth)])
    assert [found[name] for name in GREY_METRICS if name not in DELTAS] == [0.0] * 7
    assert [found[name] for name in DELTAS] == [1.0] * 6


def test_scale_does_not_count_for_the_scale_invariant_error(rng: np.random.Generator) -> None:
    truth = rng.uniform(20, 100, (8, 8))
    found = grey_metrics([GreyError.of(1.3 * truth, truth)])
    assert found['rmse_scale_invariant'] == pytest.approx(0.0, abs=1e-6)
    assert found['rmse_log'] == pytest.approx(math.log(1.3))
    assert (found['delta_1.25'], found['delta_1.25^2']) == (0.0, 1.0)


def test_larger_errors_make_every_measure_worse(rng: np.random.Generator) -> None:
    truth = rng.uniform(60, 200, (8, 8))
    noise = rng.standard_normal((8, 8))
    less, more = (grey_metrics([GreyError.of(truth + s * noise, truth)]) for s in (8.0, 90.0))
    for name in GREY_METRICS:
        assert less[name] > more[name] if name in DELTAS else less[name] < more[name], name


def test_a_missing_face_costs_at_most_the_logarithm_of_the_range() -> None:
    found = grey_metrics([GreyError.of(np.zeros((4, 4)), np.full((4, 4), 255.0))])
    assert found['rmse_log'] == pytest.approx(math.log(255))
    assert found['absolute_difference'] == 1.0
    assert all(found[name] == 0.0 for name in DELTAS)


def test_nothing_to_measure_is_nan() -> None:
    assert all(math.isnan(v) for v in grey_metrics([]).values())
    found = grey_metrics([GreyError.of(np.ones((4, 4)), np.zeros((4, 4)))])
    assert found['l1_norm'] == 1.0
    assert math.isnan(found['rmse_log']) and math.isnan(found['delta_1.25'])


def test_grey_images_are_checked() -> None:
    with pytest.raises(InvalidImageError, match=r'shapes \(4, 4\) and \(4, 5\)'):
        GreyError.of(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(InvalidImageError, match='no face it must be 0'):
        GreyError.of(np.full((4, 4), np.nan), np.zeros((4, 4)))


def test_table_one_counts_what_all_have_in_common() -> None:
    truth = np.array([[100.0, 100.0, 100.0, 0.0]])
    first, second = truth + 3.0, truth + np.array([[1.0, 9.0, 9.0, 50.0]])
    areas = [np.array([[True, True, False, True]]), np.array([[True, False, True, True]])]
    assert common_mean_square([first, second], truth, areas) == [9.0, 1.0]
    nowhere = [areas[0], ~areas[0]]
    assert common_mean_square([first, second], truth, nowhere) is None
    with pytest.raises(InvalidImageError, match='same shape'):
        common_mean_square([first[:, :2]], truth, areas[:1])


def test_relief_errors(rng: np.random.Generator) -> None:
    truth = rng.uniform(-0.05, 0.05, (8, 8))
    truth[:4] = np.nan
    relief = truth + 0.004
    relief[4:6] = np.nan
    found = ReliefError.of(relief, truth)
    assert found.rmse_mm == pytest.approx(4.0)
    assert found.shape_mm == pytest.approx(0.0, abs=1e-9)
    assert found.coverage == 0.5
    bent = ReliefError.of(truth + np.linspace(-0.01, 0.01, 8), truth)
    assert bent.shape_mm == pytest.approx(bent.rmse_mm)


def test_relief_that_shares_nothing_with_the_truth() -> None:
    truth = np.where(np.arange(4) < 2, 0.01, np.nan)[None]
    apart = ReliefError.of(truth[:, ::-1], truth)
    assert math.isnan(apart.rmse_mm) and apart.coverage == 0.0
    assert math.isnan(ReliefError.of(truth, np.full_like(truth, np.nan)).coverage)
    with pytest.raises(InvalidImageError, match='same shape'):
        ReliefError.of(truth, truth[:, :2])


def test_iou_accumulates_over_images(rng: np.random.Generator) -> None:
    pairs = [(rng.integers(0, 4, (6, 6)).astype(np.uint8),
              rng.integers(0, 4, (6, 6)).astype(np.uint8)) for _ in range(3)]
    confusion = MaskConfusion()
    for predicted, truth in pairs:
        confusion.add(predicted, truth)
    p, t = (np.concatenate(x) for x in zip(*pairs, strict=True))
    expected = [((p == c) & (t == c)).sum() / ((p == c) | (t == c)).sum() for c in range(4)]
    assert confusion.iou()[:4] == pytest.approx(expected)
    assert np.isnan(confusion.iou()[4:]).all()
    assert confusion.mean_iou() == pytest.approx(np.mean(expected))
    assert confusion.face_iou() == pytest.approx(((p > 0) & (t > 0)).sum()
                                                 / ((p > 0) | (t > 0)).sum())


def test_a_class_that_only_the_prediction_has_does_not_enter_the_mean() -> None:
    confusion = MaskConfusion(3)
    confusion.add(np.array([[0, 0, 2, 1]], np.uint8), np.array([[0, 0, 1, 1]], np.uint8))
    assert confusion.iou().tolist() == [1.0, 0.5, 0.0]
    assert confusion.mean_iou() == 0.75
    assert math.isnan(MaskConfusion().mean_iou()) and math.isnan(MaskConfusion().face_iou())


def test_masks_are_checked() -> None:
    with pytest.raises(InvalidImageError, match='label 7, expected 0 to 6'):
        MaskConfusion().add(np.array([[7]], np.uint8), np.array([[0]], np.uint8))
    with pytest.raises(InvalidImageError, match='same shape'):
        MaskConfusion().add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_shrinking_does_not_mix_background_in() -> None:
    relief = np.full((8, 8), np.nan, np.float32)
    relief[:, :3] = 0.02
    small = shrink_relief(relief, 4)
    assert small[:, 0] == pytest.approx(0.02)
    assert small[:, 1] == pytest.approx(0.02)  # half of it is face
    assert np.isnan(small[:, 2:]).all()
    for wrong in (relief.astype(np.float64), relief[0], relief[:3]):
        with pytest.raises(InvalidDepthError, match=r'expected float32 of at least \(4, 4\)'):
            shrink_relief(wrong, 4)
