# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A shape model beside a recogniser: fewer dimensions, its calibration, and what is refused."""

from __future__ import annotations

from pathlib import Path

from drawn_identity_bank import drawn_bank
from drawn_shapes import MODES, seen_surface, write_shape_model
from face_depth_ros.core.errors import ModelFileError, SettingsError
from face_depth_ros.core.identity_calibration import read_calibrations
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.predictors.face_embedder import FaceEmbedder
from face_depth_ros.training import attach_shape_model as script
from face_depth_ros.training.identity_bank import IdentityBank, row_of_surface
import numpy as np
import pytest
import torch


@pytest.fixture(scope='module')
def bank() -> IdentityBank:
    """Return drawn people, one of whose photos shows no measured skin."""
    drawn = drawn_bank(12, 2)
    shapes = np.random.default_rng(0).standard_normal((12, MODES))
    rows = []
    for person in drawn.person.tolist():
        seen = seen_surface(shapes[person], noise=0.0005, seed=len(rows))
        rows.append(row_of_surface(seen))
    rows[-1][6 + 136:] = np.nan
    return IdentityBank(**{**vars(drawn), 'surface': torch.from_numpy(np.stack(rows))})


def test_the_shipped_recogniser_with_another_shape_model(tmp_path: Path,
                                                         bank: IdentityBank) -> None:
    shape = write_shape_model(tmp_path / 'drawn.npz', 4)
    spec = script.attach(find_model('face_recognizer'), shape, tmp_path / 'out', bank, 24, bank)
    assert [o.shape for o in spec.outputs] == [(-1, 24), (-1, 24)]
    assert spec.parity['max_abs'] < 5e-3
    assert spec.normalisation['shape_model'] == 'face_recognizer_shape.npz'
    found = read_calibrations('here', spec.limits['calibration'])
    assert set(found) == {'color+depth+shape', 'color+depth', 'color+shape', 'depth+shape',
                          'color', 'depth', 'shape'}
    assert spec.limits['calibration']['shape']['genuine_pairs'] == 11  # one shows no skin
    assert spec.limits['calibration']['color+depth']['genuine_pairs'] == 24
    assert spec.metrics['rank_1']['shape, measured depth'] >= 90.0
    embedder = FaceEmbedder(str(spec.path))
    assert embedder.layout.dimensions == 24 + 24 + 4
    embedder.close()


def test_axes_that_matter_are_kept() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 8))
    axes = script.principal_axes(vectors, 3)
    np.testing.assert_allclose((vectors @ axes.T) @ (vectors @ axes.T).T, vectors @ vectors.T,
                               atol=1e-3)
    linear = torch.nn.Linear(5, 8)
    before = linear(torch.ones(1, 5)).detach().numpy()
    script.keep_axes(linear, axes)
    np.testing.assert_allclose(linear(torch.ones(1, 5)).detach().numpy(), before @ axes.T,
                               atol=1e-5)


def test_what_cannot_be_attached_is_refused(tmp_path: Path, bank: IdentityBank) -> None:
    shipped = find_model('face_recognizer')
    shape = write_shape_model(tmp_path / 'drawn.npz', 4)
    with pytest.raises(SettingsError, match='--dimensions is 999, expected 2 to'):
        script.attach(shipped, shape, tmp_path / 'out', bank, 999, bank)
    (tmp_path / 'text.npz').write_text('none')
    with pytest.raises(ModelFileError, match='holds no shape model'):
        script.attach(shipped, tmp_path / 'text.npz', tmp_path / 'out', bank)
    with pytest.raises(SettingsError, match='of another network'):
        script.attach(find_model('face_verifier'), shape, tmp_path / 'out', bank)
