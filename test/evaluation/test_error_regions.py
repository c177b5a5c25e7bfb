# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Regions of a face on images drawn by hand, and sums that must come out."""

from __future__ import annotations

from face_depth_ros.evaluation.depth_pairs import DepthPair
from face_depth_ros.evaluation.error_regions import (
    face_regions,
    Region,
    REGION_MEANINGS,
    REGION_NAMES,
    RegionErrors,
)
import numpy as np
import pytest

TOP, BOTTOM, LEFT, RIGHT = 40, 220, 60, 200
STEP = 130


@pytest.fixture
def pair() -> DepthPair:
    """Give a rectangle with a step of 20 mm, and a hole of each kind."""
    truth = np.ones((256, 256), np.float32)
    truth[TOP:BOTTOM, LEFT:RIGHT] = 0.3
    truth[TOP:BOTTOM, STEP:RIGHT] = 0.38
    degraded = truth.copy()
    degraded[100:106, 80:86] = 1.0  # small: radius 3
    degraded[100:140, 150:180] = 1.0  # large: radius 15
    degraded[180:200, LEFT:LEFT + 30] = 1.0  # opens to the left
    degraded[10:20, 10:20] = 0.9  # beside the face: none of it
    return DepthPair(truth, degraded)


def test_every_kind_of_region(pair: DepthPair) -> None:
    regions = face_regions(pair.truth, pair.degraded)
    np.testing.assert_array_equal(regions == 255, pair.truth >= 1.0)
    expected = {(102, 82): Region.SMALL_HOLE, (120, 151): Region.LARGE_HOLE,
                (190, 62): Region.OUTLINE_HOLE, (190, 88): Region.OUTLINE_HOLE,
                (60, 100): Region.INNER, (60, STEP): Region.STEP, (60, STEP - 1): Region.STEP,
                (60, STEP + 4): Region.STEP, (60, STEP + 5): Region.INNER,
                (TOP, 100): Region.RIM, (TOP + 3, 100): Region.RIM, (TOP + 4, 100): Region.INNER,
                (120, RIGHT - 1): Region.RIM, (TOP, STEP): Region.RIM}
    assert {place: Region(regions[place]) for place in expected} == expected


def test_holes_touching_only_at_a_corner_are_one(pair: DepthPair) -> None:
    degraded = pair.truth.copy()
    degraded[100:105, 80:85] = 1.0
    degraded[105:140, 85:120] = 1.0
    regions = face_regions(pair.truth, degraded)
    assert regions[101, 81] == Region.LARGE_HOLE


def test_the_border_of_the_image_is_no_outline() -> None:
    truth = np.full((256, 256), 0.5, np.float32)
    degraded = truth.copy()
    degraded[:30, :30] = 1.0
    regions = face_regions(truth, degraded)
    assert set(np.unique(regions)) == {Region.INNER, Region.LARGE_HOLE}


def test_sums_by_region_are_those_of_the_whole(pair: DepthPair) -> None:
    rng = np.random.default_rng(5)
    errors = RegionErrors()
    squares, pixels = 0.0, 0
    for _ in range(3):
        noisy = (pair.degraded + rng.normal(0, 0.02, (256, 256))).astype(np.float32)
        errors.add(pair, {'a': noisy, 'exact': pair.truth})
        difference = (noisy.astype(np.float64) - pair.truth)[pair.area]
        squares, pixels = squares + float((difference ** 2).sum()), pixels + difference.size
    assert sum(errors.contribution('a').values()) == pytest.approx(squares / pixels)
    assert sum(errors.share('a').values()) == pytest.approx(1.0)
    assert all(v == 0.0 for v in errors.rmse('exact').values())
    assert errors.rmse('a')[Region.LARGE_HOLE] == pytest.approx(0.62, abs=0.02)
    assert errors.rmse('a')[Region.INNER] == pytest.approx(0.02, abs=0.001)
    found = errors.rmse_map('a')
    assert np.isnan(found[pair.truth >= 1.0]).all()
    assert np.mean(found[pair.area] ** 2) == pytest.approx(squares / pixels)


def test_places_with_few_faces_are_left_out_of_the_map(pair: DepthPair) -> None:
    errors = RegionErrors()
    for i in range(60):
        truth = pair.truth if i else np.full((256, 256), 0.5, np.float32)
        errors.add(DepthPair(truth, truth), {'a': truth})
    assert np.isnan(errors.rmse_map('a')[0, 0])
    assert errors.rmse_map('a', least_share=0.01)[0, 0] == 0.0


def test_tables(pair: DepthPair) -> None:
    errors = RegionErrors()
    errors.add(pair, {'None': pair.degraded})
    names = list(REGION_NAMES.values())
    assert list(errors.rmse_rows()['None']) == names
    assert set(REGION_MEANINGS) == set(Region) == set(REGION_NAMES)
    shares = errors.share_rows()
    assert list(shares) == ['pixels', 'None']
    assert sum(shares['pixels'].values()) == pytest.approx(100.0, abs=0.05)
    assert shares['None']['inner face'] == 0.0
