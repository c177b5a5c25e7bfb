# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Export of recognisers: the same answers by the engine, and a calibration that can be read."""

from __future__ import annotations

from functools import partial
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drawn_identity_bank import drawn_bank
from face_depth_ros.core.identity_calibration import read_calibrations
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.core.recognition_input import DEPTH_LIMIT, SIZE
from face_depth_ros.engines import open_engine
from face_depth_ros.networks.face_recognizer import build_face_recognizer, FaceRecognizerConfig
from face_depth_ros.networks.mask_guided_recognizer import (
    build_mask_guided_recognizer,
    MaskGuidedRecognizerConfig,
)
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer
from face_depth_ros.training import export_face_recognizer as script
from face_depth_ros.training import folding, identity_validation, train_face_recognizer
from face_depth_ros.training.identity_bank import batch_of
from face_depth_ros.training.train_face_recognizer import save_small, Settings
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch
from torch import nn

FABRIC = Fabric(accelerator='cpu', devices=1)
SMALL = {'mask_guided': partial(build_mask_guided_recognizer, MaskGuidedRecognizerConfig(
             (8, 12, 16, 24), (1, 1, 1, 1), squeeze=4)),
         'student': partial(build_face_recognizer, FaceRecognizerConfig(
             (8, 12, 16, 24), (1, 1, 1, 1), (4, 6, 8), 16))}


def looked_around(network: nn.Module) -> nn.Module:
    """Let batch normalisation see drawn people."""
    bank = drawn_bank(8, 2)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(*batch_of(bank, torch.arange(16), torch.arange(16) % 2 == 0))
    return network.eval()


@pytest.mark.parametrize('kind', ['student', 'mask_guided'])
def test_folding_keeps_the_answers(kind: str) -> None:
    torch.manual_seed(0)
    network = looked_around(SMALL[kind]())
    module = folding.folded(network)
    inputs = tuple(script.fixed_inputs().values())
    with torch.no_grad():
        for was, now in zip(network(*inputs), module(*inputs), strict=True):
            torch.testing.assert_close(now, was, atol=1e-5, rtol=1e-4)
    left = [name for name, m in module.named_modules() if isinstance(m, nn.BatchNorm1d)]
    assert left == []
    assert sum(isinstance(m, nn.BatchNorm2d) for m in module.modules()) < sum(
        isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_the_inputs_of_parity_are_a_face_and_noise() -> None:
    inputs = script.fixed_inputs()
    assert {k: tuple(v.shape) for k, v in inputs.items()} == {
        'color': (2, 3, SIZE, SIZE), 'depth': (2, 1, SIZE, SIZE), 'mask': (2, 1, SIZE, SIZE)}
    assert float(inputs['depth'].abs().max()) <= DEPTH_LIMIT
    assert torch.equal(inputs['mask'], inputs['mask'].round())
    assert all(torch.equal(v, script.fixed_inputs()[k]) for k, v in inputs.items())


def export(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ModelSpec, Any]:
    """Export a network that has seen drawn people; also return it."""
    monkeypatch.setattr(train_face_recognizer, 'NETWORKS', SMALL)
    monkeypatch.setattr(script, 'NETWORKS', SMALL)
    bank = drawn_bank(12, 3, noise=0.05)
    chosen = Settings(run=str(tmp_path), network=kind, batch=8)
    run = train_face_recognizer.build(chosen, FABRIC, bank)
    looked_around(run.average.recognizer)
    save_small(tmp_path / 'small.pt', chosen, run, {'both': 50.0})
    return (script.export_checkpoint(tmp_path / 'small.pt', tmp_path / 'models', bank),
            run.average.recognizer)


@pytest.mark.parametrize(('kind', 'name', 'width'), [
    ('student', 'face_recognizer', 16), ('mask_guided', 'mask_guided_recognizer', 256)])
def test_export_answers_as_torch_does_and_knows_what_a_cosine_says(
        tmp_path: Path, kind: str, name: str, width: int,
        monkeypatch: pytest.MonkeyPatch) -> None:
    spec, network = export(tmp_path, kind, monkeypatch)
    assert spec.name == name and spec.task == 'face recognition'
    assert spec.sha256 == hashlib.sha256(spec.onnx.read_bytes()).hexdigest()
    assert [i.name for i in spec.inputs] == ['color', 'depth', 'mask']
    assert [o.name for o in spec.outputs] == list(script.OUTPUTS)
    assert spec.outputs[0].shape[-1] == width
    assert 0 <= spec.parity['max_abs'] < 5e-3
    calibrations = read_calibrations(spec.name, spec.limits['calibration'])
    assert set(calibrations) == {'color', 'depth', 'color+depth'}
    for calibration in calibrations.values():
        assert calibration.probability(1.0) > calibration.probability(-0.5)
        assert calibration.threshold(0.001) >= calibration.threshold(0.1)
    assert set(spec.metrics['rank_1']) == {
        'color', 'depth, estimated depth', 'depth, measured depth',
        'color+depth, estimated depth', 'color+depth, measured depth'}
    assert spec.metrics['rank_1']['color'] > 50.0  # one of twelve by chance
    inputs = batch_of(drawn_bank(3, 1), torch.arange(3), torch.zeros(3, dtype=torch.bool))
    with open_engine(spec, backend='openvino', precision='fp32') as engine:
        said = engine({n: v.numpy() for n, v in zip(('color', 'depth', 'mask'), inputs,
                                                    strict=True)})
        with torch.no_grad():
            wanted = network(*inputs)
        for output, embedding in zip(script.OUTPUTS, wanted, strict=True):
            np.testing.assert_allclose(said[output], embedding.numpy(), atol=5e-3)
            np.testing.assert_allclose(np.linalg.norm(said[output], axis=1), 1.0, atol=1e-3)


def test_people_are_measured_by_gallery_and_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the same vector is the same person: all are identified, by either modality."""
    bank = drawn_bank(12, 2)

    def by_person(_: object, looked_at: object, measured: bool) -> dict[str, np.ndarray]:
        vectors = np.eye(12, dtype=np.float32)[bank.person.numpy()]
        noise = 0.02 * np.random.default_rng(int(measured)).normal(size=(2, *vectors.shape))
        noisy = vectors + noise
        color, depth = noisy / np.linalg.norm(noisy, axis=2, keepdims=True)
        return {'color': color, 'depth': np.roll(depth, 1, axis=0) if measured else depth}

    monkeypatch.setattr(script, 'embeddings', by_person)
    spec: Any = SimpleNamespace(normalisation={}, path=Path('drawn.yaml'))
    found = script.measure(spec, bank)
    ranks = found['metrics']['rank_1']
    assert ranks['color'] == ranks['depth, estimated depth'] == 100.0
    assert ranks['color+depth, estimated depth'] == 100.0
    assert ranks['depth, measured depth'] == 100.0  # all are turned alike: probes and gallery
    assert found['calibration']['color']['genuine_pairs'] == 24
    assert found['calibration']['color']['impostor_pairs'] == 2 * 12 * 11


@pytest.mark.assets
def test_photos_of_the_calibration_are_rendered_once(assets_folder: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_validation, 'VALIDATION_PEOPLE', 2)
    monkeypatch.setattr(identity_validation, '_PEOPLE_OF_PART', 1)
    monkeypatch.setattr(identity_validation, 'PROBES_EACH', 1)
    monkeypatch.setattr(identity_validation, 'IdentityPhotographer',
                        lambda *given, **_: IdentityPhotographer(*given, backgrounds=2))
    bank = identity_validation.validation_bank(tmp_path, str(assets_folder))
    assert bank.people == 2 and 8 <= len(bank) <= 10
    first = (tmp_path / 'part_00000.npz').stat().st_mtime_ns
    assert len(identity_validation.validation_bank(tmp_path, str(assets_folder))) == len(bank)
    assert (tmp_path / 'part_00000.npz').stat().st_mtime_ns == first
