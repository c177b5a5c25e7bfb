# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Attacks have the shapes that their names say."""

from __future__ import annotations

from face_depth_ros.core.depth_guard import surface_shape
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.presentation_attacks import ATTACKS, inside_out, render_attack
import pytest
import torch

SIZE = 128


def render(kind: str, batch: int = 12, seed: int = 0) -> torch.Tensor:
    """Return a few attacks of a kind."""
    return render_attack(kind, batch, SIZE, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('kind', ATTACKS)
def test_attacks_fill_the_middle_and_are_deterministic(kind: str) -> None:
    """A thing of the size of a face within reach of the camera; the seed decides."""
    depth = render(kind)
    assert depth.shape == (12, SIZE, SIZE)
    middle = depth[:, 60:68, 60:68]
    assert middle.isfinite().float().mean() > 0.9
    known = depth[depth.isfinite()]
    assert 0.2 < known.min() < known.max() < 1.6
    torch.testing.assert_close(render(kind), depth, equal_nan=True)
    assert not torch.equal(render(kind, seed=1).nan_to_num(), depth.nan_to_num())


@pytest.mark.parametrize(('kind', 'lowest', 'highest'), [
    ('flat print', -0.1, 0.1), ('bent print', 2.0, 60.0), ('print bent inwards', -60.0, -2.0),
    ('ball', 10.0, 80.0)])
def test_bulge_is_that_of_the_kind(kind: str, lowest: float, highest: float) -> None:
    """Flat, towards the camera, away from it; all too smooth for a face."""
    for depth in render(kind):
        shape = surface_shape(depth.numpy(), 0.25)
        assert lowest < 1e3 * shape.bulge < highest
        assert shape.relief < 0.0023


def test_inside_out_turns_near_and_far_around() -> None:
    """The nearest point becomes the farthest, within the same distances."""
    depth = render('ball', 3)
    turned = inside_out(depth)
    assert torch.equal(turned.isnan(), depth.isnan())
    for before, after in zip(depth, turned, strict=True):
        known = before.isfinite()
        assert before[known].argmin() == after[known].argmax()
        torch.testing.assert_close(before[known].min(), after[known].min())
    torch.testing.assert_close(inside_out(turned), depth, equal_nan=True)


def test_unknown_attack() -> None:
    """What there is stands in the message."""
    with pytest.raises(SettingsError, match="'mask' is not known, expected one of flat print"):
        render('mask')
