# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Drawings stand where they belong."""

from __future__ import annotations

from dataclasses import replace
import math

from face_depth_ros.core.depth_view import DepthScale
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.output_messages import OutputEstimate
from face_depth_ros.evaluation.overlay import (
    draw_faces,
    overlay_image,
    OverlayPanels,
    panel_size,
    track_color,
)
import numpy as np
import pytest

GREY = np.full((120, 160, 3), 60, np.uint8)
SCALE = DepthScale(0.4, 0.8)


def face(roll: float = 0.0, **changes) -> Detection:
    return Detection(FaceBox(80.0, 60.0, 50.0, roll), 0.9, changes.get('landmarks'), 'f00001')


@pytest.mark.parametrize('roll', [0.0, 0.5, -2.0])
@pytest.mark.parametrize('scale', [1.0, 2.5])
def test_box_lies_on_its_corners(roll: float, scale: float) -> None:
    picture = draw_faces(GREY, [face(roll)], scale, labels=False)
    assert picture.shape == (round(120 * scale), round(160 * scale), 3)
    drawn = (picture != 60).any(axis=2)
    rows, columns = np.nonzero((picture == track_color('f00001')).all(axis=2))
    assert rows.size
    # Every pixel of the colour is near an edge of the square, or on the tick at its top.
    along, across = (
        ((columns + 0.5) / scale - 80) * math.cos(roll) + ((rows + 0.5) / scale - 60)
        * math.sin(roll),
        -((columns + 0.5) / scale - 80) * math.sin(roll) + ((rows + 0.5) / scale - 60)
        * math.cos(roll))
    edge = np.abs(np.maximum(np.abs(along), np.abs(across)) - 25.0)
    tick = (np.abs(along) < 2.5) & (across < -24)
    assert ((edge < 2.5) | tick).all()
    assert tick.any()
    for corner in face(roll).box.corners() * scale:
        x, y = (int(v) for v in corner)
        assert drawn[y - 3:y + 4, x - 3:x + 4].any()


def test_landmarks_are_dots_at_their_pixels() -> None:
    points = np.array([[70.0, 50.0], [90.0, 50.0], [80.0, 60.0], [np.nan, 0.0], [88.0, 70.0]],
                      np.float32)
    picture = draw_faces(GREY, [face(landmarks=points)], labels=False)
    for x, y in points[[0, 1, 2, 4]]:
        assert tuple(picture[int(y), int(x)]) == track_color('f00001')
    assert tuple(picture[55, 75]) == (60, 60, 60)


def test_labels_stay_inside_and_the_input_is_not_touched() -> None:
    for x, y in ((0.0, 0.0), (160.0, 120.0), (80.0, 5.0)):
        picture = draw_faces(GREY, [Detection(FaceBox(x, y, 40.0), 0.5, None, 'f00002')])
        assert (picture == track_color('f00002')).all(axis=2).sum() > 200
    assert (GREY == 60).all()


def test_a_track_keeps_its_colour() -> None:
    assert track_color('f00001') == track_color('f00001') != track_color('f00002')
    assert len(track_color('person')) == len(track_color('')) == 3


@pytest.mark.parametrize('shape', [(320, 240), (480, 640), (721, 1281)])
def test_panels_fill_an_even_frame(shape: tuple[int, int]) -> None:
    depth = np.full(shape, 0.5, np.float32)
    color = np.zeros((*shape, 3), np.uint8)
    size = panel_size(shape[1], shape[0])
    picture = overlay_image(OverlayPanels(color, depth, 300.0, (face(),), None, 'caption'), SCALE,
                            size)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert picture.shape[1] <= 1930
    assert size[0] / size[1] == pytest.approx(shape[1] / shape[0], rel=0.02)
    middle = picture[34 + size[1] * 3 // 4, size[0] + 4 + size[0] // 8]
    assert tuple(middle) == tuple(SCALE.colors(np.float32(0.5)))
    dropped = picture[34 + size[1] * 3 // 4, 2 * (size[0] + 4) + size[0] // 8]
    assert dropped.max() < 40


def estimated(shape: tuple[int, int]) -> OutputEstimate:
    """Return an estimate of the middle of the image, at 0.6 m."""
    mask = np.zeros(shape, np.uint8)
    mask[shape[0] // 3:2 * shape[0] // 3, shape[1] // 3:2 * shape[1] // 3] = 6
    depth = np.where(mask > 0, np.float32(0.6), np.float32(np.nan))
    return OutputEstimate(depth, None, mask)


@pytest.mark.parametrize('shape', [(480, 640), (720, 1280), (640, 480), (320, 240)])
def test_an_estimator_adds_a_panel_and_covers_the_face(shape: tuple[int, int]) -> None:
    height, width = shape
    color = np.full((*shape, 3), 60, np.uint8)
    size = panel_size(width, height, panels=4)
    in_rows = width > height
    estimate = estimated(shape)
    panels = OverlayPanels(color, np.full(shape, 0.5, np.float32), 300.0, (face(),),
                           np.full(shape, 0.5, np.float32), 'caption', True, estimate)
    picture = overlay_image(panels, SCALE, size)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert picture.shape[1] <= 1930
    assert picture.shape[0] <= 1080
    assert size[0] / size[1] == pytest.approx(width / height, rel=0.02)
    # The middle of the first panel shows the mouth's colour, of the last one the depth there.
    middle = np.array([34 + size[1] // 2, size[0] // 2])
    assert tuple(picture[tuple(middle)]) == (137, 50, 50)
    last = middle + ((size[1] + 34, size[0] + 4) if in_rows else (0, 3 * (size[0] + 4)))
    assert tuple(picture[tuple(last)]) == tuple(SCALE.colors(np.float32(0.6)))
    corner = last - (size[1] * 3 // 10, -size[0] * 3 // 10)
    assert picture[tuple(corner)].max() < 40  # nothing is estimated outside the face
    dropped = overlay_image(replace(panels, estimate=None), SCALE, size)
    assert dropped[tuple(last + (size[1] // 4, size[0] // 4))].max() < 40
    assert tuple(dropped[tuple(middle)]) == (60, 60, 60)


def test_the_68_points_take_the_place_of_the_five() -> None:
    five = np.array([[70.0, 50.0], [90.0, 50.0], [80.0, 60.0], [72.0, 70.0], [88.0, 70.0]],
                    np.float32)
    estimate = OutputEstimate(np.full((120, 160), np.nan, np.float32), None,
                              np.zeros((120, 160), np.uint8))
    panels = OverlayPanels(GREY, np.full((120, 160), 0.5, np.float32), 100.0,
                           (face(landmarks=five),), None, '', True, estimate)
    spot = tuple((np.array([34, 0]) + np.array([60, 80]) * 4).tolist())
    assert tuple(overlay_image(panels, SCALE, (640, 480))[spot]) == track_color('f00001')
    points = np.concatenate([np.full((68, 2), 20.0), np.ones((68, 1))], axis=1)
    known = replace(panels, estimate=replace(estimate, landmarks={'f00001': points}))
    assert tuple(overlay_image(known, SCALE, (640, 480))[spot]) == (60, 60, 60)
