# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Depth units, the 25 cm normalisation, and hole filling."""

from __future__ import annotations

from face_depth_ros.core.depth import (
    depth_to_metres,
    DepthRange,
    fill_holes,
    metres_to_depth,
    nearest_surface,
)
from face_depth_ros.core.errors import InvalidDepthError
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

NAN = np.float32(np.nan)


def test_every_millimetre_survives_the_round_trip() -> None:
    image = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    metres = depth_to_metres(image, '16UC1')
    assert metres.dtype == np.float32
    assert np.isnan(metres[0, 0]) and np.isnan(metres[-1, -1])
    np.testing.assert_allclose(metres[0, 1:], np.arange(1, 256) * 1e-3, rtol=1e-6)
    back = metres_to_depth(metres, '16UC1')
    image[-1, -1] = 0  # saturated is invalid
    np.testing.assert_array_equal(back, image)


@pytest.mark.parametrize('metres, millimetres', [
    (0.0004, 0), (0.0006, 1), (0.5994, 599), (0.5996, 600), (65.534, 65534), (65.6, 65534),
    (1e9, 65534), (-0.3, 0), (np.nan, 0), (np.inf, 0), (-np.inf, 0)])
def test_rounding_and_saturation(metres: float, millimetres: int) -> None:
    image = metres_to_depth(np.full((2, 3), metres, np.float32), '16UC1')
    assert image.dtype == np.uint16 and (image == millimetres).all()


def test_float_depth_on_the_wire() -> None:
    image = np.array([[0.5, 0.0, -1.0], [np.nan, np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(depth_to_metres(image, '32FC1'),
                                  [[0.5, NAN, NAN], [NAN, NAN, NAN]])
    metres = np.array([[0.5, NAN]], np.float32)
    np.testing.assert_array_equal(metres_to_depth(metres, '32FC1'), metres)


@pytest.mark.parametrize('image, encoding, message', [
    (np.zeros((2, 2), np.uint8), 'rgb8', "'rgb8' is not known.*turn its colorizer off"),
    (np.zeros((2, 2), np.uint8), 'mono8', "'mono8' is not known, expected one of"),
    (np.zeros((2, 2), np.float32), '16UC1', r'must be \(H, W\) uint16, got shape .* float32'),
    (np.zeros((2, 2), np.uint16), '32FC1', r'must be \(H, W\) float32, got shape .* uint16'),
    (np.zeros((2, 2, 1), np.uint16), '16UC1', r'got shape \(2, 2, 1\)')])
def test_images_that_are_not_depth(image: np.ndarray, encoding: str, message: str) -> None:
    with pytest.raises(InvalidDepthError, match=message):
        depth_to_metres(image, encoding)


def test_unknown_output_encoding() -> None:
    with pytest.raises(InvalidDepthError, match="'64FC1' is not known") as caught:
        metres_to_depth(np.zeros((2, 2), np.float32), '64FC1')
    assert caught.value.cause == 'depth_encoding'


@given(st.floats(0.2, 5.0), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_normalisation_and_back(nearest: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    slab = DepthRange(nearest)
    depth = (nearest + rng.random((8, 9)) * 0.249).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = np.nan
    d = slab.normalise(depth)
    assert d.dtype == np.float32 and d.min() >= 0 and d.max() <= 1
    np.testing.assert_array_equal(d == 1, np.isnan(depth))
    np.testing.assert_allclose(slab.denormalise(d), depth, atol=1e-6)


def test_limits_of_the_slab() -> None:
    slab = DepthRange(0.5)
    depth = np.array([[0.4, 0.5, 0.625, 0.7499, 0.75, 3.0, np.nan]], np.float32)
    np.testing.assert_allclose(slab.normalise(depth), [[0, 0, 0.5, 0.9996, 1, 1, 1]], atol=1e-6)
    back = slab.denormalise(np.array([[0.0, 0.5, 1.0, 1.2, -0.1]], np.float32))
    np.testing.assert_allclose(back, [[0.5, 0.625, NAN, NAN, 0.475]], atol=1e-6)
    assert back.dtype == np.float32


def test_nearest_surface_ignores_single_flying_pixels() -> None:
    depth = np.full((32, 32), 0.8, np.float32)
    depth[8:16, 8:16] = 0.6
    depth[20, 20] = 0.1
    assert nearest_surface(depth) == pytest.approx(0.6, abs=1e-6)


def test_nearest_surface_needs_half_a_block() -> None:
    depth = np.full((32, 32), 0.8, np.float32)
    depth[8:12, 8:12] = np.nan
    depth[8:10, 8:12] = 0.5  # half of a block: counts, its holes do not
    assert nearest_surface(depth) == pytest.approx(0.5, abs=1e-6)
    depth[9, 11] = np.nan
    assert nearest_surface(depth) == pytest.approx(0.8, abs=1e-6)


def test_nearest_surface_of_little_and_of_nothing() -> None:
    sparse = np.full((32, 32), np.nan, np.float32)
    assert np.isnan(nearest_surface(sparse))
    sparse[::7, ::9] = 0.9
    sparse[7, 9] = 0.7
    assert nearest_surface(sparse) == pytest.approx(0.7)
    assert nearest_surface(np.full((3, 2), 0.4, np.float32)) == pytest.approx(0.4)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=150)
def test_filling_keeps_what_is_valid(height: int, width: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = rng.random((height, width), np.float32)
    valid = rng.random(d.shape) < share
    poisoned = np.where(valid, d, NAN)
    filled = fill_holes(poisoned, valid)
    assert filled.shape == d.shape and filled.dtype == np.float32
    np.testing.assert_allclose(filled[valid], d[valid], rtol=1e-6)
    assert np.isfinite(filled).all()
    if valid.any():
        assert d[valid].min() - 1e-5 <= filled.min() and filled.max() <= d[valid].max() + 1e-5
    else:
        assert (filled == 0).all()


def test_filling_a_constant_gives_the_constant() -> None:
    valid = np.zeros((64, 50), bool)
    valid[3, 4] = valid[60, 44] = True
    np.testing.assert_allclose(fill_holes(np.full((64, 50), 0.3, np.float32), valid), 0.3,
                               rtol=1e-6)


def test_filling_takes_from_near_by() -> None:
    d = np.zeros((64, 64), np.float32)
    d[:, 32:] = 1
    valid = np.ones((64, 64), bool)
    valid[10:20, 5:15] = valid[40:50, 50:60] = False
    filled = fill_holes(d, valid)
    assert filled[10:20, 5:15].max() < 0.1 and filled[40:50, 50:60].min() > 0.9
