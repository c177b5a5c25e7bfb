# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Networks that estimate, behind one door: what they say is read in one form."""

from __future__ import annotations

from pathlib import Path

from estimator_models import write_grey_model, write_our_model
from face_depth_ros.core.errors import InvalidImageError, ModelSpecError
from face_depth_ros.core.face_photo import BOX_SIDE_M, grey_to_relief, relief_to_grey
from face_depth_ros.predictors.estimator_methods import (
    ESTIMATORS,
    NODE_ESTIMATORS,
    open_estimator,
)
import numpy as np
import pytest


@pytest.fixture(name='folder')
def model_folder(tmp_path: Path, monkeypatch) -> Path:
    """Return a folder in which models are looked for first."""
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    return tmp_path


def crops_of(size: int, *colors: tuple[int, int, int]) -> np.ndarray:
    return np.stack([np.full((size, size, 3), color, np.uint8) for color in colors])


def test_a_grey_depth_network_is_read_as_relief(folder):
    write_grey_model(folder, 'cgan')
    with_face = crops_of(96, (0, 0, 0))
    with_face[0, 20:80, 20:80] = 200
    network = open_estimator('cgan', 'openvino', 'fp32')
    said = network.estimate(with_face)
    assert network.size == 96 and not said.has_mask
    assert said.landmarks is None and said.visibility is None and said.sigma is None
    inside = np.zeros((96, 96), bool)
    inside[20:80, 20:80] = True
    np.testing.assert_array_equal(said.mask[0] > 0, inside)
    np.testing.assert_array_equal(np.isfinite(said.relief[0]), inside)
    np.testing.assert_allclose(relief_to_grey(said.relief)[0][inside], 200.0, atol=0.5)
    assert said.confidence[0] == 1.0
    assert open_estimator('cgan').estimate(crops_of(96, (5, 5, 5))).confidence[0] == 0.0


def test_depthnet_says_where_the_face_is_by_its_mask(folder):
    write_grey_model(folder, 'depthnet', 64, 3, mask=True)
    crops = crops_of(64, (0, 0, 0))
    crops[0, 16:48, 16:48] = 240
    said = open_estimator('depthnet', 'openvino', 'fp32').estimate(crops)
    assert said.has_mask
    assert set(np.unique(said.mask[0])) == {0, 5}


def test_ours_is_read_in_metres_and_probabilities(folder):
    write_our_model(folder)
    crops = crops_of(32, (100, 200, 192), (200, 20, 0))
    said = open_estimator('ours', 'openvino', 'fp32').estimate(crops)
    np.testing.assert_allclose(said.surface[:, 0, 0], np.array([0.1, 0.2]) * BOX_SIDE_M,
                               rtol=1e-5)
    assert (said.mask[0] == 1).all() and (said.mask[1] == 0).all()
    assert np.isfinite(said.relief[0]).all() and np.isnan(said.relief[1]).all()
    np.testing.assert_allclose(said.sigma, np.exp(-3.0) * BOX_SIDE_M * 1.2533, rtol=1e-4)
    np.testing.assert_allclose(said.landmarks[0], 0.75, atol=1e-5)
    np.testing.assert_allclose(said.confidence, 1 / (1 + np.exp(np.array([-2.5, 5.0]))),
                               atol=1e-5)
    np.testing.assert_allclose(said.visibility[0], said.confidence[0], atol=1e-5)


def test_crops_of_another_form_are_refused(folder):
    write_grey_model(folder, 'cgan')
    network = open_estimator('cgan', 'openvino', 'fp32')
    for crops in (np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 96, 96, 3), np.float32),
                  np.zeros((96, 96, 3), np.uint8), np.zeros((0, 96, 96, 3), np.uint8)):
        with pytest.raises(InvalidImageError, match=r'cgan takes \(B, 96, 96, 3\) uint8'):
            network.estimate(crops)


@pytest.mark.parametrize('name', [n for n in ESTIMATORS if n != 'ours'])
def test_a_missing_model_names_the_command_that_makes_it(folder, name):
    with pytest.raises(ModelSpecError, match='train_depth_baseline --network') as caught:
        open_estimator(name)
    assert caught.value.cause == 'model_missing'


def test_a_model_that_estimates_no_faces_is_refused(folder):
    with pytest.raises(ModelSpecError, match='this model estimates no faces'):
        open_estimator('face_detector_like' if write_other(folder) else '')
    with pytest.raises(ModelSpecError, match='no model named'):
        open_estimator('unheard_of')


def test_a_grey_depth_network_must_say_from_where_on_it_shows_a_face(folder):
    path = write_grey_model(folder, 'cgan')
    path.write_text(path.read_text().replace('face_from_grey', 'other'))
    with pytest.raises(ModelSpecError, match='face_from_grey is None'):
        open_estimator('cgan')


def write_other(folder: Path) -> bool:
    """Write a model with another output."""
    path = write_grey_model(folder, 'face_detector_like')
    path.write_text(path.read_text().replace('name: depth', 'name: score'))
    return True


def test_grey_and_relief_are_two_forms_of_one_thing():
    relief = np.linspace(-0.1, 0.149, 50, dtype=np.float32)[None]
    grey = relief_to_grey(relief)
    assert grey.max() == 255.0 and grey.min() >= 1.0
    np.testing.assert_allclose(grey_to_relief(grey, grey > 0), relief, atol=1e-5)
    assert relief_to_grey(np.float32([[np.nan]]))[0, 0] == 0.0
    assert set(NODE_ESTIMATORS) <= set(ESTIMATORS)
