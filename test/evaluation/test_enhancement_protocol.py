# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The enhancement protocol, with methods whose scores can be written down."""

from __future__ import annotations

from collections.abc import Iterator

from face_depth_ros.core.errors import BagError
from face_depth_ros.engines.openvino_graph_cost import GraphCost
from face_depth_ros.evaluation.compared_rows import RowModel
from face_depth_ros.evaluation.depth_pairs import DepthPair, NEAREST_M
from face_depth_ros.evaluation.enhancement_protocol import (
    COLUMNS,
    LEFT_OUT,
    PAPER_RMSE,
    score_methods,
)
from face_depth_ros.evaluation.enhancer_rows import (
    Enhanced,
    EnhancerRows,
    Method,
    NONE,
    OURS,
    PAPER_ROWS,
    ROWS,
)
from face_depth_ros.filters import ENHANCER_FILTERS
import numpy as np
import pytest


def shifted(by: float) -> Method:
    def run(d: np.ndarray, nearest_m: float = NEAREST_M) -> Enhanced:
        return Enhanced(np.where(d < 1.0, d + np.float32(by), d), d < 1.0)
    return run


def known_rows() -> EnhancerRows:
    """Filter i is off by (i + 2) / 100, ours by 1 / 100; DL-Beta has no model."""
    rows = EnhancerRows(rows=(NONE,))
    rows.methods = {NONE: shifted(0.5)}
    rows.methods |= {name: shifted((i + 2) / 100) for i, name in enumerate(ENHANCER_FILTERS)}
    rows.methods |= {'DL-Delta-1': shifted(0.015), OURS: shifted(0.01)}
    rows.absent = {'DL-Beta': 'there is no model'}
    rows.costs = {OURS: GraphCost(2_000, 1_000_000), 'DL-Delta-1': GraphCost(4_000, 9_000_000)}
    rows.models = {OURS: RowModel('ours', 'ab' * 32, 'openvino', 'fp32')}
    return rows


def pairs(count: int = 3) -> Iterator[DepthPair]:
    for i in range(count):
        truth = np.ones((256, 256), np.float32)
        truth[40:200, 60:200] = 0.1 * (i + 1)
        yield DepthPair(truth, truth.copy())


def test_scores_are_those_of_the_shift() -> None:
    scores = score_methods(pairs(), known_rows())
    rows = scores.rows()
    assert list(rows) == list(ROWS)
    assert all(tuple(row) == COLUMNS for row in rows.values())
    assert rows[OURS]['rmse_mean'] == pytest.approx(0.01, rel=1e-4)
    assert rows[NONE]['rmse_mean'] == pytest.approx(0.5, rel=1e-4)
    share = 160 * 140 / 256 ** 2
    assert rows[OURS]['full_rmse_mean'] == pytest.approx(0.01 * share ** 0.5, rel=1e-4)
    assert rows[OURS]['support_iou'] == 1.0
    assert (rows[OURS]['macs'], rows[OURS]['parameters']) == (1_000_000, 2_000)
    assert rows[NONE]['macs'] is None
    assert scores.best_filter() == ENHANCER_FILTERS[0]
    assert scores.best_of_paper() == 'DL-Delta-1'
    assert scores.ratio(ENHANCER_FILTERS[0]) == pytest.approx(2.0, rel=1e-3)
    assert scores.ratio('DL-Delta-1') == pytest.approx(1.5, rel=1e-3)


def test_absent_rows_are_listed_empty_with_their_reason() -> None:
    scores = score_methods(pairs(), known_rows())
    assert scores.absent['DL-Beta'] == 'there is no model'
    assert scores.absent['DL-Gamma'] == LEFT_OUT
    assert set(scores.absent) == set(PAPER_ROWS) - {'DL-Delta-1'}
    for name in scores.absent:
        assert set(scores.rows()[name].values()) == {None}
        assert scores.ratio(name) is None
    assert set(scores.cost_rows()) == set(ROWS) - set(scores.absent)
    assert scores.cost_rows()[OURS]['sha256'] == 'ab' * 6


def test_the_paper_lists_all_rows_but_ours() -> None:
    assert tuple(PAPER_RMSE) == ROWS[:-1]


def test_scale_and_a_truth_that_is_known_in_parts() -> None:
    pair = next(pairs())
    part = np.zeros((256, 256), bool)
    part[100:120, 100:120] = True
    scores = score_methods([DepthPair(pair.truth, pair.degraded, part)], known_rows(), 250.0)
    row = scores.rows()[OURS]
    assert row['rmse_mean'] == pytest.approx(2.5, rel=1e-4)
    assert np.isnan(row['full_rmse_mean'])
    assert np.isnan(row['support_iou'])
    assert not scores.regions.squared


def test_methods_are_told_the_distance() -> None:
    seen = []

    def method(d: np.ndarray, nearest_m: float = NEAREST_M) -> Enhanced:
        seen.append(nearest_m)
        return Enhanced(d, d < 1.0)

    rows = known_rows()
    rows.methods = {OURS: method}
    pair = next(pairs())
    score_methods([pair, DepthPair(pair.truth, pair.degraded, None, 1.25)], rows)
    assert seen == [NEAREST_M, 1.25]


def test_pairs_without_a_face_do_not_count() -> None:
    empty = DepthPair(*(np.ones((256, 256), np.float32),) * 2)
    scores = score_methods([empty, next(pairs())], known_rows())
    assert len(scores.methods[OURS].rmse) == 1
    with pytest.raises(BagError, match='no pair with a face'):
        score_methods([empty], known_rows())
