# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import math

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.ellipses import ellipse_mask, Ellipses
import pytest
import torch


def ellipses(seed: int = 0) -> Ellipses:
    generator = torch.Generator().manual_seed(seed)
    return Ellipses(torch.rand(4, 12, 2, generator=generator) * 100.0 - 10.0,
                    torch.rand(4, 12, 2, generator=generator) * 15.0 + 1.0,
                    torch.rand(4, 12, generator=generator) * 3.0,
                    torch.rand(4, 12, generator=generator) < 0.7)


def test_backends_agree():
    compiled, expanded = (ellipse_mask(ellipses(), 70, 80, backend)
                          for backend in ('compiled', 'torch'))
    assert int(compiled.sum()) > 2000
    assert int((compiled != expanded).sum()) <= 3  # centres exactly on an outline


def test_area_and_axis_of_one_ellipse():
    angle = math.radians(30.0)
    one = Ellipses(torch.tensor([[[50.0, 40.0]]]), torch.tensor([[[25.0, 8.0]]]),
                   torch.tensor([[angle]]), torch.tensor([[True]]))
    mask = ellipse_mask(one, 90, 100)[0]
    assert float(mask.sum()) == pytest.approx(math.pi * 25.0 * 8.0, rel=0.02)
    row, column = mask.nonzero(as_tuple=True)
    spread = torch.cov(torch.stack([column, row]).float())
    seen = 0.5 * math.atan2(2.0 * float(spread[0, 1]), float(spread[0, 0] - spread[1, 1]))
    assert math.degrees(seen) == pytest.approx(30.0, abs=1.0)


def test_what_is_not_drawn_leaves_no_mark():
    drawn = ellipses()
    none = Ellipses(drawn.centres, drawn.axes, drawn.angles, torch.zeros_like(drawn.drawn))
    assert not bool(ellipse_mask(none, 70, 80).any())


def test_unknown_backend_is_refused():
    with pytest.raises(SettingsError, match="backend 'cuda' cannot draw"):
        ellipse_mask(ellipses(), 8, 8, 'cuda')
