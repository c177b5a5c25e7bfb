# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Banks of expressions in files, and inputs like those of the run time."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from drawn_expression_bank import drawn_expressions
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_input import depth_input as depth_at_run_time
from face_depth_ros.core.expression_input import SIZE
from face_depth_ros.training.expression_bank import (
    depth_input,
    ExpressionBank,
    join_banks,
    read_expression_bank,
    save_bank,
)
from face_depth_ros.training.render_expression_bank import render_part, Settings
import numpy as np
import pytest
import torch


def equal(first: ExpressionBank, second: ExpressionBank) -> bool:
    return all(torch.equal(a.nan_to_num(9.0), b.nan_to_num(9.0)) for a, b in (
        (getattr(first, f.name), getattr(second, f.name)) for f in fields(ExpressionBank)))


def test_a_bank_comes_back_from_its_files(tmp_path: Path) -> None:
    parts = [drawn_expressions(14, seed) for seed in range(3)]
    for number, part in enumerate(parts):
        save_bank(tmp_path / f'part_{number:05d}.npz', part)
    whole = read_expression_bank(tmp_path)
    assert equal(whole, join_banks(parts)) and len(whole) == 42
    assert equal(read_expression_bank(tmp_path, 20), whole.take(torch.arange(20)))
    assert len(read_expression_bank(tmp_path, 1000)) == 42
    assert not list(tmp_path.glob('*.partial'))


def test_a_damaged_or_missing_bank_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='render_expression_bank'):
        read_expression_bank(tmp_path)
    save_bank(tmp_path / 'part_00000.npz', drawn_expressions())
    path = tmp_path / 'part_00001.npz'
    path.write_bytes((tmp_path / 'part_00000.npz').read_bytes()[:-500])
    with pytest.raises(SettingsError, match='part_00001.npz is damaged'):
        read_expression_bank(tmp_path)


def test_depth_is_that_of_the_run_time() -> None:
    """The run time cuts the part out of a whole crop; here both are the same grid."""
    generator = torch.Generator().manual_seed(0)
    relief = 0.7 + 0.02 * torch.randn(2, SIZE, SIZE, generator=generator)
    relief[:, 30:40, 30:60] = torch.nan
    mask = (torch.rand(2, SIZE, SIZE, generator=generator) < 0.8).to(torch.uint8)
    made = depth_input(relief, mask)
    for row in range(2):
        known = (mask[row] > 0) & relief[row].isfinite()
        assert torch.equal(made[row].isfinite(), known)
        nearer = (np.median(relief[row][known].numpy()) - relief[row]) / 0.03
        np.testing.assert_allclose(made[row][known], nearer[known].clamp(-2.0, 2.0), atol=2e-3)
    flat = torch.full((1, SIZE, SIZE), 0.7)
    assert depth_input(flat, mask[:1] * 0).isnan().all()
    at_run_time = depth_at_run_time(flat[0].numpy(), np.ones((SIZE, SIZE), bool))
    assert abs(at_run_time[0]).max() < 1e-4 and (depth_input(flat, mask[:1] * 0 + 1) == 0.0).all()


@pytest.mark.parametrize('wrong', [{'parts': 0}, {'split': 'test'}, {'first': -1}, {'every': 0},
                                   {'max_minutes': 0.0}])
def test_settings_of_the_render_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Settings(**wrong)


@pytest.mark.assets
def test_a_part_is_rendered_the_same_again_and_splits_are_apart() -> None:
    made = [render_part(Settings(split=split), number, people=2, photos=2)
            for split, number in (('train', 3), ('train', 3), ('validation', 3))]
    assert equal(made[0], made[1]) and not equal(made[0], made[2])
    first = made[0]
    assert len(first) == 4 and first.color.shape == (4, 3, SIZE, SIZE)
    assert first.person.tolist() == [40_006, 40_007, 40_006, 40_007]
    assert made[2].person.unique().tolist() == [2_006, 2_007]
    face = first.mask > 0
    assert 0.2 < face.float().mean() < 0.95
    assert (first.depth.isfinite() & ~face).sum() == 0
    inside = (first.landmarks > 0) & (first.landmarks < SIZE)
    assert inside.float().mean() > 0.7, 'landmarks are pixels of the part'
