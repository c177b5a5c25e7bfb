# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Equation 6: what a head measures fills the box at every distance; and what cannot be cropped."""

from __future__ import annotations

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.dynamic_crop import (
    dynamic_crop_box,
    dynamic_crop_size,
    head_distance,
)
from face_depth_ros.core.errors import InvalidDepthError, InvalidFaceBoxError, SettingsError
import numpy as np
import pytest

CAMERA = CameraIntrinsics(512, 424, 365.0, 365.0, 256.0, 212.0)


def wall(metres: float) -> np.ndarray:
    return np.full((424, 512), metres, np.float32)


@pytest.mark.parametrize('metres', [0.4, 0.8, 1.25, 3.0])
def test_the_box_is_that_of_equation_6(metres: float) -> None:
    box = dynamic_crop_box((200.25, 150.75), wall(metres), CAMERA)
    assert (box.center_x, box.center_y, box.roll) == (200.25, 150.75, 0.0)
    assert box.side == pytest.approx(365.0 * 0.32 / metres, rel=1e-6)
    corners = np.array([[200.25 - box.side / 2, 150.0], [200.25 + box.side / 2, 150.0]])
    ends = CAMERA.unproject(corners, np.full(2, metres))
    assert ends[1, 0] - ends[0, 0] == pytest.approx(0.32, rel=1e-6)


def test_the_two_numbers_of_the_paper() -> None:
    biwi = CameraIntrinsics(640, 480, 370.0, 370.0, 320.0, 240.0)
    assert dynamic_crop_size(1.0, CAMERA) == pytest.approx((116.8, 116.8))
    assert dynamic_crop_size(0.925, biwi) == pytest.approx((128.0, 128.0))


def test_unequal_focal_lengths_and_sizes_give_the_larger_side() -> None:
    camera = CameraIntrinsics(512, 424, 300.0, 400.0, 256.0, 212.0)
    assert dynamic_crop_size(2.0, camera, 200.0, 100.0) == pytest.approx((30.0, 20.0))
    assert dynamic_crop_box((256, 212), wall(2.0), camera).side == pytest.approx(64.0)
    assert dynamic_crop_box((256, 212), wall(2.0), camera, 400.0).side == pytest.approx(64.0)


def test_the_mean_is_over_valid_depth_near_the_centre() -> None:
    depth = wall(4.0)  # a wall behind a face of 20 cm
    depth[212 - 36:212 + 36, 256 - 36:256 + 36] = 1.0
    depth[212 - 11:212, 256 - 11:256 + 11] = 1.02  # the upper half of the window of 22 pixels
    assert head_distance((256, 212), depth, CAMERA) == pytest.approx(1.01, abs=1e-6)
    depth[205:219, 249:263] = np.nan  # a hole in the middle
    value = head_distance((256, 212), depth, CAMERA)
    assert value == pytest.approx(1.01, abs=1e-6)


def test_a_far_head_does_not_take_in_the_wall() -> None:
    depth = wall(6.0)
    depth[212 - 9:212 + 9, 256 - 9:256 + 9] = 3.0  # 15 cm; the first look is 22 pixels wide
    assert head_distance((256, 212), depth, CAMERA) == pytest.approx(3.0)


def test_a_head_at_the_border_is_cropped() -> None:
    box = dynamic_crop_box((0.0, 423.9), wall(1.0), CAMERA)
    assert box.side == pytest.approx(116.8)


def test_no_depth_is_an_error() -> None:
    depth = wall(1.0)
    depth[180:240, 230:290] = np.nan
    depth[200, 250] = 0.0
    with pytest.raises(InvalidDepthError, match='no valid depth within 22 x 22 pixels of the he'):
        dynamic_crop_box((256, 212), depth, CAMERA)
    assert dynamic_crop_box((200, 212), depth, CAMERA).side == pytest.approx(116.8)


@pytest.mark.parametrize('center', [(-0.1, 10.0), (512.0, 10.0), (10.0, 424.0),
                                    (float('nan'), 10.0), (10.0, float('inf'))])
def test_a_centre_outside_the_image_is_an_error(center: tuple[float, float]) -> None:
    with pytest.raises(InvalidFaceBoxError, match='lies outside the 512 x 424 image'):
        dynamic_crop_box(center, wall(1.0), CAMERA)


@pytest.mark.parametrize('depth', [np.ones((480, 640), np.float32), np.ones((424, 512)),
                                   np.ones((424, 512), np.uint16)])
def test_depth_of_another_grid_or_type_is_an_error(depth: np.ndarray) -> None:
    with pytest.raises(InvalidDepthError, match='expected float32 metres on the grid'):
        dynamic_crop_box((256, 212), depth, CAMERA)


def test_sizes_must_be_positive() -> None:
    with pytest.raises(SettingsError, match='width_mm of a crop is 0, expected more than 0'):
        dynamic_crop_box((256, 212), wall(1.0), CAMERA, 0)
    with pytest.raises(SettingsError, match='height_mm of a crop is nan'):
        dynamic_crop_box((256, 212), wall(1.0), CAMERA, 320.0, float('nan'))
    with pytest.raises(SettingsError, match='distance of a crop is -1.0'):
        dynamic_crop_size(-1.0, CAMERA)
