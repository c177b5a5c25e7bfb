# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The rows of the tables: which there are, what each gives, and what happens without a model."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.evaluation.depth_pairs import stored_pairs
from face_depth_ros.evaluation.enhancer_rows import EnhancerRows, NONE, OURS, ROWS
from face_depth_ros.filters import ENHANCER_FILTERS, make_filter
import numpy as np
import pytest

PAIRS = Path(__file__).resolve().parents[1] / 'data' / 'enhancement_pairs.npz'


def degraded() -> np.ndarray:
    return next(stored_pairs(PAIRS)).degraded


def test_all_rows_in_the_order_of_the_tables() -> None:
    assert ROWS == (
        'None', 'De-M2', 'De-M8', 'Hf-FFA', 'Hf-NFA', 'Hf-L', 'Sp-Hf16', 'Sp-HfU', 'DL-Alpha',
        'DL-Beta', 'DL-Gamma', 'DL-Delta-1', 'DL-Delta-2', 'DL-Delta-3', 'DL-Delta-4',
        'DDRNet-dn', 'Ours')


def test_nothing_and_filters_are_what_they_say() -> None:
    with EnhancerRows(rows=(*ENHANCER_FILTERS, NONE)) as rows:
        assert list(rows.methods) == [NONE, *ENHANCER_FILTERS]
        d = degraded()
        np.testing.assert_array_equal(rows.methods[NONE](d).d, d)
        np.testing.assert_array_equal(rows.methods['Hf-L'](d).d, make_filter('Hf-L')(d))
        assert set(rows.costs.values()) == {None}
        assert not rows.models
        assert not rows.absent


def test_ours_is_what_is_published_with_its_cost_and_hash() -> None:
    with EnhancerRows(rows=(OURS,)) as rows:
        d = degraded()
        near, far = (rows.methods[OURS](d, distance) for distance in (0.5, 0.9))
        # Where it claims no surface the input stands.
        np.testing.assert_allclose(near.d[~near.support], d[~near.support], atol=1e-5)
        assert near.support.any()
        assert np.abs(near.d - d)[near.support].max() > 0.01
        assert far.support.any()
        cost = rows.costs[OURS]
        assert cost is not None
        assert cost.macs > cost.parameters > 10 ** 5
        spec = find_model('depth_enhancer')
        assert (rows.models[OURS].name, rows.models[OURS].sha256) == (spec.name, spec.sha256)


def test_a_row_without_its_model_says_how_to_make_it(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv('FACE_DEPTH_MODELS', raising=False)
    with EnhancerRows(rows=(NONE, 'DL-Beta')) as rows:
        assert list(rows.methods) == [NONE]
        assert rows.rows == (NONE, 'DL-Beta')
        assert 'dl_beta' in rows.absent['DL-Beta']
        assert 'python -m face_depth_ros.training' in rows.absent['DL-Beta']
        assert 'DL-Beta' not in rows.costs
    assert 'rows left empty: DL-Beta' in caplog.text


def test_a_corrupted_model_leaves_its_row_empty(tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_model('depth_enhancer')
    (tmp_path / spec.path.name).write_text(spec.path.read_text())
    (tmp_path / spec.onnx.name).write_bytes(b'not a network')
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    with EnhancerRows(rows=(OURS,)) as rows:
        assert not rows.methods
        assert not rows.models
        assert 'corrupted' in rows.absent[OURS]


def test_unknown_rows_are_refused() -> None:
    with pytest.raises(SettingsError, match=r'rows DL-Omega are not known.*DL-Alpha'):
        EnhancerRows(rows=('DL-Omega', OURS))
    with pytest.raises(SettingsError, match=r'rows \(none\)'):
        EnhancerRows(rows=())
