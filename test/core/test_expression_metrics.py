# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Metrics of expressions against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

from face_depth_ros.core.errors import ScoreError
from face_depth_ros.core.expression_metrics import (
    accuracy,
    best_of_seven,
    best_of_six,
    calibration_error,
    concordance,
    confusion_matrix,
    correlation,
    mcnemar,
    paired_difference,
    reliability,
)
import numpy as np
import pytest


def test_confusion_and_accuracy_by_hand() -> None:
    truth, said = np.array([0, 0, 0, 0, 1, 2]), np.array([0, 0, 0, 1, 2, 2])
    counts = confusion_matrix(truth, said, 4)
    assert counts.tolist() == [[3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    found = accuracy(truth, truth == said, 4)
    assert found.overall == pytest.approx(4 / 6)
    assert found.mean == pytest.approx((0.75 + 0.0 + 1.0) / 3)  # of the classes that there are
    np.testing.assert_allclose(found.by_class, [0.75, 0.0, 1.0, np.nan])


def test_the_best_of_six_leaves_neutral_out() -> None:
    faces = np.array([[0.1, 0.0, 0.0, 0.3, 0.0, 0.0, 0.6], [0.0, 0.9, 0.0, 0.0, 0.1, 0.0, 0.0]])
    assert best_of_six(faces).tolist() == [3, 1]
    assert best_of_seven(faces).tolist() == [6, 1]
    six = np.array([[0.1, 0.1, 0.1, 0.1, 0.5, 0.1]])
    assert best_of_six(six).tolist() == [4]
    with pytest.raises(ScoreError, match='6 classes tell no neutral faces, expected 7'):
        best_of_seven(six)


def test_calibration_error_by_hand() -> None:
    # Two bins of five: (0.8, 0.8, 0.8, 0.8) with 2 right, (0.3,) with 1 right.
    sure = np.array([0.85, 0.85, 0.85, 0.85, 0.3])
    right = np.array([True, True, False, False, True])
    assert calibration_error(sure, right, 5) == pytest.approx((4 * 0.35 + 0.7) / 5)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0.0
    found = reliability(sure, right, 5)
    np.testing.assert_allclose(found, [(0.3, 1.0, 1), (0.85, 0.5, 4)])


def test_concordance_and_correlation_by_hand() -> None:
    truth = np.array([0.0, 1.0, 2.0])
    assert concordance(truth, truth) == pytest.approx(1.0)
    assert concordance(truth, -truth + 2.0) == pytest.approx(-1.0)
    # Variances 2/3 each, means 1 apart: 2 * 2/3 / (4/3 + 1) = 4/7, yet the correlation is 1.
    assert concordance(truth, truth + 1.0) == pytest.approx(4 / 7)
    assert correlation(truth, truth + 1.0) == pytest.approx(1.0)
    assert correlation(truth, np.ones(3)) == 0.0
    with pytest.raises(ScoreError, match='all values are the same'):
        concordance(np.ones(3), np.ones(3))


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 0) == pytest.approx(2 / 2 ** 5)
    assert mcnemar(1, 4) == pytest.approx(2 * (1 + 5) / 2 ** 5)
    assert mcnemar(3, 3) == 1.0
    assert mcnemar(600, 400) < 1e-9  # no overflow


def test_difference_of_two_methods() -> None:
    first, second = np.array([1, 1, 1, 0], bool), np.array([1, 0, 0, 0], bool)
    found = paired_difference(first, second, np.array([0, 0, 1, 1]))
    assert found.value == pytest.approx(0.5)
    assert (found.only_first, found.only_second, found.chance) == (2, 0, 0.5)
    # Both people gain one face of two, so that resampling them changes nothing.
    assert found.low == found.high == pytest.approx(0.5) and found.certain
    same = paired_difference(first, first, np.arange(4))
    assert (same.value, same.low, same.high, same.certain) == (0.0, 0.0, 0.0, False)
    # One person of four gains: resampled, between none and three quarters of the faces.
    uneven = paired_difference(np.array([1, 0, 0, 0], bool), np.zeros(4, bool), np.arange(4))
    assert uneven.low == 0.0 and uneven.high == 0.75 and not uneven.certain


@pytest.mark.parametrize(('call', 'complaint'), [
    (lambda: confusion_matrix(np.array([], int), np.array([], int)), r'truth has shape \(0,\)'),
    (lambda: confusion_matrix(np.array([0]), np.array([7])), 'classes 7 to 7, expected 0 to 6'),
    (lambda: confusion_matrix(np.array([0]), np.array([0.0])), 'float64, expected .* whole'),
    (lambda: confusion_matrix(np.array([0, 1]), np.array([0])), 'cannot be compared'),
    (lambda: accuracy(np.array([], int), np.array([], bool)), r'truth has shape \(0,\)'),
    (lambda: accuracy(np.array([1, 2]), np.array([True])), r'\(2,\) and \(1,\) values'),
    (lambda: best_of_six(np.ones((2, 5))), r'shape \(2, 5\), expected \(N, 7\) or \(N, 6\)'),
    (lambda: best_of_six(np.ones((2, 6))), 'do not sum to 1; apply a softmax'),
    (lambda: calibration_error(np.array([1.5]), np.array([True])), 'confidence is 1.5 to 1.5'),
    (lambda: calibration_error(np.array([0.5]), np.array([True, False])), 'cannot be compared'),
    (lambda: concordance(np.array([1.0]), np.array([1.0])), 'N >= 2'),
    (lambda: correlation(np.array([1.0, np.nan]), np.ones(2)), 'finite numbers'),
    (lambda: paired_difference(np.array([], bool), np.array([], bool), np.array([])), 'no faces'),
    (lambda: mcnemar(-1, 0), '-1 and 0 are no counts'),
])
def test_impossible_scores_are_named(call: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ScoreError, match=complaint):
        call()
