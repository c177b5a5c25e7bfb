# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Branches of the compact recogniser: what trains, what stays, growing banks, shelves, joining."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from drawn_identity_bank import drawn_bank
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.core.recognition_input import SIZE
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer
from face_depth_ros.training import export_face_recognizer
from face_depth_ros.training import train_recognizer_branch as script
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.face_readings import open_student
from face_depth_ros.training.render_identity_bank import part_path, save_part
from face_depth_ros.training.train_face_recognizer import save_small
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch

LOOKS = 5
FABRIC = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())


def settings(tmp_path: Path, branch: str, **changes: Any) -> script.Settings:
    values = {'run': str(tmp_path / branch), 'branch': branch, 'bank': str(tmp_path / 'bank'),
              'batch': 6, 'fresh': 2, 'kept': 20, 'strangers': 10, 'max_steps': 3,
              'warmup_steps': 1, 'steps_per_epoch': 3, 'learning_rate': 0.01, 'ema_decay': 0.1,
              **changes}
    return script.Settings(**values)


def bank(tmp_path: Path, branch: str, parts: int = 1) -> script.GrowingBank:
    """Return a bank of drawn people whose looks are as many numbers as those of rendered ones."""
    for number in range(parts):
        drawn = drawn_bank(5, 2, seed=number)
        save_part(part_path(tmp_path / 'bank', number), replace(
            drawn, look=torch.zeros(5, LOOKS)))
    grown = script.GrowingBank(tmp_path / 'bank', branch)
    grown.grow()
    return grown


def test_all_problems_of_settings_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        script.Settings(branch='smell', network='giant', batch=4, fresh=5, kept=0, people=0,
                        strangers=0, validation_people=0, bank_share=1.5, shape_weight=-1.0,
                        classes='pairs', scale=0.0, margin=-0.1)
    for problem in ("branch is 'smell', expected one of depth, color",
                    "network is 'giant', expected one of student",
                    'fresh is 5, expected at most the batch, 4', 'kept is 0, expected > 0',
                    'people is 0, expected > 0', 'strangers is 0, expected > 0',
                    'validation_people is 0, expected > 0', 'bank_share is 1.5 and measured 0.4, '
                    'expected 0 to 1', 'shape_weight is -1.0, expected >= 0',
                    'scale is 0.0, expected > 0', 'margin is -0.1, expected >= 0',
                    'batch is 4, fresh 5 and kept 0, expected even numbers'):
        assert problem in str(error.value)


def test_only_the_branch_learns(tmp_path: Path) -> None:
    """The other branch, the mask branch and attention stay as the shipped file has them."""
    drawn = bank(tmp_path, 'color')
    faces = drawn_bank(4, 4, seed=9)
    chosen = settings(tmp_path, 'color')
    numbers = drawn.strangers(1, np.random.default_rng(0)).shape[1]
    run = script.begin(chosen, FABRIC, faces, numbers)
    before = {name: value.clone() for name, value in run.average.recognizer.state_dict().items()}
    shipped = open_student(find_model('face_recognizer'))
    inputs = script.batch_of(faces, torch.arange(6), torch.ones(6, dtype=torch.bool))
    with torch.no_grad():
        torch.testing.assert_close(run.average.recognizer(*inputs)[0], shipped(*inputs)[0],
                                   atol=1e-3, rtol=1e-2)
    losses = script.train_one_epoch(FABRIC, chosen, run, drawn, None)
    assert all(np.isfinite([float(v.rstrip(' %')) for v in losses.split(' ')[:2]]))
    assert run.state.step == 3 and run.state.samples == 18 and run.state.minutes > 0
    for name, value in run.average.recognizer.state_dict().items():
        if not name.startswith('color.'):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(run.average.recognizer.color.linear.weight,
                           before['color.linear.weight'])


def test_parts_that_come_later_are_read(tmp_path: Path) -> None:
    grown = bank(tmp_path, 'depth')
    assert len(grown) == 10
    save_part(part_path(tmp_path / 'bank', 7), drawn_bank(3, 2, seed=7))
    grown.grow()
    grown.grow()
    assert len(grown) == 16 and len(grown.parts) == 2
    assert not len(grown.parts[0].color) and len(grown.parts[0].measured) == 10
    drawn = grown.draw(500, np.random.default_rng(0))
    assert sum(len(rows) for _, rows in drawn) == 500
    for part, rows in drawn:
        assert set(rows.tolist()) == set(range(len(part)))
    assert grown.strangers(4, np.random.default_rng(0)).shape == (4, 100 + LOOKS)
    looks = bank(tmp_path / 'other', 'color')
    assert not len(looks.parts[0].measured) and len(looks.parts[0].color) == 10
    first = looks.draw_pairs(9, np.random.default_rng(0))
    assert len(first) == 18
    for (part, one), (_, other) in zip(first[:9], first[9:], strict=True):
        assert part.person[one] == part.person[other] and int(one) != int(other)


@pytest.mark.assets
def test_reliefs_are_rendered_while_training_goes_on(tmp_path: Path) -> None:
    """The oldest make room; depth learns from the shelf and from the bank together."""
    photographer = IdentityPhotographer(find_assets(), 'cpu', 0, 1, size=SIZE)
    shelf = script.ReliefShelf(photographer, photographer.people('train', range(8)), kept=6)
    shelf.render(4)
    assert len(shelf) == 4
    first = shelf.relief[0].clone()
    shelf.render(4)
    assert len(shelf) == 6 and not torch.equal(shelf.relief[0], first)
    assert torch.equal(shelf.person[::2], shelf.person[1::2])
    photos = shelf.draw(6, np.random.default_rng(0))
    assert photos.image.shape == photos.mask.shape == (6, 1, SIZE, SIZE)
    assert photos.numbers.shape == (6, shelf.numbers.shape[1])
    face = photos.mask > 0
    assert 0.1 < face.float().mean() < 0.9 and photos.image[face].std() > 0.1
    chosen = settings(tmp_path, 'depth', bank_share=0.5)
    drawn = bank(tmp_path, 'depth')
    drawn.parts[0] = replace(drawn.parts[0], look=torch.zeros(5, shelf.numbers.shape[1] - 100))
    mixed = script.draw(chosen, drawn, shelf, np.random.default_rng(0),
                        torch.Generator().manual_seed(0))
    known = mixed.numbers[:, None, :100] == drawn.parts[0].identity
    assert int(known.all(dim=2).any(dim=1).sum()) == 2 and len(known) == 6
    run = script.begin(chosen, FABRIC, drawn_bank(4, 4, seed=9), shelf.numbers.shape[1])
    script.train_one_epoch(FABRIC, chosen, run, drawn, shelf)
    assert run.state.samples == 18
    pairs = settings(tmp_path, 'depth', bank_share=0.5, classes='pairs', max_steps=6)
    mixed = script.draw(pairs, drawn, shelf, np.random.default_rng(0),
                        torch.Generator().manual_seed(0))
    assert torch.equal(mixed.numbers[:3], mixed.numbers[3:])
    assert not torch.equal(mixed.image[:3], mixed.image[3:])
    script.train_one_epoch(FABRIC, pairs, run, drawn, shelf)
    assert run.state.samples == 36


def test_validation_finds_people_by_the_branch(tmp_path: Path) -> None:
    run = script.begin(settings(tmp_path, 'depth'), FABRIC, drawn_bank(4, 4, seed=9), 100)
    found = script.validate(run.average.recognizer, drawn_bank(6, 3, noise=0.0), 'depth')
    assert set(found) == {'measured', 'measured, TAR', 'estimated', 'estimated, TAR'}
    assert found['measured'] == 100.0  # photos of a person are equal but for their masks' noise
    assert set(script.validate(run.average.recognizer, drawn_bank(6, 3), 'color')) == {
        'color', 'color, TAR'}


def test_branches_are_joined(tmp_path: Path) -> None:
    """Colour of the one, depth of the other; of other attention they are refused."""
    drawn = bank(tmp_path, 'color')
    paths = {}
    for branch, numbers in (('color', 100), ('depth', 100)):
        chosen = settings(tmp_path, branch)
        run = script.begin(chosen, FABRIC, drawn_bank(4, 4, seed=9), numbers)
        with torch.no_grad():
            getattr(run.average.recognizer, branch).linear.weight.mul_(2.0)
        paths[branch] = tmp_path / f'{branch}.pt'
        save_small(paths[branch], chosen, run, {'rank': 1.0})
    spec = export_face_recognizer.export_checkpoint(
        paths['color'], tmp_path / 'models', drawn_bank(12, 3, noise=0.05), 'a CPU',
        paths['depth'])
    assert len(drawn) and spec.trained['command'].count('train_recognizer_branch') == 2
    assert '--branch color' in spec.trained['command']
    assert spec.metrics['validation'] == {'color': {'rank': 1.0}, 'depth': {'rank': 1.0}}
    content = torch.load(paths['depth'], weights_only=True)
    content['average']['recognizer.attention.0.weigh.bias'] += 1.0
    torch.save(content, paths['depth'])
    with pytest.raises(SettingsError, match='was trained beside another attention'):
        export_face_recognizer.export_checkpoint(
            paths['color'], tmp_path / 'models', drawn_bank(12, 3), '', paths['depth'])
