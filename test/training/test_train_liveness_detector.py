# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training and export of the liveness detector on drawn looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
import sys

from drawn_liveness_bank import drawn_looks
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import MIRRORED_68
from face_depth_ros.core.liveness_metrics import NO_SCORE
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines import open_engine
from face_depth_ros.networks import liveness_detector as networks
from face_depth_ros.synthesis.liveness_attacks import SPECIES
from face_depth_ros.training import export_liveness_detector as export
from face_depth_ros.training import train_liveness_detector as script
from face_depth_ros.training.liveness_bank import LivenessBank, read_liveness_bank, save_part
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')
TINY = networks.LivenessDetectorConfig((6, 8, 8, 12), (0, 0, 1, 0), 64, 32, len(SPECIES), 0.0)


def write(folder: Path, bank: LivenessBank, number: int = 0) -> None:
    save_part(folder / f'part_{number:05d}.npz',
              {f.name: getattr(bank, f.name).numpy() for f in fields(bank)})


@pytest.fixture(name='folders')
def banks_in_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    write(tmp_path / 'bank', drawn_looks(80))
    write(tmp_path / 'validation', drawn_looks(240, 7))
    monkeypatch.setattr(script, 'build_liveness_detector',
                        lambda: networks.LivenessDetector(TINY))
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def train(folders: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, object]:
    monkeypatch.setattr(sys, 'argv', [
        'train', '--run', str(folders / 'run'), '--bank', str(folders / 'bank'), '--validation',
        str(folders / 'validation'), '--batch', '24', '--steps-per-epoch', '30', '--warmup-steps',
        '2', '--ema-decay', '0.8', '--learning-rate', '0.01', '--threads', '1', *options])
    script.main()
    content: dict[str, object] = torch.load(folders / 'run' / 'last.pt', weights_only=True)
    return content


def test_it_learns_who_lives_resumes_and_is_exported(
        folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(folders, monkeypatch, '--max-steps', '30')
    write(folders / 'bank', drawn_looks(80, 1), 1)
    content = train(folders, monkeypatch, '--max-steps', '240', '--resume')
    assert first['state']['step'] == 30 and content['state']['step'] == 240
    assert content['state']['samples'] == 240 * 24
    metrics = content['metrics']
    assert metrics['worst'] == 0.0 and metrics['unmeasured_live'] == 0.0
    assert set(SPECIES[1:]) <= set(metrics)
    spec = export.export_checkpoint(folders / 'run' / 'last.pt', folders / 'models',
                                    read_liveness_bank(folders / 'validation'))
    agreed(spec, content)


def agreed(spec: ModelSpec, content: dict[str, object]) -> None:
    """Compare the exported file with torch on looks that the export did not compare."""
    assert spec.parity['max_abs'] < 0.02
    network = networks.LivenessDetector(TINY)
    network.load_state_dict(content['average'])
    batch = script.batch_of(drawn_looks(12, 3), CPU)
    with torch.no_grad():
        live, species = network.eval()(batch.planes, batch.points, batch.scalars)
    with open_engine(spec, 'openvino', 'fp32') as engine:
        said = engine({name: getattr(batch, name).numpy()
                       for name in ('planes', 'points', 'scalars')})
    fitted = spec.limits['calibration']
    np.testing.assert_allclose(said['log_odds'], fitted['scale'] * live + fitted['offset'],
                               atol=0.05)
    np.testing.assert_allclose(said['species'], species.softmax(1), atol=0.01)
    assert 0.0 <= spec.number('spoof_threshold') <= spec.number('live_threshold') <= 1.0
    lives = batch.species.numpy() == 0
    odds = np.log(spec.number('live_threshold') / (1.0 - spec.number('live_threshold')))
    assert (said['log_odds'][lives, 0] > odds - 0.1).mean() >= 0.8
    assert (said['log_odds'][~lives, 0] < odds).all()
    assert spec.trained['command'].startswith(
        'python -m face_depth_ros.training.train_liveness_detector')
    assert str(spec.path.parent) not in spec.path.read_text(), 'no path of a machine'


def test_what_is_not_measured_has_no_score_and_is_told_apart() -> None:
    bank = drawn_looks(240)
    share = bank.measured_share.clone()
    share[:8] = 0.4
    bank = replace(bank, measured_share=share)
    found = script.scores(torch.arange(240.0), bank)
    assert (found['live'][:4] == NO_SCORE).all() and np.isfinite(found['live'][4:]).all()

    class Oracle(torch.nn.Module):
        def forward(self, planes: torch.Tensor, points: torch.Tensor, scalars: torch.Tensor,
                    ) -> tuple[torch.Tensor, torch.Tensor]:
            solid = points[:, 30, 2] > 0.5
            usual = scalars[:, 0].abs() < 0.1
            return (solid & usual).float()[:, None], torch.zeros(len(planes), len(SPECIES))

    metrics = script.validate(Oracle(), bank, CPU)
    assert metrics['worst'] == 0.0 and metrics['threshold'] == 1.0
    assert metrics['unmeasured_live'] == pytest.approx(100.0 * 4 / 120, abs=0.01)


def test_variation_mirrors_planes_and_points_alike_and_keeps_what_is_unknown() -> None:
    bank = drawn_looks(24)
    bank = replace(bank, points=bank.points.clone())
    bank.points[:, 5, 3] = 0.0
    bank.points[:, 5, 2] = 0.0
    batch = script.batch_of(bank, CPU)
    varied = script.vary(batch, torch.Generator().manual_seed(0))
    known = varied.planes[:, 1] > 0
    assert (varied.planes[:, 0][~known] == 0.0).all()
    assert (varied.planes[:, 2] <= varied.planes[:, 1]).all()
    assert torch.equal(varied.planes[:, 3], batch.planes[:, 3]), 'the oval is symmetric'
    mirrored = 0
    for row in range(24):
        flipped = batch.points[row, list(MIRRORED_68)] * torch.tensor([-1.0, 1.0, 1.0, 1.0])
        same, other = (float((varied.points[row] - want).abs().max())
                       for want in (batch.points[row], flipped))
        assert min(same, other) < 0.15
        mirrored += other < same
        assert (varied.points[row, :, 2][varied.points[row, :, 3] == 0.0] == 0.0).all()
    assert 4 <= mirrored <= 20


def test_log_odds_become_true() -> None:
    generator = torch.Generator().manual_seed(0)
    live = torch.rand(4000, generator=generator) < 0.2
    # Classes of equal weight, normal logits 4 apart and of sigma 2: true log-odds are the logit.
    true = torch.where(live, 2.0, -2.0).double() + 2.0 * torch.randn(4000, generator=generator)
    scale, offset = export.fit_log_odds(3.0 * true + 5.0, live)
    assert scale == pytest.approx(1.0 / 3.0, rel=0.1)
    assert offset == pytest.approx(-5.0 / 3.0, abs=0.3)


def test_settings_missing_banks_and_small_validations_are_told(tmp_path: Path) -> None:
    for wrong in ({'batch': 0}, {'species_weight': -1.0}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            script.Settings(**wrong)
    with pytest.raises(SettingsError, match='render_liveness_bank'):
        script.GrowingBank(tmp_path)
    (tmp_path / 'part_00000.npz').write_bytes(b'nothing')
    with pytest.raises(SettingsError, match='damaged'):
        script.GrowingBank(tmp_path)
    network = networks.LivenessDetector(TINY)
    with pytest.raises(SettingsError, match='render more'):
        script.validate(network, drawn_looks(60), CPU)
    with pytest.raises(SettingsError, match='render more'):
        export.calibrate(network, drawn_looks(60))
