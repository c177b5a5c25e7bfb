# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Batch normalisation into layers and out again: the answers stay."""

from __future__ import annotations

from typing import Any

from drawn_identity_bank import drawn_bank
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.networks.face_recognizer import build_face_recognizer
from face_depth_ros.networks.face_shape import build_face_shape, FaceShapeConfig
from face_depth_ros.training.face_readings import open_student
from face_depth_ros.training.folding import folded, load_folded, load_in_order, unfold
from face_depth_ros.training.identity_bank import batch_of
import pytest
import torch
from torch import nn


def test_a_shipped_network_goes_on_where_it_was() -> None:
    """Unfolded, it answers as the file does, and its normalisation fits what it sees."""
    shipped = open_student(find_model('face_recognizer'))
    network: Any = build_face_recognizer(shipped.config)
    bank = drawn_bank(8, 2)
    inputs = batch_of(bank, torch.arange(16), torch.arange(16) % 2 == 0)
    unfold(network, shipped, lambda n: n(*inputs))
    with torch.no_grad():
        for was, now in zip(shipped(*inputs), network(*inputs), strict=True):
            torch.testing.assert_close(now, was, atol=1e-4, rtol=1e-3)
        before = network.depth.normalize.running_mean.clone()
        network.train()
        network(*inputs)
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    spread = network.depth.normalize.running_var.sqrt()
    assert ((network.depth.normalize.running_mean - before).abs() < 0.05 * spread).all()


def test_a_file_of_another_network_is_refused() -> None:
    with pytest.raises(SettingsError, match=r'face_verifier.onnx lacks .* of another network than '
                                            'FaceRecognizer; export that again'):
        load_folded(folded(build_face_recognizer()), find_model('face_verifier'))


def test_a_network_whose_names_are_lost_is_taken_in_order() -> None:
    """The encoder of the shipped face shapes, normalised anew, describes faces as it did."""
    encoder: Any = build_face_shape(FaceShapeConfig(10, 10)).encoder
    shipped: Any = folded(encoder)
    load_in_order(shipped, find_model('face_shape'))
    bank = drawn_bank(8, 2)
    color, mask = bank.color.float(), bank.mask.float()[:, None]
    unfold(encoder, shipped, lambda network: network(color, mask))
    with torch.no_grad():
        was, now = shipped.features(color, mask), encoder.features(color, mask)
        torch.testing.assert_close(now, was, atol=1e-3, rtol=1e-3)
        assert float(was.std()) > 0.01
        before = encoder.narrow[1].running_mean.clone()
        encoder.train()
        encoder(color, mask)
    spread = encoder.narrow[1].running_var.sqrt()
    assert ((encoder.narrow[1].running_mean - before).abs() < 0.05 * spread).all()
    with pytest.raises(SettingsError, match=r'face_verifier.onnx has \d+ layers Conv of other '
                                            'sizes than the 21 of FaceShapeEncoder'):
        load_in_order(shipped, find_model('face_verifier'))
