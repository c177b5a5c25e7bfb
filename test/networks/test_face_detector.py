# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The face detector's network."""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.face_detector import (
    build_face_detector,
    ExportedFaceDetector,
    FaceDetectorConfig,
    SIZE_MULTIPLE,
    STRIDE,
)
import pytest
import torch

TINY = FaceDetectorConfig(stem=(4, 6), widths=(8, 10, 12), blocks=(1, 1, 1), neck=8)


@pytest.mark.parametrize('size', [(32, 32), (96, 64), (256, 320)])
def test_maps_have_a_cell_per_eight_pixels(size: tuple[int, int]) -> None:
    network = build_face_detector(TINY).eval()
    maps = network(torch.zeros(2, 3, *size))
    cells = (size[0] // STRIDE, size[1] // STRIDE)
    assert maps.score.shape == (2, 1, *cells)
    assert maps.box.shape == (2, 5, *cells)
    assert maps.landmarks.shape == (2, 10, *cells)


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = build_face_detector(TINY)
    for module in network.modules():  # residual branches start at zero gain: open them
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    maps = network(torch.rand(2, 3, 64, 64) * 255.0)
    sum((m ** 2).sum() for m in maps).backward()
    without = [name for name, p in network.named_parameters()
               if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_a_fresh_network_sees_faces_nowhere() -> None:
    network = ExportedFaceDetector(build_face_detector(TINY)).eval()
    score, _, _ = network(torch.rand(1, 3, 64, 64) * 255.0)
    assert 0.0 < float(score.detach().max()) < 0.2


def test_images_of_a_batch_do_not_touch_each_other() -> None:
    torch.manual_seed(1)
    network = build_face_detector(TINY).eval()
    images = torch.rand(3, 3, 64, 96) * 255.0
    together = network(images)
    alone = network(images[1:2])
    for all_maps, own in zip(together, alone, strict=True):
        torch.testing.assert_close(all_maps[1:2], own, rtol=1e-4, atol=1e-5)


def test_a_shifted_image_gives_shifted_maps() -> None:
    torch.manual_seed(2)
    network = build_face_detector(TINY).eval()
    image = torch.full((1, 3, 640, 640), 127.5)
    image[:, :, 288:352, 288:352] = torch.rand(1, 3, 64, 64) * 255.0
    shifted = torch.roll(image, SIZE_MULTIPLE, dims=3)
    cells = SIZE_MULTIPLE // STRIDE
    expected = torch.roll(network(image).score, cells, dims=3)
    middle = slice(30, 50)
    torch.testing.assert_close(network(shifted).score[..., middle, middle],
                               expected[..., middle, middle], rtol=1e-4, atol=1e-5)


def test_normalisation_is_not_a_weight() -> None:
    names = build_face_detector(TINY).state_dict()
    assert 'mean' not in names and 'scale' not in names


def test_the_shipped_size_is_small() -> None:
    count = sum(p.numel() for p in build_face_detector().parameters())
    assert count < 2_000_000


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(SettingsError, match='cannot be built'):
        FaceDetectorConfig(neck=0)
    with pytest.raises(SettingsError, match='three block counts'):
        FaceDetectorConfig(blocks=(1, 1, -1))
