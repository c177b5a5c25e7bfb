# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The bank of rendered heads."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.training.detection_heads import HeadBank
from face_depth_ros.training.render_head_bank import main, render_part, Settings
import numpy as np
import pytest


def test_all_problems_of_the_settings_at_once() -> None:
    with pytest.raises(SettingsError, match='(?s)heads is 0.*workers is -1.*mannequins is 2'):
        Settings(heads=0, workers=-1, mannequins=2.0)


def test_a_bank_that_is_there_is_kept(tmp_path: Path) -> None:
    for split in ('train', 'validation'):
        (tmp_path / split).mkdir()
        (tmp_path / split / 'heads.npz').write_bytes(b'kept')
    main(['--out', str(tmp_path)])
    assert (tmp_path / 'train' / 'heads.npz').read_bytes() == b'kept'


@pytest.fixture(scope='module')
def bank(assets_folder: Path) -> HeadBank:
    """Return one rendered part."""
    return render_part((Settings(assets=str(assets_folder), size=64), 'validation', 1))


@pytest.mark.assets
def test_heads_are_in_the_middle_with_their_landmarks(bank: HeadBank) -> None:
    assert bank.rgba.shape == (16, 64, 64, 4)
    assert (bank.rgba[:, 32, 32, 3] == 255).all()  # the head point is inside the head
    assert (bank.rgba[..., :3] <= bank.rgba[..., 3:]).all()
    assert np.abs(bank.landmarks).max() < 0.7
    frontal = np.abs(bank.yaw_deg) < 45.0
    right, left = bank.landmarks[frontal, 0], bank.landmarks[frontal, 1]
    assert (right[:, 0] < left[:, 0]).all()
    assert (bank.landmarks[frontal, :2, 1].mean(axis=1)
            < bank.landmarks[frontal, 3:, 1].mean(axis=1)).all()


@pytest.mark.assets
def test_the_same_part_renders_the_same_heads(bank: HeadBank, assets_folder: Path) -> None:
    again = render_part((Settings(assets=str(assets_folder), size=64), 'validation', 1))
    np.testing.assert_array_equal(again.rgba, bank.rgba)
    other = render_part((Settings(assets=str(assets_folder), size=64), 'train', 1))
    assert not np.array_equal(other.landmarks, bank.landmarks)
