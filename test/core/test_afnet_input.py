# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What AFNet-M sees: the part that the other recogniser sees, in its own sizes and ranges."""

from __future__ import annotations

from face_depth_ros.core.afnet_input import (
    afnet_input,
    afnet_planes,
    LEAST_KNOWN,
    part_of_labels,
    SIZE,
)
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.expression_input import DEPTH_LIMIT, expression_input, RELIEF_UNIT_M
from face_depth_ros.core.expression_input import SIZE as PART_PX
import numpy as np
import pytest

GENERATOR = np.random.default_rng(0)
COLOR = GENERATOR.integers(0, 256, (PART_PX, PART_PX, 3)).astype(np.uint8)
CROP = 200
YS, XS = np.mgrid[:CROP, :CROP] / CROP
MASK = (((XS - 0.5) / 0.3) ** 2 + ((YS - 0.5) / 0.4) ** 2 < 1).astype(np.uint8)
RELIEF = np.where(MASK > 0, 0.1 * (XS - 0.5), np.nan).astype(np.float32)


@pytest.mark.parametrize('size', [SIZE, 112])
def test_shapes_types_and_ranges(size: int) -> None:
    made = afnet_input(COLOR, RELIEF, MASK, None, size)
    assert {name: image.shape for name, image in made.items()} == {
        'texture': (3, size, size), 'depth': (3, size, size),
        'mask_1': (1, size // 4, size // 4), 'mask_2': (1, size // 8, size // 8)}
    for image in made.values():
        assert image.dtype == np.float32 and image.min() >= 0.0 and image.max() <= 1.0
    assert np.array_equal(made['depth'][0], made['depth'][2])
    assert set(np.unique(made['mask_1'])) == {0.0, 1.0}
    assert made['texture'].mean() == pytest.approx(COLOR.mean() / 255.0, abs=0.01)


def test_depth_is_brighter_the_nearer_and_0_where_missing() -> None:
    relief = RELIEF.copy()
    relief[90:110, 90:110] = np.nan
    image = afnet_input(COLOR, relief, MASK, None, PART_PX)['depth'][0]
    seen = expression_input(COLOR, relief, MASK).depth
    known = seen[1] > 0
    assert (image[~known] == 0.0).all() and (image[known] >= LEAST_KNOWN).all()
    np.testing.assert_allclose(image[known], (seen[0][known] / DEPTH_LIMIT + 1) / 2, atol=1e-6)
    row = image[PART_PX // 2]
    left, right = row[row > 0][0], row[row > 0][-1]
    assert left > 0.5 > right, 'relief grows to the right, so the left is nearer'
    slope = 0.1 * (0.3 - -0.3) / RELIEF_UNIT_M / DEPTH_LIMIT / 2
    assert left - right == pytest.approx(slope, rel=0.05)


def test_without_a_measurement_depth_is_0() -> None:
    made = afnet_input(COLOR, None, MASK, None, 112)
    assert not made['depth'].any() and made['mask_1'].any()


def test_the_labels_are_of_the_same_part_as_the_face() -> None:
    face = expression_input(COLOR, None, MASK).face[0] > 0
    labels = part_of_labels(MASK)
    assert (face == (labels > 0)).mean() > 0.995
    assert part_of_labels(np.arange(7, dtype=np.uint8).repeat(28)[None].repeat(196, 0)).max() == 6


def test_landmarks_are_pixels_of_the_part() -> None:
    points = np.full((68, 2), 64.0)
    points[48:] = [[40, 90], [90, 90], [90, 100], [40, 100]] * 5
    mask = afnet_input(COLOR, None, MASK, points, 128)['mask_1'][0]
    assert mask[95 // 4, 60 // 4] == 1.0 and mask[80 // 4, 64 // 4] == 0.0
    double = afnet_input(COLOR, None, MASK, points, 256)['mask_2'][0]
    assert (double == mask).mean() > 0.97, 'the same regions whatever the side'


def test_other_sides_and_images_are_refused() -> None:
    with pytest.raises(InvalidImageError, match='multiple of 16'):
        afnet_input(COLOR, RELIEF, MASK, None, 100)
    with pytest.raises(InvalidImageError, match='expected'):
        afnet_planes(COLOR[:5], np.zeros((2, 128, 128), np.float32),
                     np.zeros((128, 128), np.uint8), None)
    with pytest.raises(InvalidImageError, match='128, 128, 3'):
        afnet_input(COLOR[:5], RELIEF, MASK, None)
