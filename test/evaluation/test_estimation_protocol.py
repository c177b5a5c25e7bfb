# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Scores of estimators, their tables, and the words about them, on rows that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from drawn_estimators import drawn_face
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.estimation_metrics import GREY_METRICS
from face_depth_ros.core.face_photo import CROP_PX, FacePhoto, relief_to_grey
from face_depth_ros.evaluation.estimation_protocol import (
    EstimationScores,
    mean_interval,
    score_estimators,
)
from face_depth_ros.evaluation.estimation_report import estimation_blocks
from face_depth_ros.evaluation.estimation_tables import estimation_tables, MAIN_COLUMNS
from face_depth_ros.evaluation.estimation_verdict import mask_orders, orders, verdict
from face_depth_ros.evaluation.estimator_rows import (
    AUTOENCODER,
    CGAN,
    CUI,
    DEPTHNET,
    DEPTHNET_NO_MASK,
    EstimatedFace,
    EstimatorRows,
    MEAN_FACE,
    OURS,
    PIX2PIX,
    ROWS,
)
from face_depth_ros.evaluation.face_photo_samples import FaceSample
import numpy as np
import pytest


class KnownRows(EstimatorRows):
    """Rows that err by known amounts of relief, metres, on the face drawn last."""

    def __init__(self, errors: dict[str, float]) -> None:
        super().__init__(rows=(MEAN_FACE,))
        self.sample: FacePhoto | None = None
        self.methods = {name: self._row(name, error) for name, error in errors.items()}

    def _row(self, name: str, error: float) -> Callable[[np.ndarray], EstimatedFace]:
        def run(color: np.ndarray) -> EstimatedFace:
            if not color.any():
                return EstimatedFace(np.full((CROP_PX, CROP_PX), np.nan, np.float32),
                                     np.zeros((CROP_PX, CROP_PX), np.float32),
                                     np.zeros((CROP_PX, CROP_PX), np.uint8), confidence=0.1)
            assert self.sample is not None
            # Not a bare offset, so that it shows after the best offset as well.
            slope = np.linspace(0.5, 1.5, CROP_PX, dtype=np.float32)
            relief = self.sample.relief + np.float32(error) * slope
            landmarks = self.sample.landmarks + np.float32(2.56) if name == OURS else None
            return EstimatedFace(relief, relief_to_grey(relief), self.sample.mask, landmarks, 0.9,
                                 name in (OURS, DEPTHNET))
        return run

    def shown(self, samples: Sequence[FaceSample]) -> Iterator[FaceSample]:
        for sample in samples:
            self.sample = sample.photo
            yield sample


ERRORS = {OURS: 0.001, DEPTHNET: 0.004, DEPTHNET_NO_MASK: 0.006, CGAN: 0.003, AUTOENCODER: 0.002,
          PIX2PIX: 0.005}


def scored(errors: dict[str, float], samples: Sequence[FaceSample] | None = None,
           ) -> EstimationScores:
    faces = samples or [drawn_face(i // 2, 20.0 * i, covered=i == 3) for i in range(4)]
    rows = KnownRows(errors)
    nothing = np.zeros((CROP_PX, CROP_PX, 3), np.uint8)
    return score_estimators(rows.shown(faces), rows, [nothing])


@pytest.fixture(scope='module')
def scores() -> EstimationScores:
    return scored(ERRORS)


@pytest.fixture(scope='module')
def tables(scores: EstimationScores) -> dict[str, Any]:
    return estimation_tables(scores, 'drawn faces')


def test_the_main_table(scores: EstimationScores, tables: dict[str, Any]) -> None:
    rows = next(iter(tables.values())).rows
    assert list(rows) == list(ROWS)
    assert all(tuple(row) == MAIN_COLUMNS for row in rows.values())
    assert set(rows[CUI].values()) == {None} and scores.absent[CUI] == 'left out by --rows'
    for name, error in ERRORS.items():
        assert rows[name]['rmse_mm'] == pytest.approx(1e3 * error, rel=0.1)
        assert rows[name]['shape_mm'] < 0.5 * rows[name]['rmse_mm']
        assert rows[name]['coverage'] == rows[name]['face_iou'] == 1.0
    assert rows[OURS]['mean_iou'] == 1.0 and rows[CGAN]['mean_iou'] is None
    assert rows[OURS]['nme'] == pytest.approx(2 ** 0.5) and rows[CGAN]['nme'] is None


def test_tables_of_the_papers(tables: dict[str, Any]) -> None:
    grey = tables['grey_depth'].rows
    assert tuple(grey[OURS]) == GREY_METRICS
    order = sorted(ERRORS, key=lambda name: ERRORS[name])
    for metric in ('l1_norm', 'l2_norm', 'rmse_linear', 'rmse_log', 'absolute_difference'):
        assert sorted(ERRORS, key=lambda name: grey[name][metric]) == order
    squared = tables['depth_mse'].rows
    for name in ERRORS:
        # All rows and the truth have the same face: outside it nothing differs.
        share = np.isfinite(drawn_face().photo.relief).mean()
        assert squared[name]['table_V_whole'] == pytest.approx(
            share * squared[name]['table_I_common'])
        assert squared[name]['table_V_whole_interval'] == pytest.approx(0.0, abs=1e-6)
    assert set(squared[CUI].values()) == {None}


def test_by_yaw_and_by_class(tables: dict[str, Any]) -> None:
    assert tables['landmarks'].rows[OURS]['30 to 60'] == pytest.approx(2 ** 0.5)
    assert tables['landmarks'].rows[DEPTHNET]['all'] is None
    assert tables['relief_by_yaw'].rows[CGAN]['60 to 90'] == pytest.approx(3.0, rel=0.1)
    mask = tables['mask_iou'].rows
    assert mask[OURS]['mouth'] == 1.0 and mask[OURS]['glasses'] is None
    assert mask[CGAN]['mouth'] is None and mask[CGAN]['face'] == 1.0


def test_crops_without_a_face(tables: dict[str, Any]) -> None:
    line = tables['confidence'].rows[OURS]
    assert line == {'faces': pytest.approx(0.9), 'faces_missed': 0.0,
                    'no_faces': pytest.approx(0.1), 'no_faces_taken': 0.0}


def test_a_row_that_sees_nothing_takes_the_common_area() -> None:
    faces = [drawn_face(0)]
    rows = KnownRows({CGAN: 0.001})
    empty = np.full((CROP_PX, CROP_PX), np.nan, np.float32)
    rows.methods[PIX2PIX] = lambda color: EstimatedFace(
        empty, np.nan_to_num(empty), np.zeros((CROP_PX, CROP_PX), np.uint8))
    scores = score_estimators(rows.shown(faces), rows)
    assert scores.apart == 1
    lines = estimation_tables(scores, 'x')['estimation'].rows
    assert lines[CGAN]['mse_common'] is None and lines[CGAN]['mse_whole'] > 0
    assert lines[PIX2PIX]['rmse_mm'] is None and lines[PIX2PIX]['coverage'] == 0.0


def test_photos_without_a_face_are_counted_and_left_out() -> None:
    scores = scored(ERRORS, [drawn_face(0), drawn_face(1, radius=8)])
    assert (scores.faces, scores.faceless) == (1, 1)
    with pytest.raises(DatasetError, match='no photos with a face'):
        scored(ERRORS, [drawn_face(1, radius=8)])


def test_the_verdict_is_computed(scores: EstimationScores) -> None:
    text = ' '.join(verdict(scores))
    assert 'Ours errs by 1.0' in text and 'number 1 of 6' in text
    assert "lowers DepthNet's squared error where all rows have a face (Table I)" in text
    assert 'cGAN comes before pix2pix on ' in text
    assert 'cGAN comes before AE on 0 of ' in text
    assert 'Ours is better than DepthNet on ' in text
    assert 'mean IoU of the mask 1.000 (goal 0.85), reached' in text
    assert 'Not compared here: Mean face and Cui FCN.' in text
    by_metric = {s.split(':')[0]: s for s in orders(scores)}
    assert set(by_metric) >= {m.replace('_', ' ') for m in GREY_METRICS}
    assert ' is not ahead of AE (' in by_metric['l1 norm']
    assert ' and ahead of pix2pix (' in by_metric['l1 norm']


def test_the_verdict_turns_with_the_numbers() -> None:
    turned = scored({**ERRORS, DEPTHNET: 0.006, DEPTHNET_NO_MASK: 0.002, OURS: 0.009})
    text = ' '.join(verdict(turned))
    assert "does not lower DepthNet's squared error" in text
    assert 'number 6 of 6' in text
    assert mask_orders(scored({OURS: 0.001})) == [] and orders(scored({OURS: 0.001})) == []


def test_face_verification_joins_the_measures(scores: EstimationScores) -> None:
    accuracy = {CGAN: 0.7, AUTOENCODER: 0.6, PIX2PIX: 0.5}
    assert any(s.startswith('face verification: cGAN (0.7000) is ahead of AE')
               for s in orders(scores, accuracy))


def test_the_report_shows_all(scores: EstimationScores, tables: dict[str, Any]) -> None:
    page = ''.join(estimation_blocks(scores, tables))
    for item in list(tables.values())[1:]:
        assert item.title.replace("'", '&#x27;') in page
    assert page.count('<svg') == 3
    assert 'Empty rows: Mean face, Cui FCN. Why?' in page
    # Two faces are of one person, and one is pictured of each.
    assert len(scores.pictures) == 2
    assert page.count('<img') == 2 * 2 * (2 + len(ERRORS))


def test_intervals_take_the_photos_of_one_person_as_one() -> None:
    rng = np.random.default_rng(5)
    people = np.repeat(np.arange(200), 4)
    of_person = rng.standard_normal(200)[people]
    mean, half = mean_interval(of_person, people)
    # Four equal photos each tell no more than one.
    assert (mean, half) == (pytest.approx(of_person.mean()),
                            pytest.approx(1.96 * of_person.std() / 200 ** 0.5, rel=0.01))
    apart, half_apart = mean_interval(rng.standard_normal(800), np.arange(800))
    assert half_apart == pytest.approx(half / 2, rel=0.15)
    assert np.isnan(mean_interval([1.0, 2.0], [3, 3])[1])
    assert np.isnan(mean_interval([float('nan')], [1])[0])
