# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training of depth baselines on a drawn bank, networks tiny: data, steps, resume, export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
from drawn_photos import drawn_records
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import FacePhoto, relief_to_grey
from face_depth_ros.engines import open_engine
from face_depth_ros.networks.cgan import build_cgan, build_cgan_discriminator, CganConfig
from face_depth_ros.networks.cui_fcn import build_cui_fcn, CuiFcnConfig
from face_depth_ros.networks.depthnet import (
    build_depthnet,
    build_depthnet_discriminators,
    DepthNetConfig,
)
from face_depth_ros.networks.pix2pix import (
    build_pix2pix,
    build_pix2pix_discriminator,
    Pix2PixConfig,
)
from face_depth_ros.synthesis.face_photo_bank import FacePhotoBank, save_part
from face_depth_ros.synthesis.face_photos import FacePhotoSource, TRAINING
from face_depth_ros.training import train_depth_baseline as script
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.depth_baselines import Baseline, BASELINES
from face_depth_ros.training.export_depth_baseline import export_checkpoint, fixed_inputs, main
from face_depth_ros.training.run import TrainingState
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch
from torch import nn

FABRIC = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())
CPU = torch.device('cpu')
SMALL_CGAN = CganConfig((4, 8), (6, 4), 32)


def tiny_baselines() -> dict[str, Baseline]:
    """The same networks and losses, small, at 32 x 32 pixels."""
    def depthnet(mask: bool) -> dict[str, Any]:
        return {'build': lambda width: build_depthnet(DepthNetConfig(width, 4, mask)),
                'judges': lambda width: build_depthnet_discriminators(
                    DepthNetConfig(width, 4, mask))}

    changes: dict[str, dict[str, Any]] = {
        'depthnet': depthnet(True), 'depthnet_no_mask': depthnet(False),
        'cgan': {'build': lambda width: build_cgan(SMALL_CGAN),
                 'judges': lambda width: {'depth': build_cgan_discriminator(SMALL_CGAN)}},
        'cgan_ae': {'build': lambda width: build_cgan(SMALL_CGAN)},
        'pix2pix': {'build': lambda width: build_pix2pix(Pix2PixConfig(width, 4)),
                    'judges': lambda width: {'depth': build_pix2pix_discriminator(
                        Pix2PixConfig(width, 4))}},
        'cui_fcn': {'build': lambda width: build_cui_fcn(CuiFcnConfig((4, 8), 4))}}
    return {name: replace(BASELINES[name], size=32, **change) for name, change in changes.items()}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, baseline in tiny_baselines().items():
        monkeypatch.setitem(BASELINES, name, baseline)


@pytest.fixture(name='source')
def drawn_source(tmp_path: Path) -> FacePhotoSource:
    save_part(tmp_path / 'bank', 0, drawn_records())
    return FacePhotoSource(FacePhotoBank(tmp_path / 'bank'), [], TRAINING, 64, backgrounds=3)


def settings(tmp_path: Path, network: str = 'depthnet', **changes: Any) -> script.Settings:
    """Return the settings of a run of a few steps."""
    values = {'run': str(tmp_path), 'network': network, 'max_steps': 4, 'batch_size': 2,
              'max_minutes': 1000.0, 'steps_per_epoch': 2, 'width': 2, 'validation_size': 4,
              **changes}
    return script.Settings(**values)


def weights(module: Any) -> list[torch.Tensor]:
    """Return copies of all that is trained."""
    return [p.detach().clone() for p in module.parameters()]


def same(module: Any, before: list[torch.Tensor]) -> bool:
    """Tell whether nothing was trained since."""
    return all(torch.equal(p, b) for p, b in zip(module.parameters(), before, strict=True))


def test_photos_as_networks_see_them(source: FacePhotoSource) -> None:
    """Colour in [-1, 1]; depth says where the face is; the mask says the same."""
    photos = [source.photo(i, np.random.default_rng(i)) for i in range(3)]
    same_size = replace(BASELINES['depthnet'], size=64)
    image, truth = script.to_tensors(photos, same_size, CPU)
    assert image.shape == (3, 3, 64, 64)
    for row, photo in enumerate(photos):
        np.testing.assert_allclose((image[row].permute(1, 2, 0) + 1) * 127.5, photo.color,
                                   atol=1e-3)
        np.testing.assert_allclose((truth['depth'][row, 0] + 1) * 127.5,
                                   relief_to_grey(photo.relief), atol=1e-3)
        np.testing.assert_array_equal(truth['mask'][row].argmax(dim=0), photo.mask)
    assert torch.equal(truth['depth'] > -1.0, truth['mask'][:, :1] == 0.0)


def test_grey_is_opencvs(source: FacePhotoSource) -> None:
    photo = source.photo(0, np.random.default_rng(0))
    image, _ = script.to_tensors([photo], replace(BASELINES['cgan'], size=64), CPU)
    assert image.shape == (1, 1, 64, 64)
    expected = cv2.cvtColor(photo.color, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose((image[0, 0] + 1) * 127.5, expected, atol=0.51)


def test_smaller_networks_see_the_same_photo(source: FacePhotoSource) -> None:
    """Colour is averaged; depth is taken as it is, never mixed across the face's border."""
    photo = source.photo(0, np.random.default_rng(0))
    image, truth = script.to_tensors([photo], BASELINES['depthnet'], CPU)
    mean = photo.color.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose((image[0].permute(1, 2, 0) + 1) * 127.5, mean, atol=0.51)
    assert set(truth['depth'].flatten().tolist()) <= set(
        (torch.from_numpy(relief_to_grey(photo.relief)) / 127.5 - 1.0).flatten().tolist())


@pytest.mark.parametrize('network', BASELINES)
def test_resume_goes_on_as_if_never_stopped(tmp_path: Path, source: FacePhotoSource,
                                            network: str) -> None:
    """Dropout, discriminators, both optimisers: the weights after are the same to the bit."""
    chosen = settings(tmp_path, network)
    whole = script.build(chosen, FABRIC)
    script.train_one_epoch(FABRIC, chosen, source, whole)
    script.save(tmp_path / 'last.pt', chosen, whole, {})
    resumed = script.build(settings(tmp_path, network, seed=5), FABRIC)
    script.load(tmp_path / 'last.pt', resumed)
    expected = script.train_one_epoch(FABRIC, chosen, source, whole)
    assert script.train_one_epoch(FABRIC, chosen, source, resumed) == expected
    assert same(resumed.average, weights(whole.average))
    assert (resumed.judges is None) == (network in ('cgan_ae', 'cui_fcn'))
    if resumed.judges is not None:
        assert same(resumed.judges, weights(whole.judges))
    assert script.is_done(chosen, resumed.state)
    assert resumed.state.samples == 8


def test_each_learns_on_its_own(tmp_path: Path, source: FacePhotoSource) -> None:
    """Discriminators learn without the generator, and its losses leave them alone."""
    chosen = settings(tmp_path)
    run = script.build(chosen, FABRIC)
    image, truth = script.draw_batch(chosen, source, run.state, FABRIC)
    images = run.model(image)
    generator_before, judges_before = weights(run.model), weights(run.judges)
    script.train_judges(FABRIC, chosen.baseline, run, image, images, truth)
    assert same(run.model, generator_before)
    assert not same(run.judges, judges_before)
    assert all(p.grad is None for p in run.model.parameters())
    scores = script.judge_without_learning(FABRIC, run, image, images)
    FABRIC.backward(torch.stack([s.sum() for s in scores.values()]).sum())
    assert all(p.grad is None for p in run.judges.parameters())
    assert all(p.requires_grad for p in run.judges.parameters())
    assert any(p.grad is not None and p.grad.any() for p in run.model.parameters())


def test_the_papers_adam(tmp_path: Path) -> None:
    """Both optimisers, both schedules."""
    for schedule in ('reduced', 'full'):
        run = script.build(settings(tmp_path, schedule=schedule), FABRIC)
        for optimizer in (run.optimizer, run.judges_optimizer):
            group = optimizer.param_groups[0]
            assert (group['lr'], group['betas']) == (2e-4, (0.5, 0.999))


def test_the_full_schedule(tmp_path: Path, source: FacePhotoSource) -> None:
    """The papers' batch; photos count, not minutes or steps."""
    full = settings(tmp_path, schedule='full', full_samples=100)
    image, _ = script.draw_batch(full, source, TrainingState(), FABRIC)
    assert len(image) == 16
    assert not script.is_done(full, TrainingState(step=10 ** 9, minutes=1e9, samples=99))
    assert script.is_done(full, TrainingState(samples=100))
    reduced = settings(tmp_path, max_minutes=1.0)
    assert script.is_done(reduced, TrainingState(minutes=1.0))
    assert not script.is_done(reduced, TrainingState(minutes=0.9, samples=10 ** 9))


class Constant(nn.Module):
    """Answers one grey level everywhere, and the mask's first class."""

    def __init__(self, grey: float) -> None:
        super().__init__()
        self.depth = grey / 127.5 - 1.0

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Answer the constant."""
        mask = torch.zeros(len(image), 7, *image.shape[2:])
        mask[:, 0] = 1.0
        return {'depth': torch.full_like(image[:, :1], self.depth), 'mask': mask}


def test_validation_counts_grey_levels() -> None:
    """Half the image a face of grey 200, answered by 180: 20 on the face, 100 with the rest."""
    relief = np.full((32, 32), np.nan, np.float32)
    relief[:16] = 0.15 - 200 * 0.25 / 255
    mask = np.where(np.isnan(relief), 0, 1).astype(np.uint8)
    photo = FacePhoto(np.zeros((32, 32, 3), np.uint8), relief, mask, np.zeros((68, 2), np.float32),
                      np.ones(68, bool))
    metrics = script.validate(Constant(180.0), BASELINES['depthnet'], [photo] * 3, CPU)
    assert metrics == pytest.approx({'l1': 100.0, 'l1_face': 20.0, 'mask_accuracy': 0.5},
                                    abs=1e-3)


def test_validation_photos_are_always_the_same(tmp_path: Path, source: FacePhotoSource) -> None:
    first, second = (script.validation_photos(settings(tmp_path, n), source)
                     for n in ('depthnet', 'cgan'))
    assert len(first) == 4
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.color, b.color)


@pytest.mark.parametrize('network', BASELINES)
def test_export_gives_what_torch_gives(tmp_path: Path, network: str) -> None:
    """Names, shapes and the running average, in the CPU engine."""
    chosen = settings(tmp_path, network)
    run = script.build(chosen, FABRIC)
    with torch.no_grad():
        for value in run.average.parameters():
            value.add_(0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1)))
    script.save(chosen.folder / 'last.pt', chosen, run, {'l1': 9.0})
    spec = export_checkpoint(chosen.folder / 'last.pt', tmp_path / 'models')
    assert spec.name == network
    assert spec.parity['by_precision']['fp32']['depth'] < 1e-4
    assert [o.name for o in spec.outputs] == (
        ['depth', 'mask'] if network == 'depthnet' else ['depth'])
    assert spec.inputs[0].name == ('grey' if network.startswith('cgan') else 'color')
    assert spec.number('near_m') == -0.1
    assert spec.number('far_m') == 0.15
    assert spec.number('face_from_grey') == 64.0
    example = fixed_inputs(BASELINES[network])
    ((_, image),) = example.items()
    run.average.eval()
    with torch.no_grad():
        expected = run.average(image / 127.5 - 1.0)
    with open_engine(spec, backend='openvino', precision='fp32') as engine:
        answer = engine({name: tensor.numpy() for name, tensor in example.items()})
    np.testing.assert_allclose(answer['depth'], expected['depth'], atol=1e-4)
    if network == 'depthnet':
        np.testing.assert_allclose(answer['mask'], expected['mask'].sigmoid(), atol=1e-4)
        trained = sum(p.numel() for p in run.average.parameters())
        assert spec.trained['parameters'] < trained


def test_export_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'train it with .*--network cui_fcn'):
        main(['cui_fcn', '--run', str(tmp_path), '--out', str(tmp_path)])


def test_resume_without_a_checkpoint(tmp_path: Path) -> None:
    run = script.build(settings(tmp_path, 'cui_fcn'), FABRIC)
    with pytest.raises(SettingsError, match='start without --resume'):
        script.load(tmp_path / 'last.pt', run)


@pytest.mark.parametrize(('change', 'message'), [
    ({'network': 'depthnetz'}, "network is 'depthnetz', expected one of depthnet, "),
    ({'schedule': 'short'}, "schedule is 'short', expected one of reduced, full"),
    ({'width': 0}, 'width is 0'), ({'full_samples': 0}, 'full_samples is 0')])
def test_bad_settings(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """All problems are said at construction."""
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path, **change)
