# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The frame in which recognisers see faces: fitted to landmarks, the same whatever the box."""

from __future__ import annotations

import math

import cv2
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_frame import (
    frame_of,
    FRAME_PX,
    framed_input,
    frames_of,
    within_crop,
)
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
import numpy as np
import pytest

SIDE = 192


def landmarks(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, scale: float = 1.0,
              place: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    """Return the mean head's landmarks in scaled orthography, in shares of a box's side."""
    (sy, cy), (sp, cp), (sr, cr) = ((math.sin(a), math.cos(a)) for a in (yaw, pitch, roll))
    turn = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return (MEAN_LANDMARKS_M @ turn.T)[:, :2] * (scale / BOX_SIDE_M) + place


@pytest.mark.parametrize('yaw', [-1.0, 0.0, 0.6])
def test_the_frame_is_where_the_mean_head_stands(yaw: float) -> None:
    """A turned head has the frame of the same head straight on."""
    box = FaceBox(300.0, 200.0, 160.0, 0.1)
    points = landmarks(yaw, 0.2, 0.3, 0.8, (0.55, 0.42))
    affine = box.image_from_crop(1)
    frame = frame_of(points @ affine[:, :2].T + affine[:, 2], box)
    assert frame.side == pytest.approx(0.8 * 160.0)
    assert frame.roll == pytest.approx(0.4)
    wanted = affine[:, :2] @ (0.55, 0.42) + affine[:, 2]
    assert (frame.center_x, frame.center_y) == pytest.approx(tuple(wanted))


def test_a_frame_in_the_crop_is_the_one_in_the_image() -> None:
    box = FaceBox(300.0, 200.0, 160.0, 0.1)
    points = landmarks(0.3, 0.1, 0.2, 0.9, (0.45, 0.52))
    affine = box.image_from_crop(1)
    frame = frame_of(points @ affine[:, :2].T + affine[:, 2], box)
    wanted = frame_of(points * 96.0, FaceBox(48.0, 48.0, 96.0))
    found = within_crop(frame, box, 96)
    for name in ('center_x', 'center_y', 'side', 'roll'):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name))


def test_landmarks_that_fix_nothing_leave_the_box() -> None:
    box = FaceBox(100.0, 90.0, 60.0, -0.2)
    far = landmarks(place=(1.4, 0.5))
    tiny = landmarks(scale=0.1)
    holed = landmarks()
    holed[27] = np.nan
    affine = box.image_from_crop(1)
    for points in (far, tiny, np.full((68, 2), 0.5), holed):
        frame = frame_of(points @ affine[:, :2].T + affine[:, 2], box)
        assert (frame.center_x, frame.center_y, frame.side, frame.roll) == pytest.approx(
            (100.0, 90.0, 60.0, -0.2))
    many = frames_of(np.stack([landmarks(scale=1.2), far]))
    np.testing.assert_allclose(many[0][:, :2], np.eye(2) / 1.2, atol=1e-9)
    np.testing.assert_allclose(many[1], [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def scene(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a face that moves with its landmarks: colour, relief, mask."""
    affine = frames_of(points[None])[0]
    place = (np.stack(np.meshgrid(*[np.arange(SIDE)] * 2), axis=2) + 0.5) / SIDE
    u, v = np.moveaxis(place @ affine[:, :2].T + affine[:, 2], 2, 0)
    face = (u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.14
    color = np.stack([255.0 * u, 255.0 * v, np.full_like(u, 90.0)], axis=2).clip(0, 255)
    relief = np.where(face, 0.04 * ((u - 0.5) ** 2 - 0.5 * v), np.nan).astype(np.float32)
    return color.astype(np.uint8), relief, np.where(face, 1 + (v > 0.55), 0).astype(np.uint8)


def test_a_face_looks_the_same_in_any_box() -> None:
    made = []
    for points in (landmarks(), landmarks(roll=0.2, scale=0.85, place=(0.56, 0.47))):
        color, relief, mask = scene(points)
        frame = frame_of(points * SIDE, FaceBox(SIDE / 2, SIDE / 2, SIDE))
        made.append(framed_input(color, frame, relief, mask, frame))
    first, second = made
    inside = cv2.erode(((first.mask[0] > 0) & (second.mask[0] > 0)).astype(np.uint8),
                       np.ones((3, 3), np.uint8)) > 0
    assert inside.sum() > 0.9 * (first.mask > 0).sum()
    assert np.abs(first.color - second.color)[:, inside].max() <= 4.0
    assert np.abs(first.depth - second.depth)[0, inside].max() < 0.01
    assert (first.mask != second.mask).mean() < 0.03


def test_beyond_the_box_is_background() -> None:
    """Half of the frame lies outside: black, no face, no depth."""
    color, relief, mask = scene(landmarks())
    frame = FaceBox(SIDE, SIDE / 2, SIDE)
    seen = framed_input(color, frame, relief, mask, frame)
    right = slice(FRAME_PX // 4 + 1, None)
    assert (seen.mask[..., right] == 0).all() and (seen.color[..., right] == 0).all()
    assert (seen.mask[..., :right.start - 2] > 0).any()
