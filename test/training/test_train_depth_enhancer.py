# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of the depth enhancer on a tiny bank: it learns, resumes, exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.training import train_depth_enhancer as script
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.enhancement_data import FaceDepthBank
from face_depth_ros.training.export_depth_enhancer import export_checkpoint
from face_depth_ros.training.run import (
    is_over,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
    TrainingState,
)
from lightning.fabric import Fabric
import pytest
import torch

FABRIC = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())


def settings(**changes: Any) -> script.Settings:
    """Return the settings of a run of a few steps."""
    values = {'max_steps': 4, 'batch_size': 2, 'bank_size': 4, 'scene_bank_size': 4,
              'validation_size': 2, 'warmup_steps': 2, 'steps_per_epoch': 2, **changes}
    return script.Settings(**values)


@pytest.fixture
def banks(tmp_path: Path, write_bank: Callable[..., FaceDepthBank]) -> dict[str, FaceDepthBank]:
    """Hand-made banks instead of rendered ones."""
    return {'train': write_bank(tmp_path / 'train', 4),
            'scene': write_bank(tmp_path / 'scene', 4, scene=True),
            'validation': write_bank(tmp_path / 'validation', 2)}


def test_resume_goes_on_as_if_never_stopped(tmp_path: Path,
                                            banks: dict[str, FaceDepthBank]) -> None:
    """Two epochs in one go and with a stop between give the same next loss."""
    chosen = settings()
    whole = script.build(chosen, FABRIC)
    script.train_one_epoch(FABRIC, chosen, banks, whole)
    save_checkpoint(tmp_path / 'last.pt', chosen, whole, {})
    expected = script.train_one_epoch(FABRIC, chosen, banks, whole)

    torch.manual_seed(99)
    resumed = script.build(settings(seed=5), FABRIC)
    load_checkpoint(tmp_path / 'last.pt', resumed)
    assert resumed.state.step == 2
    got = script.train_one_epoch(FABRIC, chosen, banks, resumed)
    assert got == pytest.approx(expected, rel=1e-3)
    assert is_over(chosen, resumed.state)


def test_export_writes_a_spec_that_the_engine_runs(tmp_path: Path,
                                                   banks: dict[str, FaceDepthBank]) -> None:
    """From checkpoint to ONNX and spec; the exported file agrees with torch."""
    chosen = settings()
    run = script.build(chosen, FABRIC)
    metrics = script.validate(run.average, banks['validation'], FABRIC.device)
    assert 0 < metrics['filled'] < 0.1
    assert metrics['geometry'] == pytest.approx(metrics['filled'], rel=0.2)
    save_checkpoint(tmp_path / 'last.pt', chosen, run, metrics)
    spec = export_checkpoint(tmp_path / 'last.pt', tmp_path / 'models')
    assert spec.parity['max_abs'] < 1e-4
    assert ModelSpec.load(spec.path).read_onnx()
    assert spec.trained['samples'] == 0


def test_resume_without_checkpoint_says_so(tmp_path: Path) -> None:
    """Not a silent fresh start."""
    run = script.build(settings(), FABRIC)
    with pytest.raises(SettingsError, match='no checkpoint at'):
        load_checkpoint(tmp_path / 'last.pt', run)


def test_all_problems_of_settings_at_once() -> None:
    """One message for everything that is wrong."""
    with pytest.raises(SettingsError, match='max_minutes.*ema_decay.*batch_size 8 exceeds'):
        settings(max_minutes=0.0, ema_decay=1.0, batch_size=8, bank_size=4)


def test_learning_rate_warms_up_and_ends_low() -> None:
    """The schedule follows the nearer end of both budgets."""
    chosen = settings(max_steps=100, warmup_steps=10)
    start = learning_rate(chosen, TrainingState(step=0))
    middle = learning_rate(chosen, TrainingState(step=20))
    end = learning_rate(chosen, TrainingState(step=20, minutes=1e9))
    assert start < middle
    assert end == pytest.approx(0.01 * chosen.learning_rate)
