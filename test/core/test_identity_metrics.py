# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Numbers of recognition against cases by hand, slow loops, and scipy."""

from __future__ import annotations

from typing import Any

from face_depth_ros.core.errors import ScoreError
from face_depth_ros.core.identity_calibration import read_calibrations
from face_depth_ros.core.identity_metrics import (
    area_under_curve,
    best_threshold,
    calibrate,
    cosine_matrix,
    cumulative_matches,
    equal_error_rate,
    fold_accuracy,
    logistic,
    mate_ranks,
    open_set_rate,
    pooled_templates,
    rank_one,
    roc,
    split_scores,
    Spread,
    tail_thresholds,
    threshold_at,
    true_accept_rate,
)
import numpy as np
import pytest
from scipy import optimize, stats


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_cosines_of_vectors_of_any_length() -> None:
    table = cosine_matrix(np.array([[2.0, 0.0], [0.0, 5.0]]), np.array([[3.0, 3.0]]))
    np.testing.assert_allclose(table, [[0.5 ** 0.5], [0.5 ** 0.5]])


@pytest.mark.parametrize(('first', 'second', 'reason'), [
    (np.ones((2, 3)), np.ones((2, 4)), 'vectors of 3 and of 4 dimensions cannot be compared'),
    (np.ones(3), np.ones((2, 3)), r'vectors are \(3,\), expected \(N, D\)'),
    (np.zeros((1, 3)), np.ones((2, 3)), 'a vector is 0 or not finite'),
    (np.full((1, 3), np.nan), np.ones((2, 3)), 'a vector is 0 or not finite')])
def test_vectors_that_are_none(first: np.ndarray, second: np.ndarray, reason: str) -> None:
    with pytest.raises(ScoreError, match=reason):
        cosine_matrix(first, second)


def test_ranks_by_hand() -> None:
    scores = np.array([[0.9, 0.2, 0.5, 0.3],
                       [0.1, 0.2, 0.6, 0.3],
                       [0.3, 0.1, 0.7, 0.9]])
    gallery = ['a', 'b', 'c']
    # a first; b ties with a stranger, so it is second; a third; d is in no gallery.
    assert mate_ranks(scores, gallery, ['a', 'b', 'a', 'd']).tolist() == [1, 2, 3, 0]
    assert rank_one(scores, gallery, ['a', 'b', 'a', 'd']) == pytest.approx(1 / 3)
    np.testing.assert_allclose(cumulative_matches(scores, gallery, ['a', 'b', 'a', 'd'], 3),
                               [1 / 3, 2 / 3, 1.0])


def test_a_person_of_several_templates_is_one_place() -> None:
    scores = np.array([[0.8], [0.9], [0.5], [0.7], [0.6]])
    gallery = ['b', 'b', 'a', 'a', 'c']
    assert mate_ranks(scores, gallery, ['a']).tolist() == [2]
    assert mate_ranks(scores, gallery, ['c']).tolist() == [3]


def test_a_network_that_says_the_same_of_all_recognises_nobody() -> None:
    scores = np.ones((5, 5))
    assert rank_one(scores, range(5), range(5)) == 0.0
    genuine, impostor = split_scores(scores, np.arange(5), np.arange(5))
    assert (genuine.size, impostor.size) == (5, 20)
    assert true_accept_rate(genuine, impostor, 0.1) == 0.0
    assert area_under_curve(genuine, impostor) == 0.5
    assert equal_error_rate(genuine, impostor) == 0.5


def test_ranks_agree_with_sorting(rng: np.random.Generator) -> None:
    scores, gallery = rng.normal(size=(30, 200)), np.arange(30)
    probes = rng.integers(0, 30, 200)
    order = np.argsort(-scores, axis=0)
    expected = [1 + int(np.flatnonzero(order[:, p] == probes[p])[0]) for p in range(200)]
    assert mate_ranks(scores, gallery, probes).tolist() == expected


@pytest.mark.parametrize(('scores', 'gallery', 'probes', 'ranks', 'reason'), [
    (np.ones((2, 2)), [0], [0, 1], 1, r'scores are \(2, 2\) for a gallery of \(1,\)'),
    (np.ones((0, 2)), [], [0, 1], 1, 'at least 1'),
    (np.full((1, 1), np.nan), [0], [0], 1, '1 of 1 scores are not finite'),
    (np.ones((1, 1)), [0], [1], 1, 'none of 1 probes has its person in the gallery'),
    (np.ones((1, 1)), [0], [0], 0, 'ranks is 0, expected 1 or more')])
def test_tables_of_scores_that_fit_nothing(scores: np.ndarray, gallery: list[int],
                                           probes: list[int], ranks: int, reason: str) -> None:
    with pytest.raises(ScoreError, match=reason):
        cumulative_matches(scores, gallery, probes, ranks)


def test_a_threshold_never_exceeds_its_rate(rng: np.random.Generator) -> None:
    impostor = np.round(rng.normal(size=5000), 2)  # with many ties
    for rate in (0.1, 0.01, 0.001):
        threshold = threshold_at(impostor, rate)
        assert threshold is not None
        assert np.mean(impostor >= threshold) <= rate
        below = np.nextafter(threshold, -np.inf)
        assert np.mean(impostor >= below) > rate  # and it is the lowest such


def test_true_accepts_by_hand() -> None:
    impostor = np.arange(10) / 10.0  # 0.9 alone may pass
    genuine = np.array([0.95, 0.9, 0.85, 0.8, 0.5])
    assert true_accept_rate(genuine, impostor, 0.1) == pytest.approx(3 / 5)
    assert true_accept_rate(genuine, impostor, 0.099) is None
    assert threshold_at(np.zeros(1000), 0.0001) is None
    # 3 / 1000 counts three pairs, whatever the rounding of 0.003 * 1000.
    assert threshold_at(np.arange(1000.0), 0.003) == np.nextafter(996.0, np.inf)


@pytest.mark.parametrize('rate', [0.0, 1.0, -0.1, float('nan')])
def test_rates_that_are_none(rate: float) -> None:
    with pytest.raises(ScoreError, match='expected 0 < rate < 1'):
        threshold_at(np.arange(5.0), rate)


@pytest.mark.parametrize('function', [roc, equal_error_rate, area_under_curve,
                                      lambda g, i: true_accept_rate(g, i, 0.1)])
def test_scores_that_are_none(function: Any) -> None:
    good = np.arange(20.0)
    for genuine, impostor, reason in (
            (good[:0], good, r'genuine scores are \(0,\)'),
            (good, good[:0], r'impostor scores are \(0,\)'),
            (good, np.append(good, np.inf), 'impostor scores: 1 of 21 are not finite'),
            (good[None], good, r'genuine scores are \(1, 20\)')):
        with pytest.raises(ScoreError, match=reason):
            function(genuine, impostor)


def test_the_curve_at_every_threshold(rng: np.random.Generator) -> None:
    genuine, impostor = np.round(rng.normal(1, 1, 50), 1), np.round(rng.normal(0, 1, 80), 1)
    curve = roc(genuine, impostor)
    assert curve.false_accept[0] == curve.true_accept[0] == 1.0
    assert curve.false_accept[-1] == curve.true_accept[-1] == 0.0
    for t, far, tar in zip(curve.thresholds, curve.false_accept, curve.true_accept, strict=True):
        assert far == pytest.approx(np.mean(impostor >= t))
        assert tar == pytest.approx(np.mean(genuine >= t))


def test_area_is_the_statistic_of_mann_and_whitney(rng: np.random.Generator) -> None:
    genuine, impostor = np.round(rng.normal(1, 1, 300), 1), np.round(rng.normal(0, 1, 400), 1)
    expected = stats.mannwhitneyu(genuine, impostor).statistic / (300 * 400)
    assert area_under_curve(genuine, impostor) == pytest.approx(expected)


def test_equal_error_rate_of_normal_scores(rng: np.random.Generator) -> None:
    genuine, impostor = rng.normal(2, 1, 40_000), rng.normal(0, 1, 40_000)
    assert equal_error_rate(genuine, impostor) == pytest.approx(stats.norm.cdf(-1), abs=0.004)
    curve = roc(genuine, impostor)
    crossing = optimize.brentq(lambda t: np.interp(t, curve.thresholds, curve.false_accept)
                               + np.interp(t, curve.thresholds, curve.true_accept) - 1, -3, 5)
    assert equal_error_rate(genuine, impostor) == pytest.approx(
        float(np.interp(crossing, curve.thresholds, curve.false_accept)), abs=1e-6)


def test_equal_error_rate_at_its_ends() -> None:
    assert equal_error_rate(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0.0
    assert equal_error_rate(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0


def slow_best(scores: np.ndarray, same: np.ndarray) -> float:
    edges = np.unique(scores)
    cuts = np.concatenate([[edges[0] - 1], (edges[1:] + edges[:-1]) / 2, [edges[-1] + 1]])
    return max(float(np.mean((scores >= t) == same)) for t in cuts)


def test_the_best_threshold_is_that_of_a_slow_search(rng: np.random.Generator) -> None:
    for _ in range(30):
        scores, same = np.round(rng.normal(size=40), 1), rng.random(40) < 0.5
        scores = scores + same
        found = best_threshold(scores, same)
        assert np.mean((scores >= found) == same) == pytest.approx(slow_best(scores, same))
    assert best_threshold(np.array([0.0, 1.0]), np.array([False, True])) == 0.5


def test_accuracy_of_folds_is_chosen_on_the_others() -> None:
    # Fold 2 lies one higher than the others: what is best on them is wrong there.
    scores = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 2.0])
    same = np.array([False, True] * 3)
    spread = fold_accuracy(scores, same, np.array([0, 0, 1, 1, 2, 2]))
    assert spread.count == 3 and spread.mean < 1.0
    whole = fold_accuracy(np.tile([0.0, 1.0], 10), np.tile([False, True], 10),
                          np.repeat(np.arange(10), 2))
    assert (whole.mean, whole.std, whole.count) == (1.0, 0.0, 10)


@pytest.mark.parametrize(('scores', 'same', 'folds', 'reason'), [
    ([0.1, 0.2], [True, False], [1, 1], 'all 2 pairs are of one fold'),
    ([0.1, 0.2], [1, 0], [1, 2], 'expected as many bool values'),
    ([0.1, 0.2], [True], [1, 2], 'expected as many bool values'),
    ([0.1, float('nan')], [True, False], [1, 2], '1 of 2 are not finite')])
def test_folds_that_are_none(scores: list[float], same: list[Any], folds: list[int],
                             reason: str) -> None:
    with pytest.raises(ScoreError, match=reason):
        fold_accuracy(np.array(scores), np.array(same), np.array(folds))


def test_spread() -> None:
    assert Spread.of([1.0, 3.0]) == Spread(2.0, pytest.approx(2 ** 0.5), 2)
    assert Spread.of([1.0]).std == 0.0
    with pytest.raises(ScoreError, match=r'values of splits are \(0,\)'):
        Spread.of([])


def test_a_long_video_counts_as_much_as_a_photo() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0], [0.0, 4.0], [5.0, 0.0]])
    names, pooled = pooled_templates(vectors, [7, 7, 7, 7, 3], [1, 2, 2, 2, 9])
    assert names.tolist() == [3, 7]
    np.testing.assert_allclose(pooled, [[1.0, 0.0], [0.5 ** 0.5, 0.5 ** 0.5]])
    _, single = pooled_templates(vectors, [7, 7, 7, 7, 3])
    np.testing.assert_allclose(single[1], np.array([1.0, 3.0]) / 10 ** 0.5)
    with pytest.raises(ScoreError, match='expected one of each for every vector'):
        pooled_templates(vectors, [1])
    with pytest.raises(ScoreError, match='has no direction'):
        pooled_templates(np.array([[1.0], [-1.0]]), [1, 1])


def test_open_set_by_hand() -> None:
    gallery, probes = [0, 1], [0, 1, 1, *range(10, 20)]
    known = np.array([[0.9, 0.1, 0.8], [0.2, 0.6, 0.7]])
    unknown = np.tile(np.arange(10) / 10, (2, 1))  # one of ten may reach the threshold: 0.9
    scores = np.concatenate([known, unknown], axis=1)
    assert open_set_rate(scores, gallery, probes, 0.1) == pytest.approx(1 / 3)
    assert open_set_rate(scores, gallery, probes, 0.4) == pytest.approx(2 / 3)
    assert open_set_rate(scores, gallery, probes, 0.01) is None
    with pytest.raises(ScoreError, match='3 of 3 probes are of known people'):
        open_set_rate(known, gallery, probes[:3], 0.1)


def test_the_logistic_is_the_minimum(rng: np.random.Generator) -> None:
    genuine, impostor = rng.normal(0.6, 0.15, 500), rng.normal(0.05, 0.12, 20_000)

    def loss(at: np.ndarray) -> float:
        total = 0.0
        for x, target in ((genuine, 501 / 502), (impostor, 1 / 20_002)):
            logit = at[0] * x + at[1]
            total += float(np.mean(np.logaddexp(0, logit) - target * logit))
        return total

    found = optimize.minimize(loss, [1.0, 0.0], method='Nelder-Mead',
                              options={'xatol': 1e-8, 'fatol': 1e-14, 'maxiter': 10_000})
    np.testing.assert_allclose(logistic(genuine, impostor), found.x, rtol=1e-4)


@pytest.mark.parametrize('gap', [0.0, 0.5])
def test_kinds_that_do_not_overlap_have_a_finite_slope(gap: float) -> None:
    slope, offset = logistic(np.full(50, 0.3 + gap) + np.arange(50) * 1e-3,
                             np.arange(500) * 5e-4)
    assert 0.0 < slope < 1e6 and np.isfinite(offset)
    assert slope * 0.0 + offset < 0.0 < slope * (0.32 + gap) + offset


def test_a_calibration_is_what_a_spec_reads(rng: np.random.Generator) -> None:
    genuine = np.clip(rng.normal(0.7, 0.1, 2000), -1, 1)
    impostor = np.clip(rng.normal(0.0, 0.1, 200_000), -1, 1)
    found = calibrate(genuine, impostor)
    assert list(found['false_accept']) == ['0.1', '0.01', '0.001', '0.0001', '1e-05', '1e-06']
    assert found['extended'] == ['1e-05', '1e-06']
    assert (found['genuine_pairs'], found['impostor_pairs']) == (2000, 200_000)
    calibration = read_calibrations('spec', {'color': found})['color']
    for rate, at in found['false_accept'].items():
        exact = 0.1 * stats.norm.isf(float(rate))
        # Measured ones are those of the distribution, those beyond the data are stricter.
        assert exact - 0.02 < at < exact + (0.02 if rate not in found['extended'] else 0.2)
        assert calibration.threshold(float(rate)) == pytest.approx(at)
    assert calibration.probability(0.7) > 0.99 and calibration.probability(0.0) < 0.01


def test_the_tail_of_an_exponential_is_found(rng: np.random.Generator) -> None:
    thresholds, extended = tail_thresholds(rng.exponential(0.02, 50_000))
    assert extended == ['0.0001', '1e-05', '1e-06']
    for rate in map(float, thresholds):
        assert thresholds[str(rate)] == pytest.approx(-0.02 * np.log(rate), rel=0.08)
    rising = list(thresholds.values())
    assert rising == sorted(rising)


def test_equal_impostors_are_calibrated_too() -> None:
    found = calibrate(np.full(10, 0.5), np.zeros(100))
    assert set(found['false_accept'].values()) <= {0.0, np.nextafter(0.0, 1.0)}


@pytest.mark.parametrize(('genuine', 'impostor', 'reason'), [
    (np.full(9, 0.5), np.zeros(100), r'genuine cosines are \(9,\)'),
    (np.full(10, 0.5), np.zeros(99), r'impostor cosines are \(99,\)'),
    (np.full((5, 5), 0.5), np.zeros(100), r'genuine cosines are \(5, 5\)'),
    (np.full(10, 50.0), np.zeros(100), 'expected finite numbers from -1 to 1'),
    (np.full(10, np.nan), np.zeros(100), 'expected finite numbers from -1 to 1'),
    (np.zeros(10), np.full(100, 0.5), 'expected the first to be higher: this network does not'),
])
def test_pairs_that_calibrate_nothing(genuine: np.ndarray, impostor: np.ndarray,
                                      reason: str) -> None:
    with pytest.raises(ScoreError, match=reason):
        calibrate(genuine, impostor)


def test_a_logistic_that_falls_is_an_error() -> None:
    with pytest.raises(ScoreError, match='expected more than 0: more alike must mean'):
        logistic(np.arange(50) * 1e-3, np.arange(500) * 1e-3)
