# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Steps down in two halves: the same answers where they need no more, the nearest ones else."""

from __future__ import annotations

from typing import Any

from face_depth_ros.networks.compact_trunk import step_down
from face_depth_ros.training.folding import folded
from face_depth_ros.training.low_rank_steps import halves, whole_step
import pytest
import torch
from torch import nn


def drawn_step(rank: int) -> Any:
    """Return a step of 6 to 8 channels whose answers have so many dimensions."""
    torch.manual_seed(0)
    step: Any = nn.Conv2d(6, 8, 3, 2, 1)
    mix = torch.randn(8, rank) @ torch.randn(rank, 8)
    with torch.no_grad():
        step.weight.copy_(torch.einsum('oi,ijkl->ojkl', mix, step.weight) / 8.0)
    return step


def error(parted: nn.Module, step: nn.Module, seen: torch.Tensor) -> float:
    with torch.no_grad():
        return float((parted(seen) - step(seen)).square().mean())


def test_what_needs_few_channels_is_told_the_same() -> None:
    step, seen = drawn_step(3), torch.randn(5, 6, 16, 16)
    parted = halves(step, [step(seen[:2]), step(seen[2:4])], 3)
    assert error(parted, step, seen) < 1e-9
    weight, bias = whole_step(parted)
    torch.testing.assert_close(weight, step.weight, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(bias, step.bias, atol=1e-5, rtol=1e-4)
    assert whole_step(step)[0] is step.weight


def test_answers_are_the_nearest_of_so_many_dimensions() -> None:
    """Not those of weights: inputs that lie far from 0 move what is kept."""
    step, seen = drawn_step(8), torch.randn(4, 6, 16, 16) + 3.0
    seen[:, :3] *= 4.0
    answers = step(seen)
    errors = [error(halves(step, [answers], rank), step, seen) for rank in (1, 3, 5, 8)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 1e-6
    # The least that any three axes can leave over, from the spectrum of what is told.
    flat = answers.detach().transpose(0, 1).flatten(1)
    spectrum = torch.linalg.eigvalsh(torch.cov(flat, correction=0))
    assert errors[1] == pytest.approx(float(spectrum[:-3].sum()) / 8.0, rel=1e-3)


def test_halves_can_be_parted_again() -> None:
    step, seen = drawn_step(3), torch.randn(4, 6, 16, 16)
    once = halves(step, [step(seen)], 5)
    again = halves(once, [once(seen)], 3)
    assert again[0].out_channels == 3 and error(again, step, seen) < 1e-9


def test_halves_fit_the_folded_network() -> None:
    step, seen = drawn_step(8), torch.randn(2, 6, 16, 16)
    parted, place = halves(step, [step(seen)], 5), folded(step_down(6, 5, 8))
    place.load_state_dict(parted.state_dict())
    torch.testing.assert_close(place(seen), parted(seen))
