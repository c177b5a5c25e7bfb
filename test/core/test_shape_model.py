# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A shape model laid on drawn faces: who it is in any pose, mood and noise; what is refused."""

from __future__ import annotations

from dataclasses import replace
import hashlib
from pathlib import Path

from drawn_shapes import MODES, MOODS, seen_surface, shape_arrays, write_shape_model
from face_depth_ros.core.errors import ModelFileError
from face_depth_ros.core.shape_model import ShapeModel
import numpy as np
import pytest

PEOPLE = np.random.default_rng(1).standard_normal((5, MODES)).clip(-2.0, 2.0)


@pytest.fixture(scope='module')
def model() -> ShapeModel:
    return ShapeModel(shape_arrays())


def test_shape_and_place_are_found(model: ShapeModel) -> None:
    fit = model.fit(seen_surface(PEOPLE[0], position=(0.05, -0.03, 0.7)))
    assert fit is not None and fit.good
    np.testing.assert_allclose(fit.identity, PEOPLE[0], atol=0.25)
    np.testing.assert_allclose(fit.position, (0.05, -0.03, 0.7), atol=0.002)
    np.testing.assert_allclose(fit.rotation, np.eye(3), atol=0.03)
    assert fit.residual_m < 0.0005 and fit.points > 200


@pytest.mark.parametrize('yaw', [-0.35, 0.0, 0.35])
@pytest.mark.parametrize('distance', [0.4, 1.2])
def test_people_stay_themselves_over_pose_mood_distance_and_noise(
        model: ShapeModel, yaw: float, distance: float) -> None:
    gallery = np.stack([vector_of(model, person) for person in PEOPLE])
    mood = np.array([1.0, -1.0, 0.5])[:MOODS]
    for number, person in enumerate(PEOPLE):
        seen = vector_of(model, person, mood, yaw=yaw, position=(0.1, 0.0, distance),
                         noise=0.001, seed=number)
        assert int((gallery @ seen).argmax()) == number
        assert float(gallery[number] @ seen) > 0.8


def vector_of(model: ShapeModel, person: np.ndarray, mood: np.ndarray | None = None,
              **options) -> np.ndarray:
    vector = model.embed(model.fit(seen_surface(person, mood, **options)))
    assert vector is not None and vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    return vector


def test_holes_and_landmarks_that_are_off_change_little(model: ShapeModel) -> None:
    whole = vector_of(model, PEOPLE[1])
    surface = seen_surface(PEOPLE[1])
    depth = surface.depth.copy()
    depth[20:36, 30:50] = np.nan
    off = 0.003 / 0.7 * np.random.default_rng(0).standard_normal((68, 2))
    found = model.embed(model.fit(replace(surface, depth=depth,
                                          landmarks=surface.landmarks + off)))
    assert found is not None and float(found @ whole) > 0.9


def test_the_size_of_a_face_is_part_of_it(model: ShapeModel) -> None:
    surface = seen_surface(np.zeros(MODES))
    fit = model.fit(surface)
    assert fit is not None and np.abs(fit.identity).max() < 0.3
    # All 6 % larger and as much further away: the same picture of another head.
    larger = model.fit(replace(surface, depth=surface.depth * np.float32(1.06)))
    assert larger is not None
    assert larger.residual_m > 2.0 * fit.residual_m or np.abs(larger.identity).max() > 0.3


@pytest.mark.parametrize('spoil', [
    lambda s: replace(s, depth=np.full_like(s.depth, np.nan)),
    lambda s: replace(s, depth=-s.depth),
    lambda s: replace(s, landmarks=np.full_like(s.landmarks, np.nan)),
    lambda s: replace(s, landmarks=np.zeros_like(s.landmarks)),
    lambda s: replace(s, landmarks=s.landmarks + 5.0)])
def test_what_is_no_face_has_no_vector(model: ShapeModel, spoil) -> None:
    assert model.embed(model.fit(spoil(seen_surface(PEOPLE[0])))) is None


def test_noise_is_no_face(model: ShapeModel) -> None:
    fit = model.fit(seen_surface(PEOPLE[0], noise=0.006))
    assert fit is None or not fit.good


def test_files_are_read_and_checked(tmp_path: Path, model: ShapeModel) -> None:
    path = write_shape_model(tmp_path / 'shape.npz', 3)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert ShapeModel.load(path, digest).dimensions == 3
    with pytest.raises(ModelFileError, match='reinstall') as error:
        ShapeModel.load(path, '0' * 64)
    assert error.value.cause == 'model_hash'
    with pytest.raises(ModelFileError, match='cannot read') as error:
        ShapeModel.load(tmp_path / 'none.npz')
    assert error.value.cause == 'model_missing'
    (tmp_path / 'text.npz').write_text('no model')
    with pytest.raises(ModelFileError, match='holds no shape model'):
        ShapeModel.load(tmp_path / 'text.npz')


@pytest.mark.parametrize(('change', 'said'), [
    (lambda a: a.pop('normals'), 'lacks normals'),
    (lambda a: a.update(normals=a['normals'][:-1]), r'normals \(399, 3\)'),
    (lambda a: a.update(mean=a['mean'] * np.nan), 'not finite'),
    (lambda a: a.update(projection=a['projection'][:3]), r'projection \(3, 6\)')])
def test_arrays_that_make_no_model_are_refused(change, said: str) -> None:
    arrays = shape_arrays()
    change(arrays)
    with pytest.raises(ModelFileError, match=said):
        ShapeModel(arrays)


def test_the_mean_face_is_nobody(model: ShapeModel) -> None:
    assert model.embedding(np.zeros(MODES, np.float32)) is None


def with_reading(joint: int = 4) -> dict[str, np.ndarray]:
    """Return the arrays of a model whose reading is the coefficients, twice."""
    arrays = shape_arrays()
    reading = np.zeros((1 + MODES + MOODS + 204, MODES + joint))
    reading[1:1 + MODES, :MODES] = np.eye(MODES)
    reading[1:1 + joint, MODES:] = np.eye(joint)
    return {**arrays, 'reading': reading}


def test_a_reading_adds_what_the_fit_tells_to_evidence(model: ShapeModel) -> None:
    read, seen = ShapeModel(with_reading()), seen_surface(PEOPLE[0])
    assert model.evidence == 0 and read.evidence == MODES + 4 and read.dimensions == MODES
    fit = read.fit(seen)
    assert fit is not None and fit.good
    shape, joint = read.read(fit, np.zeros(MODES + 4, np.float32))
    assert shape is not None and joint is not None
    np.testing.assert_allclose(shape, model.embed(fit), atol=1e-5)
    np.testing.assert_allclose(joint, fit.identity[:4] / np.linalg.norm(fit.identity[:4]),
                               atol=1e-5)
    other, _ = read.read(fit, np.r_[-fit.identity, np.zeros(4)].astype(np.float32))
    assert other is None  # both together say nothing
    empty = replace(seen, depth=np.full_like(seen.depth, np.nan))
    assert read.read(read.fit(empty), np.zeros(MODES + 4, np.float32)) == (None, None)
    assert read.read(fit, np.full(MODES + 4, np.nan, np.float32)) == (None, None)


def test_features_are_the_fit_in_usual_sizes(model: ShapeModel) -> None:
    moved = seen_surface(PEOPLE[0])
    moved = replace(moved, landmarks=moved.landmarks + (0.003 / 0.65, 0.0))
    fit = model.fit(moved)
    assert fit is not None
    features = fit.features()
    assert features.shape == (1 + MODES + MOODS + 204,) and features[0] == 1.0
    np.testing.assert_array_equal(features[1:1 + MODES], fit.identity)
    off = features[1 + MODES + MOODS:].reshape(68, 3)
    # All landmarks were seen 3 mm to the right, of which the head has followed a little.
    assert 0.3 < off[:, 0].mean() < 1.2 and abs(off[:, 1]).mean() < 0.3


@pytest.mark.parametrize(('rows', 'columns', 'said'), [
    (10, MODES + 4, r'reading \(10, 10\) instead of \(214, 10\)'),
    (214, MODES + 1, 'expected more than')])
def test_readings_that_do_not_fit_are_refused(rows: int, columns: int, said: str) -> None:
    with pytest.raises(ModelFileError, match=said):
        ShapeModel({**shape_arrays(), 'reading': np.zeros((rows, columns))})
