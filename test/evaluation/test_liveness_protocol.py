# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Presentations through all detectors, the numbers of each, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from drawn_liveness import (
    BENT,
    BulgeDetector,
    BulgeNetwork,
    draw_face,
    draw_faces,
    FLAT,
)
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.liveness_metrics import NO_SCORE
from face_depth_ros.evaluation.liveness_protocol import (
    collect,
    distance_bins,
    judge,
    LivenessScores,
    RowAnswers,
)
from face_depth_ros.evaluation.liveness_rows import (
    Answer,
    answers_to,
    BOTH,
    DetectorRow,
    LandmarkRow,
    LANDMARKS,
    LivenessRows,
    NETWORK,
    NetworkRow,
    RAW_LANDMARKS,
    TEMPORAL,
)
from face_depth_ros.evaluation.liveness_tables import liveness_tables, rate_text
from face_depth_ros.evaluation.liveness_verdict import detector_sentences, row_sentence
from face_depth_ros.evaluation.liveness_views import view_of
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
import numpy as np
import pytest


@pytest.fixture(scope='module')
def enhancer() -> Iterator[DepthEnhancer]:
    opened = DepthEnhancer(method='None')
    yield opened
    opened.close()


class DrawnRows(LivenessRows):
    """The rows with a drawn detector in place of the network."""

    def __init__(self) -> None:
        super().__init__(rows=[RAW_LANDMARKS, LANDMARKS])
        self.rows = (RAW_LANDMARKS, LANDMARKS, NETWORK, BOTH, TEMPORAL)
        self.methods[NETWORK] = NetworkRow(BulgeNetwork())
        self.methods[BOTH] = DetectorRow(BulgeDetector(), over_time=False)
        self.methods[TEMPORAL] = DetectorRow(BulgeDetector(), over_time=True)


def answers(**scores: list[float]) -> RowAnswers:
    """Return answers by species, which may have underscores for spaces; live above 0.5."""
    said = RowAnswers()
    for kind, values in scores.items():
        for value in values:
            said.answers.append(Answer(value, 'live' if value > 0.5 else 'spoof', '', 1.0))
            said.species.append(kind.replace('_', ' '))
            said.distances.append(0.7)
    return said


def test_every_row_judges_every_presentation(enhancer: DepthEnhancer) -> None:
    rows = DrawnRows()
    seen = []
    said, counted = collect([draw_faces(3, 3)], rows, enhancer,
                            lambda face, view, last: seen.append((face.species, face.frame,
                                                                  sorted(last))))
    assert counted.people == 3 and counted.faces == {'live': 9, FLAT: 9, BENT: 9}
    assert counted.presentations == {'live': 3, FLAT: 3, BENT: 3}
    assert len(said[NETWORK].answers) == 27 and len(said[TEMPORAL].answers) == 9
    assert [kind for kind, _, _ in seen[:3]] == ['live', FLAT, BENT] and seen[0][1] == 2
    assert seen[0][2] == sorted(rows.rows)
    scores = judge(said, counted)
    network = scores.rows[NETWORK]
    assert network.threshold is None and network.at_threshold is None  # 9 faces cannot tell
    assert network.as_decided.apcer == {FLAT: 0.0, BENT: 0.0} and network.as_decided.bpcer == 0
    assert network.equal_error == 0.0 and network.ms > 0
    assert network.reasons == {'flat': 18}
    assert scores.rows[BOTH].as_decided.apcer == {FLAT: 0.0, BENT: 0.0}
    assert scores.rows[TEMPORAL].as_decided.bona_fide == 3
    # A bent sheet passes the test of landmarks: it recedes as a jaw does.
    assert scores.rows[LANDMARKS].as_decided.apcer[BENT] > 0.5
    assert scores.rows[LANDMARKS].as_decided.bpcer == 0.0


def test_over_time_answers_once_and_forgets_between_presentations(
        enhancer: DepthEnhancer) -> None:
    detector = BulgeDetector()
    row = DetectorRow(detector, over_time=True)
    views = [view_of(draw_face(frame=i), enhancer) for i in range(3)]
    assert [a.label for a in answers_to(row, views)] == ['live']
    (early,) = answers_to(row, views[:1])  # a robot would wait for more
    assert (early.score, early.label, early.reason) == (NO_SCORE, 'unsure', 'few_frames')
    assert detector.resets == 2


def test_without_depth_there_is_no_score(enhancer: DepthEnhancer) -> None:
    face = draw_face()
    view = view_of(replace(face, depth=np.full_like(face.depth, np.nan)), enhancer)
    for row in (LandmarkRow(raw=True), NetworkRow(BulgeNetwork()),
                DetectorRow(BulgeDetector(), over_time=False)):
        answer = row.look(view)
        assert (answer.score, answer.label, answer.reason) == (NO_SCORE, 'unsure', 'no_depth')


def test_a_threshold_for_each_row_and_the_errors_of_each_species() -> None:
    living = [0.05, *[0.6 + 0.003 * i for i in range(99)]]  # one of a hundred looks dead
    scores = judge({NETWORK: answers(live=living, flat_print=[0.1] * 50,
                                     mask=[0.1] * 47 + [0.7] * 3)},
                   LivenessScores(faces={'live': 100, 'flat print': 50, 'mask': 50},
                                  presentations={'live': 100, 'flat print': 50, 'mask': 50}))
    row = scores.rows[NETWORK]
    assert row.threshold == pytest.approx(0.6) and row.at_threshold is not None
    assert row.at_threshold.apcer == {'flat print': 0.0, 'mask': 0.06}
    assert row.at_threshold.bpcer == 0.01 and row.at_threshold.acer == pytest.approx(0.035)
    assert set(row.curves) == {'', 'flat print', 'mask'}
    assert row.by_distance['0.6 to 0.9 m'].worst_apcer == 0.06
    tables = liveness_tables(scores, 'drawn')
    assert list(tables) == ['liveness', 'liveness_decisions', 'liveness_eer',
                            'liveness_intervals', 'liveness_by_distance']
    line = tables['liveness'].rows[NETWORK]
    assert (line['mask'], line['worst APCER'], line['BPCER']) == pytest.approx((6.0, 6.0, 1.0))
    assert tables['liveness_intervals'].rows[NETWORK]['mask'] == '2.1 to 16.2'
    (sentence,) = detector_sentences(scores)
    assert 'more than 2 % get through of 1 of 2 species: mask 6.0 % (95 %: 2.1 to 16.2 %)' in (
        sentence)


def test_the_verdict_says_where_a_species_gets_through() -> None:
    said = answers(live=[0.9] * 200, mask=[0.1] * 40 + [0.95] * 10)
    said.distances = [0.5, 1.4] * 100 + [0.5] * 40 + [1.4] * 10
    row = judge({NETWORK: said}, LivenessScores()).rows[NETWORK]
    assert 'most 1.2 to 1.6 m (100.0 %), least below 0.6 m (0.0 %)' in row_sentence(NETWORK, row)
    half = judge({NETWORK: answers(live=[0.9] * 100, half_mask=[0.95] * 9)}, LivenessScores())
    assert row_sentence(NETWORK, half.rows[NETWORK]).endswith(
        '(95 %: 70.1 to 100.0 %): half of what is seen is a living face.')
    low = judge({NETWORK: answers(live=[0.9] * 100, mask=[0.1] * 9)}, LivenessScores())
    assert 'no species gets through more often than 2 %' in row_sentence(
        NETWORK, low.rows[NETWORK])
    few = judge({NETWORK: answers(live=[0.9], mask=[0.8])}, LivenessScores()).rows[NETWORK]
    assert 'too few for a threshold at BPCER 1 %; as it decides, the worst APCER is 100.0 %' in (
        row_sentence(NETWORK, few))


def test_rows_that_are_absent_stay_empty() -> None:
    scores = judge({LANDMARKS: answers(live=[0.9], mask=[0.1])}, LivenessScores(
        faces={'live': 1, 'mask': 1}, presentations={'live': 1, 'mask': 1},
        absent={NETWORK: 'no model'}))
    rows = liveness_tables(scores, 'drawn')['liveness_decisions'].rows
    assert list(rows) == [LANDMARKS, NETWORK] and rows[NETWORK]['mask'] is None
    assert rows[LANDMARKS]['APNRR'] == 0.0


def test_what_has_no_score_at_all_has_no_curve() -> None:
    silent = answers(live=[NO_SCORE], mask=[NO_SCORE])
    row = judge({NETWORK: silent}, LivenessScores()).rows[NETWORK]
    assert row.curves == {} and row.equal_error == 0.5


def test_bins_of_distance() -> None:
    bins = distance_bins([0.3, 0.6, 1.7, 0.59])
    assert {k: v.tolist() for k, v in bins.items()} == {
        'below 0.6 m': [True, False, False, True], '0.6 to 0.9 m': [False, True, False, False],
        'from 1.6 m': [False, False, True, False]}
    assert rate_text(0.0, 100) == '0.0 to 3.7'


def test_living_faces_and_attacks_are_both_needed(enhancer: DepthEnhancer) -> None:
    with pytest.raises(DatasetError, match="living faces .species 'live'. and attacks"):
        collect([[draw_face()]], DrawnRows(), enhancer)
    with pytest.raises(DatasetError, match='the faces are none'):
        collect([], DrawnRows(), enhancer)
