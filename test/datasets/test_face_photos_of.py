# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Crops of a head whose shape is known, before cameras and as scans."""

from __future__ import annotations

from dataclasses import replace
import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError, InvalidDepthError
from face_depth_ros.datasets.face_photos_of import (
    face_crop,
    face_photo_of,
    head_center,
    HEAD_POINT_BEHIND_M,
)
from face_depth_ros.datasets.rgbd_faces import RgbdFace
import numpy as np
import pytest

CAMERA = CameraIntrinsics(320, 240, 260.0, 260.0, 160.0, 120.0)
CENTER = (150.0, 110.0)
RADIUS_M = 0.085


def bulge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth behind the frontmost point of a head, metres; NaN beside it."""
    away = (x ** 2 + y ** 2) / RADIUS_M ** 2
    return np.where(away < 1, 0.06 * away, np.nan)


def camera_face(distance: float, camera: CameraIntrinsics = CAMERA,
                center: tuple[float, float] = CENTER) -> RgbdFace:
    """Return a head whose frontmost point is so far away, before a wall 1 m behind."""
    ys, xs = np.mgrid[:camera.height, :camera.width] + 0.5
    # The lateral size is that at the head's front, so that its outline is a circle of the image.
    x, y = ((p - c) / camera.fx * distance for p, c in ((xs, center[0]), (ys, center[1])))
    depth = np.nan_to_num(distance + bulge(x, y), nan=distance + 1.0).astype(np.float32)
    color = np.stack([xs, ys, 0 * xs], axis=-1).astype(np.uint8)
    return RgbdFace('biwi', 'F01', '01', '01_00003', 'free', color, depth, intrinsics=camera,
                    yaw=10.0, roll=30.0, head_center=center)


def scan_face(metres_per_pixel: float = 0.001) -> RgbdFace:
    """Return the same head as a scan, in an image of 240 x 200."""
    ys, xs = np.mgrid[:200, :240] + 0.5
    x, y = (xs - 130.0) * metres_per_pixel, (ys - 90.0) * metres_per_pixel
    color = np.full((200, 240, 3), 99, np.uint8)
    return RgbdFace('texas_3dfrd', '001', '', '0001', 'neutral', color,
                    (1.0 + bulge(x, y)).astype(np.float32), metres_per_pixel=metres_per_pixel,
                    landmarks=np.array([[100, 60], [160, 60], [np.nan, 0], [130, 150]],
                                       np.float32))


def test_the_papers_box_measures_320_mm_at_the_surface() -> None:
    crop = face_crop(camera_face(0.9))
    surface = crop.head_depth - HEAD_POINT_BEHIND_M
    assert 0.900 < surface < 0.909  # the bulge falls by up to 15 mm within the window
    assert crop.box.side * surface / 260.0 == pytest.approx(0.32)
    assert crop.side_m == pytest.approx(0.32 * crop.head_depth / surface)
    assert (crop.box.center_x, crop.box.center_y, crop.box.roll) == (*CENTER, 0.0)


def test_our_own_box_measures_22_cm_at_the_head_point() -> None:
    crop = face_crop(camera_face(0.9), None, upright=True)
    assert crop.box.side * crop.head_depth / 260.0 == pytest.approx(0.22)
    assert crop.side_m == pytest.approx(0.22)
    assert crop.box.roll == pytest.approx(math.radians(30.0))


@pytest.mark.parametrize('center', [CENTER, (60.0, 55.0)])
@pytest.mark.parametrize('crop_mm', [None, 220.0, 320.0])
def test_relief_lies_behind_the_head_point_on_the_ray_to_it(
        crop_mm: float | None, center: tuple[float, float]) -> None:
    face = camera_face(0.9, center=center)
    crop, photo = face_crop(face, crop_mm), face_photo_of(face, crop_mm, size=200)
    head = CAMERA.unproject(np.array(center), np.array(crop.head_depth))
    ys, xs = (np.mgrid[:200, :200] + 0.5) / 200.0 - 0.5
    pixels = np.stack([xs, ys], axis=-1) * crop.box.side + center
    x, y = np.moveaxis((pixels - center) / 260.0 * 0.9, -1, 0)
    points = CAMERA.unproject(pixels, 0.9 + bulge(x, y))
    distance = np.linalg.norm(head)
    expected = (points @ (head / distance) - distance) * 0.22 / crop.side_m
    inside = np.hypot(x, y) < RADIUS_M - 0.004
    np.testing.assert_allclose(photo.relief[inside], expected[inside], atol=0.003)
    outside = np.hypot(x, y) > RADIUS_M + 0.004
    assert np.isnan(photo.relief[outside]).all() and not photo.mask[outside].any()
    assert (photo.mask[inside] == 1).all() and photo.relief.dtype == np.float32


def test_the_photo_is_the_crop_of_the_image() -> None:
    face = camera_face(0.9)
    crop, photo = face_crop(face), face_photo_of(face, identity=7)
    assert photo.color.shape == (256, 256, 3) and photo.mask.dtype == np.uint8
    for column, row in ((128, 128), (60, 200)):
        x = CENTER[0] + ((column + 0.5) / 256 - 0.5) * crop.box.side
        y = CENTER[1] + ((row + 0.5) / 256 - 0.5) * crop.box.side
        np.testing.assert_allclose(photo.color[row, column, :2], (x - 0.5, y - 0.5), atol=1.0)
    assert (photo.yaw, photo.pitch, photo.roll, photo.identity) == (10.0, 0.0, 30.0, 7)
    assert np.isnan(photo.landmarks).all() and not photo.visible.any()
    assert photo.landmarks.shape == (68, 2) and photo.visible.shape == (68,)


def test_a_scan_and_a_camera_far_away_agree() -> None:
    camera = CameraIntrinsics(320, 240, 1300.0, 1300.0, 160.0, 120.0)
    near, scan = camera_face(4.0, camera), replace(scan_face(), head_center=(130.0, 90.0))
    for crop_mm in (None, 260.0):
        a, b = (face_photo_of(f, crop_mm, size=128) for f in (near, scan))
        both = np.isfinite(a.relief) & np.isfinite(b.relief)
        assert both.mean() > 0.9 * np.isfinite(b.relief).mean() > 0.2
        np.testing.assert_allclose(a.relief[both], b.relief[both], atol=0.003)


def test_where_the_head_is() -> None:
    scan = scan_face()
    assert head_center(replace(scan, head_center=(7.0, 8.0))) == (7.0, 8.0)
    assert head_center(scan) == (130.0, 90.0)  # the mean of what is known
    names = {'Nose tip': np.array([131, 92]), 'Chin': np.array([130, 170])}
    assert head_center(replace(scan, landmarks=names)) == (131.0, 92.0)
    del names['Nose tip']
    assert head_center(replace(scan, landmarks=names)) == (130.0, 170.0)
    for none in (None, np.full((4, 2), np.nan)):
        x, y = head_center(replace(scan, landmarks=none))  # the nearest place
        assert abs(x - 130) <= 8 and abs(y - 90) <= 8


def test_a_mask_of_our_box_is_brought_to_the_crop() -> None:
    face = replace(camera_face(0.9), roll=40.0)
    own = face_crop(face, None, upright=True)
    mask = np.zeros((192, 192), np.uint8)
    mask[48:144, 60:140] = 1
    mask[90:110, 90:110] = 5
    assert (face_photo_of(face, None, upright=True, size=192, mask=mask).mask == mask).all()
    photo, crop = face_photo_of(face, mask=mask), face_crop(face)
    for v, u in ((100, 100), (60, 70), (140, 136), (20, 20), (45, 100)):
        x, y = own.box.image_from_crop(192) @ (u + 0.5, v + 0.5, 1.0)
        column, row = np.floor(crop.box.crop_from_image(256) @ (x, y, 1.0)).astype(int)
        assert photo.mask[row, column] == mask[v, u]
    scale = (256 / crop.box.side) / (192 / own.box.side)
    assert (photo.mask > 0).sum() == pytest.approx((mask > 0).sum() * scale ** 2, rel=0.02)
    assert np.isnan(photo.relief[photo.mask == 0]).all()
    assert np.isfinite(photo.relief[photo.mask > 0]).mean() > 0.9


def test_a_mask_keeps_the_face_where_its_depth_is_missing() -> None:
    face = replace(camera_face(0.9), roll=None)
    face.depth[105:109, 150:160] = np.nan
    mask = np.ones((64, 64), np.uint8)
    photo = face_photo_of(face, None, mask=mask)
    assert photo.mask.all() and np.isnan(photo.relief[100:128, 130:150]).any()


@pytest.mark.parametrize('mask', [
    np.ones((8, 8)), np.ones((8, 9), np.uint8), np.full((8, 8), 7, np.uint8),
    np.ones((0, 0), np.uint8)])
def test_a_wrong_mask_is_an_error(mask: np.ndarray) -> None:
    with pytest.raises(DatasetError, match='expected a square of uint8 labels below 7'):
        face_photo_of(camera_face(0.9), mask=mask)


def test_what_cannot_be_cropped_is_an_error() -> None:
    face, scan = camera_face(0.9), scan_face()
    with pytest.raises(DatasetError, match='biwi 01_00003 has no colour; open the dataset with'):
        face_photo_of(replace(face, color=None))
    with pytest.raises(DatasetError, match='neither the dataset nor a landmark tells where the'):
        face_photo_of(replace(face, head_center=None))
    with pytest.raises(DatasetError, match='nothing tells how large a pixel is'):
        face_photo_of(replace(scan, metres_per_pixel=None))
    with pytest.raises(DatasetError, match=r'the centre of the head, \(400.0, 10.0\), lies out'):
        face_photo_of(replace(face, head_center=(400.0, 10.0)))
    with pytest.raises(DatasetError, match='crop_mm is 0, expected more than 0, or None'):
        face_photo_of(face, 0)
    with pytest.raises(InvalidDepthError, match='no valid depth within'):
        face_photo_of(replace(face, depth=np.full((240, 320), np.nan, np.float32)))
    with pytest.raises(DatasetError, match='a scan has no valid depth in one piece'):
        face_photo_of(replace(scan, landmarks=None,
                              depth=np.full((200, 240), np.nan, np.float32)))
    with pytest.raises(DatasetError, match='a scan of 5 x 5 pixels is no face'):
        head_center(replace(scan, landmarks=None, color=None, depth=scan.depth[:5, :5]))
