# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from itertools import combinations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.identity_splits import (
    identity_coefficients,
    identity_seed,
    sample_identities,
    SPLITS,
)
import numpy as np
import pytest


def test_splits_share_no_seed():
    for first, second in combinations(SPLITS, 2):
        a, b = SPLITS[first], SPLITS[second]
        assert max(a.start, b.start) >= min(a.stop, b.stop), (first, second)


def test_people_of_different_splits_differ_and_repeat():
    drawn = {split: identity_coefficients(split, 3) for split in SPLITS}
    for first, second in combinations(drawn, 2):
        assert not np.allclose(drawn[first], drawn[second])
    assert np.array_equal(drawn['test'], identity_coefficients('test', 3))
    assert drawn['train'].dtype == np.float32


def test_coefficients_are_normal_scaled_by_at_most_one():
    values = np.stack([identity_coefficients('train', index) for index in range(400)])
    assert values.shape == (400, 100)
    assert abs(values.mean()) < 0.02
    spread = values.std(axis=1)
    assert 0.86 < spread.mean() < 0.94


def test_sampling_names_the_people_it_drew():
    indices, values = sample_identities('validation', 6, np.random.default_rng(0))
    for index, row in zip(indices, values, strict=True):
        assert np.array_equal(row, identity_coefficients('validation', int(index)))


def test_unknown_people_are_refused():
    with pytest.raises(SettingsError, match="unknown split 'dev'"):
        identity_seed('dev', 0)
    with pytest.raises(SettingsError, match='expected 0 to 9999'):
        identity_seed('validation', 10_000)
