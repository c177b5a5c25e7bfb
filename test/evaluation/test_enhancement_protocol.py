# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The enhancement protocol, with methods whose scores can be written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from face_depth_ros.core.errors import BagError
from face_depth_ros.evaluation import enhancement_protocol
from face_depth_ros.evaluation.depth_pairs import DepthPair
from face_depth_ros.evaluation.enhancement_protocol import (
    COLUMNS,
    Enhanced,
    Method,
    NONE,
    OURS,
    score_methods,
)
from face_depth_ros.filters import ENHANCER_FILTERS
import numpy as np
import pytest


def shifted(by: float) -> Method:
    return lambda d: Enhanced(np.where(d < 1.0, d + np.float32(by), d), d < 1.0)


@pytest.fixture
def known_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filter i is off by (i + 2) / 100, ours by 1 / 100."""
    methods = {NONE: shifted(0.5), OURS: shifted(0.01)}
    methods |= {name: shifted((i + 2) / 100) for i, name in enumerate(ENHANCER_FILTERS)}

    def known(stack: ExitStack, backend: str, precision: str) -> dict[str, Method]:
        return methods

    monkeypatch.setattr(enhancement_protocol, '_open_methods', known)


def pairs(count: int = 3) -> Iterator[DepthPair]:
    for i in range(count):
        truth = np.ones((256, 256), np.float32)
        truth[40:200, 60:200] = 0.1 * (i + 1)
        yield DepthPair(truth, truth.copy())


@pytest.mark.usefixtures('known_methods')
def test_scores_are_those_of_the_shift() -> None:
    scores = score_methods(pairs())
    rows = scores.rows()
    assert list(rows) == [NONE, OURS, *ENHANCER_FILTERS]
    assert all(tuple(row) == COLUMNS for row in rows.values())
    assert rows[OURS]['rmse_mean'] == pytest.approx(0.01, rel=1e-4)
    assert rows[NONE]['rmse_mean'] == pytest.approx(0.5, rel=1e-4)
    share = 160 * 140 / 256 ** 2
    assert rows[OURS]['full_rmse_mean'] == pytest.approx(0.01 * share ** 0.5, rel=1e-4)
    assert rows[OURS]['support_iou'] == 1.0
    assert scores.best_filter() == ENHANCER_FILTERS[0]
    assert scores.ratio() == pytest.approx(2.0, rel=1e-3)
    assert rows[OURS]['macs'] > rows[OURS]['parameters'] > 10 ** 5
    assert rows[NONE]['macs'] is None


@pytest.mark.usefixtures('known_methods')
def test_scale_and_a_truth_that_is_known_in_parts() -> None:
    pair = next(pairs())
    part = np.zeros((256, 256), bool)
    part[100:120, 100:120] = True
    scores = score_methods([DepthPair(pair.truth, pair.degraded, part)], scale=250.0)
    row = scores.rows()[OURS]
    assert row['rmse_mean'] == pytest.approx(2.5, rel=1e-4)
    assert np.isnan(row['full_rmse_mean'])
    assert np.isnan(row['support_iou'])


@pytest.mark.usefixtures('known_methods')
def test_pairs_without_a_face_do_not_count() -> None:
    empty = DepthPair(*(np.ones((256, 256), np.float32),) * 2)
    scores = score_methods([empty, next(pairs())])
    assert len(scores.methods[OURS].rmse) == 1
    with pytest.raises(BagError, match='no pair with a face'):
        score_methods([empty])
