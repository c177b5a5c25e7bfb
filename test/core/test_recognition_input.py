# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.recognition_input import (
    area_weights,
    DEPTH_LIMIT,
    nearest,
    recognition_input,
    RELIEF_UNIT_M,
    SIZE,
)
import numpy as np
import pytest

N = 192


def face() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    axis = np.linspace(-1.0, 1.0, N)
    radius = axis[:, None] ** 2 + axis ** 2
    mask = np.where(radius < 0.5, 1, 0).astype(np.uint8)
    relief = np.where(mask > 0, 0.06 * radius - 0.03, np.nan).astype(np.float32)
    return np.full((SIZE, SIZE, 3), 77, np.uint8), relief, mask


def test_depth_stands_on_the_median_of_the_face() -> None:
    color, relief, mask = face()
    made = recognition_input(color, relief, mask)
    inside = made.mask[0] > 0
    assert made.color.shape == (3, SIZE, SIZE) and float(made.color.max()) == 77.0
    assert np.median(made.depth[0][inside]) == pytest.approx(0.0, abs=1e-6)
    assert np.all(made.depth[0][~inside] == -DEPTH_LIMIT)
    assert made.depth[0, 56, 56] == pytest.approx(
        (np.median(relief[mask > 0]) + 0.03) / RELIEF_UNIT_M, abs=0.02)


def test_any_constant_may_be_added_to_the_relief() -> None:
    color, relief, mask = face()
    moved = recognition_input(color, relief + np.float32(0.7), mask).depth
    np.testing.assert_allclose(moved, recognition_input(color, relief, mask).depth, atol=1e-5)


def test_holes_are_the_median_and_no_depth_at_all_is_flat() -> None:
    color, relief, mask = face()
    relief[90:100, 90:100] = np.nan
    made = recognition_input(color, relief, mask)
    assert made.depth[0, 55, 55] == 0.0
    empty = recognition_input(color, np.full_like(relief, np.nan), mask)
    assert set(np.unique(empty.depth)) == {0.0, -DEPTH_LIMIT}


def test_far_relief_is_bounded() -> None:
    color, relief, mask = face()
    relief[100, 100] = 5.0
    relief[60:66, 60:66] = -3.0
    depth = recognition_input(color, relief, mask).depth
    assert np.abs(depth).max() == DEPTH_LIMIT


def test_area_weights_agree_with_opencv() -> None:
    image = np.random.default_rng(0).random((N, N)).astype(np.float32)
    weights = area_weights(N)
    np.testing.assert_allclose(weights @ image @ weights.T,
                               cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA),
                               atol=1e-5)


def test_labels_of_the_own_grid_stay() -> None:
    labels = np.random.default_rng(1).integers(0, 7, (SIZE, SIZE)).astype(np.uint8)
    np.testing.assert_array_equal(nearest(labels), labels)


@pytest.mark.parametrize(('change', 'match'), [
    (lambda c, r, m: (c[:100], r, m), 'sees'),
    (lambda c, r, m: (c.astype(np.float32), r, m), 'sees'),
    (lambda c, r, m: (c, r[:100], m), 'one square grid'),
    (lambda c, r, m: (c, r, m.astype(np.int64)), 'uint8 labels'),
    (lambda c, r, m: (c, r, np.full_like(m, 9)), 'uint8 labels'),
])
def test_other_forms_are_refused(change, match) -> None:
    with pytest.raises(InvalidImageError, match=match):
        recognition_input(*change(*face()))
