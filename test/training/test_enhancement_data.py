# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pairs for the depth enhancer; no assets needed: the bank is made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.training.enhancement_data import (
    BankImages,
    decode,
    DegradationMix,
    encode,
    FaceDepthBank,
    make_batch,
    pair,
    SIZE,
    vary,
)
import numpy as np
import pytest
import torch

BankWriter = Callable[..., FaceDepthBank]


def test_codes_round_trip() -> None:
    """16 bit over 25 cm loses less than 2 micrometres; nothing stays nothing."""
    d = torch.rand(2, 8, 8)
    d[0, 0, 0] = 1.0
    back = decode(encode(d).to(torch.int32))
    assert (back - d).abs().max() < 1e-5
    assert back[0, 0, 0] == 1.0


def test_paper_pairs_keep_the_truth(tmp_path: Path, write_bank: BankWriter,
                                     dome: Callable[[int], torch.Tensor]) -> None:
    """Without a mix the truth is the rendered one, unvaried, in the degraded image's range."""
    bank = write_bank(tmp_path / 'bank', 3)
    generator = torch.Generator().manual_seed(0)
    batch = make_batch(bank, np.arange(3), generator, None)
    truth = dome(3)[:, None]
    on_surface = batch.surface > 0
    assert on_surface.sum() == truth.isfinite().sum()
    offset = (truth[on_surface] - 0.25 * batch.truth[on_surface])
    assert offset.std() < 1e-3
    assert 0.03 < 1 - batch.valid[on_surface].mean() < 0.4


def test_batches_are_deterministic(tmp_path: Path, write_bank: BankWriter) -> None:
    """The same generator state gives the same batch."""
    bank = write_bank(tmp_path / 'bank', 4, scene=True)
    first, second = (make_batch(bank, np.arange(4), torch.Generator().manual_seed(7),
                                DegradationMix()) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
        assert a.isfinite().all()


def test_what_hides_the_head_is_no_surface(tmp_path: Path, write_bank: BankWriter) -> None:
    """A hand before the face must not be taught to be face."""
    images = write_bank(tmp_path / 'bank', 1, scene=True).read(np.arange(1), torch.device('cpu'))
    assert images.truth[0, :40].isnan().all()
    assert images.truth[0, 60:200, 128].isfinite().all()


def test_vary_moves_truth_and_scene_together(dome: Callable[[int], torch.Tensor]) -> None:
    """Where the truth is known the scene is the truth."""
    depth = dome(6)
    scene = torch.where(depth.isnan(), 0.8, depth)
    varied = vary(BankImages(depth, scene, torch.full((6,), 700.0)),
                  torch.Generator().manual_seed(1))
    known = varied.truth.isfinite()
    torch.testing.assert_close(varied.truth[known], varied.scene[known])
    assert ((varied.scene[~known] - 0.8).abs() < 1e-4).float().mean() > 0.99
    assert not torch.equal(known[0], known[1])


def test_pair_of_nothing_is_finite() -> None:
    """An image without any depth must not poison a training run with NaN."""
    nothing = torch.full((1, SIZE, SIZE), torch.nan)
    for tensor in pair(nothing, nothing):
        assert tensor.isfinite().all()


@pytest.mark.parametrize('shares', [{'mild': 0.8, 'sensor': 0.3}, {'surroundings': 1.2}])
def test_mix_beyond_one_is_refused(shares: dict[str, float]) -> None:
    """Shares are probabilities."""
    with pytest.raises(SettingsError, match='exceed 1'):
        DegradationMix(**shares)


def test_attacks_are_no_surface(tmp_path: Path, write_bank: BankWriter) -> None:
    """What stands in the place of a face is seen, but taught to be no face."""
    bank = write_bank(tmp_path / 'bank', 8)
    generator = torch.Generator().manual_seed(0)
    batch = make_batch(bank, np.arange(8), generator, DegradationMix(attacks=1.0))
    assert not batch.surface.any()
    assert (batch.valid.mean(dim=(1, 2, 3)) > 0.1).all()
    none = make_batch(bank, np.arange(8), generator, DegradationMix(attacks=0.0))
    assert (none.surface.mean(dim=(1, 2, 3)) > 0.1).all()


def test_scenes_keep_their_faces(tmp_path: Path, write_bank: BankWriter) -> None:
    """Attacks replace heads that stand alone, never those of a rendered scene."""
    bank = write_bank(tmp_path / 'bank', 4, scene=True)
    batch = make_batch(bank, np.arange(4), torch.Generator().manual_seed(0),
                       DegradationMix(attacks=1.0))
    assert (batch.surface.mean(dim=(1, 2, 3)) > 0.05).all()
