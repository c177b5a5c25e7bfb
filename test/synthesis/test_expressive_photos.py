# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Faces that show something: what is drawn, and that photos show it."""

from __future__ import annotations

from face_depth_ros.core.expression_input import LOWERED, PART
from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS, NEUTRAL
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.expressive_photos import (
    ExpressivePhotographer,
    LEVELS,
    SESSIONS,
    Shown,
    ShownDraws,
    TRAINING,
)
from face_depth_ros.synthesis.morphable_head import MorphableHead
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.assets
PURE = Shown(mixed=0.0, speaking=0.0, blinking=0.0)


@pytest.fixture(scope='module', name='table')
def expression_table() -> ExpressionTable:
    assets = find_assets()
    return ExpressionTable(assets, MorphableHead(assets, 'cpu').expression_names)


def test_faces_are_near_their_prototype_at_their_level(table: ExpressionTable) -> None:
    draws = ShownDraws(table)
    labels = np.repeat(np.arange(6), 400)
    levels = np.tile(np.arange(1, 5), 600)
    drawn = draws.draw(2400, PURE, np.random.default_rng(0), labels, levels)
    prototypes = np.stack([table.prototypes[name] for name in EXPRESSIONS[:6]])
    unit = prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)
    nearest = np.argmax(drawn.weights @ unit.T, axis=1)
    assert (nearest == labels).mean() > 0.98, 'no face is drawn that is another expression'
    for level in range(1, 5):
        assert drawn.strength[levels == level].mean() == pytest.approx(LEVELS[level - 1], rel=0.02)
    assert drawn.weights.min() >= 0.0 and drawn.weights.max() <= 1.0
    assert len(np.unique(drawn.weights, axis=0)) == 2400, 'no two show it alike'


def test_neutral_faces_are_nearly_at_rest_and_units_are_weights(table: ExpressionTable) -> None:
    draws = ShownDraws(table)
    drawn = draws.draw(300, PURE, np.random.default_rng(1), np.full(300, NEUTRAL))
    assert (drawn.level == 0).all() and (drawn.strength == 0.0).all()
    assert drawn.weights.max() < 0.2
    smiles = draws.draw(300, PURE, np.random.default_rng(1), np.full(300, 3), np.full(300, 4))
    index = [table.names.index(f'mouthSmile_{side}') for side in 'LR']
    smile = list(ACTION_UNITS).index('AU12')
    np.testing.assert_allclose(smiles.action_units[:, smile], smiles.weights[:, index].mean(1),
                               atol=1e-6)
    one_sided = np.abs(np.diff(smiles.weights[:, index])) > 0.1
    assert 0.2 < one_sided.mean() < 0.95, 'many smiles are stronger on one side, not all'


def test_speech_and_blinks_say_nothing_of_the_label(table: ExpressionTable) -> None:
    draws = ShownDraws(table)
    speaks = draws.draw(400, Shown(speaking=1.0, blinking=0.5), np.random.default_rng(2))
    jaw = speaks.action_units[:, list(ACTION_UNITS).index('AU26')]
    lids = speaks.action_units[:, list(ACTION_UNITS).index('AU45')]
    for label in range(7):
        assert jaw[speaks.label == label].max() > 0.2
        assert 0.2 < (lids[speaks.label == label] > 0.25).mean() < 0.8
    assert set(speaks.level[speaks.label != NEUTRAL]) == {1, 2, 3, 4}


def test_photos_are_of_the_part_and_the_same_again() -> None:
    taken = []
    for part in (True, True, False):
        camera = ExpressivePhotographer(find_assets(), 'cpu', 4, backgrounds=2, size=128,
                                        part=part)
        people = camera.people('train', range(2))
        taken.append(camera.take_shown(people, torch.arange(2), SESSIONS['posed'],
                                       labels=[3, 5], levels=[4, 4]))
    first, again, whole = taken
    assert torch.equal(first.photos.color, again.photos.color)
    assert first.shown.label.tolist() == [3, 5] and first.photos.color.shape == (2, 3, 128, 128)
    corner = 128 * torch.tensor([0.5 - PART / 2, 0.5 - PART / 2 + LOWERED])
    torch.testing.assert_close(first.landmarks * PART + corner, whole.landmarks, atol=0.01,
                               rtol=0.0)
    assert (whole.photos.mask > 0).float().mean() < (first.photos.mask > 0).float().mean()


def test_sessions_differ_by_their_difficulty() -> None:
    camera = ExpressivePhotographer(find_assets(), 'cpu', 5, backgrounds=2, size=64, part=True)
    people = camera.people('test', range(8))
    rows = torch.arange(8)
    taken = {name: camera.take_shown(people, rows, session) for name, session in SESSIONS.items()}
    assert taken['posed'].yaw.abs().max() <= 15.0 <= taken['pose'].yaw.abs().min()
    assert taken['occlusion'].photos.covered.all() and not taken['posed'].photos.covered.any()
    assert TRAINING.shown.speaking > 0.0 == SESSIONS['posed'].shown.speaking
