# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A bank of looks: what is written is what was seen, through the shipped enhancer."""

from __future__ import annotations

from pathlib import Path

from drawn_liveness_bank import drawn_looks
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.liveness_input import LivenessInput, SIZE
from face_depth_ros.datasets.liveness_views import LivenessViewer
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.liveness_samples import LivenessSampler
from face_depth_ros.training import render_liveness_bank as script
from face_depth_ros.training.liveness_bank import join_banks, pack, read_liveness_bank, save_part
import numpy as np
import pytest
import torch


def drawn_input(seed: int) -> LivenessInput:
    chance = np.random.default_rng(seed)
    planes = (chance.random((4, SIZE, SIZE)) > 0.5).astype(np.float32)
    planes[0] *= 1.5
    return LivenessInput(planes, chance.random((68, 4)).astype(np.float32),
                         chance.random(3).astype(np.float32), 0.9, 0.1 * seed, 0.22)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    seen = [drawn_input(i) for i in range(3)]
    save_part(tmp_path / 'part_00000.npz', pack(
        seen, species=np.array([0, 2, 1]), person=np.array([7, 8, 9]),
        distance_m=np.float32([0.5, 1.0, 2.0]), yaw_deg=np.zeros(3, np.float32),
        pad_error=np.float32([0.1, np.nan, 0.5])))
    bank = read_liveness_bank(tmp_path)
    assert len(bank) == 3 and bank.species.tolist() == [0, 2, 1]
    for row, look in enumerate(seen):
        np.testing.assert_array_equal(bank.planes()[row], look.planes)
        np.testing.assert_allclose(bank.points[row].float(), look.points, atol=1e-3)
        assert float(bank.measured_share[row]) == pytest.approx(look.measured_share)
    both = join_banks([bank, drawn_looks(4)])
    assert len(both) == 7 and both.take(torch.tensor([1])).person.tolist() == [8]
    assert not list(tmp_path.glob('*.partial'))


def test_settings_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert script.Settings(split='test').folder == Path('runs/liveness_test')
    for wrong in ({'parts': 0}, {'cameras': 0}, {'split': 'all'}, {'live': 1.5}, {'first': -1}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            script.Settings(**wrong)
    settings = script.parse_arguments(['--split', 'validation', '--parts', '3'])
    assert (settings.split, settings.parts, settings.live) == ('validation', 3, 0.4)


@pytest.mark.assets
def test_a_part_is_rendered_seen_and_decided_by_its_number() -> None:
    sampler = LivenessSampler(find_assets(), 'validation')
    viewer = LivenessViewer()
    settings = script.Settings(split='validation', cameras=2)
    part = script.render_part(sampler, viewer, 4, settings, scenes=6)
    again = script.render_part(sampler, viewer, 4, settings, scenes=6)
    viewer.close()
    content = part.content()
    assert len(part.seen) + sum(part.dropped.values()) == 12
    assert len(content['species']) == len(content['relief']) == len(part.seen) >= 8
    for name, values in again.content().items():
        np.testing.assert_array_equal(content[name], values)
    live = content['species'] == 0
    assert live.any() and (content['measured_share'][live] > 0.6).mean() >= 0.5
    errors = content['pad_error']
    assert ((errors >= 0.0) & (errors <= 1.0) | np.isnan(errors)).all()
