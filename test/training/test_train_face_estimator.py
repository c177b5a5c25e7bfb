# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of the face estimator: what its losses reward, its batches, a short run, its export."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from drawn_photos import drawn_records
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.engines import open_engine
from face_depth_ros.networks.face_estimator import (
    build_face_estimator,
    FaceEstimates,
    FaceEstimatorConfig,
)
from face_depth_ros.synthesis.face_photo_bank import FacePhotoBank, save_part
from face_depth_ros.synthesis.face_photos import FacePhotoSource
from face_depth_ros.training import export_face_estimator, train_face_estimator
from face_depth_ros.training.estimation_data import EstimationBatch, make_batch, scrambled
from face_depth_ros.training.export_face_estimator import export_checkpoint
from face_depth_ros.training.folding import folded
from face_depth_ros.training.run import Run, save_checkpoint, training_command, TrainingState
from face_depth_ros.training.train_face_estimator import (
    losses_of,
    Settings,
    train_one_epoch,
    validate,
)
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch
from torch.nn import functional

SMALL = FaceEstimatorConfig((8, 8, 8, 8, 8), (1, 1, 1, 1), (1, 1, 1))


@pytest.fixture(name='source')
def drawn_source(tmp_path: Path) -> FacePhotoSource:
    save_part(tmp_path / 'bank', 0, drawn_records())
    return FacePhotoSource(FacePhotoBank(tmp_path / 'bank'), [], size=64, backgrounds=4)


def perfect(batch: EstimationBatch) -> FaceEstimates:
    """Return what a network without fault says."""
    return FaceEstimates(
        batch.relief, torch.full_like(batch.relief, -8.0),
        20.0 * functional.one_hot(batch.mask, 7).permute(0, 3, 1, 2).float(), batch.landmarks,
        40.0 * (batch.visible - 0.5), 40.0 * (batch.face[:, None] - 0.5))


def test_batches_hold_faces_and_crops_without(source):
    generator = np.random.default_rng(0)
    batch = make_batch(source, np.arange(24) % 8, generator, negatives=0.5)
    assert 4 < int(batch.face.sum()) < 20
    assert batch.color.shape == (24, 3, 64, 64)
    without = batch.face == 0
    assert not bool(batch.mask[without].any()) and not bool(batch.relief[without].any())
    assert bool(batch.mask[~without].any(dim=(1, 2)).all())


def test_the_same_step_draws_the_same_batch(source):
    first, second = (make_batch(source, np.arange(4), np.random.default_rng(5)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_truth_has_no_loss_and_each_fault_has_its_own(source):
    batch = make_batch(source, np.arange(8), np.random.default_rng(1), negatives=0.2)
    best = losses_of(perfect(batch), batch)
    for name in ('relief', 'slope', 'mask', 'overlap', 'landmark', 'visibility', 'confidence'):
        assert float(best[name]) == pytest.approx(0.0, abs=2e-3), name
    faults = {'relief': {'relief': batch.relief + 0.1},
              'mask': {'mask': perfect(batch).mask.roll(1, dims=1)},
              'landmark': {'landmarks': batch.landmarks + 0.1},
              'visibility': {'visibility': -perfect(batch).visibility},
              'confidence': {'confidence': -perfect(batch).confidence}}
    for name, change in faults.items():
        losses = losses_of(perfect(batch)._replace(**change), batch)
        assert float(losses[name]) > 0.09, name
    # A shift of all relief is no slope; outside the face nothing counts.
    assert float(losses_of(perfect(batch)._replace(relief=batch.relief + 0.1), batch)['slope']
                 ) == pytest.approx(0.0, abs=1e-6)
    outside = torch.where(batch.mask[:, None] > 0, batch.relief, torch.tensor(3.0))
    assert float(losses_of(perfect(batch)._replace(relief=outside), batch)['relief']) == 0.0


def test_the_expected_error_is_best_at_the_true_error(source):
    batch = make_batch(source, np.arange(4), np.random.default_rng(2), negatives=0.0)
    values = [float(losses_of(perfect(batch)._replace(
        relief=batch.relief + 0.05, log_sigma=torch.full_like(batch.relief, float(np.log(s)))),
        batch)['sigma']) for s in (0.02, 0.05, 0.12)]
    assert values[1] < min(values[0], values[2])


def test_scrambled_tiles_are_the_same_pixels(source):
    color = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    mixed = scrambled(color, np.random.default_rng(1))
    assert not np.array_equal(mixed, color)
    assert sorted(mixed.ravel().tolist()) == sorted(color.ravel().tolist())


def test_a_short_run_learns_is_exported_and_answers_the_same(source, tmp_path, monkeypatch):
    torch.manual_seed(0)
    settings = Settings(run=str(tmp_path), batch_size=4, max_steps=12, steps_per_epoch=12,
                        warmup_steps=2, validation_size=4)
    fabric = Fabric(accelerator='cpu', devices=1, precision='32-true')
    network, average = build_face_estimator(SMALL), build_face_estimator(SMALL)
    average.load_state_dict(network.state_dict())
    model, optimizer = fabric.setup(network, torch.optim.AdamW(network.parameters(), lr=1e-3))
    run = Run(model, average, optimizer, TrainingState(commit='none'))
    losses = train_one_epoch(fabric, settings, source, run)
    assert run.state.step == 12 and run.state.samples == 48
    assert all(np.isfinite(value) for value in losses.values())
    batch = make_batch(source, np.arange(4), np.random.default_rng(3))
    metrics = validate(run.average, [batch], torch.device('cpu'))
    assert 0.0 <= metrics['miou'] <= 1.0 and len(metrics['iou']) == 7
    assert 0.0 <= metrics['right'] <= 1.0
    save_checkpoint(tmp_path / 'last.pt', settings, run, metrics)
    monkeypatch.setattr(export_face_estimator, 'SIZE', 64)
    spec = export_checkpoint(tmp_path / 'last.pt', tmp_path)
    assert spec.parity['by_precision']['fp32']['relief'] < 1e-2
    color = torch.rand(3, 3, 64, 64) * 255
    with open_engine(spec, 'openvino', 'fp32') as engine, torch.no_grad():
        got = engine({'color': color.numpy()})
        want = run.average.eval()(color)
    np.testing.assert_allclose(got['relief'], want.relief.numpy(), atol=1e-2)
    np.testing.assert_allclose(got['landmarks'], want.landmarks.numpy(), atol=1e-2)


def test_folding_keeps_the_answers():
    torch.manual_seed(1)
    network = build_face_estimator(SMALL)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
    color = torch.rand(2, 3, 64, 64) * 255
    whole, merged = network.eval(), folded(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in merged.modules())
    with torch.no_grad():
        for first, second in zip(whole(color), merged(color), strict=True):
            torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(SettingsError, match='batch_size is 0, expected > 0'):
        Settings(batch_size=0)
    assert train_face_estimator.Settings().run == 'runs/face_estimator'


def test_the_command_of_a_run_says_what_differs_from_the_defaults():
    settings = dataclasses.asdict(Settings(run='elsewhere', max_minutes=91.0, threads=2,
                                           learning_rate=1e-3))
    assert training_command('train_face_estimator', settings, Settings()) == (
        'python -m face_depth_ros.training.train_face_estimator --max-minutes 91 '
        '--learning-rate 0.001 --threads 2')
