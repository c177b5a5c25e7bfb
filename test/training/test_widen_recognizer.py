# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The paper's network begun from a student tells people apart as that does, and learns."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from drawn_identity_bank import drawn_bank
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.networks.face_recognizer import FaceRecognizerConfig
from face_depth_ros.networks.mask_guided_recognizer import (
    build_mask_guided_recognizer,
    MaskGuidedRecognizerConfig,
)
from face_depth_ros.training import train_face_recognizer
from face_depth_ros.training import widen_recognizer as script
from face_depth_ros.training.face_readings import open_student
from face_depth_ros.training.identity_bank import batch_of
from face_depth_ros.training.render_identity_bank import part_path, save_part
from face_depth_ros.training.run import open_fabric
import pytest
import torch

WIDE = MaskGuidedRecognizerConfig((48, 80, 128, 192), dimensions=130)
"""No width is a multiple of the shipped student's."""


def cosines(embeddings: torch.Tensor) -> torch.Tensor:
    """Compare each with each."""
    return embeddings @ embeddings.T


def test_the_wider_network_answers_as_the_student() -> None:
    """By colour and by depth, measured or estimated; with noise nearly so."""
    bank = drawn_bank(20, 2)
    student = open_student(find_model('face_recognizer'))
    rows = torch.arange(24)
    inputs = batch_of(bank, torch.arange(24, 40), torch.arange(16) % 2 == 0)
    for noise, least, most in ((0.0, 0.0, 1e-4), (0.01, 1e-4, 0.5)):
        torch.manual_seed(0)
        network = script.widened(student, bank, rows, WIDE, noise).eval()
        with torch.no_grad():
            for told, wanted in zip(network(*inputs), student(*inputs), strict=False):
                assert told.shape == (16, 130)
                assert float(cosines(wanted).std()) > 0.05
                apart = float((cosines(told) - cosines(wanted)).abs().max())
                assert least <= apart <= most


def test_blocks_that_say_nothing_can_learn() -> None:
    """Skips and the mask's first block add nothing at first, but get gradients."""
    torch.manual_seed(0)
    bank = drawn_bank(20, 2)
    network: Any = script.widened(open_student(find_model('face_recognizer')), bank,
                                  torch.arange(24), WIDE).train()
    color, depth = network.features(*batch_of(bank, torch.arange(8), torch.arange(8) % 2 == 0))
    (color[:, 0].square().sum() + depth[:, 0].square().sum()).backward()
    for pair in (network.color.stages[1][0].skip, network.depth.stages[3][0].skip,
                 network.mask.stages[0][0].second):
        assert not bool(pair[1].weight.any())
        assert bool(pair[1].weight.grad.any()) and bool(pair[0].weight.any())
    assert bool(network.color.stages[1][1].excitation.excite.weight.grad.any())


def test_layouts_without_a_place_are_refused() -> None:
    student, bank = open_student(find_model('face_recognizer')), drawn_bank(4, 2)
    for config, why in ((replace(WIDE, blocks=(2, 2, 2, 2)), r'needs \(1, 3, 4, 2\)'),
                        (replace(WIDE, widths=(48, 60, 128, 192)),
                         '60 channels have no place for the 72'),
                        (replace(WIDE, dimensions=40), '40 channels have no place for the 80')):
        with pytest.raises(SettingsError, match=why):
            script.widened(student, bank, torch.arange(4), config)


def test_training_goes_on_from_the_checkpoint(tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by the command, read by train_face_recognizer; the paper's layout takes part."""
    bank = drawn_bank(6, 2)
    save_part(part_path(tmp_path / 'bank', 0), bank)
    build = partial(build_mask_guided_recognizer, WIDE)
    monkeypatch.setattr(script, 'build_mask_guided_recognizer', lambda _: build())
    monkeypatch.setattr(train_face_recognizer, 'NETWORKS', {'mask_guided': build})
    out = tmp_path / 'widened' / 'small.pt'
    script.main([str(find_model('face_recognizer').path), str(out), '--bank',
                 str(tmp_path / 'bank')])
    settings = train_face_recognizer.Settings(
        run=str(tmp_path / 'run'), initial=str(out), batch=4, max_steps=1, max_minutes=1000.0,
        learning_rate=1e-6, warmup_steps=1)
    metrics = train_face_recognizer.train(settings, open_fabric(settings), bank,
                                          drawn_bank(3, 2, seed=1))
    assert set(metrics) == {'color', 'depth', 'both'}
    content = torch.load(tmp_path / 'run' / 'small.pt', weights_only=True)
    begun = torch.load(out, weights_only=True)
    assert content['config'] == begun['config']
    assert begun['began'] == find_model('face_recognizer').trained
    told = content['average']['recognizer.color.stem.0.weight'].float()
    torch.testing.assert_close(told, begun['average']['recognizer.color.stem.0.weight'],
                               rtol=0.02, atol=1e-3)


def test_kernels_on_blocks_are_kernels_on_pixels() -> None:
    """Also at the border, where both see nothing beyond the image."""
    torch.manual_seed(1)
    weight, image = torch.randn(5, 12, 3, 3), torch.randn(2, 3, 16, 16)
    wanted = torch.nn.functional.conv2d(torch.nn.functional.pixel_unshuffle(image, 2), weight,
                                        padding=1)
    told = torch.nn.functional.conv2d(image, script.blocks_as_pixels(weight), stride=2, padding=3)
    torch.testing.assert_close(told, wanted, rtol=1e-4, atol=1e-4)
    assert FaceRecognizerConfig().blocks == (1, 2, 3, 1)
