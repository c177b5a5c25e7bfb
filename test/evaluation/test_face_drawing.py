# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Mask and landmarks lie where they belong, at every size of the picture."""

from __future__ import annotations

from face_depth_ros.core.face_photo import MASK_RGB
from face_depth_ros.evaluation.face_drawing import (
    blend_mask,
    draw_landmarks,
    MASK_SHARE,
    OUTLINE_RGB,
)
import numpy as np
import pytest

GREY = 100


def picture(height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def test_classes_are_half_transparent_and_background_stays() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:60] = 1
    mask[25:35, 35:45] = 5
    blended = blend_mask(picture(), mask)
    for (row, column), label in (((15, 30), 1), ((30, 40), 5)):
        expected = GREY * (1 - MASK_SHARE) + np.array(MASK_RGB[label]) * MASK_SHARE
        np.testing.assert_allclose(blended[row, column], expected, atol=1)
    assert (blended[:9] == GREY).all()
    assert (blended[:, 62:] == GREY).all()


@pytest.mark.parametrize('factor', [0.5, 1, 2.5])
def test_mask_scales_with_the_picture_and_has_an_outline(factor: float) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 30:50] = 1
    size = (round(60 * factor), round(80 * factor))
    blended = blend_mask(picture(*size), mask)
    for drawn in ((blended != GREY).any(axis=2), (blended == OUTLINE_RGB).all(axis=2)):
        rows, columns = np.nonzero(drawn)
        for found, first, last in ((rows, 20, 40), (columns, 30, 50)):
            assert abs(found.min() - first * factor) <= 2
            assert abs(found.max() + 1 - last * factor) <= 2
    assert tuple(blended[size[0] // 2, size[1] // 2]) == (162, 136, 112)


def test_nothing_to_draw() -> None:
    canvas = picture()
    np.testing.assert_array_equal(blend_mask(canvas, np.zeros((60, 80), np.uint8)), canvas)
    draw_landmarks(canvas, np.full((68, 3), np.nan, np.float32))
    assert (canvas == GREY).all()


def points() -> np.ndarray:
    """Return 68 points of which every curve has a row of its own, all visible."""
    rows = np.zeros((68, 3), np.float32)
    starts = (0, 17, 22, 27, 31, 36, 42, 48, 60, 68)
    for i, (first, end) in enumerate(zip(starts, starts[1:], strict=False)):
        rows[first:end, 0] = np.linspace(10, 70, end - first)
        rows[first:end, 1] = 5.5 + 6 * i
    rows[:, 2] = 1.0
    return rows


def test_curves_join_their_points_and_no_others() -> None:
    canvas = picture()
    draw_landmarks(canvas, points())
    drawn = canvas != GREY
    for i in range(9):
        assert drawn[5 + 6 * i, 12:68].all()
    # Between the rows is nothing: no curve runs into the next one.
    between = np.concatenate([np.arange(8 + 6 * i, 10 + 6 * i) for i in range(8)])
    assert not drawn[between].any()


def test_hidden_points_are_darker() -> None:
    canvas, hidden = picture(), points()
    hidden[17:22, 2] = 0.2
    draw_landmarks(canvas, hidden)
    assert (canvas[5, 20:60] > 220).all()
    assert (canvas[11, 20:60] < 160).all()


def test_scale_moves_points_with_the_image() -> None:
    canvas = picture(120, 160)
    draw_landmarks(canvas, points(), 2.0)
    assert (canvas[10:12, 40:120] != GREY).any(axis=0).all()
    assert (canvas[:8] == GREY).all()
