# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Orthographic views of surfaces: geometry, colour, what is cut, and small holes."""

from __future__ import annotations

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.scan_images import (
    close_small_holes,
    front_view,
    grid_surface,
    render,
    Surface,
)
import numpy as np
import pytest

SQUARE = np.array([[-0.1, 0.05, 0.02], [0.1, 0.05, 0.02], [0.1, -0.05, 0.0], [-0.1, -0.05, 0.0]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])


def test_a_slanted_square_fills_its_view() -> None:
    surface = Surface(SQUARE, TWO)
    view = front_view(surface, 'square', 0.001)
    assert (view.width, view.height) == (204, 104)
    np.testing.assert_allclose(view.project(SQUARE[0]), (2, 2, 1.0), atol=1e-9)
    np.testing.assert_allclose(view.project(SQUARE[2]), (202, 102, 1.02), atol=1e-9)
    color, depth = render(surface, view)
    assert color is None and depth.dtype == np.float32
    rows = np.arange(100)[:, None] + 0.5
    np.testing.assert_allclose(depth[2:102, 2:202], np.broadcast_to(1 + rows * 2e-4, (100, 200)),
                               atol=1e-6)
    assert np.isfinite(depth).sum() == 100 * 200


@pytest.mark.parametrize('finer', [1, 4])
def test_a_texture_is_not_mirrored_and_not_aliased(finer: int) -> None:
    """A board of single texels is grey where it is finer than the view."""
    width, height = 200 * finer, 100 * finer
    ys, xs = np.mgrid[:height, :width]
    texture = np.stack([xs // finer, ys // finer, (xs + ys) % 2 * 255], axis=-1).astype(np.uint8)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    surface = Surface(SQUARE, TWO, corners[TWO], texture)
    color, _ = render(surface, front_view(surface, 'square', 0.001))
    assert color is not None and color.dtype == np.uint8
    inner = color[2:102, 2:202].astype(int)
    rows, columns = np.mgrid[:100, :200]
    assert np.abs(inner[..., 0] - columns).max() <= 1
    assert np.abs(inner[..., 1] - rows).max() <= 1
    if finer > 1:
        assert np.abs(inner[..., 2] - 127).max() <= 2
    else:
        np.testing.assert_array_equal(inner[..., 2], (rows + columns) % 2 * 255)
    assert (color[:2] == 0).all()


def test_a_step_between_neighbours_is_cut() -> None:
    y, x = np.meshgrid(np.arange(10) * -0.01, np.arange(20) * 0.01, indexing='ij')
    z = np.where(x > 0.095, -0.1, 0.0)
    points = np.stack([x, y, z], axis=-1)
    assert len(grid_surface(points).triangles) == 2 * 9 * (9 + 9)
    points[3, 3] = np.nan
    assert len(grid_surface(points).triangles) == 2 * 9 * 18 - 8 + 4


@pytest.mark.parametrize('points, triangles, reason', [
    (SQUARE, TWO[:0], 'scan has no three points beside each other'),
    (SQUARE * 1000, TWO, 'scan is 200 m wide and 100 m high, expected 0.05 to 2 m; are its'),
    (SQUARE / 1000, TWO, 'scan is 0.0002 m wide')])
def test_what_is_no_scan_is_an_error(points: np.ndarray, triangles: np.ndarray,
                                     reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        front_view(Surface(points, triangles), 'scan')


def test_landmarks_far_outside_are_an_error() -> None:
    view = front_view(Surface(SQUARE, TWO), 'square', 0.001)
    marks = view.landmarks(np.array([[0.0, 0.0, 0.0], [0.108, 0.0, 0.0]]), 'square')
    np.testing.assert_allclose(marks, [[102, 52], [210, 52]], atol=1e-4)
    assert marks.dtype == np.float32
    with pytest.raises(DatasetError, match=r'square: a landmark lies at .* do the files belong'):
        view.landmarks(np.array([[0.5, 0.0, 0.0]]), 'square')


def test_small_holes_are_closed_and_others_stay() -> None:
    ys, xs = np.mgrid[:40, :50].astype(np.float32)
    depth = 1 + 0.001 * xs + 0.002 * ys
    color = np.stack([xs * 5, ys * 5, xs + ys], axis=-1).astype(np.uint8)
    holed = depth.copy()
    holed[10:13, 10:13] = np.nan  # 9 pixels
    holed[20:26, 20:26] = np.nan  # 36
    holed[0:2, 30:32] = np.nan    # at the border
    holed_color = np.where(np.isnan(holed)[..., None], 0, color).astype(np.uint8)
    new_color, new_depth = close_small_holes(holed_color, holed, 20)
    assert new_color is not None
    np.testing.assert_allclose(new_depth[10:13, 10:13], depth[10:13, 10:13], atol=1e-4)
    assert np.abs(new_color[10:13, 10:13].astype(int) - color[10:13, 10:13]).max() <= 1
    stays = np.isnan(holed)
    stays[10:13, 10:13] = False
    np.testing.assert_array_equal(np.isnan(new_depth), stays)
    np.testing.assert_array_equal(new_depth[~np.isnan(holed)], holed[~np.isnan(holed)])
    np.testing.assert_array_equal(new_color[stays], 0)
    assert close_small_holes(None, holed, 20)[0] is None
    nothing = np.full((5, 5), np.nan, np.float32)
    assert np.isnan(close_small_holes(None, nothing, 100)[1]).all()
