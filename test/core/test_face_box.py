# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Box, crop and the way back: against formulas evaluated pixel by pixel, and round trips."""

from __future__ import annotations

import math

from face_depth_ros.core.depth_warping import NEIGHBOUR_RANGE_M
from face_depth_ros.core.errors import InvalidDepthError, InvalidFaceBoxError, InvalidImageError
from face_depth_ros.core.face_box import (
    covered_region,
    crop_color,
    crop_depth,
    crop_from_region,
    FaceBox,
    transform_points,
    warp_depth,
    warp_image,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

BOX = FaceBox(50.0, 40.0, 30.0, 0.3)


def slow_warp_depth(depth: np.ndarray, affine: np.ndarray, height: int,
                    width: int) -> np.ndarray:
    """Follow the contract word by word, in float64, one pixel after the other."""
    h, w = depth.shape
    result = np.full((height, width), np.nan)
    for v in range(height):
        for u in range(width):
            x, y = transform_points(affine, np.array([u + 0.5, v + 0.5]))
            if not (0 <= x < w and 0 <= y < h):
                continue
            nearest = float(depth[int(y), int(x)])
            left, top = math.floor(x - 0.5), math.floor(y - 0.5)
            fx, fy = x - 0.5 - left, y - 0.5 - top
            total = weight = 0.0
            for j, wy in ((top, 1 - fy), (top + 1, fy)):
                for i, wx in ((left, 1 - fx), (left + 1, fx)):
                    value = float(depth[min(max(j, 0), h - 1), min(max(i, 0), w - 1)])
                    if abs(value - nearest) <= NEIGHBOUR_RANGE_M:
                        total += wx * wy * value
                        weight += wx * wy
            if weight > 0:
                result[v, u] = total / weight
    return result


def smooth(height: int = 90, width: int = 120) -> np.ndarray:
    """Return a smooth surface in metres."""
    y, x = np.mgrid[:height, :width]
    return (0.6 + 2e-4 * x + 3e-4 * y + 0.002 * np.sin(x / 15)).astype(np.float32)


@given(st.floats(-10, 45), st.floats(-10, 40), st.floats(2, 60), st.floats(-4, 4),
       st.integers(1, 12), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=120)
def test_depth_is_resampled_by_the_contract(x: float, y: float, side: float, roll: float,
                                            size: int, holes: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Steps of 4 mm: no two differ by just 10.
    depth = (0.6 + rng.integers(0, 8, (24, 31)) * 0.004).astype(np.float32)
    depth[rng.random(depth.shape) < holes] = np.nan
    affine = FaceBox(x, y, side, roll).image_from_crop(size)
    # Off the grid of pixel borders, where float32 and float64 may fall on different sides.
    affine[:, 2] += 0.00137
    points = transform_points(affine, np.stack(np.meshgrid(*[np.arange(size) + 0.5] * 2), -1))
    if np.abs(points * 2 - np.rint(points * 2)).min() < 1e-4:
        return
    np.testing.assert_allclose(warp_depth(depth, affine, size, size),
                               slow_warp_depth(depth, affine, size, size), rtol=0, atol=1e-5)


def test_identity_returns_the_image() -> None:
    depth = smooth()
    depth[10:20, 30:50] = np.nan
    identity = np.eye(2, 3)
    np.testing.assert_allclose(warp_depth(depth, identity, 90, 120), depth, rtol=0, atol=1e-7)
    np.testing.assert_allclose(warp_image(smooth(), identity, 90, 120), smooth(), atol=1e-7)


def test_corner_pixels_are_half_a_pixel_from_the_corner() -> None:
    """A crop of twice the resolution: its first pixel's centre lies at (0.25, 0.25)."""
    depth = np.tile(np.arange(8, dtype=np.float32) * 0.001 + 1, (8, 1))
    double = warp_depth(depth, np.array([[0.5, 0, 0], [0, 0.5, 0]]), 16, 16)
    centres = (np.arange(16) + 0.5) / 2 - 0.5
    expected = 1 + 0.001 * np.clip(centres, 0, 7)
    np.testing.assert_allclose(double, np.tile(expected, (16, 1)), atol=1e-6)
    colour = warp_image(depth[2:6], np.array([[0.5, 0, 0], [0, 0.5, 0]]), 8, 16)
    np.testing.assert_allclose(colour[2:-2, 1:-1], np.tile(expected[1:-1], (4, 1)), atol=1e-4)


def test_depth_is_not_mixed_over_an_edge_or_a_hole() -> None:
    depth = np.full((40, 40), 0.6, np.float32)
    depth[:, 20:] = 1.2
    depth[15:18, 5:8] = np.nan
    crop = crop_depth(depth, FaceBox(20, 20, 33.3, 0.4), 64)
    values = crop[np.isfinite(crop)]
    assert np.isclose(values, 0.6).any() and np.isclose(values, 1.2).any()
    assert (np.isclose(values, 0.6) | np.isclose(values, 1.2)).all()


def test_flipped_and_cut_arrays_are_taken() -> None:
    depth = smooth()
    affine = BOX.image_from_crop(32)
    expected = warp_depth(np.ascontiguousarray(depth[::-1, 10:]), affine, 32, 32)
    np.testing.assert_array_equal(warp_depth(depth[::-1, 10:], affine, 32, 32), expected)
    assert warp_depth(depth, affine, 0, 5).shape == (0, 5)


@pytest.mark.parametrize('roll', [0.0, 0.5, -1.2, math.pi, 3.0])
@pytest.mark.parametrize('side', [40.0, 100.0])
def test_crop_and_paste_back_return_a_smooth_surface(roll: float, side: float) -> None:
    depth = smooth()
    box = FaceBox(60.3, 44.8, side, roll)
    crop = crop_depth(depth, box, 128)
    x0, y0, x1, y1 = covered_region(box, 120, 90)
    back = warp_depth(crop, crop_from_region(box, 128, x0, y0), y1 - y0, x1 - x0)
    found = np.isfinite(back)
    assert found.sum() > 0.9 * min(side**2, 120 * 90) * (0.6 if side == 100 else 1)
    np.testing.assert_allclose(back[found], depth[y0:y1, x0:x1][found], atol=2e-4)


def test_positive_roll_is_clockwise_in_the_image() -> None:
    """A quarter turn clockwise: the top of the head points to the image's right."""
    box = FaceBox(50, 40, 20, math.pi / 2)
    top_middle, right_middle = transform_points(box.image_from_crop(100),
                                                np.array([[50.0, 0.0], [100.0, 50.0]]))
    np.testing.assert_allclose(top_middle, [60, 40], atol=1e-9)
    np.testing.assert_allclose(right_middle, [50, 50], atol=1e-9)
    np.testing.assert_allclose(FaceBox(50, 40, 20).corners(),
                               [[40, 30], [60, 30], [60, 50], [40, 50]])


def test_crop_of_a_turned_head_is_upright() -> None:
    image = np.zeros((80, 100), np.uint8)
    image[40, 52:60] = 255  # from the centre to the right: this head's top
    crop = crop_color(image, FaceBox(50.5, 40.5, 20, math.pi / 2), 40)
    rows, columns = np.nonzero(crop > 100)
    assert rows.max() < 18 and np.abs(columns - 19.5).max() <= 1.5


@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(0.1, 500), st.floats(-20, 20),
       st.integers(1, 300))
@settings(deadline=None)
def test_ways_there_and_back_are_inverse(x: float, y: float, side: float, roll: float,
                                         size: int) -> None:
    box = FaceBox(x, y, side, roll)
    points = np.array([[0.0, 0.0], [size, 0.0], [size, size], [0.0, size]])
    image = transform_points(box.image_from_crop(size), points)
    np.testing.assert_allclose(image, box.corners(), atol=1e-9 * (1 + side + abs(x) + abs(y)))
    back = transform_points(box.crop_from_image(size), image)
    np.testing.assert_allclose(back, points, atol=1e-6 * size)


@pytest.mark.parametrize('roll, wrapped', [
    (0, 0), (math.pi, math.pi), (-math.pi, math.pi), (3 * math.pi, math.pi),
    (2 * math.pi, 0), (4.0, 4.0 - 2 * math.pi), (-4.0, 2 * math.pi - 4.0)])
def test_roll_is_wrapped(roll: float, wrapped: float) -> None:
    box = FaceBox(0, 0, 1, roll)
    assert box.roll == pytest.approx(wrapped, abs=1e-9) and -math.pi < box.roll <= math.pi


@pytest.mark.parametrize('values', [
    (math.nan, 0, 1, 0), (0, math.inf, 1, 0), (0, 0, 0, 0), (0, 0, -3, 0), (0, 0, math.inf, 0),
    (0, 0, 1, math.nan)])
def test_unusable_boxes(values: tuple[float, ...]) -> None:
    with pytest.raises(InvalidFaceBoxError, match='expected finite numbers and side > 0'):
        FaceBox(*values)


def test_small_crops_average_instead_of_skipping() -> None:
    """A checkerboard shrunk 5 times is grey; without averaging it would be black or white."""
    y, x = np.mgrid[:200, :200]
    image = ((x + y) % 2 * 255).astype(np.uint8)
    crop = crop_color(image, FaceBox(100, 100, 160, 0.2), 32)
    assert np.abs(crop.astype(int) - 127).max() < 40
    color = crop_color(np.dstack([image] * 3), FaceBox(100, 100, 160, 0.2), 32)
    np.testing.assert_array_equal(color, np.dstack([crop] * 3))


def test_outside_the_image_colour_is_black_and_depth_invalid() -> None:
    box = FaceBox(0, 0, 20)
    color = crop_color(np.full((40, 40, 3), 200, np.uint8), box, 20)
    depth = crop_depth(np.full((40, 40), 0.5, np.float32), box, 20)
    assert (color[:9] == 0).all() and (color[11:, 11:] == 200).all()
    assert np.isnan(depth[:10]).all() and np.isnan(depth[:, :10]).all()
    np.testing.assert_allclose(depth[10:, 10:], 0.5)


@pytest.mark.parametrize('crop', [crop_color, crop_depth])
def test_boxes_outside_and_empty_images(crop: object) -> None:
    with pytest.raises(InvalidFaceBoxError, match=r'at \(500.0, 10.0\).*outside the 40 x 30 image'
                       ) as caught:
        crop(np.zeros((30, 40), np.float32), FaceBox(500, 10, 20), 16)
    assert caught.value.cause == 'face_box_outside'
    with pytest.raises(InvalidImageError, match=r'shape \(0, 5\) has no pixels'):
        crop(np.zeros((0, 5), np.float32), BOX, 16)


@pytest.mark.parametrize('depth', [np.zeros((40, 40)), np.zeros((40, 40), np.uint16),
                                   np.zeros((40, 40, 1), np.float32)])
def test_depth_of_another_type(depth: np.ndarray) -> None:
    with pytest.raises(InvalidDepthError, match='must be an .* float32 image in metres, got'):
        crop_depth(depth, FaceBox(20, 20, 10), 16)


@pytest.mark.parametrize('box, region', [
    (FaceBox(20, 20, 10), (15, 15, 25, 25)), (FaceBox(0, 0, 11), (0, 0, 6, 6)),
    (FaceBox(39, 29, 10), (34, 24, 40, 30)), (FaceBox(20, 15, 1000), (0, 0, 40, 30))])
def test_covered_region(box: FaceBox, region: tuple[int, ...]) -> None:
    assert covered_region(box, 40, 30) == region and box.overlaps(40, 30)


def test_covered_region_of_a_box_outside_is_empty() -> None:
    x0, _, x1, _ = covered_region(FaceBox(100, 10, 20), 40, 30)
    assert x1 <= x0 and not FaceBox(100, 10, 20).overlaps(40, 30)
    assert not FaceBox(50, 10, 20).overlaps(40, 30)  # touching is not sharing
    for x in (-1e20, 1e20):
        x0, y0, x1, y1 = covered_region(FaceBox(x, 10, 20), 40, 30)
        assert 0 <= x0 and x1 <= x0 <= 40 and (y0, y1) == (0, 20)


@pytest.mark.parametrize('side', [1e5, 1e12, 1e200])
def test_a_box_far_larger_than_any_image_is_cropped_in_little_memory(side):
    image = np.full((40, 60, 3), 200, np.uint8)
    crop = crop_color(image, FaceBox(30.0, 20.0, side), 64)
    assert crop.shape == (64, 64, 3)
    assert crop.mean() < 10  # nearly all of it lies outside the image
