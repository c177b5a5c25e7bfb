# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The file of face photos: what is written comes back, what is damaged is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
from drawn_estimators import drawn_face
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_photo import CROP_PX, MASK_LABELS
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.estimation_commands import FIXTURE
from face_depth_ros.evaluation.face_photo_samples import load_faces, save_faces, StoredFaces
import numpy as np
import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    negatives = [np.full((CROP_PX, CROP_PX, 3), (200, 100, 50), np.uint8)]
    save_faces(tmp_path / 'faces.npz', StoredFaces(
        [drawn_face(3, 12.5), drawn_face(4, -80.0, covered=True)], negatives))
    return tmp_path / 'faces.npz'


def test_faces_come_back(path: Path) -> None:
    stored = load_faces(path)
    for sample, original in zip(stored.samples, (drawn_face(3, 12.5), drawn_face(4, -80.0)),
                                strict=True):
        photo, truth = sample.photo, original.photo
        assert np.array_equal(photo.mask, truth.mask)
        assert np.array_equal(photo.visible, truth.visible)
        assert np.array_equal(photo.landmarks, truth.landmarks)
        assert np.array_equal(np.isnan(photo.relief), np.isnan(truth.relief))
        assert np.nanmax(np.abs(photo.relief - truth.relief)) < 0.000126
        assert photo.relief.dtype == np.float32 and photo.color.dtype == np.uint8
        assert np.abs(photo.color.astype(int) - truth.color).mean() < 2.0
        assert (photo.yaw, photo.identity) == (truth.yaw, truth.identity)
    assert [s.covered for s in stored.samples] == [False, True]
    assert np.abs(stored.negatives[0][10, 10].astype(int) - (200, 100, 50)).max() < 4


def test_fewer_faces_can_be_asked_for(path: Path) -> None:
    assert len(load_faces(path, 1).samples) == 1
    assert len(load_faces(path, 9).samples) == 2


def change(path: Path, **members: np.ndarray) -> None:
    with np.load(path) as data:
        kept = {name: data[name] for name in data.files}
    np.savez(path, **{name: value for name, value in (kept | members).items()
                      if value is not None})


@pytest.mark.parametrize(('member', 'value', 'complaint'), [
    ('color_01', np.frombuffer(b'no image', np.uint8), 'does not decode'),
    ('relief_00', None, 'relief_00 is not a file'),
    ('pose', np.zeros((2, 2), np.float32), r'pose is \(2, 2\), expected \(2, 3\)'),
    ('landmarks', np.zeros((2, 5, 2), np.float32), r'expected \(2, 68, 2\)'),
    ('mask_00', lambda: cv2.imencode('.png', np.full((256, 256), 9, np.uint8))[1].ravel(),
     'has the label 9, expected less than 7'),
    ('mask_00', lambda: cv2.imencode('.png', np.zeros((20, 20), np.uint8))[1].ravel(),
     r'an image is \(20, 20\) uint8'),
])
def test_damage_is_named(path: Path, member: str, value: np.ndarray | Callable[[], np.ndarray],
                         complaint: str) -> None:
    change(path, **{member: value() if callable(value) else value})
    with pytest.raises(DatasetError, match=complaint):
        load_faces(path)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    (tmp_path / 'text.npz').write_text('no archive')
    for name in ('text.npz', 'nothing.npz'):
        with pytest.raises(DatasetError, match='render_face_photos fixture'):
            load_faces(tmp_path / name)


def test_the_fixture_holds_what_quick_needs() -> None:
    stored = load_faces(checkout_data(FIXTURE))
    photos = [s.photo for s in stored.samples]
    assert len(photos) == 24 and len({p.identity for p in photos}) == 6
    assert len(stored.negatives) == 4
    assert set(np.unique([p.mask for p in photos])) == set(range(len(MASK_LABELS)))
    for photo in photos:
        face, known = photo.mask > 0, np.isfinite(photo.relief)
        assert not (known & ~face).any()
        # Where a lens stands out from the face, there is nothing behind it to measure.
        assert known.sum() > 0.98 * face.sum()
    yaws = np.abs([p.yaw for p in photos])
    assert (yaws < 10).any() and (yaws > 60).any()
