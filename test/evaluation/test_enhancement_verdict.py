# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The sentences above the main table, for scores that are known."""

from __future__ import annotations

from face_depth_ros.engines.openvino_graph_cost import GraphCost
from face_depth_ros.evaluation.enhancement_protocol import EnhancementScores, MethodScores
from face_depth_ros.evaluation.enhancement_verdict import verdict
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS
import pytest

DELTA = 'DL-Delta-1'


def scores_of(errors: dict[str, float], ms: dict[str, float],
              absent: dict[str, str] | None = None) -> EnhancementScores:
    methods = {name: MethodScores([error] * 3, [error] * 3, [0.9] * 3, [ms.get(name, 1.0)] * 3)
               for name, error in errors.items()}
    costs: dict[str, GraphCost | None] = {OURS: GraphCost(500_000, 2 * 10 ** 9),
                                          DELTA: GraphCost(4_000_000, 24 * 10 ** 9)}
    return EnhancementScores(methods, absent or {}, {n: costs.get(n) for n in methods})


def test_ours_first() -> None:
    text = ' '.join(verdict(scores_of(
        {NONE: 0.3, 'Sp-HfU': 0.06, 'De-M8': 0.07, DELTA: 0.03, OURS: 0.02},
        {OURS: 8.0, DELTA: 40.0, 'Sp-HfU': 1.0})))
    assert text == (
        "Ours has the lowest error in the face: 0.0200, 1.5 times below the paper's best network, "
        'DL-Delta-1 (0.0300) and 3 times below the best filter, Sp-HfU (0.0600). '
        'Over the whole image ours has 0.0200, less than DL-Delta-1 (0.0300). '
        'Ours takes 8.0 ms a face on this machine, 2.00 G multiply-adds and 500 000 parameters: '
        '12.0 times fewer multiply-adds than DL-Delta-1 (24.00 G), which takes 5 times as long. '
        'Use Ours; where its 8.0 ms are too many, Sp-HfU takes 1.0 ms at 3 times the error.')


def test_ours_behind_is_said() -> None:
    text = ' '.join(verdict(scores_of({NONE: 0.3, 'Sp-HfU': 0.06, DELTA: 0.02, OURS: 0.03},
                                      {OURS: 8.0, DELTA: 40.0, 'Sp-HfU': 6.0})))
    assert 'DL-Delta-1 has the lowest error in the face: 0.0200, 1.5 times below Ours' in text
    assert 'Ours is number 2 of 3.' in text
    assert 'Over the whole image ours has 0.0300, more than DL-Delta-1 (0.0200).' in text
    assert 'Use DL-Delta-1; where its 40.0 ms are too many, Ours takes 8.0 ms' in text


def test_what_is_absent_is_named() -> None:
    sentences = verdict(scores_of({NONE: 0.3, OURS: 0.02}, {}, {DELTA: 'no model',
                                                                'DL-Beta': 'no model'}), ' mm')
    assert sentences[0] == 'Ours has the lowest error in the face: 0.0200 mm.'
    assert sentences[-1] == 'Not compared here: DL-Delta-1 and DL-Beta.'


@pytest.mark.parametrize('errors', [{NONE: 0.3}, {}])
def test_nothing_to_say(errors: dict[str, float]) -> None:
    assert verdict(scores_of(errors, {})) == []
