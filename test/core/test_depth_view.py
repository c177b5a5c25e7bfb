# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pictures of depth: equal distance is equal hue, slopes shade, holes are dark."""

from __future__ import annotations

from face_depth_ros.core.depth_view import (
    confidence_picture,
    DepthScale,
    error_picture,
    HOLE_RGB,
    provenance_picture,
    PROVENANCE_RGB,
    shaded_depth,
)
from face_depth_ros.core.frames import Provenance
import numpy as np

SCALE = DepthScale(0.4, 0.8)


def test_scale_holds_nearly_everything_and_survives_nothing() -> None:
    depth = np.full((50, 50), 0.5, np.float32)
    depth[0] = np.nan
    depth[1, 0] = 9.0
    scale = DepthScale.around(depth)
    assert scale.near < 0.5 < scale.far < 1.0
    assert DepthScale.around(np.full(4, np.nan)).far > 1.0


def test_flat_surfaces_have_the_hue_of_their_distance() -> None:
    for distance in (0.3, 0.4, 0.6, 0.8, 2.0):
        depth = np.full((8, 8), distance, np.float32)
        picture = shaded_depth(depth, SCALE, 300.0)
        assert (picture == SCALE.colors(depth)).all()


def test_nearest_is_red_and_farthest_blue() -> None:
    near, far = SCALE.colors(np.array([0.4, 0.8])).astype(int)
    assert near[0] > near[2] + 80
    assert far[2] > far[0] + 80


def test_slopes_are_shaded_by_the_light_from_the_upper_left() -> None:
    y, x = np.mgrid[:20, :20]
    # What comes nearer to the lower right turns its face to the upper left.
    rising = (0.6 - 0.001 * (x + y)).astype(np.float32)
    falling = (0.6 + 0.001 * (x + y)).astype(np.float32)
    middle = np.s_[8:12, 8:12]
    one_hue = DepthScale(0.0, 1e6)
    lit, dark = (shaded_depth(d, one_hue, 300.0)[middle].mean() for d in (rising, falling))
    assert lit > dark + 10


def test_holes_are_dark_everywhere() -> None:
    depth = np.full((8, 8), 0.6, np.float32)
    depth[2:4, 3] = np.nan
    picture = shaded_depth(depth, SCALE, 300.0)
    assert (picture[2:4, 3] == HOLE_RGB).all()
    assert (picture[0, 0] != HOLE_RGB).any()
    assert (error_picture(np.array([[np.nan]]), 1.0) == HOLE_RGB).all()


def test_provenance_and_confidence_have_their_colours() -> None:
    kinds = np.array([[kind for kind in Provenance]], np.uint8)
    assert [tuple(c) for c in provenance_picture(kinds)[0]] == [
        PROVENANCE_RGB[kind] for kind in Provenance]
    picture = confidence_picture(np.array([[0, 128, 255]], np.uint8))[0].astype(int)
    assert tuple(picture[0]) == HOLE_RGB
    assert picture[2].sum() > picture[1].sum()


def test_errors_are_signed() -> None:
    below, zero, above = error_picture(np.array([[-2.0, 0.0, 2.0]]), 1.0)[0].astype(int)
    assert below[2] > below[0]
    assert above[0] > above[2]
    assert zero.min() > 240
