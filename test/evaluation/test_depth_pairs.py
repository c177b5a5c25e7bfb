# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Stored and rendered pairs."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import BagError, SettingsError
from face_depth_ros.core.metrics import rmse
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.depth_pairs import decode_codes, stored_pairs
from face_depth_ros.evaluation.synthetic_pairs import damage, rendered_pairs, surrounded_pairs
import numpy as np
import pytest


def test_codes() -> None:
    d = decode_codes(np.array([0, 32767, 65534, 65535], np.uint16))
    np.testing.assert_allclose(d, [0.0, 0.5, 1.0, 1.0], atol=1e-5)
    assert d.dtype == np.float32


def test_fixture_holds_faces_with_the_damage_of_the_paper() -> None:
    path = checkout_data('enhancement_pairs.npz')
    pairs = list(stored_pairs(path))
    assert len(pairs) >= 8
    errors = [rmse(p.degraded, p.truth, p.area) for p in pairs]
    assert 0.25 < np.mean(errors) < 0.33  # the paper's 'None': 0.287 over 100,000
    for p in pairs:
        assert 0.1 < p.area.mean() < 0.9
        assert 0.0 <= p.truth.min() < 0.05
    assert len(list(stored_pairs(path, 3))) == 3
    assert path.stat().st_size <= 3 * 2 ** 20


@pytest.mark.parametrize(('arrays', 'words'), [
    ({'truth': np.zeros((2, 256, 256), np.uint16)}, 'cannot read the pairs'),
    ({'truth': np.zeros((2, 8, 8), np.uint16), 'degraded': np.zeros((2, 8, 8), np.uint16)},
     r'truth is \(2, 8, 8\) uint16, expected'),
    ({'truth': np.zeros((2, 256, 256), np.uint16),
      'degraded': np.zeros((1, 256, 256), np.uint16)}, r'degraded is \(1, 256, 256\)')])
def test_other_files_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray],
                                 words: str) -> None:
    np.savez(tmp_path / 'x.npz', **arrays)
    with pytest.raises(BagError, match=words):
        list(stored_pairs(tmp_path / 'x.npz'))


def test_data_that_an_installed_package_lacks() -> None:
    with pytest.raises(SettingsError, match=r'needs a checkout of the source'):
        checkout_data('no_such_file.npz')


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BagError, match='cannot read the pairs in'):
        list(stored_pairs(tmp_path / 'x.npz'))


@pytest.mark.assets
def test_more_rendered_pairs_begin_with_the_same_ones() -> None:
    few, more = list(rendered_pairs(2)), list(rendered_pairs(3))
    assert len(more) == 3
    for a, b in zip(few, more, strict=False):
        np.testing.assert_array_equal(a.truth, b.truth)
        np.testing.assert_array_equal(a.degraded, b.degraded)


@pytest.mark.assets
def test_surroundings_are_in_view_but_only_the_head_is_judged() -> None:
    pairs = list(surrounded_pairs(3))
    assert len(pairs) == 3
    covered = 0
    for pair in pairs:
        assert pair.face is not None
        assert 0.2 < pair.nearest_m < 3.0
        assert not (pair.area & (pair.truth >= 1.0)).any()
        measured = pair.area & (pair.degraded < 1.0)
        assert 0.5 < measured.sum() / pair.area.sum() < 1.0
        # Noise within 15 mm (0.06) and the mean of 5 x 5: away from steps nothing is far off.
        assert np.median(np.abs(pair.degraded - pair.truth)[measured]) < 0.015
        covered += np.count_nonzero((pair.degraded < 1.0) & ~pair.area)
    assert covered > 1000


def test_damage_leaves_holes_and_keeps_them_and_is_repeatable() -> None:
    depth = np.full((256, 256), np.nan, np.float32)
    depth[60:200, 70:190] = 0.5
    damaged = damage(depth, 3)
    np.testing.assert_array_equal(damaged, damage(depth, 3))
    assert (np.isnan(damaged[60:200, 70:190])).mean() > 0.02
    assert np.isnan(damaged[~np.isfinite(depth)]).all()
    assert 0.0 < np.nanmax(np.abs(damaged - depth)) <= 0.0151
