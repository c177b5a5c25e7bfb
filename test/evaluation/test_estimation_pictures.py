# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pictures of estimated faces: what they must show, and what they must not change."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.crop_alignment import CropCamera
from face_depth_ros.core.depth_view import HOLE_RGB
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.core.face_placement import place_by_box
from face_depth_ros.core.frames import Detection, Frame
from face_depth_ros.evaluation.estimation_faces import RealFace
from face_depth_ros.evaluation.estimation_pictures import (
    clay,
    face_strip,
    landmarks_over,
    save_strip,
    spread_faces,
)
from face_depth_ros.evaluation.estimation_real import rays_of
from face_depth_ros.evaluation.estimator_rows import EstimatedFace
import numpy as np
from PIL import Image
import pytest

CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)
BOX = FaceBox(160.0, 120.0, 110.0)
GRID_Y, GRID_X = (np.mgrid[:CROP_PX, :CROP_PX] + 0.5) / CROP_PX - 0.5


def face(yaw: float | None = 0.0, index: int = 3) -> RealFace:
    depth = (0.6 - 0.06 * np.exp(-8.0 * (GRID_X ** 2 + GRID_Y ** 2))).astype(np.float32)
    area = np.hypot(GRID_X, GRID_Y) < 0.35
    return RealFace(index, yaw, np.full((CROP_PX, CROP_PX, 3), 90, np.uint8), depth, None, area,
                    CropCamera.of(BOX, CROP_PX, CAMERA), Detection(BOX, 0.9),
                    Frame(1, 'camera', intrinsics=CAMERA))


def estimate(relief: np.ndarray) -> EstimatedFace:
    mask = np.full(relief.shape, 5, np.uint8)
    mask[:60] = 0
    return EstimatedFace(relief.astype(np.float32), relief, mask,
                         np.full((68, 2), np.nan, np.float32))


def exact_of(one: RealFace) -> EstimatedFace:
    distance = place_by_box(BOX, CAMERA).distance_m
    return estimate(one.sensor * rays_of(one) - distance)


def test_a_surface_towards_the_light_is_brighter() -> None:
    camera = face().camera
    slope = 0.1
    right_nearer = clay(camera.points((0.6 - slope * GRID_X).astype(np.float32)))
    left_nearer = clay(camera.points((0.6 + slope * GRID_X).astype(np.float32)))
    # The light comes from the upper left; a wall whose right side is nearer faces left.
    assert int(right_nearer[128, 128, 0]) > int(left_nearer[128, 128, 0]) + 10


def test_holes_stay_dark_and_do_not_shade_what_is_beside_them() -> None:
    points = face().camera.points(np.full((CROP_PX, CROP_PX), 0.6, np.float32))
    whole = clay(points)
    points[:, 100:120, 100:120] = np.nan
    holed = clay(points)
    assert (holed[105:115, 105:115] == HOLE_RGB).all()
    beside = np.s_[95:100, 90:130]
    assert np.abs(holed[beside].astype(int) - whole[beside]).max() <= 12
    np.testing.assert_array_equal(holed[200:], whole[200:])


def test_nothing_is_dark_all_over() -> None:
    picture = clay(np.full((3, CROP_PX, CROP_PX), np.nan, np.float32))
    assert (picture == HOLE_RGB).all()


def test_landmarks_lie_where_they_are() -> None:
    color = np.full((CROP_PX, CROP_PX, 3), 90, np.uint8)
    points = np.full((68, 2), np.nan, np.float32)
    points[:17, 0], points[:17, 1] = np.linspace(40, 200, 17), 150.0  # the jaw as a line
    drawn = landmarks_over(color, points)
    changed = np.nonzero((drawn != color).any(axis=2))
    assert 147 <= changed[0].min() and changed[0].max() <= 152
    assert 37 <= changed[1].min() <= 41 and 198 <= changed[1].max() <= 202


def test_a_strip_shows_every_tile_and_further_errors() -> None:
    one = face()
    exact = exact_of(one)
    wrong = estimate(np.zeros((CROP_PX, CROP_PX)))
    strip = face_strip(one, exact)
    longer = face_strip(one, exact, {'Mean face': wrong})
    assert strip.dtype == np.uint8 and longer.shape[0] == strip.shape[0]
    step = (longer.shape[1] - strip.shape[1])
    assert step > CROP_PX
    error = strip[-CROP_PX:, 4 * step:4 * step + CROP_PX]
    assert (error[128, 128] == 247).all()  # white: no error
    assert (longer[-CROP_PX:, 5 * step:5 * step + CROP_PX][128, 128] != 247).any()
    assert (error[10, 10] < 130).all()  # outside the face area: darker
    mask = strip[-CROP_PX:, :CROP_PX]
    assert (mask[30, 128] == 90).all() and (mask[128, 128] != 90).any()


def test_strips_are_small_files(tmp_path: Path) -> None:
    one = face()
    path = save_strip(tmp_path / 'made', 'frame_0003',
                      face_strip(one, exact_of(one)))
    assert path.name == 'frame_0003.jpg' and path.stat().st_size < 300_000
    with Image.open(path) as picture:
        assert picture.height < 300


@pytest.mark.parametrize(('yaws', 'expected'), [
    ([-60.0, -59.0, 0.0, 1.0, 50.0], [0, 2, 4]),
    ([50.0, -60.0, 0.0], [1, 2, 0]),
    ([None, None, None, None, None], [0, 2, 4]),
    ([5.0], [0]),
    ([], []),
])
def test_faces_are_spread_over_yaw(yaws: list[float | None], expected: list[int]) -> None:
    faces = [face(yaw, i) for i, yaw in enumerate(yaws)]
    assert [f.index for f in spread_faces(faces, 3)] == expected
