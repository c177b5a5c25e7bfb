# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Errors of attack detection, against cases that are counted by hand."""

from __future__ import annotations

from face_depth_ros.core.errors import ScoreError
from face_depth_ros.core.liveness_metrics import (
    det_curve,
    equal_error,
    NO_SCORE,
    rates_at,
    rates_of_labels,
    Responses,
    threshold_at_bpcer,
    wilson_interval,
)
import numpy as np
import pytest


def test_unsure_attacks_are_not_accepted_and_unsure_people_are_turned_away() -> None:
    rates = rates_of_labels(
        {'print': ['spoof', 'spoof', 'unsure', 'live'], 'ball': ['unsure', 'unsure']},
        ['live', 'live', 'live', 'live', 'live', 'live', 'spoof', 'unsure'])
    assert rates.apcer == {'print': 0.25, 'ball': 0.0}
    assert rates.apnrr == {'print': 0.25, 'ball': 1.0}
    assert (rates.bpcer, rates.bpnrr) == (0.25, 0.125)
    assert (rates.worst_species, rates.worst_apcer, rates.acer) == ('print', 0.25, 0.25)
    assert (rates.attacks, rates.bona_fide) == ({'print': 4, 'ball': 2}, 8)


def test_the_worst_species_counts_and_not_the_mean() -> None:
    rates = rates_at({'print': [0.1, 0.2], 'mask': [0.3, 0.9]}, [0.95, 0.8, 0.85, 0.2], 0.8)
    assert rates.apcer == {'print': 0.0, 'mask': 0.5}
    assert (rates.bpcer, rates.acer) == (0.25, 0.375)
    # What scores just as much as the threshold passes.
    assert rates_at({'mask': [0.8]}, [0.8], 0.8).apcer == {'mask': 1.0}
    assert rates_at({'mask': [0.8]}, [0.8], 0.8).bpcer == 0.0


def test_what_has_no_score_is_never_accepted() -> None:
    rates = rates_at({'print': [NO_SCORE, 0.9]}, [NO_SCORE, 0.9, 0.9, 0.9], 0.0)
    assert rates.apcer == {'print': 0.5} and rates.bpcer == 0.25


def test_the_threshold_never_turns_away_more_than_the_rate() -> None:
    scores = np.linspace(0.0, 0.99, 100)
    assert threshold_at_bpcer(scores, 0.01) == pytest.approx(0.01)
    assert threshold_at_bpcer(scores, 0.05) == pytest.approx(0.05)
    assert threshold_at_bpcer(scores[:99], 0.01) is None  # too few to tell
    # Five faces of the same low score: to turn away one is to turn away none of them.
    tied = np.array([0.1] * 5 + [0.9] * 95)
    assert threshold_at_bpcer(tied, 0.02) == 0.1
    assert rates_at({'x': [0.0]}, tied, 0.1).bpcer == 0.0
    assert threshold_at_bpcer(tied, 0.05) == 0.9
    silent = np.array([NO_SCORE] * 2 + [0.9] * 98)
    assert threshold_at_bpcer(silent, 0.01) is None  # two in a hundred have no score
    assert threshold_at_bpcer(silent, 0.02) == 0.9


def test_the_curve_and_the_equal_error() -> None:
    curve = det_curve([0.1, 0.2, 0.6, 0.3], [0.5, 0.7, 0.8, 0.9])
    assert curve.thresholds[:-1].tolist() == [0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert curve.apcer.tolist() == [1.0, 0.75, 0.5, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0]
    assert curve.bpcer.tolist() == [0.0, 0.0, 0.0, 0.0, 0.25, 0.25, 0.5, 0.75, 1.0]
    assert equal_error(curve) == 0.25
    assert equal_error(det_curve([0.1, 0.2], [0.8, 0.9])) == 0.0
    assert equal_error(det_curve([0.8, 0.9], [0.1, 0.2])) == 1.0
    assert equal_error(det_curve([0.5], [0.5])) == 0.5  # the same score for all
    # Half of the faces have no score, no attack passes the next threshold: straight between.
    assert equal_error(det_curve([0.1, 0.2], [NO_SCORE, 0.9])) == 0.5
    assert equal_error(det_curve([NO_SCORE, NO_SCORE], [0.3, 0.9])) == 0.0


def test_equal_error_of_overlapping_scores_agrees_with_brute_force() -> None:
    generator = np.random.default_rng(3)
    fake, real = generator.normal(0.0, 1.0, 4000), generator.normal(2.0, 1.0, 4000)
    # Two normals of distance 2 have their equal error at the normal tail of 1: 15.87 %.
    assert equal_error(det_curve(fake, real)) == pytest.approx(0.1587, abs=0.01)


@pytest.mark.parametrize(('errors', 'count', 'low', 'high'), [
    (0, 100, 0.0, 0.0370), (1, 100, 0.00177, 0.05449), (50, 100, 0.4038, 0.5962),
    (100, 100, 0.9630, 1.0), (0, 1, 0.0, 0.7935)])
def test_intervals_of_wilson(errors: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(errors, count) == pytest.approx((low, high), abs=2e-4)


def test_what_cannot_be_judged_is_said() -> None:
    with pytest.raises(ScoreError, match=r"labels are 'maybe', expected some of live"):
        Responses.of(['live', 'maybe'])
    with pytest.raises(ScoreError, match='labels are none'):
        rates_of_labels({'print': ['spoof']}, [])
    with pytest.raises(ScoreError, match='no presentations of ball'):
        rates_of_labels({'print': ['spoof'], 'ball': []}, ['live'])
    with pytest.raises(ScoreError, match='no presentations of any attack'):
        rates_at({}, [0.5], 0.5)
    with pytest.raises(ScoreError, match='scores of print: 1 of 2 are NaN or infinite'):
        rates_at({'print': [0.5, float('nan')]}, [0.5], 0.5)
    with pytest.raises(ScoreError, match='the threshold is nan'):
        rates_at({'print': [0.5]}, [0.5], float('nan'))
    with pytest.raises(ScoreError, match='expected 0 < rate < 1'):
        threshold_at_bpcer([0.5], 1.0)
    with pytest.raises(ScoreError, match=r'scores of living faces are \(0,\)'):
        threshold_at_bpcer([])
    with pytest.raises(ScoreError, match='none of 1 attacks and 1 living faces has a score'):
        det_curve([NO_SCORE], [NO_SCORE])
    for errors, count in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(ScoreError, match='errors of'):
            wilson_interval(errors, count)
