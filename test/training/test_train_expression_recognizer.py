# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training and export of the expression recogniser on drawn faces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import sys

from drawn_expression_bank import drawn_expressions
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_labels import VALENCE_AROUSAL
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines import open_engine
from face_depth_ros.networks import expression_recognizer as networks
from face_depth_ros.training import export_expression_recognizer as export
from face_depth_ros.training import train_expression_recognizer as script
from face_depth_ros.training.expression_bank import save_bank
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')
TINY = networks.ExpressionRecognizerConfig((6, 8, 12, 16), (0, 0, 1, 0), 24, 0.0)


@pytest.fixture(name='folders')
def banks_in_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, count in (('bank', 28), ('validation', 14)):
        save_bank(tmp_path / name / 'part_00000.npz', drawn_expressions(count))
    monkeypatch.setattr(script, 'build_expression_recognizer',
                        lambda: networks.ExpressionRecognizer(TINY))
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def train(folders: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, object]:
    monkeypatch.setattr(sys, 'argv', [
        'train', '--run', str(folders / 'run'), '--bank', str(folders / 'bank'), '--validation',
        str(folders / 'validation'), '--batch', '14', '--steps-per-epoch', '15', '--warmup-steps',
        '2', '--ema-decay', '0.8', '--learning-rate', '0.02', '--threads', '1', *options])
    script.main()
    content: dict[str, object] = torch.load(folders / 'run' / 'last.pt', weights_only=True)
    return content


def test_it_learns_what_faces_show_resumes_and_is_exported(
        folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(folders, monkeypatch, '--max-steps', '15')
    save_bank(folders / 'bank' / 'part_00001.npz', drawn_expressions(28, 1))
    content = train(folders, monkeypatch, '--max-steps', '75', '--resume')
    assert first['state']['step'] == 15 and content['state']['step'] == 75
    assert content['state']['samples'] == 75 * 14
    metrics = content['metrics']
    assert metrics['six'] >= 75.0 and metrics['seven'] >= 75.0, 'chance is 17 and 14'
    assert metrics['units'] < 0.1
    spec = export.export_checkpoint(folders / 'run' / 'last.pt', folders / 'models',
                                    drawn_expressions(14))
    agreed(spec, content)


def agreed(spec: ModelSpec, content: dict[str, object]) -> None:
    """Compare the exported file with torch on faces that the export did not compare."""
    assert spec.parity['max_abs'] < 5e-3 and 'max_abs' in spec.parity
    temperature = spec.limits['calibration']['temperature']
    network = networks.ExpressionRecognizer(TINY)
    network.load_state_dict(content['average'])
    batch = script.batch_of(drawn_expressions(6, 3), CPU)
    with torch.no_grad():
        logits, affect, units = network.eval()(batch.color, batch.depth, batch.face)
    with open_engine(spec, 'openvino', 'fp32') as engine:
        said = engine({name: getattr(batch, name).numpy() for name in ('color', 'depth', 'face')})
        np.testing.assert_allclose(said['probabilities'], (logits / temperature).softmax(1),
                                   atol=0.01)
        np.testing.assert_allclose(said['affect'], affect, atol=0.01)
        np.testing.assert_allclose(said['units'], units, atol=0.01)
    assert spec.trained['command'].startswith(
        'python -m face_depth_ros.training.train_expression_recognizer')
    assert str(spec.path.parent) not in spec.path.read_text(), 'no path of a machine'


def test_a_batch_is_what_the_bank_says() -> None:
    bank = drawn_expressions(14)
    batch = script.batch_of(bank, CPU)
    known = bank.depth.isfinite()
    assert torch.equal(batch.depth[:, 1] > 0, known) and batch.depth.isfinite().all()
    assert torch.equal(batch.face[:, 0] > 0, bank.mask > 0)
    happy = int((bank.label == 3).nonzero()[0, 0])
    want = torch.tensor(VALENCE_AROUSAL[3]) * bank.strength[happy]
    torch.testing.assert_close(batch.affect[happy], want)


def test_variation_keeps_colour_depth_and_face_together() -> None:
    bank = drawn_expressions(14)
    batch = script.batch_of(bank, CPU)
    varied = script.vary(batch, 0.0, torch.Generator().manual_seed(0))
    gone = script.vary(batch, 1.0, torch.Generator().manual_seed(0))
    assert gone.depth.abs().max() == 0.0 and varied.depth.abs().max() > 0.0
    mirrored = (varied.depth.flip(3) - gone.depth).abs()
    assert mirrored.max() > 0.0
    for row in range(14):
        images = torch.cat([batch.depth[row], batch.color[row].mean(0, keepdim=True)])
        same, flipped = (torch.corrcoef(torch.stack([
            varied.depth[row, 0, 8:-8, 8:-8].flatten(),
            torch.roll(image[0], shift, (0, 1))[8:-8, 8:-8].flatten()]))[0, 1].abs()
            for image, shift in ((images, (0, 0)), (images.flip(2), (0, 0))))
        assert max(float(same), float(flipped)) > 0.3
    assert torch.equal(varied.label, batch.label) and torch.equal(varied.units, batch.units)


def test_settings_and_missing_banks_are_told(tmp_path: Path) -> None:
    for wrong in ({'batch': 0}, {'units_weight': -1.0}, {'without_depth': 1.5}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            script.Settings(**wrong)
    with pytest.raises(SettingsError, match='render_expression_bank'):
        script.GrowingBank(tmp_path)


def test_temperature_makes_sure_answers_humbler() -> None:
    label = torch.arange(14) % 7
    logits = torch.nn.functional.one_hot((label + (torch.arange(14) < 4)) % 7, 7) * 20.0
    assert export.calibration_error(logits, label) == pytest.approx(4 / 14, abs=1e-3)
    exact = torch.nn.functional.one_hot(label, 7) * 50.0
    assert export.calibration_error(exact, label) == 0.0
