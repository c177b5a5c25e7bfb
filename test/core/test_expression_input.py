# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What an expression recogniser sees: the part of the crop, relief on its own median, the face."""

from __future__ import annotations

import math

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.expression_input import (
    DEPTH_LIMIT,
    expression_input,
    LOWERED,
    PART,
    part_box,
    RELIEF_UNIT_M,
    SIZE,
)
from face_depth_ros.core.face_box import crop_color, FaceBox
import numpy as np
import pytest

COLOR = np.zeros((SIZE, SIZE, 3), np.uint8)


@pytest.mark.parametrize('roll', [0.0, 0.7, -2.0, math.pi])
def test_the_part_lies_below_the_middle_whatever_the_roll(roll):
    box = FaceBox(100.0, 80.0, 60.0, roll)
    part = part_box(box)
    assert part.side == pytest.approx(60.0 * PART) and part.roll == pytest.approx(box.roll)
    x, y = box.crop_from_image(100) @ (part.center_x, part.center_y, 1.0)
    assert (x, y) == pytest.approx((50.0, 50.0 + 100 * LOWERED))


@pytest.mark.parametrize('size', [128, 192, 256])
def test_mask_and_depth_lie_where_the_colour_lies(size):
    rng = np.random.default_rng(0)
    spot = np.zeros((size, size), np.uint8)
    y, x = (int(v * size) for v in (0.6, 0.35))
    spot[y - 8:y + 8, x - 8:x + 8] = 1
    box = FaceBox(size / 2, size / 2, float(size))
    color = crop_color(np.repeat(255 * spot[..., None], 3, 2), part_box(box), SIZE)
    relief = rng.normal(0.0, 0.001, (size, size)).astype(np.float32)
    relief[spot > 0] -= 0.02
    mask = np.ones((size, size), np.uint8)
    made = expression_input(color, relief, mask)
    seen = made.color[0] > 127
    nearer = made.depth[0] > 0.5 * 0.02 / RELIEF_UNIT_M
    assert (seen & nearer).sum() > 0.9 * (seen | nearer).sum() > 20
    outline = expression_input(color, None, spot).face[0] > 0
    assert (outline & seen).sum() > 0.9 * (outline | seen).sum()


def test_relief_stands_on_the_median_of_the_face_and_holes_are_unknown():
    relief = np.full((128, 128), 0.71, np.float32)
    relief[:, 90:] = 0.70
    relief[60:80, 30:50] = np.nan
    mask = np.ones((128, 128), np.uint8)
    mask[:, :20] = 0
    depth, known = expression_input(COLOR, relief, mask).depth
    assert abs(depth[known > 0].min()) < 1e-4
    assert depth.max() == pytest.approx(0.01 / RELIEF_UNIT_M, rel=1e-3)
    assert (depth[known == 0] == 0.0).all() and 0 < (known == 0).sum() < known.size / 2
    same = expression_input(COLOR, relief + np.float32(5.0), mask).depth
    np.testing.assert_allclose(same[0], depth, atol=1e-4)
    far = relief.copy()
    far[100:] = 9.0
    assert expression_input(COLOR, far, mask).depth.min() == -DEPTH_LIMIT


def test_nothing_measured_or_no_face_is_all_zero():
    mask = np.ones((192, 192), np.uint8)
    for relief, labels in ((None, mask), (np.full((192, 192), np.nan, np.float32), mask),
                           (np.ones((192, 192), np.float32), 0 * mask)):
        made = expression_input(COLOR, relief, labels)
        assert (made.depth == 0.0).all() and made.face.max() == labels.max()


@pytest.mark.parametrize(('color', 'relief', 'mask', 'words'), [
    (COLOR[:64], None, np.ones((128, 128), np.uint8), 'crops, got'),
    (COLOR.astype(np.float32), None, np.ones((128, 128), np.uint8), 'float32'),
    (COLOR, np.ones((64, 64), np.float32), np.ones((128, 128), np.uint8), 'one square grid'),
    (COLOR, None, np.ones((128, 64), np.uint8), 'one square grid'),
    (COLOR, None, np.full((128, 128), 7, np.uint8), 'labels 0 to 6'),
    (COLOR, None, np.ones((128, 128), np.int64), 'int64')])
def test_what_does_not_fit_is_refused(color, relief, mask, words):
    with pytest.raises(InvalidImageError, match=words):
        expression_input(color, relief, mask)
