# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The rows of the tables on estimators: opened, brought to one crop, listed when absent."""

from __future__ import annotations

from pathlib import Path

from drawn_estimators import drawn_face, GAINS, SIZES, write_estimators
from face_depth_ros.core.errors import DatasetError, SettingsError
from face_depth_ros.core.face_photo import CROP_PX, relief_to_grey
from face_depth_ros.evaluation.estimator_rows import (
    CGAN,
    DEPTHNET,
    EstimatorRows,
    load_mean_face,
    MEAN_FACE,
    NETWORK_ROWS,
    OURS,
    ROWS,
)
import numpy as np
import pytest


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    return tmp_path


def test_every_row_answers_on_the_crop(models: Path) -> None:
    write_estimators(models)
    photo = drawn_face().photo
    truth = relief_to_grey(photo.relief)
    with EstimatorRows() as rows:
        assert tuple(rows.methods) == ROWS and not rows.absent
        for name, method in rows.methods.items():
            face = method(photo.color)
            assert face.relief.shape == face.grey.shape == face.mask.shape == (CROP_PX, CROP_PX)
            assert face.relief.dtype == face.grey.dtype == np.float32
            assert face.mask.dtype == np.uint8 and face.grey.min() >= 0
            if name == MEAN_FACE:
                continue
            estimator = NETWORK_ROWS[name]
            # Away from the outline, which is resampled, the drawn network says what it was told.
            inner = np.hypot(*(np.indices(truth.shape) + 0.5 - CROP_PX / 2)) < 75
            expected = truth * GAINS.get(estimator, 1.0)
            assert np.abs(face.grey - expected)[inner].max() < 3.0
            assert np.isfinite(face.relief[inner]).all() and (face.mask[inner] > 0).all()
            assert np.isnan(face.relief[:20]).all() and not face.mask[:20].any()
            assert rows.models[name].size == SIZES[estimator]
            assert rows.costs[name].macs > 0
        assert rows.methods[OURS](photo.color).landmarks == pytest.approx(np.full((68, 2), 128.0))
        assert rows.methods[CGAN](photo.color).landmarks is None
        assert rows.methods[DEPTHNET](photo.color).has_mask
        assert not rows.methods[CGAN](photo.color).has_mask


def test_the_mean_face_does_not_look() -> None:
    with EstimatorRows(rows=(MEAN_FACE,)) as rows:
        method = rows.methods[MEAN_FACE]
        black, white = (np.full((CROP_PX, CROP_PX, 3), v, np.uint8) for v in (0, 255))
        assert method(black) is method(white)
        face = method(black)
    assert np.array_equal(np.isfinite(face.relief), face.mask > 0)
    # A face in the middle, nose before the ears, as wide on one side as on the other.
    assert 0.25 < (face.mask > 0).mean() < 0.6
    assert np.abs(np.nan_to_num(face.relief) - np.nan_to_num(face.relief[:, ::-1])).max() < 1e-3
    assert face.landmarks is not None
    assert np.abs(face.landmarks.mean(axis=0) - 128) .max() < 40


def test_absent_rows_are_listed_with_the_way_to_make_them(models: Path) -> None:
    write_estimators(models, ['cgan'])
    with EstimatorRows(rows=(CGAN, DEPTHNET)) as rows:
        assert list(rows.methods) == [CGAN]
        assert list(rows.absent) == [DEPTHNET]
        assert '--network depthnet' in rows.absent[DEPTHNET]
    assert not rows.methods


def test_rows_keep_their_order_and_must_exist() -> None:
    with EstimatorRows(rows=(MEAN_FACE,)) as rows:
        assert rows.rows == (MEAN_FACE,)
    for wrong in (('PRNet',), ()):
        with pytest.raises(SettingsError, match='expected some of Mean face, Cui FCN'):
            EstimatorRows(rows=wrong)


def test_a_damaged_mean_face_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'mean.npz'
    with pytest.raises(DatasetError, match='render_mean_face'):
        load_mean_face(path)
    np.savez(path, relief=np.zeros((4, 4)), mask=np.zeros((4, 4)), landmarks=np.zeros((68, 2)))
    with pytest.raises(DatasetError, match=r'expected \(256, 256\), \(256, 256\)'):
        load_mean_face(path)
    # A row that cannot be opened is absent, with the reason.
    with EstimatorRows(rows=(MEAN_FACE,), mean_face=path) as rows:
        assert 'expected (256, 256)' in rows.absent[MEAN_FACE]
