# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of the face verifier on a hand-made bank: bank, variation, loss, resume, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.face_verifier import SIZE
from face_depth_ros.predictors.depth_verifier import DepthVerifier
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
from face_depth_ros.training import train_face_verifier as script
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.export_face_verifier import export_checkpoint
from face_depth_ros.training.run import load_checkpoint, save_checkpoint
from face_depth_ros.training.verification_bank import (
    damage,
    PeopleBatch,
    PeopleRenderer,
    vary,
    VerificationBank,
)
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch
from torch import nn

FABRIC = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())
PEOPLE, IMAGES = 6, 3


def settings(tmp_path: Path, **changes: Any) -> script.Settings:
    """Return the settings of a run of a few steps."""
    values = {'run': str(tmp_path), 'people': PEOPLE, 'images': IMAGES, 'validation_people': 2,
              'batch_people': 3, 'batch_images': 2, 'max_steps': 4, 'max_minutes': 1000.0,
              'warmup_steps': 1, 'steps_per_epoch': 2, **changes}
    return script.Settings(**values)


def domes(count: int) -> torch.Tensor:
    """Return grey domes of growing width, (count, 96, 96), 0 around."""
    axis = torch.linspace(-1.0, 1.0, SIZE)
    width = torch.linspace(0.5, 0.8, count)[:, None, None]
    squared = (axis[None, :, None] / 0.8) ** 2 + (axis / width) ** 2
    return torch.where(squared < 1.0, 230.0 - 60.0 * squared, 0.0)


@pytest.fixture
def bank(tmp_path: Path) -> VerificationBank:
    """A hand-made bank instead of a rendered one; image k of a person is brighter by k."""
    folder = tmp_path / 'bank'
    folder.mkdir()
    grey = domes(PEOPLE).numpy()[:, None] + np.arange(IMAGES)[:, None, None]
    np.save(folder / 'grey.npy', grey.astype(np.uint8))
    rng = np.random.default_rng(0)
    np.save(folder / 'shape.npy', rng.normal(size=(PEOPLE, IDENTITY_MODES)).astype(np.float32))
    np.save(folder / 'person.npy', np.arange(PEOPLE) * 10)
    return VerificationBank(folder)


def test_a_draw_holds_different_images_of_different_people(bank: VerificationBank) -> None:
    batch = bank.draw(4, 2, np.random.default_rng(0))
    assert batch.grey.shape == (8, SIZE, SIZE) and batch.grey.dtype == torch.float32
    assert batch.person[::2].equal(batch.person[1::2])
    assert len(batch.person.unique()) == 4
    assert not bool((batch.grey[::2] == batch.grey[1::2]).all(dim=2).all(dim=1).any())
    assert batch.shape[::2].equal(batch.shape[1::2])
    everything = list(bank.batches(4))
    assert [len(b.person) for b in everything] == [12, 6]
    assert torch.cat([b.person for b in everything]).tolist() == [
        p * 10 for p in range(PEOPLE) for _ in range(IMAGES)]


def test_a_bank_that_is_missing_or_of_another_size_is_refused(bank: VerificationBank,
                                                              tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='no rendered people in .*train_face_verifier'):
        VerificationBank(tmp_path / 'nothing')
    with pytest.raises(SettingsError, match='holds 6 people x 3 images, expected 6 x 4'):
        VerificationBank.render(tmp_path / 'bank', FaceAssets(tmp_path), 'train', PEOPLE, 4)


def test_variation_moves_the_face_and_keeps_its_form() -> None:
    grey = domes(8)
    varied = vary(grey, torch.Generator().manual_seed(0))
    face, was = varied > 0, grey > 0
    assert bool(((varied == 0) | ((varied >= 1) & (varied <= 255))).all())
    overlap = (face & was).sum(dim=(1, 2)) / (face | was).sum(dim=(1, 2))
    assert 0.7 < float(overlap.min()) and float(overlap.max()) < 1.0
    # Between a tenth of the largest offset and twice as much as it and the scale can do.
    change = (varied.amax(dim=(1, 2)) - grey.amax(dim=(1, 2))).abs()
    assert 0.4 < float(change.max()) < 2 * (4.1 + 0.08 * 80)


def test_what_looks_larger_is_deeper_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relief over the head point scales with the face: both are in sides of the box."""
    draws = torch.zeros(5, 2)
    draws[1] = torch.tensor([1.0, -1.0])  # the scale alone

    def fixed(*shape: int, generator: torch.Generator) -> torch.Tensor:
        return (draws + 1.0) / 2.0

    monkeypatch.setattr('face_depth_ros.training.verification_bank.torch.rand', fixed)
    small, large = vary(domes(1).expand(2, -1, -1), torch.Generator())
    widths = [float((g > 0).any(dim=0).sum()) for g in (small, large)]
    assert widths[1] / widths[0] == pytest.approx(1.08 / 0.92, rel=0.06)
    heights = [float(g.max()) - 153.0 for g in (small, large)]
    assert heights[1] / heights[0] == pytest.approx(1.08 / 0.92, rel=0.03)


def test_damage_takes_away_and_never_adds() -> None:
    grey = domes(16)
    damaged = damage(grey, torch.Generator().manual_seed(0))
    assert bool((damaged[grey == 0] == 0).all())
    lost = ((damaged == 0) & (grey > 0)).sum(dim=(1, 2)) / (grey > 0).sum(dim=(1, 2))
    assert float(lost.min()) < 0.03 and 0.03 < float(lost.max()) < 0.8
    kept = damaged > 0
    assert 0.05 < float((damaged - grey)[kept].std()) < 1.6


class Answers(nn.Module):
    """A lesson with fixed answers."""

    def __init__(self, logits: torch.Tensor, shape: torch.Tensor) -> None:
        super().__init__()
        self.logits, self.told = logits, shape

    def forward(self, depth: torch.Tensor, first: torch.Tensor,
                second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert depth.shape == (4, 1, SIZE, SIZE)
        assert float(depth.min()) == -1.0 and float(depth.max()) <= 1.0
        return self.logits[first, second], self.told


def test_both_kinds_of_pairs_weigh_the_same() -> None:
    """Two pairs of the same person, four of different people, by hand."""
    person = torch.tensor([0, 0, 1, 1])
    shape = torch.ones(4, IDENTITY_MODES)
    batch = PeopleBatch(domes(4), person, shape)
    logits = torch.full((4, 4), -2.0)
    logits[0, 1], logits[2, 3] = 3.0, -1.0
    same = (np.log1p(np.exp(-3.0)) + np.log1p(np.exp(1.0))) / 2
    wanted = (same + np.log1p(np.exp(-2.0))) / 2
    assert script.loss_of(Answers(logits, shape), batch, 1.0).item() == pytest.approx(wanted)
    off = script.loss_of(Answers(logits, 0.5 * shape), batch, 2.0).item()
    assert off == pytest.approx(wanted + 2.0 * 0.25)


def test_validation_counts_as_many_of_either_kind(bank: VerificationBank) -> None:
    """A network that always says no is right for all pairs of different people."""
    lesson = script.Lesson()
    nn.init.zeros_(lesson.verifier.head[-1].weight)
    nn.init.constant_(lesson.verifier.head[-1].bias, -1.0)
    nn.init.zeros_(lesson.shape.weight)
    nn.init.zeros_(lesson.shape.bias)
    assert script.validate(lesson, bank, torch.device('cpu')) == {
        'accuracy': 0.5, 'same': 0.0, 'different': 1.0, 'shape': 1.0}


def test_resume_goes_on_as_if_never_stopped(tmp_path: Path, bank: VerificationBank) -> None:
    """Two epochs in one go and with a stop between give the same next loss."""
    chosen = settings(tmp_path)
    whole = script.build(chosen, FABRIC)
    script.train_one_epoch(FABRIC, chosen, bank, whole)
    save_checkpoint(tmp_path / 'last.pt', chosen, whole, {})
    resumed = script.build(settings(tmp_path, seed=5), FABRIC)
    load_checkpoint(tmp_path / 'last.pt', resumed)
    # The budget of time counts too, so both must stand at the same minute.
    whole.state.minutes = resumed.state.minutes
    expected = script.train_one_epoch(FABRIC, chosen, bank, whole)
    assert script.train_one_epoch(FABRIC, chosen, bank, resumed) == pytest.approx(expected,
                                                                                  rel=1e-6)


def test_export_answers_as_torch_does(tmp_path: Path, bank: VerificationBank) -> None:
    """The file takes grey depth; its answer is the network's, weights rounded to float16."""
    chosen = settings(tmp_path)
    run = script.build(chosen, FABRIC)
    script.train_one_epoch(FABRIC, chosen, bank, run)
    save_checkpoint(tmp_path / 'last.pt', chosen, run, {'accuracy': 0.5})
    spec = export_checkpoint(tmp_path / 'last.pt', tmp_path / 'models')
    assert spec.name == 'face_verifier' and spec.trained['parameters'] == 1_588_801
    assert spec.parity['max_abs'] < 1e-3
    assert spec.onnx.stat().st_size < 3_500_000
    first, second = domes(4), domes(4).flip(0)
    verifier = DepthVerifier(str(spec.path), 'openvino', 'fp32')
    likeness = verifier.similarity(first.numpy(), second.numpy())
    verifier.close()
    with torch.no_grad():
        wanted = run.average.verifier.eval()(script.to_network(first), script.to_network(second))
    np.testing.assert_allclose(likeness, wanted[:, 0].numpy(), atol=1e-3)
    assert verifier.threshold == 0.5


@pytest.mark.parametrize(('change', 'message'), [
    ({'batch_people': 1}, r'batch_people is 1, expected 2 to 6'),
    ({'batch_people': 7}, r'batch_people is 7, expected 2 to 6'),
    ({'batch_images': 4}, r'batch_images is 4, expected 2 to 3'),
    ({'validation_people': 1}, 'validation_people is 1, expected 2 or more'),
    ({'shape_weight': -1.0}, 'shape_weight is -1.0, expected >= 0')])
def test_bad_settings(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """All problems are said at construction."""
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path, **change)


@pytest.mark.assets
def test_rendered_people_are_the_same_in_each_image_alone(assets_folder: Path) -> None:
    """Equal seeds render equal images; a person's images differ, its shape does not."""
    renderer = PeopleRenderer(FaceAssets(assets_folder), 'validation')
    part, again, other = (renderer.render(seed, 2, 3) for seed in (0, 0, 4))
    for name, array in part.items():
        assert np.array_equal(array, again[name]) and not np.array_equal(array, other[name])
    assert part['grey'].shape == (2, 3, SIZE, SIZE) and part['grey'].dtype == np.uint8
    assert part['shape'].shape == (2, IDENTITY_MODES)
    assert part['person'].shape == (2,) and part['person'].max() < 10_000
    covered = (part['grey'] > 0).mean(axis=(2, 3))
    assert 0.03 < covered.min() and covered.max() < 0.7
    assert not np.array_equal(part['grey'][0, 0], part['grey'][0, 1])
    # Head sizes differ by centimetres at most: root mean square shape is millimetres.
    assert 1.0 < np.sqrt((part['shape'] ** 2).sum(axis=1)).min() < 15.0


@pytest.mark.assets
def test_a_bank_is_rendered_once(assets_folder: Path, tmp_path: Path) -> None:
    assets = FaceAssets(assets_folder)
    bank = VerificationBank.render(tmp_path / 'people', assets, 'train', 5, 2)
    assert (bank.people, bank.images) == (5, 2)
    written = (tmp_path / 'people' / 'grey.npy').stat().st_mtime_ns
    VerificationBank.render(tmp_path / 'people', assets, 'train', 5, 2)
    assert (tmp_path / 'people' / 'grey.npy').stat().st_mtime_ns == written
