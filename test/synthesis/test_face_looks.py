# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Looks of people as tensors: numbers of what they wear, and the textures made of them."""

from __future__ import annotations

from dataclasses import replace

from face_depth_ros.synthesis.appearance import Appearance
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_batches import FaceBatchRenderer
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.assets


@pytest.fixture(scope='module', name='renderer')
def small_renderer() -> FaceBatchRenderer:
    return FaceBatchRenderer(find_assets(), 'cpu', 96)


def looks(renderer: FaceBatchRenderer, count: int, **changes: object) -> list[Appearance]:
    return [replace(renderer.library.sample(np.random.default_rng(k), 0.0, 'train'), **changes)
            for k in range(count)]


def test_names_become_numbers(renderer: FaceBatchRenderer) -> None:
    library = renderer.library
    people = looks(renderer, 3)
    people[1] = replace(people[1], hair=None, glasses=None, brow=None)
    people[2] = replace(people[2], hair=library.hair[1], glasses=library.glasses[0])
    table = renderer.textures.table(people)
    assert len(table) == 3
    assert (int(table.hair[1]), int(table.glasses[1]), int(table.brow[1])) == (-1, -1, -1)
    assert (int(table.hair[2]), int(table.glasses[2])) == (1, 0)
    for row, look in enumerate(people):
        assert [library.skins[k] for k in table.skins[row]] == list(look.skins)
        assert library.irises[table.iris[row]] == look.iris
    part = table.take(torch.tensor([2, 0]))
    assert part.hair.tolist() == table.hair[[2, 0]].tolist() and len(part) == 2


def test_people_wear_what_others_have_and_stay_themselves(renderer: FaceBatchRenderer) -> None:
    library = renderer.library
    own = renderer.textures.table(looks(renderer, 2, hair=None, glasses=None))
    other = renderer.textures.table(looks(renderer, 2, hair=library.hair[2],
                                          glasses=library.glasses[0])[::-1])
    changed = own.wearing(other, torch.tensor([True, False]))
    assert changed.hair.tolist() == [2, -1] and changed.glasses.tolist() == [0, 0]
    assert torch.equal(changed.cloth_rgb, other.cloth_rgb)
    assert torch.equal(changed.skins, own.skins) and torch.equal(changed.hair_rgb, own.hair_rgb)


def test_textures_of_looks(renderer: FaceBatchRenderer) -> None:
    """Brows darken the skin under them; plain skins are near one colour; -1 is nothing."""
    textures = renderer.textures
    brow = renderer.library.brows[0]
    with_brow = textures.table(looks(renderer, 2, brow=brow, plain_skin=None))
    without = textures.table(looks(renderer, 2, brow=None, plain_skin=None))
    face, head, alpha = textures.skin(with_brow)
    bare, _, nothing = textures.skin(without)
    assert face.shape == (2, 3, 256, 256) and head.shape == (2, 3, 128, 128)
    assert float(nothing.abs().max()) == 0.0 and float(alpha.max()) > 0.5
    torch.testing.assert_close(face[alpha.expand_as(face) == 0], bare[alpha.expand_as(face) == 0])
    assert float((face - bare).abs().max()) > 0.01
    plain = textures.table(looks(renderer, 1, brow=None, plain_skin=(0.8, 0.7, 0.6),
                                 scalp_tint=0.0))
    mannequin = textures.skin(plain)[0]
    ratio = mannequin[0, 0] / mannequin[0, 2]
    assert float(ratio.std() / ratio.mean()) < 0.01
    assert textures.iris(plain).shape == (1, 3, 64, 64)
    assert textures.flat(plain).shape == (1, len(renderer.head.slot_names), 3)
    assert torch.allclose(textures.flat(plain)[0], plain.plain_rgb[0])
