# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Rendered people with their true shapes: yaws, storage, and the linear model fitted to them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.evaluation import synthetic_shapes as source
from face_depth_ros.evaluation.shape_protocol import aligned_rmse_mm
from face_depth_ros.synthesis.identity_splits import identity_coefficients
import numpy as np
import pytest


@pytest.mark.assets
def test_each_person_is_seen_at_each_yaw_and_kept(tmp_path: Path, assets_folder,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, 'YAWS', (0.0, 60.0))
    photos = source.shape_photos(tmp_path / 'bank', 2, str(assets_folder))
    assert photos.color.shape == (4, 192, 192, 3) and photos.color.dtype == np.uint8
    assert photos.person.tolist() == [0, 1, 0, 1]
    assert np.abs(photos.yaw).tolist() == [0.0, 0.0, 60.0, 60.0]
    first = identity_coefficients('test', 50_000)
    np.testing.assert_array_equal(photos.identity[0], first)
    assert [p.name for p in (tmp_path / 'bank').iterdir()] == ['shapes_2.npz']

    def never(*_: object) -> None:
        raise AssertionError('rendered again')

    monkeypatch.setattr(source, 'rendered_photos', never)
    again = source.shape_photos(tmp_path / 'bank', 2, str(assets_folder))
    for f in fields(source.ShapePhotos):
        np.testing.assert_array_equal(getattr(again, f.name), getattr(photos, f.name))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / 'shapes_3.npz').write_bytes(b'PK nothing')
    with pytest.raises(DatasetError, match=r'shapes_3\.npz is damaged .*delete it'):
        source.shape_photos(tmp_path, 3)


@pytest.mark.assets
def test_a_fit_to_true_landmarks_is_nearer_than_the_mean_face(assets_folder) -> None:
    model = source.ShapeModel(300, str(assets_folder))
    identity = np.stack([identity_coefficients('test', i) for i in range(3)])
    rest = np.zeros((3, 57), np.float32)
    true = model.shapes(identity, rest)
    assert true.shape == (3, 300, 3) and np.abs(true).max() < 0.2
    assert model.triangles.max() == 299
    points = true[:, :68] - (0.0, 0.01, 0.06)
    away = 1.0 - points[:, :, 2:] / 0.85
    landmarks = 0.5 + points[:, :, :2] * (1.0, -1.0) / 0.22 / away
    told, expression = model.fitted(landmarks, np.ones((3, 68)))
    assert not told[:, source.BASELINE_MODES:].any()
    fitted, mean = model.shapes(told, rest), model.shapes(0 * identity, rest)

    def apart(shapes: np.ndarray) -> float:
        return float(np.mean([aligned_rmse_mm(a, b) for a, b in zip(shapes, true, strict=True)]))

    assert apart(fitted) < 0.8 * apart(mean)
    assert 0.0 <= float(expression.min()) and float(expression.max()) <= 1.0
