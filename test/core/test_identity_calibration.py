# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What cosines say, and specs that do not say it."""

from __future__ import annotations

from face_depth_ros.core.errors import ModelSpecError, SettingsError
from face_depth_ros.core.identity_calibration import (
    Calibration,
    modalities_key,
    read_calibrations,
)
import pytest

GOOD = {'slope': 20, 'offset': -10.0,
        'false_accept': {'0.1': 0.2, '0.001': 0.4, '1e-06': 0.7}}


def test_probability_is_the_logistic_of_the_cosine():
    calibration = Calibration(20.0, -10.0, (0.01,), (0.5,))
    assert calibration.probability(0.5) == pytest.approx(0.5)
    assert calibration.probability(0.6) == pytest.approx(0.8808, abs=1e-4)
    assert calibration.probability(1e9) == pytest.approx(1.0)
    assert calibration.probability(-1e9) == pytest.approx(0.0, abs=1e-20)


@pytest.mark.parametrize(('rate', 'threshold'), [
    (0.1, 0.2), (0.01, 0.3), (0.001, 0.4), (10 ** -4.5, 0.55), (1e-6, 0.7),
    (1e-12, 0.7), (0.5, 0.2)])
def test_thresholds_lie_between_those_of_the_table_and_never_beyond(rate, threshold):
    calibration = read_calibrations('x.yaml', {'color': GOOD})['color']
    assert calibration.threshold(rate) == pytest.approx(threshold)


@pytest.mark.parametrize('rate', [0.0, -0.1, 1.1, float('nan')])
def test_no_rate_no_threshold(rate):
    with pytest.raises(SettingsError, match='expected 0 < rate <= 1'):
        Calibration(1.0, 0.0, (0.1,), (0.5,)).threshold(rate)


def test_sets_of_modalities_have_one_name():
    assert modalities_key({'depth', 'color'}) == 'color+depth'
    assert modalities_key(['depth']) == 'depth'


@pytest.mark.parametrize(('value', 'match'), [
    (None, 'limits have no calibration'), ({}, 'limits have no calibration'),
    ({'color': {'slope': 1.0}}, 'calibration of color is not readable'),
    ({'color': {**GOOD, 'false_accept': {'often': 1}}}, 'is not readable'),
    ({'color': {**GOOD, 'slope': 0}}, 'slope > 0'),
    ({'color': {**GOOD, 'offset': float('nan')}}, 'expected finite numbers'),
    ({'color': {**GOOD, 'false_accept': {}}}, 'rates in'),
    ({'color': {**GOOD, 'false_accept': {'2': 0.5}}}, 'rates in'),
    ({'color': {**GOOD, 'false_accept': {'0.1': 0.5, '0.01': 0.4}}}, 'need higher cosines')])
def test_specs_that_do_not_tell_strangers(value, match):
    with pytest.raises(ModelSpecError, match=match) as error:
        read_calibrations('x.yaml', value)
    assert error.value.cause == 'model_calibration' and 'x.yaml' in str(error.value)
