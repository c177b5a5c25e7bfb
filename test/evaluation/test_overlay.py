# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Drawings stand where they belong."""

from __future__ import annotations

import math

from face_depth_ros.core.depth_view import DepthScale
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
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
