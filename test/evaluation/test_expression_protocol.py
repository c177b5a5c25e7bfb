# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Scores, tables and the words about them, on answers that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drawn_expressions import draw_expressions
from estimator_models import write_our_model
from expression_graph import write_expression_model, write_small_afnet
from face_depth_ros.core import model_spec
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.expression_labels import NEUTRAL
from face_depth_ros.datasets.rgbd_faces import Recording
from face_depth_ros.engines.openvino_graph_cost import GraphCost
from face_depth_ros.evaluation.compared_rows import RowModel
from face_depth_ros.evaluation.expression_datasets import shown
from face_depth_ros.evaluation.expression_faces import CONDITIONS, record_type
from face_depth_ros.evaluation.expression_plots import (
    confusion_plot,
    example_strip,
    position_plot,
    reliability_plot,
)
from face_depth_ros.evaluation.expression_protocol import (
    collect,
    Example,
    ExpressionScores,
    judge,
    time_networks,
)
from face_depth_ros.evaluation.expression_report import expression_result
from face_depth_ros.evaluation.expression_rows import (
    DEPTH_ONLY,
    ExpressionRows,
    FULL,
    knows_neutral,
    NO_MASK,
    NO_WEIGHTS,
    STUDENT,
    TEXTURE_ONLY,
    texture_row,
)
from face_depth_ros.evaluation.expression_scores import (
    ALL_LEVELS,
    column_faces,
    judge_row,
    MAIN,
    NeutralScores,
    RowScores,
)
from face_depth_ros.evaluation.expression_tables import expression_tables
from face_depth_ros.evaluation.expression_verdict import (
    claim_sentence,
    expression_verdict,
    goal_sentence,
    neutral_sentence,
    student_sentence,
)
from face_depth_ros.evaluation.expression_views import blank_face, FaceViewer, measured_depth
from face_depth_ros.predictors.depth_estimator import DepthEstimator
import numpy as np
import pytest

DEPTH_HELPS, MASKS_HELP = 'Depth beside colour helps the student', 'Mask attention helps'


def truth(*faces: tuple[int, int, int, float]) -> np.ndarray:
    """Make records of condition, label, level and yaw; each is another person."""
    records = np.zeros(len(faces), record_type())
    for i, values in enumerate(faces):
        for name, value in zip(('condition', 'label', 'level', 'yaw'), values, strict=True):
            records[name][i] = value
    records['person'] = np.arange(len(faces))
    records['strength'] = records['level'] / 4
    return records


def sure_of(*labels: int, share: float = 0.7) -> np.ndarray:
    """Return probabilities of labels, the rest spread evenly."""
    table = np.full((len(labels), 7), (1 - share) / 6, np.float32)
    table[np.arange(len(labels)), labels] = share
    return table


def test_columns_levels_and_confusion_by_hand() -> None:
    faces = truth((0, 0, 4, 2), (0, 0, 3, -14), (0, 3, 4, 0), (0, 3, 2, 0), (0, NEUTRAL, 0, 0),
                  (0, NEUTRAL, 0, 0), (1, NEUTRAL, 0, 0), (2, 5, 4, 44), (2, 5, 3, -20),
                  (3, 4, 4, 0))
    said = sure_of(0, 1, NEUTRAL, 3, NEUTRAL, 3, NEUTRAL, 5, 5, 0)
    seen = np.ones(10, bool)
    seen[8] = False
    row = judge_row(faces, said, seen, None, None, neutral_known=True)
    # Of the six, the third face ties between all but neutral: anger comes first, which is wrong.
    assert row.six == {MAIN: pytest.approx(1 / 3), ALL_LEVELS: 0.5, 'pose': 0.5, 'occlusion': 0.0}
    assert row.mean == pytest.approx((0.5 + 0.0) / 2)
    np.testing.assert_allclose(row.by_class, [0.5, np.nan, np.nan, 0.0, np.nan, np.nan])
    assert row.by_level == {2: 1.0, 3: 0.0, 4: 0.5}
    # Turned by 20 degrees is the face that was not found.
    assert row.by_yaw == {'0 to 15': pytest.approx(1 / 3), '15 to 30': 0.0, '30 to 45': 1.0}
    assert row.confusion[0].tolist() == [1, 1, 0, 0, 0, 0] and row.confusion.sum() == 3
    assert row.right[MAIN].tolist() == [True, False, False]
    assert row.persons['pose'].tolist() == [7, 8]
    found = row.neutral
    assert found is not None
    assert (found.seven, found.false_alarms, found.speaking) == (pytest.approx(2 / 5), 0.5, 0.0)
    assert found.mean == pytest.approx((0.5 + 0.0 + 0.5) / 3)
    assert found.missed == {2: 0.0, 3: 0.0, 4: 0.5}
    assert found.confusion[3].tolist() == [0, 0, 0, 0, 0, 0, 1]
    # Six faces from the front, always 70 % sure, 3 right.
    assert row.calibration['seven'] == pytest.approx(0.7 - 0.5, abs=1e-6)
    np.testing.assert_allclose(row.curve, [(0.7, 0.5, 6)], atol=1e-6)
    without = judge_row(faces, said, seen, None, None, neutral_known=False)
    assert without.neutral is None and 'seven' not in without.calibration
    assert list(column_faces(faces[:4])) == [MAIN, ALL_LEVELS]
    assert list(column_faces(faces[:3])) == [MAIN]


def test_affect_and_units_by_hand() -> None:
    faces = truth((0, 3, 4, 0), (0, 4, 4, 0), (0, NEUTRAL, 0, 0))
    faces['action_units'][:, 8] = 1.0, 0.0, 0.5
    affect = np.array([[0.81, 0.51], [-0.63, -0.27], [0.3, 0.0]])
    units = faces['action_units'].copy()
    units[:, 8] = 0.8, 0.1, 0.5
    row = judge_row(faces, sure_of(3, 4, NEUTRAL), np.ones(3, bool), affect, units,
                    neutral_known=True)
    assert row.affect is not None and row.units is not None
    assert row.affect.concordance['arousal'] == pytest.approx(1.0)
    assert row.affect.mean_error['valence'] == pytest.approx(0.1)
    assert row.units.mean_error[8] == pytest.approx(0.1)
    assert row.units.of_the_mean[8] == pytest.approx(1 / 3)
    assert row.units.correlation[8] == pytest.approx(0.9973, abs=1e-3)
    assert row.units.correlation[0] == 0.0  # it is the same in all faces


def scored(rates: dict[str, float], count: int = 400, **changes: Any) -> ExpressionScores:
    """Return scores of rows that are right of the first so many percent of the faces."""
    rows = {}
    for name, rate in rates.items():
        right = np.arange(count) < round(rate / 100 * count)
        rows[name] = RowScores({MAIN: float(right.mean())}, right={MAIN: right},
                               persons={MAIN: np.arange(count) * 7 % 100})
    return ExpressionScores(rows, {name: name.split(',')[0] for name in rows}, {MAIN: count},
                            people=100, **changes)


@pytest.mark.parametrize(('rate', 'words'), [
    (92, 'tells 92.00 % of strong expressions (levels 3 and 4, the six), which reaches the 90.08'),
    (89, 'which is enough (at least 88, goal 90.08)'), (80, 'which is too little (at least 88)')])
def test_goals_are_said(rate: float, words: str) -> None:
    assert words in goal_sentence(scored({STUDENT: rate}))
    assert goal_sentence(scored({})) == neutral_sentence(scored({})) == ''


def test_neutral_faces_are_said() -> None:
    scores = scored({STUDENT: 90})
    scores.rows[STUDENT].neutral = NeutralScores(0.85, 0.8, 0.12, 0.3, {1: 0.6}, np.zeros((7, 7)))
    assert neutral_sentence(scores) == (
        'It calls 12.0 % of neutral faces an expression (more than the 10 allowed), 30.0 % of '
        'those that speak, and tells 85.00 % of all seven; it calls 60.0 % of the weakest '
        'expressions neutral.')
    scores.rows[STUDENT].neutral = NeutralScores(0.85, 0.8, 0.05, None, {}, np.zeros((7, 7)))
    assert neutral_sentence(scores).startswith(
        'It calls 5.0 % of neutral faces an expression (as asked), and tells')


def test_whether_a_claim_holds_is_said() -> None:
    scores = scored({STUDENT: 92, texture_row(STUDENT): 85, FULL: 90, NO_MASK: 89.75,
                     NO_WEIGHTS: 96})
    said = claim_sentence(scores, DEPTH_HELPS, MAIN)
    assert said.startswith(f'{DEPTH_HELPS} ({MAIN}): yes. 92.00 against 85.00 %, +7.00 points, 95')
    assert said.endswith('28 faces against 0, McNemar p = 7.5e-09.')
    assert ': not shown: the difference may be chance. 90.00 against 89.75 %' in claim_sentence(
        scores, MASKS_HELP, MAIN)
    assert ': no, it harms. 90.00 against 96.00 %' in claim_sentence(
        scores, 'Importance weights help', MAIN)
    assert claim_sentence(scores, DEPTH_HELPS, 'pose') == ''
    assert claim_sentence(scored({FULL: 90}), MASKS_HELP, MAIN) == ''
    assert len(expression_verdict(scores)) == 5


def test_what_the_student_loses_is_said() -> None:
    scores = scored({STUDENT: 88, FULL: 91}, ratio={FULL: 20.0}, trained={STUDENT: 9, FULL: 5})
    assert student_sentence(scores).startswith(
        'The student loses 3.00 points against AFNet-M, more than the 2 allowed (-3.00 points')
    assert student_sentence(scores).endswith(
        'takes the time of AFNet-M divided by 20.0. AFNet-M was trained on 5 faces here, the '
        'student on 9.')
    assert 'gains 1.00 points against AFNet-M, as asked' in student_sentence(
        scored({STUDENT: 92, FULL: 91}))
    assert student_sentence(scored({STUDENT: 92})) == ''


def test_the_tables_of_the_paper() -> None:
    names = [FULL, TEXTURE_ONLY, DEPTH_ONLY, NO_MASK, 'S1', 'Layer4', 'S4']
    scores = scored({name: 80 + i for i, name in enumerate(names)},
                    absent={NO_WEIGHTS: 'not there', STUDENT: 'nor is it', 'S2': 'not made'},
                    costs={FULL: GraphCost(macs=5, parameters=2 ** 20)},
                    models={FULL: RowModel('afnet_m', 'a' * 64, 'openvino', 'fp32')})
    tables = expression_tables(scores, 'here')
    masks = tables['expression_mask_attention'].rows
    assert list(masks) == ['2D, masks', '3D, masks', '2D+3D', '2D+3D, masks']
    assert masks['2D+3D, masks'] == {'here': 80.0, 'paper, BU-3DFE': 90.08}
    assert tables['expression_fusion'].rows == {
        'S1, data': {'here': 84.0, 'paper, BU-3DFE': 86.54},
        'S2, decision': {'here': None, 'paper, BU-3DFE': 86.28},
        'S4, layers': {'here': 86.0, 'paper, BU-3DFE': 88.12},
        'layers, with importance weights': {'here': 83.0, 'paper, BU-3DFE': 88.89}}
    assert tables['expression_positions'].rows == {'Layer4': {'here': 85.0},
                                                   'Layer34': {'here': 83.0}}
    costs = tables['expression_parameters'].rows
    assert costs[FULL]['MiB'] == 4.0 and costs[FULL]['paper, MB'] == 91.54
    assert costs[STUDENT]['MiB'] is None and NO_WEIGHTS not in costs
    rows = tables['expression'].rows
    assert rows[STUDENT] == rows[texture_row(STUDENT)] == {MAIN: None, 'ms': None}
    assert NO_WEIGHTS not in rows  # it stands below the table
    assert 'expression_neutral' not in tables


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / 'models'
    write_our_model(folder if folder.mkdir() is None else folder, 'face_estimator', 64)
    write_expression_model(folder)
    monkeypatch.setattr(model_spec, 'model_folders', lambda: [folder])
    return folder


def test_drawn_faces_go_the_way_of_a_robot(models: Path) -> None:
    write_small_afnet(models, 'afnet_m_s1', trained={'samples': 320})
    photos = draw_expressions(2)
    estimator = DepthEstimator()
    with ExpressionRows(rows=(STUDENT, FULL, 'S1')) as rows:
        assert 'training.train_afnet_m' in rows.absent[FULL]
        assert knows_neutral(rows.methods[STUDENT]) and not knows_neutral(rows.methods['S1'])
        faces = collect([photos[:30], photos[30:]], FaceViewer(estimator), rows)
        scores = judge(faces, rows)
        ms, ratio = time_networks(rows, 2)
    estimator.close()
    assert list(scores.rows) == [STUDENT, texture_row(STUDENT), 'S1'] == list(ms)
    assert scores.trained == {'S1': 320}
    # Anger, happiness and surprise are as drawn; nothing is ever called neutral.
    for name in (STUDENT, texture_row(STUDENT)):
        assert scores.rows[name].six == dict.fromkeys(
            (MAIN, ALL_LEVELS, *CONDITIONS[1:]), 0.5)
    assert scores.rows['S1'].six == {MAIN: 0.5}  # an ablation looks at the first column alone
    assert scores.columns == {MAIN: 24, ALL_LEVELS: 36, **dict.fromkeys(CONDITIONS[1:], 12)}
    neutral = scores.rows[STUDENT].neutral
    assert neutral is not None and neutral.false_alarms == neutral.speaking == 1.0
    assert scores.unseen[STUDENT] == scores.by_texture[STUDENT] == 0
    assert scores.by_texture[texture_row(STUDENT)] == len(photos)
    assert ratio[STUDENT] == 1.0 and ratio['S1'] > 0 and min(ms.values()) > 0
    kinds = [(e.label, e.said) for e in scores.examples]
    assert sorted(kinds) == sorted(4 * [(0, 0), (1, 0), (2, 5), (3, 3), (4, 0), (5, 5)])
    result = expression_result(scores, 'drawn', 'about')
    assert list(result.tables['expression_affect'].rows) == [STUDENT, texture_row(STUDENT)]
    html = ''.join(result.blocks)
    for words in ('Student, all seven', 'Right calls', 'Wrong calls', 'Empty rows: AFNet-M'):
        assert words in html


def test_a_face_that_is_not_found_is_wrong(models: Path) -> None:
    photos = draw_expressions(1)
    photos['color'][photos['label'] == 3] = 0
    estimator = DepthEstimator()
    with ExpressionRows(rows=(STUDENT,)) as rows:
        scores = judge(collect([photos], FaceViewer(estimator), rows), rows)
        assert scores.rows[STUDENT].by_class[3] == 0.0
        assert scores.unseen[STUDENT] == int((photos['label'] == 3).sum())
        assert scores.rows[STUDENT].confusion[3].sum() == 0
        with pytest.raises(DatasetError, match='there are no faces'):
            collect([], FaceViewer(estimator), rows)
        weak = collect([photos[photos['level'] < 3]], FaceViewer(estimator), rows)
        with pytest.raises(DatasetError, match='none of 8 faces shows an expression at level 3'):
            judge(weak, rows)
    estimator.close()


def test_depth_that_was_not_measured() -> None:
    assert measured_depth(np.full((4, 4), np.nan)) is None
    half = np.array([[0.1, np.nan]], np.float32)
    found = measured_depth(half)
    assert found is not None and found.provenance.tolist() == [[1, 0]]
    np.testing.assert_allclose(found.depth, [[1.1, np.nan]])
    face = blank_face()
    assert face.estimated.faces[0].landmarks is not None
    assert 0 < face.estimated.faces[0].landmarks.min() < 192


def test_plots_are_drawn() -> None:
    assert 'svg' in confusion_plot(np.eye(6, dtype=int) * 5, 'title')
    assert 'svg' in reliability_plot({'a': [(0.5, 0.4, 3), (0.9, 0.8, 5)]}, 'a')
    assert 'svg' in position_plot({'Layer4': 80.0, 'Layer34': 82.0})
    color = np.full((192, 192, 3), 90, np.uint8)
    strip = example_strip([Example(color, 0, 0, 0.9), Example(color, 1, 0, 0.6)])
    assert strip.shape == (172, 272, 3) and strip.dtype == np.uint8
    below_right, below_wrong = strip[132:, :132].astype(int), strip[132:, 140:].astype(int)
    assert (below_right[..., 1] - below_right[..., 0]).max() > 60  # green words
    assert (below_wrong[..., 0] - below_wrong[..., 1]).max() > 60  # red words


@pytest.mark.parametrize(('dataset', 'name', 'condition', 'expected'), [
    ('bu_3dfe', 'F0001_HA03WH', 'happiness_3', (3, 3)),
    ('bu_3dfe', 'F0001_NE00WH', 'neutral', (NEUTRAL, 0)),
    ('bosphorus', 'bs001_E_HAPPY_0', 'expression_happy', (3, 4)),
    ('bosphorus', 'bs001_N_N_1', 'neutral', (NEUTRAL, 0)),
    ('bosphorus', 'bs001_YR_R10_0', 'yaw_r10', None)])
def test_what_a_recording_shows(dataset: str, name: str, condition: str,
                                expected: tuple[int, int] | None) -> None:
    assert shown(Recording(dataset, 's', '', name, condition, Path())) == expected
