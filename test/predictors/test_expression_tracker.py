# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Smoothing and hysteresis of what tracks say."""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.predictors.expression_tracker import ExpressionTracker, FORGET_S
import numpy as np
import pytest

STEP = 10**8


def says(label: str, share: float = 1.0) -> np.ndarray:
    values = np.full(7, (1.0 - share) / 6, np.float32)
    values[EXPRESSIONS.index(label)] = share
    return values


def test_a_single_odd_frame_changes_nothing_and_a_lasting_change_does():
    tracker = ExpressionTracker(0.4, 0.1)
    labels = [tracker.update(i * STEP, 'f1', says('sadness' if i == 5 else 'happiness'))[1]
              for i in range(10)]
    assert set(labels) == {'happiness'}
    labels = [tracker.update(i * STEP, 'f1', says('sadness'))[1] for i in range(10, 20)]
    assert labels[0] == 'happiness' and labels[-1] == 'sadness'
    changes = sum(a != b for a, b in zip(labels, labels[1:], strict=False))
    assert changes == 1


def test_the_mean_decays_by_its_time_constant():
    tracker = ExpressionTracker(0.5, 0.0)
    tracker.update(0, 'f1', says('anger'))
    mean, _ = tracker.update(5 * STEP, 'f1', says('neutral'))
    assert mean[0] == pytest.approx(np.exp(-1.0), abs=1e-6)
    assert mean.sum() == pytest.approx(1.0, abs=1e-6)


def test_hysteresis_holds_between_two_alike():
    tracker = ExpressionTracker(0.0, 0.2)
    tracker.update(0, 'f1', says('anger'))
    close = np.array([0.4, 0.5, 0.1, 0, 0, 0, 0], np.float32)
    assert tracker.update(STEP, 'f1', close)[1] == 'anger'
    clear = np.array([0.3, 0.6, 0.1, 0, 0, 0, 0], np.float32)
    assert tracker.update(2 * STEP, 'f1', clear)[1] == 'disgust'


def test_tracks_are_apart_forgotten_and_without_name_not_kept():
    tracker = ExpressionTracker(10.0, 0.0)
    tracker.update(0, 'f1', says('anger'))
    assert tracker.update(STEP, 'f2', says('fear'))[1] == 'fear'
    assert tracker.update(STEP, '', says('surprise'))[1] == 'surprise'
    assert tracker.update(2 * STEP, '', says('fear'))[1] == 'fear'
    late = int((FORGET_S + 0.2) * 1e9)
    assert tracker.update(late, 'f1', says('surprise'))[1] == 'surprise', 'begins anew'
    assert tracker.update(late, 'f2', says('anger'))[1] == 'anger'
    assert tracker.update(0, 'f1', says('fear'))[1] == 'fear', 'time went back'
    tracker.update(late, 'f9', says('fear'))
    tracker.forget(3 * late)
    assert tracker._tracks == {}


@pytest.mark.parametrize(('smoothing', 'hysteresis'), [
    (-0.1, 0.1), (float('nan'), 0.1), (0.4, -0.1), (0.4, 1.0)])
def test_settings_out_of_range_are_refused(smoothing, hysteresis):
    with pytest.raises(SettingsError, match='smoothing_s'):
        ExpressionTracker(smoothing, hysteresis)
