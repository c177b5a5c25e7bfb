# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of both recognisers on drawn people: schedules, losses, teacher, resume, validation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
import math
from pathlib import Path
import sys
from typing import Any

from drawn_identity_bank import drawn_bank
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.recognition_input import SIZE
from face_depth_ros.networks.face_recognizer import build_face_recognizer, FaceRecognizerConfig
from face_depth_ros.networks.mask_guided_recognizer import (
    build_mask_guided_recognizer,
    MaskGuidedRecognizerConfig,
)
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer
from face_depth_ros.training import train_face_recognizer as script
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.identity_bank import on_device
from face_depth_ros.training.recognition_losses import branch_losses
from face_depth_ros.training.render_identity_bank import part_path, save_part
from face_depth_ros.training.run import load_checkpoint, save_checkpoint, TrainingState
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

FABRIC = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())
SMALL = {'mask_guided': partial(build_mask_guided_recognizer, MaskGuidedRecognizerConfig(
             (8, 12, 16, 24), (1, 1, 1, 1), squeeze=4)),
         'student': partial(build_face_recognizer, FaceRecognizerConfig(
             (8, 12, 16, 24), (1, 1, 1, 1), (4, 6, 8), 16))}


@pytest.fixture(name='small')
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train small layouts, which have all parts of the real ones."""
    monkeypatch.setattr(script, 'NETWORKS', SMALL)
    monkeypatch.setattr(script, 'build_mask_guided_recognizer', SMALL['mask_guided'])


def settings(tmp_path: Path, **changes: Any) -> script.Settings:
    """Return the settings of a run of a few steps."""
    values = {'run': str(tmp_path), 'people': 4, 'images': 3, 'validation_people': 2, 'batch': 6,
              'max_steps': 8, 'max_minutes': 1000.0, 'warmup_steps': 1, 'steps_per_epoch': 4,
              'learning_rate': 0.01, **changes}
    return script.Settings(**values)


def trained(tmp_path: Path, network: str) -> Path:
    """Return the checkpoint of a short run."""
    chosen = settings(tmp_path / network, network=network)
    script.train(chosen, FABRIC, drawn_bank(), drawn_bank(3, 2, seed=1))
    return tmp_path / network / 'last.pt'


def test_all_problems_of_settings_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        script.Settings(network='giant', schedule='flat', people=0, images=0, batch=0, scale=0.0,
                        render_minutes=0.0, validation_people=0, margin=-0.1, measured=1.5,
                        shape_weight=-1.0, teacher_weight=-2.0, teacher='last.pt',
                        margin_from=0.5, margin_full=0.4, max_minutes=0.0)
    for problem in ("network is 'giant', expected one of mask_guided, student",
                    "schedule is 'flat', expected one of steps, cosine",
                    'people is 0, expected > 0', 'images is 0, expected > 0',
                    'batch is 0, expected > 0', 'scale is 0.0, expected > 0',
                    'render_minutes is 0.0, expected > 0', 'validation_people is 0, expected > 0',
                    'margin is -0.1, expected >= 0', 'shape_weight is -1.0, expected >= 0',
                    'teacher_weight is -2.0, expected >= 0', 'measured is 1.5, expected 0 to 1',
                    "teacher is 'last.pt', but only a student has one",
                    'margin_from is 0.5 and margin_full 0.4, expected 0 <= margin_from < '
                    'margin_full <= 1', 'max_minutes is 0.0, expected > 0'):
        assert problem in str(error.value)
    with pytest.raises(SettingsError, match='measured is -0.5, expected >= 0'):
        script.Settings(measured=-0.5)


def test_a_student_does_not_lie_where_its_teacher_does() -> None:
    assert script.Settings().folder == Path('runs/mask_guided_recognizer')
    student = script.Settings(network='student', teacher='runs/mask_guided_recognizer/last.pt')
    assert student.folder == Path('runs/face_recognizer')
    assert replace(student, run='runs/x').folder == Path('runs/x')


def test_the_learning_rate_falls_by_tenths_or_along_a_cosine(tmp_path: Path) -> None:
    steps = settings(tmp_path, max_steps=1000, learning_rate=0.1)
    for step, wanted in ((0, 0.1), (299, 0.1), (301, 0.01), (501, 1e-3), (851, 1e-4)):
        assert script.learning_rate(steps, TrainingState(step)) == pytest.approx(wanted)
    assert script.learning_rate(steps, TrainingState(0, 301.0)) == pytest.approx(0.01)
    cosine = replace(steps, schedule='cosine', warmup_steps=10)
    for step, wanted in ((0, 0.01), (500, 0.05), (250, 0.05 * (1 + math.sqrt(0.5))), (1000, 0.0)):
        assert script.learning_rate(cosine, TrainingState(step)) == pytest.approx(wanted,
                                                                                  rel=1e-4)


def test_the_margin_grows_from_zero(tmp_path: Path) -> None:
    chosen = settings(tmp_path, max_steps=1000, margin_from=0.1, margin_full=0.5)
    shares = [script.margin_share(chosen, TrainingState(step)) for step in (0, 100, 300, 500, 900)]
    assert shares == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])
    assert script.margin_share(chosen, TrainingState(0, 300.0)) == pytest.approx(0.5)


@pytest.mark.parametrize('network', ['mask_guided', 'student'])
@pytest.mark.usefixtures('small')
def test_a_run_learns_and_leaves_its_checkpoints(tmp_path: Path, network: str) -> None:
    """The loss falls; small.pt holds the averaged recogniser alone, and is loaded by export."""
    chosen = settings(tmp_path, network=network, max_steps=24, steps_per_epoch=12,
                      margin=0.0, learning_rate=0.02 if network == 'mask_guided' else 0.005)
    bank = drawn_bank()
    run = script.build(chosen, FABRIC, bank)
    first = script.train_one_epoch(FABRIC, chosen, bank, run, None)
    second = script.train_one_epoch(FABRIC, chosen, bank, run, None)
    assert math.isfinite(first) and second < first
    assert run.state.step == 24 and run.state.samples == 24 * 6
    metrics = script.validate(run.average.recognizer, drawn_bank(3, 2, seed=1))
    assert set(metrics) == {'color', 'depth', 'both'}
    script.save_small(tmp_path / 'small.pt', chosen, run, metrics)
    loaded = SMALL[network]()
    script.load_recognizer(loaded, tmp_path / 'small.pt', 'checkpoint')
    for name, value in run.average.recognizer.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    content = torch.load(tmp_path / 'small.pt', weights_only=True)
    assert all(name.startswith('recognizer.') for name in content['average'])
    assert content['metrics'] == metrics and content['settings']['network'] == network


@pytest.mark.usefixtures('small')
def test_weights_decay_without_normalisation_and_biases(tmp_path: Path) -> None:
    for network, kind in (('mask_guided', torch.optim.SGD), ('student', torch.optim.AdamW)):
        chosen = settings(tmp_path, network=network, weight_decay=0.02)
        run = script.build(chosen, FABRIC, drawn_bank())
        assert isinstance(run.optimizer.optimizer, kind)
        decayed, kept = run.optimizer.param_groups
        assert decayed['weight_decay'] == 0.02 and kept['weight_decay'] == 0.0
        assert all(p.ndim > 1 for p in decayed['params'])
        assert all(p.ndim <= 1 for p in kept['params'])
        assert len(decayed['params']) + len(kept['params']) == len(list(run.model.parameters()))


@pytest.mark.parametrize('network', ['mask_guided', 'student'])
@pytest.mark.usefixtures('small')
def test_resume_goes_on_as_if_never_stopped(tmp_path: Path, network: str) -> None:
    chosen, bank = settings(tmp_path, network=network), drawn_bank()
    whole = script.build(chosen, FABRIC, bank)
    script.train_one_epoch(FABRIC, chosen, bank, whole, None)
    save_checkpoint(tmp_path / 'last.pt', chosen, whole, {})
    resumed = script.build(settings(tmp_path, network=network, seed=5), FABRIC, bank)
    load_checkpoint(tmp_path / 'last.pt', resumed)
    # The budget of time counts too, so both must stand at the same minute.
    whole.state.minutes = resumed.state.minutes
    expected = script.train_one_epoch(FABRIC, chosen, bank, whole, None)
    assert script.train_one_epoch(FABRIC, chosen, bank, resumed, None) == pytest.approx(
        expected, rel=1e-6)


@pytest.mark.usefixtures('small')
def test_a_student_follows_its_teacher(tmp_path: Path) -> None:
    """The teacher's word is about colour and the depth that is seen; it is worth what is set."""
    teacher_path = trained(tmp_path, 'mask_guided')
    chosen = settings(tmp_path / 'student', network='student', teacher=str(teacher_path),
                      learning_rate=0.003, max_steps=2, steps_per_epoch=2)
    bank = drawn_bank()
    teacher = script.load_teacher(chosen, FABRIC)
    assert not teacher.training
    wanted = script.teach(teacher, bank, batch=5)
    assert wanted.shape == (len(bank), 3, 256) and wanted.dtype == torch.float16
    rows = torch.arange(3)
    for measured, column in ((False, 1), (True, 2)):
        with torch.no_grad():
            color, depth = teacher(*script.batch_of(bank, rows, torch.full((3,), measured)))
        torch.testing.assert_close(wanted[:3, 0].float(), color, atol=0.03, rtol=0)
        torch.testing.assert_close(wanted[:3, column].float(), depth, atol=0.03, rtol=0)
    losses = []
    for weight, word in ((4.0, None), (0.0, wanted), (4.0, wanted)):
        changed = replace(chosen, teacher_weight=weight)
        run = script.build(changed, FABRIC, bank)
        losses.append(script.train_one_epoch(FABRIC, changed, bank, run, word))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert 1.0 < losses[2] - losses[0] < 16.0  # weight 4 on two cosines, near 0 at first
    metrics = script.train(chosen, FABRIC, bank, drawn_bank(3, 2, seed=1))
    assert metrics and (tmp_path / 'student' / 'last.pt').exists()
    assert (tmp_path / 'student' / 'small.pt').exists()


@pytest.mark.usefixtures('small')
def test_training_goes_on_from_a_trained_recogniser(tmp_path: Path) -> None:
    """Classes begin at the mean embeddings, shapes near the truth; the same seed begins alike."""
    first = trained(tmp_path, 'student')
    bank = drawn_bank(5, 4, seed=2, noise=0.05)
    chosen = settings(tmp_path / 'more', network='student', initial=str(first))
    begun = script.begin(chosen, bank)
    again = script.begin(chosen, bank)
    assert all(torch.equal(value, again[name]) for name, value in begun.items())
    average = torch.load(first, weights_only=True)['average']
    for name, value in begun.items():
        if name.startswith('recognizer.'):
            assert torch.equal(value, average[name])
    lesson = script.Lesson(chosen, bank.people).eval()
    lesson.load_state_dict(begun)
    with torch.no_grad():
        said = lesson(*script.batch_of(bank, torch.arange(20), torch.arange(20) % 2 == 0),
                      bank.person, 1.0)
    own = functional.one_hot(bank.person, 5).bool()
    truth = bank.identity[bank.person]
    for part in range(2):
        assert float((said['logits'][part].argmax(1) == bank.person).float().mean()) > 0.9
        cosine = said['logits'][part] / chosen.scale
        assert float(cosine[own].mean()) > float(cosine[~own].mean())
        error = (said['shape'][part] - truth).square().mean()
        assert float(error) < float(truth.var(dim=0, correction=0).mean())
    run = script.build(chosen, FABRIC, bank)
    assert torch.equal(run.average.heads[0].weight, begun['heads.0.weight'])


@pytest.mark.usefixtures('small')
def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    student = trained(tmp_path, 'student')
    chosen = settings(tmp_path, network='student', teacher=str(student))
    with pytest.raises(SettingsError, match=r'teacher: .*last.pt is no checkpoint of such a '
                                            'recogniser in its default layout'):
        script.load_teacher(chosen, FABRIC)
    with pytest.raises(SettingsError, match='teacher: no checkpoint at .*nothing.pt'):
        script.load_teacher(replace(chosen, teacher=str(tmp_path / 'nothing.pt')), FABRIC)
    with pytest.raises(SettingsError, match='initial: .*last.pt is no checkpoint of such'):
        script.begin(settings(tmp_path, initial=str(student)), drawn_bank())
    with pytest.raises(SettingsError, match='initial: no checkpoint at .*nothing.pt'):
        script.begin(settings(tmp_path, initial=str(tmp_path / 'nothing.pt')), drawn_bank())
    with pytest.raises(SettingsError, match='--resume: no checkpoint at'):
        script.train(settings(tmp_path / 'new'), FABRIC, drawn_bank(), drawn_bank(), resume=True)


@pytest.mark.usefixtures('small')
def test_the_command_trains_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, 'render_banks', lambda *_: (drawn_bank(), drawn_bank(3, 2, 1)))
    command = ['train_face_recognizer', '--network', 'student', '--run', str(tmp_path), '--batch',
               '4', '--steps-per-epoch', '2', '--threads', '1', '--max-steps']
    for steps, more in (('2', []), ('4', ['--resume'])):
        monkeypatch.setattr(sys, 'argv', [*command, steps, *more])
        script.main()
        content = torch.load(tmp_path / 'last.pt', weights_only=True)
        assert content['state']['step'] == int(steps)
        assert set(content['metrics']) == {'color', 'depth', 'both'}


def answers(seed: int = 0) -> tuple[dict[str, list[torch.Tensor]], torch.Tensor]:
    """Return what a lesson could say of four photos, and who is on them."""
    generator = torch.Generator().manual_seed(seed)
    person = torch.tensor([0, 1, 3, 1])

    def two(*shape: int) -> list[torch.Tensor]:
        return [torch.randn(shape, generator=generator) for _ in range(2)]

    return {'features': two(4, 16), 'logits': two(4, 4), 'shape': two(4, 100)}, person


def test_the_loss_is_the_papers_and_the_errors_in_shape(tmp_path: Path) -> None:
    said, person = answers()
    bank = drawn_bank()
    shape = sum((told - bank.identity[person]).square().mean() for told in said['shape'])
    a, b = said['logits']
    f, g = said['features']
    full = script.loss_of(said, bank, person, settings(tmp_path, shape_weight=0.5))
    wanted = branch_losses(a, b, f, g, person) + branch_losses(b, a, g, f, person) + 0.5 * shape
    torch.testing.assert_close(full, wanted)
    student = script.loss_of(said, bank, person, settings(tmp_path, network='student'))
    torch.testing.assert_close(student, functional.cross_entropy(a, person)
                               + functional.cross_entropy(b, person) + shape)


def test_distance_to_the_teacher_is_in_cosines() -> None:
    x = torch.eye(3)
    assert script.distance_to_teacher([2 * x, x], [x.half(), x.half()]).item() == pytest.approx(0)
    assert script.distance_to_teacher([x, x], [x, -x]).item() == pytest.approx(2.0)


def test_variation_keeps_shapes_and_ranges() -> None:
    bank = drawn_bank(8, 4)
    inputs = script.batch_of(bank, torch.arange(32), torch.zeros(32, dtype=torch.bool))
    color, depth, mask = script.vary(inputs, torch.Generator().manual_seed(0))
    for new, was in zip((color, depth, mask), inputs, strict=True):
        assert new.shape == was.shape and new.dtype == torch.float32
    assert 0.0 <= float(color.min()) and float(color.max()) <= 255.0
    assert torch.equal(depth, inputs[1])
    changed = mask != inputs[2]
    assert bool((mask[changed] == 0).all())  # erased, nothing else
    share = changed.flatten(1).float().mean(dim=1)
    assert 1 <= int((share > 0).sum()) < 20 and float(share.max()) < 0.17
    gain = color.mean(dim=(1, 2, 3)) / inputs[0].mean(dim=(1, 2, 3))
    assert 0.7 < float(gain.min()) < float(gain.max()) < 1.3 and float(gain.std()) > 0.05
    again = script.vary(inputs, torch.Generator().manual_seed(0))
    assert torch.equal(again[0], color)
    moved = script.vary(inputs, torch.Generator().manual_seed(0), (2, -3))
    for new, was in zip(moved, (color, depth, mask), strict=True):
        assert torch.equal(new[:, :, 2:, :-3], was[:, :, :-2, 3:])


class ByPixels(nn.Module):
    """Describes photos by their pixels; a modality that is blind says the same of all."""

    def __init__(self, blind: str = '') -> None:
        super().__init__()
        self.blind = blind

    def forward(self, color: torch.Tensor, depth: torch.Tensor,
                mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert color.shape[1:] == (3, SIZE, SIZE) and depth.shape == mask.shape
        said = []
        for name, image in (('color', color - 127.5), ('depth', depth)):
            flat = image.flatten(1)
            flat = torch.ones_like(flat) if name == self.blind else flat
            said.append(functional.normalize(flat))
        return said[0], said[1]


def test_a_perfect_recogniser_identifies_everybody() -> None:
    bank = drawn_bank(5, 3)
    assert script.validate(ByPixels(), bank, batch=4) == {
        'color': 100.0, 'depth': 100.0, 'both': 100.0}
    found = script.validate(ByPixels('color'), bank)
    assert found == {'color': 20.0, 'depth': 100.0, 'both': 100.0}


def test_the_first_photo_of_each_is_the_gallery_wherever_it_stands() -> None:
    """People without a photo are no one's answer."""
    bank = drawn_bank(5, 3)
    order = torch.tensor([9, 1, 3, 8, 6, 13, 11])  # people 4, 1, 3, 3, 1, 3, 1; no 0 and 2
    part = script.batch_of(bank, order, torch.zeros(7, dtype=torch.bool))
    assert len(part[0]) == 7
    some = replace(bank, **{name: getattr(bank, name)[order] for name in (
        'color', 'mask', 'estimated', 'measured', 'person', 'yaw', 'expression')})
    assert script.validate(ByPixels(), some)['both'] == 100.0
    assert script.validate(ByPixels('color'), some)['color'] == 50.0  # all are said to be 1


@pytest.mark.assets
def test_photos_are_rendered_or_read(assets_folder: Path, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, 'IdentityPhotographer', partial(IdentityPhotographer,
                                                                backgrounds=2))
    chosen = settings(tmp_path, assets=str(assets_folder), people=2, images=1, validation_people=1)
    bank, validation = script.render_banks(chosen, FABRIC)
    assert bank.people == 2 and validation.people == 1
    assert 1 <= len(bank) <= 2 and 3 <= len(validation) <= 4
    assert abs(float(validation.yaw[0])) <= 10.0
    save_part(part_path(tmp_path / 'bank', 0), drawn_bank(3, 2))
    read, _ = script.render_banks(replace(chosen, bank=str(tmp_path / 'bank')), FABRIC)
    assert len(read) == 6 and read.people == 3
    assert np.array_equal(on_device(read, torch.device('cpu')).color, read.color)
