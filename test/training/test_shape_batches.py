# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos to learn shapes from: varied in light, joined from two banks."""

from __future__ import annotations

from drawn_banks import drawn_bank
from face_depth_ros.training.shape_batches import inputs_of, joined, vary
import torch


def test_variation_changes_each_photo_in_its_own_way_and_mirrors_nothing() -> None:
    color = torch.full((6, 3, 112, 112), 100.0)
    color[..., 56:] = 180.0
    mask = torch.ones(6, 1, 112, 112)
    varied, hidden = vary(color, mask, torch.Generator().manual_seed(0))
    assert varied.shape == color.shape and hidden.shape == mask.shape
    assert float(varied.min()) >= 0.0 and float(varied.max()) <= 255.0
    means = varied.mean(dim=(1, 2, 3))
    assert len(means.unique()) == 6
    left, right = varied[..., :56].mean(dim=(1, 2, 3)), varied[..., 56:].mean(dim=(1, 2, 3))
    assert bool((right > left).all())
    share = 1.0 - hidden.mean(dim=(1, 2, 3))
    assert 0.0 < float(share.max()) < 0.1 and float(share.min()) == 0.0


def test_joined_banks_have_the_people_of_both() -> None:
    first, second = drawn_bank(3, 2), drawn_bank(2, 1, seed=5)
    bank = joined(first, second)
    assert len(bank) == 8 and bank.people == 5
    assert bank.person.tolist() == [0, 1, 2, 0, 1, 2, 3, 4]
    torch.testing.assert_close(bank.identity[bank.person[6:]], second.identity)
    assert second.person.tolist() == [0, 1]


def test_inputs_are_colour_and_labels() -> None:
    bank = drawn_bank(2, 2)
    color, mask = inputs_of(bank, torch.tensor([3, 0]))
    assert color.dtype == mask.dtype == torch.float32
    torch.testing.assert_close(color[0], bank.color[3].float())
    torch.testing.assert_close(mask[1, 0], bank.mask[0].float())
