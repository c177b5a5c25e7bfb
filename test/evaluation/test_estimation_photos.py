# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos composed from a bank, and the mean face of one, from records drawn by hand."""

from __future__ import annotations

from pathlib import Path

from drawn_photos import drawn_records
from face_depth_ros.core.face_photo import CROP_PX, MASK_LABELS
from face_depth_ros.evaluation import render_mean_face
from face_depth_ros.evaluation.estimator_rows import load_mean_face
from face_depth_ros.evaluation.render_face_photos import fill_bank, RenderedPhotos
from face_depth_ros.synthesis.face_photo_bank import BOX_PX, PART, part_path, save_part
import numpy as np
import pytest

NOSE = MASK_LABELS.index('nose')


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    save_part(tmp_path / 'bank', 0, drawn_records())
    return tmp_path / 'bank'


def test_the_mean_face_is_the_face_and_its_mirror_image(bank: Path, tmp_path: Path) -> None:
    render_mean_face.main([str(tmp_path / 'mean.npz'), '--bank', str(bank), '--faces', '2'])
    face = load_mean_face(tmp_path / 'mean.npz')
    # The drawn nose is on one side alone, so half of the faces have skin there: a draw, and the
    # first class has it. Relief grows to one side, so that its mean is level.
    centre = face.relief[CROP_PX // 2]
    known = np.isfinite(centre)
    assert known.sum() == pytest.approx(140 * CROP_PX / BOX_PX, abs=4)
    assert np.nanmax(np.abs(centre)) < 1e-3
    assert set(np.unique(face.mask)) == {0, 1}
    assert np.array_equal(np.isfinite(face.relief), face.mask > 0)
    assert face.landmarks is not None
    assert face.landmarks[:, 1] == pytest.approx(np.full(68, 128.0), abs=1e-3)


def test_a_filled_bank_is_left_as_it_is(bank: Path) -> None:
    before = part_path(bank, 0).stat().st_mtime_ns
    fill_bank(bank, PART, assets='/nowhere')
    assert part_path(bank, 0).stat().st_mtime_ns == before


@pytest.mark.assets
@pytest.mark.slow
def test_photos_are_the_same_however_many_are_asked_for(bank: Path, assets_folder: Path) -> None:
    photos = RenderedPhotos(bank, str(assets_folder))
    more, fewer = list(photos.samples(12)), list(photos.samples(3))
    for first, second in zip(more, fewer, strict=False):
        assert np.array_equal(first.photo.color, second.photo.color)
        assert first.covered == second.covered
    assert [s.photo.identity for s in more] == list(range(12))
    assert all(s.photo.color.shape == (CROP_PX, CROP_PX, 3) for s in more)
    assert all((s.photo.mask == NOSE).any() for s in more if not s.covered)
    first, second = photos.negatives(2)
    assert first.shape == second.shape == (CROP_PX, CROP_PX, 3)
    assert not np.array_equal(first, second)
