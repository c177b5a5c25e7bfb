# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Hidden layers beside linear ones: what they learn of drawn people, in the shipped student."""

from __future__ import annotations

from dataclasses import replace

from drawn_identity_bank import drawn_bank_with_surfaces
from drawn_shapes import MODES, MOODS, write_shape_model
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.engines import open_engine
from face_depth_ros.training import train_hidden_layers as script
from face_depth_ros.training.face_readings import FaceReadings
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.last_layers import Affine, HIDDEN, LastLayers, layers_of
from face_depth_ros.training.solve_last_layers import write
import numpy as np
import pytest
import torch

SEEN, FIT = 352, 1 + MODES + MOODS + 204
QUICK = script.Lessons(units=64, steps=120, people=200, learning_rate=3e-3, noise=0.1, dropout=0.1)


def drawn_readings(people: int = 400, seed: int = 0) -> FaceReadings:
    """Return people of two photos, in which light changes more than people differ."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(7).standard_normal((3, 12, SEEN)) / 4.0
    who = np.repeat(rng.standard_normal((people, 12)), 2, axis=0)

    def said(way: int) -> np.ndarray:
        light = 8.0 * rng.standard_normal((len(who), 2)) @ ways[way, :2][:, ::-1]
        told = who @ ways[way] + light + 0.3 * rng.standard_normal((len(who), SEEN))
        return np.asarray(told, np.float32)

    fitted = rng.random(len(who)) > 0.05
    fit = np.zeros((len(who), FIT), np.float32)
    fit[:, 0] = fitted
    return FaceReadings(said(0), said(1), said(2), fit, fitted, np.repeat(np.arange(people), 2),
                        np.zeros((people, 2)))


def drawn_layers(color: int, shape: int, joint: int) -> LastLayers:
    rng = np.random.default_rng(2)

    def drawn(*sizes: int) -> np.ndarray:
        return 0.1 * rng.standard_normal(sizes)

    return LastLayers(np.eye(color, dtype=np.float32), Affine(drawn(SEEN, color), drawn(color)),
                      drawn(2 * SEEN, shape + joint), drawn(FIT, shape + joint),
                      Affine(drawn(2 * SEEN, joint), drawn(joint)))


def test_people_held_out_are_told_better() -> None:
    people, layers = drawn_readings(), drawn_layers(8, 4, 8)
    color = Affine(np.random.default_rng(3).standard_normal((SEEN, 8)), np.zeros(8))
    found, told = script.teach(color, layers, people, QUICK)
    assert sorted(told) == sorted(found.hidden) == sorted(HIDDEN)
    for name, rank_1 in told.items():
        assert rank_1['after'] > rank_1['before'] + 15.0, name
    # Standard deviations are within the layers: they take what branches see as it is.
    estimated = np.concatenate([people.color, people.estimated], axis=1)
    linear = layers.joint_estimated(estimated)
    assert same_first(linear + found.hidden['joint_estimated'](estimated)) > same_first(linear)
    again, _ = script.teach(color, found, people, QUICK)
    np.testing.assert_array_equal(again.hidden['color'].first.weight,
                                  found.hidden['color'].first.weight)


def same_first(vectors: np.ndarray) -> float:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float(np.mean((unit[1::2] @ unit[::2].T).argmax(axis=1) == np.arange(len(unit) // 2)))


def test_nothing_learned_adds_nothing() -> None:
    people, layers = drawn_readings(120), drawn_layers(8, 4, 8)
    color = Affine(np.random.default_rng(3).standard_normal((SEEN, 8)), np.zeros(8))
    found, _ = script.teach(color, layers, people, replace(QUICK, steps=0))
    assert not found.hidden['color'](people.color).any()


def test_estimated_depth_learns_to_answer_as_measured_depth_does() -> None:
    inputs, linear = torch.zeros(3, 2, 1), torch.eye(3)[:, None].repeat(1, 2, 1)
    added, nothing = torch.nn.Identity(), torch.zeros(3, 2, 3)
    alike, apart = (script.Pairs(inputs, linear, answers) for answers in (
        linear, linear.roll(1, 0)))
    alone = script.loss_of(added, script.Pairs(inputs, linear, nothing), 10.0)
    assert script.loss_of(added, alike, 10.0) == pytest.approx(float(alone))
    assert script.loss_of(added, apart, 10.0) > alone + 1.0


def test_pairs_are_of_people_who_are_there_twice() -> None:
    rows = script.two_photos(np.array([3, 1, 3, 2, 1, 3]))
    assert rows.tolist() == [[1, 4], [0, 2]]


def test_too_few_people_are_refused() -> None:
    with pytest.raises(SettingsError, match='two photos of 50 people, expected at least 100'):
        script.teach(Affine(np.zeros((SEEN, 8)), np.zeros(8)), drawn_layers(8, 4, 8),
                     drawn_readings(50), QUICK)


@pytest.fixture(scope='module')
def bank() -> IdentityBank:
    return drawn_bank_with_surfaces(8)


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory, bank: IdentityBank) -> ModelSpec:
    """Return the shipped student with drawn last layers and hidden layers."""
    folder = tmp_path_factory.mktemp('hidden')
    spec, shape = find_model('face_recognizer'), write_shape_model(folder / 'drawn.npz', 4)
    layers = drawn_layers(spec.outputs[0].shape[1], 4, 8)
    taught, told = script.teach(script.color_layer(spec), layers, drawn_readings(120), QUICK)
    return write(spec, shape, taught, folder / 'out', bank, {'solved': 'here'},
                 {'hidden_layers': told})


def test_a_student_with_hidden_layers_opens_and_is_read_again(written: ModelSpec) -> None:
    assert written.parity['max_abs'] < 0.1
    shape = written.path.parent / 'face_recognizer_shape.npz'
    layers = layers_of(written, shape)
    assert {name: len(h.first.bias) for name, h in layers.hidden.items()} == dict.fromkeys(
        HIDDEN, QUICK.units)
    assert written.metrics['hidden_layers'].keys() == set(HIDDEN)
    with open_engine(written, backend='openvino', precision='fp32') as engine:
        said = engine({t.name: np.zeros((1, *t.shape[1:]), np.float32) for t in written.inputs})
    assert said['joint_estimated'].shape == (1, 8) and said['shape_evidence'].shape == (1, 12)
    # The linear layers of a recogniser with hidden ones can be taken without these.
    assert script.taken_from(written, layers).hidden == {}
    with pytest.raises(SettingsError, match='name a recogniser that this one was compressed'):
        script.taken_from(written, layers_of(find_model('face_recognizer'),
                                             find_model('face_recognizer').path.parent
                                             / 'face_recognizer_shape.npz'))
