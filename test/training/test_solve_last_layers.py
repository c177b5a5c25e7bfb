# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Last layers in closed form, of drawn people, in the shipped student."""

from __future__ import annotations

from pathlib import Path

from drawn_identity_bank import drawn_bank_with_surfaces
from drawn_shapes import MODES, MOODS, write_shape_model
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.identity_calibration import read_calibrations
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.core.shape_model import ShapeModel
from face_depth_ros.predictors.face_embedder import FaceEmbedder
from face_depth_ros.training import solve_last_layers as script
from face_depth_ros.training.face_readings import face_readings, FaceReadings, open_student
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.render_identity_bank import save_part
import numpy as np
import pytest

PEOPLE, SEEN, FIT = 1200, 352, 1 + MODES + MOODS + 204


def drawn_readings(seed: int = 0, people: int = PEOPLE) -> FaceReadings:
    """Return people of two photos whose readings follow ten numbers, with noise."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(7).standard_normal((4, 10, SEEN))
    who = np.repeat(rng.standard_normal((people, 10)), 2, axis=0)

    def said(way: int, size: int, noise: float) -> np.ndarray:
        told = who @ ways[way, :, :size] + noise * rng.standard_normal((len(who), size))
        return told.astype(np.float32)

    fit = said(3, FIT, 2.0)
    fit[:, 0] = 1.0
    fitted = rng.random(len(who)) > 0.05
    return FaceReadings(said(0, SEEN, 4.0), said(1, SEEN, 2.0), said(2, SEEN, 8.0),
                        fit * fitted[:, None], fitted, np.repeat(np.arange(people), 2),
                        np.concatenate([who[::2], rng.standard_normal((people, 90))], axis=1))


def found(vectors: np.ndarray) -> float:
    """Return the share of second photos whose first one is the most alike."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float(np.mean((unit[1::2] @ unit[::2].T).argmax(axis=1) == np.arange(len(unit) // 2)))


def test_layers_tell_people_apart_from_whom_they_were_not_solved() -> None:
    network = open_student(find_model('face_recognizer'))
    layers = script.solve(network, drawn_readings(), drawn_readings(1, 300), 10, 6, 10)
    assert layers.color.shape == (10, network.color.linear.out_features)
    assert layers.evidence.shape == (2 * SEEN, 16) and layers.reading.shape == (FIT, 16)
    judged = drawn_readings(2, 200)
    both = np.concatenate([judged.color, judged.measured], axis=1)
    told = judged.fit @ layers.reading + both @ layers.evidence
    assert found(layers.depth(judged.measured)) > 0.9
    good = np.repeat(judged.fitted.reshape(-1, 2).all(axis=1), 2)
    assert found(told[good, :6]) > 0.6 and found(told[good, 6:]) > 0.95
    # What is told by estimated depth can be compared with what is told by measured depth.
    guessed = layers.joint_estimated(np.concatenate([judged.color, judged.estimated], axis=1))
    mixed = np.where(np.arange(len(told))[:, None] % 2, guessed, told[:, 6:])
    assert found(mixed[good]) > 0.8


def test_ridge_and_means() -> None:
    rng = np.random.default_rng(0)
    inputs, way = rng.standard_normal((500, 4)), rng.standard_normal((4, 2))
    layer = script.ridge(3.0 * inputs + 5.0, inputs @ way + 1.0, 1e-6)
    np.testing.assert_allclose(layer(3.0 * inputs + 5.0), inputs @ way + 1.0, atol=1e-3)
    turned = layer.then(np.array([[0.0], [2.0]]))
    np.testing.assert_allclose(turned(3.0 * inputs + 5.0)[:, 0], 2.0 * (inputs @ way + 1.0)[:, 1],
                               atol=1e-3)
    means = script.person_means(np.array([[1.0], [3.0], [7.0]]), np.array([4, 4, 9]))
    np.testing.assert_array_equal(means(np.array([9, 4])), [[7.0], [2.0]])


def test_too_few_people_are_refused() -> None:
    network = open_student(find_model('face_recognizer'))
    with pytest.raises(SettingsError, match='photos of .* people, expected at least 1000'):
        script.solve(network, drawn_readings(0, 500), drawn_readings(1, 300), 24, 6, 12)


@pytest.fixture(scope='module')
def bank() -> IdentityBank:
    return drawn_bank_with_surfaces(8)


def test_a_bank_is_read_once(tmp_path: Path, bank: IdentityBank) -> None:
    spec, shape = find_model('face_recognizer'), write_shape_model(tmp_path / 'drawn.npz', 4)
    save_part(tmp_path / 'bank' / 'part_00003.npz', bank)
    read = face_readings(spec, shape, tmp_path / 'bank', tmp_path / 'out')
    assert len(read) == 24 and read.fitted.mean() > 0.8 and read.color.shape == (24, SEEN)
    assert read.fit.shape == (24, FIT) and (read.fit[read.fitted, 0] == 1.0).all()
    # Measured and estimated depth are the same here.
    np.testing.assert_allclose(read.measured, read.estimated, atol=1e-5)
    made = (tmp_path / 'out' / 'part_00003.npz').stat().st_mtime_ns
    again = face_readings(spec, shape, tmp_path / 'bank', tmp_path / 'out')
    np.testing.assert_array_equal(again.fit, read.fit)
    assert (tmp_path / 'out' / 'part_00003.npz').stat().st_mtime_ns == made
    with pytest.raises(SettingsError, match='no photos in'):
        face_readings(spec, shape, tmp_path / 'nothing', tmp_path / 'out')


def test_a_student_with_solved_layers_opens(tmp_path: Path, bank: IdentityBank) -> None:
    spec, shape = find_model('face_recognizer'), write_shape_model(tmp_path / 'drawn.npz', 4)
    layers = script.solve(open_student(spec), drawn_readings(), drawn_readings(1, 300), 24, 4, 12)
    written = script.write(spec, shape, layers, tmp_path / 'out', bank, {'solved': 'here'})
    assert [o.shape for o in written.outputs] == [(-1, 24), (-1, 24), (-1, 16), (-1, 12)]
    assert written.parity['max_abs'] < 5e-2
    assert 'color+depth+shape+joint' in read_calibrations('here', written.limits['calibration'])
    embedder = FaceEmbedder(str(written.path))
    assert list(embedder.layout.parts) == ['color', 'depth', 'shape', 'joint']
    assert embedder.layout.dimensions == 24 + 24 + 4 + 12
    assert embedder.layout.weights['joint'] == pytest.approx(8 / 14)
    embedder.close()
    assert ShapeModel.load(tmp_path / 'out' / 'face_recognizer_shape.npz').evidence == 16
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
        'face_recognizer.onnx', 'face_recognizer.yaml', 'face_recognizer_shape.npz']
