# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of the paper's enhancers on a tiny bank: kinds of pairs, stages, resume, export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.engines import open_engine
from face_depth_ros.training import train_paper_enhancer as script
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.enhancement_data import FaceDepthBank
from face_depth_ros.training.export_paper_enhancer import export_checkpoint, fixed_inputs
from face_depth_ros.training.run import load_checkpoint, save_checkpoint, TrainingState
from lightning.fabric import Fabric
import numpy as np
import onnx
from onnx import TensorProto
import pytest
import torch

FABRIC = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())


def settings(tmp_path: Path, **changes: Any) -> script.Settings:
    """Return the settings of a run of a few steps."""
    values = {'run': str(tmp_path), 'network': 'ddrnet_dn', 'max_steps': 4, 'batch_size': 1,
              'bank_size': 4, 'max_minutes': 1000.0, 'warmup_steps': 1, 'steps_per_epoch': 2,
              **changes}
    return script.Settings(**values)


@pytest.fixture
def bank(tmp_path: Path, write_bank: Callable[..., FaceDepthBank]) -> FaceDepthBank:
    """A hand-made bank instead of a rendered one."""
    return write_bank(tmp_path / 'bank', 4)


@pytest.mark.parametrize('kind', script.KINDS)
def test_pairs_are_as_in_the_paper(bank: FaceDepthBank, kind: str) -> None:
    """Truth has its holes; the degraded image too, or random values in their place."""
    metric = bank.read(np.arange(4), torch.device('cpu')).truth
    degraded, truth = script.make_pairs(metric, kind, torch.Generator().manual_seed(0))
    assert torch.equal(truth[:, 0] == 1.0, metric.isnan())
    outside = degraded[truth == 1.0]
    if kind == 'plain':
        assert (outside == 1.0).all()
        assert (degraded[truth < 1.0] == 1.0).float().mean() > 0.03
    else:
        assert (degraded < 1.0).float().mean() > 0.95
        assert outside.std() > 0.05
    steps = (degraded.diff(dim=3).abs() * (truth[..., 1:] == 1.0)).mean()
    assert (steps < 0.05) == (kind != 'random holes')


def test_who_sees_which_pairs() -> None:
    """Alpha by stages, Beta and Gamma random holes alone, Delta and DDRNet all three in turn."""
    alpha = [script.kind_at('dl_alpha', done, 0) for done in (0.0, 0.18, 0.2, 0.34, 0.36, 1.0)]
    assert alpha == ['plain', 'plain', *['blurred holes'] * 2, *['random holes'] * 2]
    for network in ('dl_beta', 'dl_gamma'):
        assert {script.kind_at(network, 0.5, i) for i in range(3)} == {'random holes'}
    for network in ('dl_delta_1', 'dl_delta_4', 'ddrnet_dn'):
        assert [script.kind_at(network, 0.5, i) for i in range(3)] == list(script.KINDS)


def test_schedule_goes_from_windows_to_whole_images(tmp_path: Path, bank: FaceDepthBank) -> None:
    """Windows at first; the full schedule sees whole images from the start."""
    chosen = settings(tmp_path, max_steps=100, batch_size=3)
    sizes = []
    for step in (0, 59, 60, 99):
        batch, truth = script.draw_batch(chosen, bank, TrainingState(step=step), FABRIC)
        assert batch.shape == truth.shape
        sizes.append((len(batch), batch.shape[-1]))
    assert sizes == [(3, 128), (3, 128), (3, 256), (3, 256)]
    full = settings(tmp_path, schedule='full')
    assert script.draw_batch(full, bank, TrainingState(), FABRIC)[0].shape == (1, 1, 256, 256)
    assert full.full_samples == 1_800_000
    assert settings(tmp_path, network='dl_alpha').full_samples == 3_700_000
    assert script.progress(full, TrainingState(samples=900_000, minutes=1e6)) == 0.5


def test_loss_counts_all_pixels_then_the_face(tmp_path: Path) -> None:
    """What is wrong outside the face counts in the first part of the schedule alone."""
    truth = torch.ones(2, 1, 8, 8)
    truth[:, :, :4] = 0.5
    outside, inside = truth.clone(), truth.clone()
    outside[:, :, 4:] = 0.0
    inside[:, :, :4] = 0.2
    assert script.loss_of(outside, truth, whole=True) == pytest.approx(0.5 ** 0.5, abs=1e-3)
    assert script.loss_of(outside, truth, whole=False) == pytest.approx(1e-3, abs=1e-4)
    assert script.loss_of(inside, truth, whole=False) == pytest.approx(0.3, abs=1e-3)
    assert script.loss_of(inside, torch.ones_like(truth), whole=False).isfinite()


def test_resume_goes_on_as_if_never_stopped(tmp_path: Path, bank: FaceDepthBank) -> None:
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
    assert script.progress(chosen, resumed.state) == 1.0


def test_delta_2_begins_where_delta_1_ended(tmp_path: Path) -> None:
    """Successive repetitions; without the network before, an error says what to train."""
    second = settings(tmp_path, network='dl_delta_2')
    with pytest.raises(SettingsError, match='train dl_delta_1 first'):
        script.build(second, FABRIC)
    first = script.build(settings(tmp_path, network='dl_delta_1'), FABRIC)
    save_checkpoint(tmp_path / 'dl_delta_1' / 'last.pt', second, first, {})
    weights = script.build(second, FABRIC).average.state_dict()
    for name, value in first.average.state_dict().items():
        torch.testing.assert_close(weights[name], value)


def test_export_keeps_half_weights_and_the_answer(tmp_path: Path) -> None:
    """Weights are stored as float16; the CPU engine answers what torch does."""
    chosen = settings(tmp_path)
    run = script.build(chosen, FABRIC)
    save_checkpoint(tmp_path / 'last.pt', chosen, run, {'face': 0.5})
    spec = export_checkpoint(tmp_path / 'last.pt', tmp_path / 'models')
    assert spec.name == 'ddrnet_dn'
    assert spec.trained['parameters'] == 868_001
    assert spec.parity['max_abs'] < 2e-3
    weights = onnx.load(str(spec.onnx)).graph.initializer
    half = sum(t.data_type == TensorProto.FLOAT16 for t in weights)
    assert half >= 8
    assert spec.onnx.stat().st_size < 2.2 * spec.trained['parameters']
    example = fixed_inputs()['depth'].numpy()
    with open_engine(spec, backend='openvino', precision='fp32') as engine:
        assert engine({'depth': example})['enhanced'].shape == example.shape


@pytest.mark.parametrize(('change', 'message'), [
    ({'network': 'dl_omega'}, "network is 'dl_omega', expected one of dl_alpha"),
    ({'schedule': 'short'}, "schedule is 'short', expected one of reduced, full"),
    ({'batch_size': 0}, 'batch_size is 0')])
def test_bad_settings(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """All problems are said at construction."""
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path, **change)
