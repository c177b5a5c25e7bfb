# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What each hand-crafted enhancer must and must not do to a normalised depth image."""

from __future__ import annotations

import importlib.util
from pathlib import Path
import sys

from face_depth_ros.core.errors import FilterError
from face_depth_ros.filters import ENHANCER_FILTERS, make_filter
from face_depth_ros.filters.realsense_filters import from_16bit, to_16bit
import numpy as np
import pytest

LEVEL = 1.0 / 65534
HOLE_FILLING = ('Hf-FFA', 'Hf-NFA', 'Hf-L')
SPATIAL = ('Sp-Hf16', 'Sp-HfU')


def plane(slope_x: float = 1e-3, slope_y: float = 5e-4, size: int = 128) -> np.ndarray:
    """Return a plane without holes, (size, size) in [0.2, 0.4]."""
    y, x = np.mgrid[:size, :size]
    return (0.2 + slope_x * x + slope_y * y).astype(np.float32)


def with_holes(d: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return it with a fifth of all pixels and one block missing."""
    d = d.copy()
    d[np.random.default_rng(seed).random(d.shape) < 0.2] = 1
    d[40:60, 50:70] = 1
    return d


def run(name: str, d: np.ndarray) -> np.ndarray:
    """Make a filter, use it once."""
    depth_filter = make_filter(name)
    try:
        return depth_filter(d)
    finally:
        depth_filter.close()


@pytest.mark.parametrize('name', ENHANCER_FILTERS)
@pytest.mark.parametrize('shape', [(128, 128), (37, 61), (2, 2), (9, 200)])
def test_form_of_the_result(name: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    d = np.where(rng.random(shape) < 0.3, 1, rng.random(shape)).astype(np.float32)
    before = d.copy()
    result = run(name, d)
    assert result.shape == shape and result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1
    np.testing.assert_array_equal(d, before)


@pytest.mark.parametrize('name', ENHANCER_FILTERS)
def test_nothing_is_carried_from_call_to_call(name: str) -> None:
    d = with_holes(plane())
    depth_filter = make_filter(name)
    first = depth_filter(d)
    for seed in range(3):
        depth_filter(np.random.default_rng(seed).random((128, 128), np.float32))
    depth_filter(np.full((64, 40), 0.5, np.float32))
    np.testing.assert_array_equal(depth_filter(d), first)
    depth_filter.close()
    np.testing.assert_array_equal(run(name, d), first)


@pytest.mark.parametrize('name', ENHANCER_FILTERS)
def test_all_holes_stay_holes(name: str) -> None:
    assert (run(name, np.ones((64, 64), np.float32)) == 1).all()


@pytest.mark.parametrize('name', ENHANCER_FILTERS)
def test_constant_stays_constant(name: str) -> None:
    d = np.full((64, 64), 0.37, np.float32)
    np.testing.assert_allclose(run(name, d), d, atol=LEVEL)


@pytest.mark.parametrize('name', HOLE_FILLING)
def test_hole_filling_leaves_valid_pixels_alone(name: str) -> None:
    d = with_holes(plane())
    result = run(name, d)
    valid = d < 1
    np.testing.assert_allclose(result[valid], d[valid], atol=LEVEL)
    assert (result == 1).mean() < (d == 1).mean()


@pytest.mark.parametrize('name, expected', [('Hf-L', 0.3), ('Hf-FFA', 0.6), ('Hf-NFA', 0.2)])
def test_where_hole_filling_takes_its_value_from(name: str, expected: float) -> None:
    d = np.full((32, 32), 0.3, np.float32)
    d[10, 10] = 1
    d[9, 9:11], d[11, 9] = 0.6, 0.2
    assert run(name, d)[10, 10] == pytest.approx(expected, abs=LEVEL)


def test_fill_from_left_takes_the_last_valid_value_of_the_row() -> None:
    d = plane()
    d[:, 100:] = 1
    d[:, :5] = 1
    result = run('Hf-L', d)
    np.testing.assert_allclose(result[:, 100:], np.repeat(d[:, 99:100], 28, 1), atol=LEVEL)
    assert (result[:, 0] == 1).all()


@pytest.mark.parametrize('name, gap, left', [
    ('Sp-Hf16', 16, 0), ('Sp-Hf16', 59, 0), ('Sp-Hf16', 64, 4), ('Sp-Hf16', 80, 20),
    ('Sp-HfU', 80, 0)])
def test_how_far_the_spatial_filter_fills(name: str, gap: int, left: int) -> None:
    """Less than 16 pixels from either side in each of the two default iterations: 30 and 30."""
    d = np.full((64, 160), 0.4, np.float32)
    d[:, 40:40 + gap] = 1
    result = run(name, d)
    assert (result[32] == 1).sum() == left
    np.testing.assert_allclose(result[result < 1], 0.4, atol=LEVEL)


@pytest.mark.parametrize('name', SPATIAL)
def test_spatial_filter_smooths_small_steps_and_keeps_edges(name: str) -> None:
    """Delta is 20 levels: noise of 8 is smoothed, an edge of 2000 stays where it is."""
    rng = np.random.default_rng(2)
    noise = rng.integers(-4, 5, (64, 64))
    levels = np.where(np.arange(64) < 32, 20000, 22000) + noise
    result = to_16bit(run(name, from_16bit(levels.astype(np.uint16)))).astype(int)
    clean = levels - noise
    assert (result - clean).std() < 0.6 * noise.std()
    assert np.abs(result - clean).max() <= 8


@pytest.mark.parametrize('name', SPATIAL)
def test_spatial_filter_keeps_slopes_above_its_delta(name: str) -> None:
    d = plane(1e-3, 1e-3)  # 65 levels from pixel to pixel
    np.testing.assert_allclose(run(name, d), d, atol=LEVEL)


@pytest.mark.parametrize('name, magnitude', [('De-M2', 2), ('De-M8', 8)])
def test_decimation_of_a_plane_is_the_plane(name: str, magnitude: int) -> None:
    d = plane()
    result = run(name, d)
    inner = np.s_[magnitude:-magnitude, magnitude:-magnitude]
    # The median of four pixels is one of the middle two: half a pixel of slope at most.
    np.testing.assert_allclose(result[inner], d[inner], atol=1e-3 if magnitude == 2 else 2 * LEVEL)


@pytest.mark.parametrize('name', ['De-M2', 'De-M8'])
def test_decimation_fills_from_valid_pixels_of_its_blocks_only(name: str) -> None:
    d = np.full((64, 64), 0.4, np.float32)
    d[np.random.default_rng(3).random(d.shape) < 0.2] = 1
    result = run(name, d)
    np.testing.assert_allclose(result[result < 1], 0.4, atol=LEVEL)
    assert (result == 1).mean() < 0.01


def test_decimation_leaves_a_sharp_outline() -> None:
    """Beside a background of holes the surface keeps its depth: nothing is drawn towards 1."""
    d = np.full((64, 64), 0.4, np.float32)
    d[:, 32:] = 1
    result = run('De-M8', d)
    np.testing.assert_array_equal(result == 1, d == 1)
    np.testing.assert_allclose(result[:, :32], 0.4, atol=LEVEL)


def test_levels_and_back() -> None:
    d = np.append(np.linspace(0, 1, 100001, dtype=np.float32)[:-1],
                  [np.nextafter(np.float32(1), np.float32(0)), 1]).astype(np.float32)[None]
    levels = to_16bit(d)
    assert levels.dtype == np.uint16 and levels[0, -1] == 0 and levels[0, 0] == 1
    assert levels[0, -2] == 65534 and (levels[0, :-1] >= 1).all()
    back = from_16bit(levels)
    assert back[0, -1] == 1 and (back[0, :-1] < 1).all()
    assert np.abs(back - d).max() <= LEVEL
    every = np.arange(65535, dtype=np.uint16)[None]
    np.testing.assert_array_equal(to_16bit(from_16bit(every)), every)


@pytest.mark.parametrize('d, message', [
    (np.zeros((4, 4)), r'\(4, 4\) float64'), (np.zeros((4, 4, 1), np.float32), r'\(4, 4, 1\)'),
    (np.zeros((1, 4), np.float32), 'at least 2 x 2'), (np.zeros((0, 0), np.float32), 'at least 2'),
    (np.full((4, 4), 1.5, np.float32), 'values from 1.5 to 1.5; normalise it first'),
    (np.full((4, 4), -0.5, np.float32), 'values from -0.5'),
    (np.full((4, 4), np.nan, np.float32), 'values from nan')])
def test_bad_images(d: np.ndarray, message: str) -> None:
    depth_filter = make_filter('Hf-L')
    with pytest.raises(FilterError, match=message):
        depth_filter(d)
    assert (depth_filter(np.zeros((4, 4), np.float32)) < 1).all()
    depth_filter.close()


def test_closed_filter() -> None:
    depth_filter = make_filter('De-M2')
    depth_filter(np.zeros((4, 4), np.float32))
    depth_filter.close()
    depth_filter.close()
    with pytest.raises(FilterError, match='filter De-M2 is closed'):
        depth_filter(np.zeros((4, 4), np.float32))


def test_unknown_name() -> None:
    with pytest.raises(FilterError, match="no filter is named 'De-M3', expected one of De-M2"):
        make_filter('De-M3')


def test_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *a: None)
    with pytest.raises(FilterError, match='needs the package pyrealsense2.*pip install'):
        make_filter('Hf-L')


def test_package_that_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / 'pyrealsense2.py'
    package.write_text("raise ImportError('libusb-1.0.so.0: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [n for n in sys.modules if n.startswith('pyrealsense2')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, 'face_depth_ros.filters.realsense_filters', raising=False)
    importlib.invalidate_caches()
    with pytest.raises(FilterError, match='libusb-1.0.so.0.*apt-get install libusb-1.0-0'):
        make_filter('Hf-L')


def test_librealsense_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    depth_filter = make_filter('Hf-L')

    class Broken:
        def process(self, frame: object) -> None:
            raise RuntimeError('no more frames')
    monkeypatch.setattr(depth_filter, '_block', Broken())
    with pytest.raises(FilterError, match='failed in filter Hf-L on 6 x 4 pixels: no more frames'):
        depth_filter(np.zeros((4, 6), np.float32))
    depth_filter.close()
