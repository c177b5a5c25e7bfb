# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Depth resampled by compiled code has the bits of NumPy, which stands in where there is none."""

from __future__ import annotations

import math
import shutil

from face_depth_ros.core import depth_warping
from face_depth_ros.core.depth_warping import (
    compiled_function,
    NEIGHBOUR_RANGE_M,
    resample_depth,
    resample_in_numpy,
)
from face_depth_ros.core.face_box import crop_depth, FaceBox, warp_depth
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(shutil.which('c++') is None, reason='there is no C++ compiler')


def surface(seed: int, height: int, width: int, holes: float, step: float) -> np.ndarray:
    """Return depth in steps of which some lie exactly at the range of neighbours."""
    rng = np.random.default_rng(seed)
    depth = (0.6 + step * rng.integers(-3, 4, (height, width))).astype(np.float32)
    depth[rng.random(depth.shape) < holes] = np.nan
    return depth


def assert_same_bits(one: np.ndarray, other: np.ndarray) -> None:
    assert one.dtype == other.dtype == np.float32
    missing = np.isnan(one)
    np.testing.assert_array_equal(missing, np.isnan(other))
    np.testing.assert_array_equal(one[~missing].view(np.uint32), other[~missing].view(np.uint32))


def test_set_up_has_built_it() -> None:
    assert compiled_function() is not None


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 40), width=st.integers(1, 40),
       holes=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
       step=st.sampled_from([0.0, 1e-4, NEIGHBOUR_RANGE_M / 2, NEIGHBOUR_RANGE_M, 0.3]),
       affine=st.lists(st.floats(-3.0, 3.0), min_size=4, max_size=4),
       shift=st.lists(st.floats(-60.0, 60.0) | st.sampled_from([0.0, 0.5, -1.0, 1e6]),
                      min_size=2, max_size=2),
       size=st.tuples(st.integers(1, 24), st.integers(1, 24)))
def test_it_has_the_bits_of_numpy(seed, height, width, holes, step, affine, shift, size) -> None:
    depth = surface(seed, height, width, holes, step)
    matrix = np.array([[affine[0], affine[1], shift[0]], [affine[2], affine[3], shift[1]]])
    assert_same_bits(resample_depth(depth, matrix, *size),
                     resample_in_numpy(depth, matrix, *size))


@pytest.mark.parametrize('roll', [0.0, 0.3, -math.pi / 2, math.pi])
@pytest.mark.parametrize('side', [24.0, 180.0, 700.0])
def test_a_crop_of_a_camera_image_has_them_too(monkeypatch, roll, side) -> None:
    depth = surface(5, 480, 640, 0.1, 0.004)
    box = FaceBox(320.3, 200.7, side, roll)
    compiled = crop_depth(depth, box, 256)
    monkeypatch.setattr(depth_warping, 'compiled_function', lambda: None)
    assert_same_bits(compiled, crop_depth(depth, box, 256))


def test_part_of_an_image_and_a_whole_affine_of_integers() -> None:
    depth = surface(7, 60, 80, 0.2, 0.004)
    part, shift = depth[3::2, 1:71:3], np.array([[1, 0, 2], [0, 1, -1]])
    assert_same_bits(resample_depth(part, shift, 20, 20),
                     resample_in_numpy(np.ascontiguousarray(part), shift, 20, 20))


@pytest.mark.parametrize('shape', [(0, 5), (5, 0), (0, 0)])
def test_an_image_without_pixels_gives_nothing(shape) -> None:
    resampled = warp_depth(np.empty(shape, np.float32), np.eye(2, 3), 4, 6)
    assert resampled.shape == (4, 6) and np.isnan(resampled).all()


def test_an_affine_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match='reshape'):
        warp_depth(np.ones((4, 4), np.float32), np.eye(2), 4, 4)
