# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How the statistical model of faces is learned: modes, weights of coefficients, its file."""

from __future__ import annotations

from pathlib import Path

from drawn_identity_bank import drawn_bank
from drawn_shapes import MODES, seen_surface, shape_arrays
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.shape_model import ShapeModel
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.training import train_shape_model as script
from face_depth_ros.training.identity_bank import IdentityBank, row_of_surface, surface_of_row
import numpy as np
import pytest
import torch


def bank_of_faces(people: int, images: int) -> IdentityBank:
    """Return a bank whose surfaces are those of drawn faces."""
    bank = drawn_bank(people, images)
    rng = np.random.default_rng(0)
    shapes = rng.standard_normal((people, MODES))
    rows = []
    for number, person in enumerate(bank.person.tolist()):
        seen = seen_surface(shapes[person], rng.standard_normal(3) * 0.5, noise=0.001,
                            yaw=rng.uniform(-0.3, 0.3), seed=number)
        rows.append(row_of_surface(seen))
    return IdentityBank(**{**vars(bank), 'surface': torch.from_numpy(np.stack(rows))})


def test_surfaces_come_back_from_their_rows() -> None:
    seen = seen_surface(np.zeros(MODES))
    found = surface_of_row(row_of_surface(seen))
    np.testing.assert_array_equal(found.depth, seen.depth)
    np.testing.assert_allclose(found.pixel_of_slope, seen.pixel_of_slope, rtol=1e-6)
    np.testing.assert_allclose(found.landmarks, seen.landmarks, atol=1e-6)


def test_modes_are_principal_components_of_one_sigma() -> None:
    rng = np.random.default_rng(0)
    ways = np.linalg.qr(rng.standard_normal((30, 2)))[0].T.reshape(2, 10, 3)
    codes = rng.standard_normal((4000, 2)) * (3.0, 0.5)
    mean, modes = script.principal_modes(7.0 + np.tensordot(codes, ways, 1), 2)
    np.testing.assert_allclose(mean, 7.0, atol=0.1)
    np.testing.assert_allclose(np.abs((modes * ways).sum(axis=(1, 2))), (3.0, 0.5), rtol=0.05)


def test_axes_are_weighed_by_what_people_differ() -> None:
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(200), 6)
    between = rng.standard_normal((200, 3)) * (2.0, 2.0, 0.05)
    codes = between[person] + rng.standard_normal((1200, 3)) * (0.2, 2.0, 1.0)
    projection = script.discriminant(codes, person, 3)
    said = codes @ projection
    reliability = np.array([4.0 / 4.04, 0.5, 0.0])
    np.testing.assert_allclose(said.std(axis=0), reliability, atol=0.08)
    assert np.abs(np.corrcoef(said[:, 0], codes[:, 0])[0, 1]) > 0.99
    assert script.discriminant(codes, person, 1).shape == (3, 1)


def test_people_are_told_apart_by_what_is_learned(tmp_path: Path) -> None:
    arrays = shape_arrays()
    arrays['projection'] = script.learn_projection(ShapeModel(arrays), bank_of_faces(12, 3), 4)
    script.save_model(tmp_path / 'shape.npz', arrays)
    model = ShapeModel.load(tmp_path / 'shape.npz')
    assert model.dimensions == 4
    judged = bank_of_faces(12, 2)
    vectors = np.stack([model.embed(model.fit(surface_of_row(r))) for r in judged.surface.numpy()])
    assert ((vectors[12:] @ vectors[:12].T).argmax(axis=1) == np.arange(12)).mean() > 0.9


def test_too_few_photos_are_refused() -> None:
    with pytest.raises(SettingsError, match='fits 6 of 6 photos, expected at least 24'):
        script.learn_projection(ShapeModel(shape_arrays()), bank_of_faces(2, 3), 4)


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match='points is 0, expected > 0; dimensions is 70'):
        script.Settings(points=0, dimensions=70)


@pytest.mark.assets
def test_a_small_model_is_learned_of_the_head(assets_folder: FaceAssets | Path) -> None:
    settings = script.Settings(points=300, shapes=120, identities=12, expressions=12,
                               dimensions=8)
    assets = assets_folder if isinstance(assets_folder, FaceAssets) else FaceAssets(assets_folder)
    arrays = script.learn_modes(assets, settings)
    model = ShapeModel(arrays)
    assert model.identities == 12 and len(model.normals) == 300
    # A face is some 12 cm wide, and its front lies before the head point, 3 to 8 cm.
    assert 0.1 < np.ptp(arrays['mean'][:, 0]) < 0.2
    assert -0.1 < arrays['mean'][:300, 2].min() < -0.05
    # The first mode is about a face's size: millimetres.
    size = np.sqrt((arrays['identity'][0] ** 2).sum(axis=1)).mean()
    assert 0.001 < size < 0.01
    with pytest.raises(SettingsError, match='ask for fewer by --points'):
        script.learn_modes(assets, script.Settings(points=100_000, shapes=20, identities=4,
                                                   dimensions=4))
