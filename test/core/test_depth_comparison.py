# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Two versions of a frame side by side: the same colours for the same distance, both labelled."""

from __future__ import annotations

from face_depth_ros.core.depth_comparison import (
    comparison_picture,
    face_scale,
    LabelledDepth,
    strip_height,
)
from face_depth_ros.core.depth_view import DepthScale, HOLE_RGB, shaded_depth
from face_depth_ros.core.errors import InvalidDepthError
from face_depth_ros.core.face_box import FaceBox
import numpy as np
import pytest

HEIGHT, WIDTH, FOCAL = 120, 160, 150.0
BOX = FaceBox(80.0, 60.0, 60.0)


def scene(seed: int = 0) -> np.ndarray:
    """Return a head at 0.6 m before a wall at 2 m, with holes."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    squared = ((x - 80) / 20) ** 2 + ((y - 60) / 26) ** 2
    depth = np.where(squared < 1, 0.65 - 0.05 * np.sqrt(np.maximum(1 - squared, 0)), 2.0)
    depth[chance.random(depth.shape) < 0.05] = np.nan
    return depth.astype(np.float32)


def changed(depth: np.ndarray, region: tuple[slice, slice]) -> np.ndarray:
    """Return a copy of which a region is smoother and without holes."""
    other = depth.copy()
    other[region] = np.nan_to_num(other[region], nan=0.63) - np.float32(0.004)
    return other


def halves(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return left and right below the strip."""
    below = picture[strip_height(HEIGHT):]
    return below[:, :WIDTH], below[:, WIDTH:]


@pytest.mark.parametrize('region', [
    np.s_[40:80, 60:100], np.s_[0:30, 0:25], np.s_[100:120, 140:160], np.s_[:, :],
    np.s_[50:51, 70:71], np.s_[0:0, 0:0]], ids=str)
def test_each_half_is_the_shaded_depth_on_one_scale(region: tuple[slice, slice]) -> None:
    """Drawing only what differs gives what drawing everything gives."""
    depth = scene()
    other = changed(depth, region)
    picture = comparison_picture(
        LabelledDepth('network', depth), LabelledDepth('None', other), [BOX], FOCAL)
    assert picture.shape == (HEIGHT + strip_height(HEIGHT), 2 * WIDTH, 3)
    assert picture.dtype == np.uint8
    scale = face_scale((depth, other), [BOX])
    left, right = halves(picture)
    seam = WIDTH - 1
    np.testing.assert_array_equal(left[:, :seam], shaded_depth(depth, scale, FOCAL)[:, :seam])
    np.testing.assert_array_equal(right, shaded_depth(other, scale, FOCAL))


def test_colours_run_over_the_faces_and_not_over_the_room() -> None:
    """A head of 5 cm depth takes the whole scale, the wall behind it none."""
    depth = scene()
    scale = face_scale((depth, depth), [BOX])
    assert 0.57 < scale.near < 0.61 and 0.64 < scale.far < 0.68
    assert scale == face_scale((depth, depth), [BOX, FaceBox(900.0, 900.0, 30.0)])


def test_two_faces_share_one_scale() -> None:
    """The nearer and the farther face both have colours of their own."""
    depth = scene()
    depth[20:50, 110:140] = 1.2
    scale = face_scale((depth, depth), [BOX, FaceBox(125.0, 35.0, 30.0)])
    assert scale.near < 0.61 and 1.15 < scale.far < 1.3


@pytest.mark.parametrize('boxes', [
    [], [FaceBox(900.0, 900.0, 30.0)], [FaceBox(10.0, 10.0, 10.0)]], ids=str)
def test_without_a_face_the_frame_gives_the_scale(boxes: list[FaceBox]) -> None:
    """No box, a box outside, a box of holes."""
    depth = scene()
    depth[:20, :20] = np.nan
    assert face_scale((depth, depth), boxes) == DepthScale.around(
        np.concatenate([depth.ravel()] * 2))
    assert face_scale((depth, depth), boxes).far > 1.9


def test_a_frame_of_holes_is_dark() -> None:
    """Nothing to see is no reason to fail."""
    nothing = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    left, right = halves(comparison_picture(
        LabelledDepth('a', nothing), LabelledDepth('b', nothing), [BOX], FOCAL))
    assert (right == HOLE_RGB).all() and (left[:, :-1] == HOLE_RGB).all()


@pytest.mark.parametrize('size', [(1, 1), (48, 64), (480, 640)])
def test_labels_stand_above_their_sides_and_fit(size: tuple[int, int]) -> None:
    """A long label leaves a margin, even above a small picture."""
    depth = np.full(size, 0.7, np.float32)
    strip = strip_height(size[0])

    def ink(left: str, right: str) -> tuple[np.ndarray, np.ndarray]:
        picture = comparison_picture(LabelledDepth(left, depth), LabelledDepth(right, depth), [],
                                     FOCAL)
        bright = picture[:strip].min(axis=2) > 40
        return bright[:, :size[1] - 1], bright[:, size[1]:]

    left, right = ink('DL-Delta-1: something with a very long name', '')
    assert not right.any()
    if size[1] > 1:
        assert left.any() and not left[:, -1].any() and not left[0].any() and not left[-1].any()
        assert ink('', 'None')[1].any() and not ink('', 'None')[0].any()


@pytest.mark.parametrize('left,right', [
    ((4, 4), (4, 5)), ((0, 4), (0, 4)), ((4, 4, 1), (4, 4, 1))])
def test_what_cannot_be_compared_is_named(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Sizes must be equal."""
    with pytest.raises(InvalidDepthError, match='of one size can be compared, got'):
        comparison_picture(LabelledDepth('a', np.ones(left, np.float32)),
                           LabelledDepth('b', np.ones(right, np.float32)), [], FOCAL)
