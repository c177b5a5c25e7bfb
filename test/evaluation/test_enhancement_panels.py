# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Panels of one face under every enhancer: what is drawn where."""

from __future__ import annotations

from face_depth_ros.core.depth_view import HOLE_RGB
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.evaluation.enhancement_panels import d_scale, depth_tile, panel
from face_depth_ros.evaluation.enhancer_rows import OURS
import numpy as np
import pytest

TILE, STEP, LABEL = 200, 206, 27


def flat(d: float) -> np.ndarray:
    return np.full((256, 256), d, np.float32)


def middle(picture: np.ndarray, line: int, column: int) -> tuple[int, ...]:
    y = line * (TILE + LABEL + 6) + LABEL + TILE // 2
    return tuple(int(v) for v in picture[y, column * STEP + TILE // 2])


def test_filters_above_learned_below_in_the_order_of_the_tables() -> None:
    ramp = np.linspace(0.1, 0.8, 256, dtype=np.float32)[:, None].repeat(256, 1)
    truth = {'truth': ramp, 'degraded': flat(1.0)}
    picture = panel({OURS: ramp, 'DDRNet-dn': flat(1.0), 'DL-Alpha': flat(0.8),
                     'DL-Beta': flat(0.1), 'Hf-L': flat(0.8), 'De-M2': flat(1.0)}, truth)
    assert picture.shape == (2 * (TILE + LABEL + 6), 4 * STEP - 6, 3)
    assert middle(picture, 0, 1) == middle(picture, 0, 2) == middle(picture, 1, 2) == HOLE_RGB
    far, near = middle(picture, 1, 0), middle(picture, 1, 1)
    assert near[0] > 2 * near[2]  # near is red, far is blue
    assert far[2] > 2 * far[0]
    assert far == middle(picture, 0, 3)
    assert middle(picture, 1, 3) == middle(picture, 0, 0)  # ours equals the truth


def test_few_learned_ones_share_the_lines_of_the_others() -> None:
    picture = panel({OURS: flat(1.0), 'Hf-L': flat(0.8)}, {'truth': flat(0.3),
                                                           'degraded': flat(1.0)})
    assert picture.shape[1] == 2 * STEP - 6
    assert middle(picture, 1, 1) == HOLE_RGB
    assert middle(picture, 1, 0) != HOLE_RGB


def test_what_lies_outside_the_mask_is_light() -> None:
    mask = np.zeros((256, 256), bool)
    mask[:, :128] = True
    tile = depth_tile(flat(0.3), d_scale(flat(0.3), mask), mask)
    assert (tile[:, 128:] > 225).all()
    assert (tile[:, :128].min(axis=-1) < 200).all()


def test_colour_is_shown_as_it_is_and_small_images_are_enlarged() -> None:
    color = np.full((100, 100, 3), (10, 200, 30), np.uint8)
    picture = panel({}, {'color': color, 'depth': flat(0.3)})
    assert middle(picture, 0, 0) == (10, 200, 30)


def test_the_first_depth_image_sets_the_scale() -> None:
    scale = d_scale(np.linspace(0.0, 0.4, 256 * 256, dtype=np.float32).reshape(256, 256))
    assert scale.near == pytest.approx(0.6, abs=0.015)
    assert scale.far == pytest.approx(0.7, abs=0.015)


def test_a_panel_of_colour_alone_is_refused() -> None:
    with pytest.raises(InvalidImageError, match='at least one depth image'):
        panel({}, {'color': np.zeros((9, 9, 3), np.uint8)})
