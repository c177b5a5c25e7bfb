# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The tables of face shapes: alignment, crops, rows, and what is missing."""

from __future__ import annotations

import argparse
import sys
from types import SimpleNamespace
from typing import Any

from face_depth_ros.core.recognition_input import recognition_input, SIZE
from face_depth_ros.evaluation import shape_protocol as protocol
from face_depth_ros.predictors.face_shape import ShapesOfFaces
import numpy as np
import pytest

VERTICES, PEOPLE = 80, 2
OPTIONS = argparse.Namespace(quick=False, backend='openvino', precision='fp32', assets='')


def shapes(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.05, (count, VERTICES, 3)).astype(np.float32)


TRUE, REST = shapes(PEOPLE * 2, 0), shapes(PEOPLE * 2, 1)


class DrawnModel:
    """Stands in for ShapeModel: coefficients are the numbers of the photos."""

    def __init__(self, vertices: int, assets: str = '') -> None:
        assert vertices == VERTICES

    def shapes(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        which = identity[:, 0].astype(int)
        return np.where(expression[:, :1, None] > 0, TRUE[which], REST[which])

    def fitted(self, landmarks: np.ndarray, visibility: np.ndarray,
               ) -> tuple[np.ndarray, np.ndarray]:
        assert landmarks.shape[1:] == (68, 2) and visibility.shape[1:] == (68,)
        return np.zeros((len(landmarks), 100)), np.ones((len(landmarks), 57))


class DrawnPredictor:
    """Tells the true shapes, 1 mm off in one half of the vertices, and turned and grown."""

    closed = 0
    triangles = np.arange(VERTICES - 2)[:, None] + np.arange(3)

    def __init__(self, model: str, backend: str, precision: str) -> None:
        self.model = model

    def reconstruct(self, color: np.ndarray, mask: np.ndarray) -> ShapesOfFaces:
        count = len(color)
        told = TRUE[:count] * 1.1 + 0.3
        return ShapesOfFaces(np.zeros((count, 3)), np.zeros((count, 2)), told[:, :, [1, 2, 0]],
                             REST[:count])

    def close(self) -> None:
        DrawnPredictor.closed += 1


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A source of four photos, with the predictors replaced."""
    count = PEOPLE * 2
    photos = SimpleNamespace(
        color=np.full((count, 192, 192, 3), 90, np.uint8), person=np.array([0, 1, 0, 1]),
        yaw=np.array([0.0, 0.0, -40.0, 40.0], np.float32), expression=np.ones((count, 57)),
        identity=np.arange(count, dtype=np.float32)[:, None].repeat(100, axis=1))

    class Photos(SimpleNamespace):
        def __len__(self) -> int:
            return count

    drawn = Photos(**vars(photos))
    monkeypatch.setattr(protocol, 'FaceShape', DrawnPredictor)
    monkeypatch.setattr(protocol, 'known_models', lambda: ['face_shape'])
    return SimpleNamespace(ShapeModel=DrawnModel, YAWS=(0.0, 40.0), photos=drawn,
                           shape_photos=lambda folder, people, assets: drawn)


def test_tables_have_a_line_a_row_and_a_column_a_yaw(source: SimpleNamespace,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'drawn_source', source)
    monkeypatch.setattr(protocol, '_SOURCE', 'drawn_source')
    closed = DrawnPredictor.closed
    result = protocol.shape_result(OPTIONS)
    assert DrawnPredictor.closed == closed + 1
    assert len(result.blocks) == 1 and result.blocks[0].count('<img') == 4 * 4
    tables = result.tables
    assert list(tables) == ['shape_by_yaw', 'identity_shape_by_yaw', 'shape_means',
                            'shape_differences']
    rows = tables['shape_by_yaw'].rows
    assert set(rows) == {'joint', protocol.SEVERAL, protocol.LINEAR, protocol.MEAN_FACE}
    assert list(rows['joint']) == ['0', '40', 'average']
    assert rows['joint']['average'] == pytest.approx(0.0, abs=1e-3)  # turned and grown alone
    linear = rows[protocol.LINEAR]
    assert linear['average'] == pytest.approx((linear['0'] + linear['40']) / 2)
    assert linear['40'] > 10.0
    means = tables['shape_means'].rows['joint']
    assert means['whole_similarity'] < 1e-3 < 1.0 < means['whole_rigid']
    assert means['identity_rigid'] < 1e-3 and means['ms'] > 0.0
    assert tables['shape_means'].rows[protocol.MEAN_FACE]['ms'] is None
    apart = tables['shape_differences'].rows
    assert set(apart) == {protocol.LINEAR, protocol.MEAN_FACE}
    scores = tables['shape_means'].rows
    assert apart[protocol.LINEAR]['whole'] == pytest.approx(
        means['whole_similarity'] - scores[protocol.LINEAR]['whole_similarity'])
    assert apart[protocol.LINEAR]['whole_error'] > 0.0


@pytest.mark.parametrize('missing', ['quick', 'model', 'torch'])
def test_without_model_or_renderer_there_are_no_tables(monkeypatch: pytest.MonkeyPatch,
                                                       missing: str) -> None:
    models = [] if missing == 'model' else ['face_shape']
    monkeypatch.setattr(protocol, 'known_models', lambda: models)
    if missing == 'torch':
        monkeypatch.setattr(protocol.importlib.util, 'find_spec', lambda name: None)
    options = argparse.Namespace(**{**vars(OPTIONS), 'quick': missing == 'quick'})
    assert protocol.shape_tables(options) == {}


def test_the_error_of_a_difference_is_that_over_people() -> None:
    """Ten photos of a person that are all off alike are one finding, not ten."""
    person = np.repeat([5, 2, 9, 4], 10)
    off = np.repeat([1.0, 2.0, 3.0, 2.0], 10)
    scores = protocol.ShapeScores(np.zeros(40), person, similar={
        row: {part: off if row == protocol.JOINT_ROW else np.zeros(40)
              for part in ('whole', 'identity')} for row in (protocol.JOINT_ROW, 'other')})
    found = protocol._differences(scores, 'other')
    assert found['whole'] == found['identity'] == pytest.approx(2.0)
    assert found['whole_error'] == pytest.approx(np.std([1, 2, 3, 2], ddof=1) / 2.0)


def test_a_person_has_one_shape_over_all_photos() -> None:
    """Errors of single photos average out of the identity; the residuals stay."""
    rest, moods = shapes(2, 5), 0.1 * shapes(4, 6)
    off = 0.01 * shapes(2, 7)
    person = np.array([7, 3, 7, 3])
    identity = rest[[1, 0, 1, 0]] + np.concatenate([off, -off])
    told = ShapesOfFaces(np.zeros((4, 3)), np.zeros((4, 2)), identity + moods, identity)
    found = protocol.of_several(told, person)
    np.testing.assert_allclose(found['identity'], rest[[1, 0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(found['whole'], rest[[1, 0, 1, 0]] + moods, atol=1e-6)


def test_rmse_after_a_similarity_and_after_a_rigid_motion() -> None:
    truth = shapes(1, 5)[0]
    turn: Any = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    moved = 1.2 * truth @ turn.T + (0.1, -0.2, 0.3)
    assert protocol.aligned_rmse_mm(moved, truth) == pytest.approx(0.0, abs=1e-3)
    grown = 0.2 * np.sqrt(np.square(truth - truth.mean(axis=0)).sum(axis=1).mean()) * 1000.0
    assert protocol.aligned_rmse_mm(moved, truth, scaled=False) == pytest.approx(grown, rel=1e-4)


def test_crops_are_those_of_the_recogniser() -> None:
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    mask = rng.integers(0, 7, (2, 224, 224), dtype=np.uint8)
    small, labels = protocol.recognition_crops(color, mask)
    assert small.shape == (2, SIZE, SIZE, 3) and labels.shape == (2, SIZE, SIZE)
    blocks = color.reshape(2, SIZE, 2, SIZE, 2, 3).astype(float).mean(axis=(2, 4))
    assert np.abs(small - blocks).max() <= 0.5 + 1e-4
    expected = recognition_input(small[0], np.zeros((224, 224), np.float32), mask[0]).mask[0]
    np.testing.assert_array_equal(labels[0], expected)
