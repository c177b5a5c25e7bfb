# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Drawings stand where they belong."""

from __future__ import annotations

from dataclasses import replace
import math
from typing import Any

from face_depth_ros.core.depth_view import DepthScale
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.face_labels import (
    expression_label,
    FaceLabel,
    LabelledFace,
    liveness_label,
    LIVENESS_RGB,
    placed_labels,
)
from face_depth_ros.evaluation.output_messages import (
    OutputEstimate,
    OutputExpression,
    OutputLiveness,
)
from face_depth_ros.evaluation.overlay import (
    draw_faces,
    font,
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


def said(track: str, label: str = 'surprise', life: str = 'live') -> dict[str, Any]:
    """Return what stages say of a face."""
    chances = dict.fromkeys(EXPRESSIONS, 0.05) | {label: 0.7}
    return {'identities': {track: ('Ada', 0.93)},
            'expressions': {track: OutputExpression(label, chances)},
            'liveness': {track: OutputLiveness(life, 0.98 * (life != 'unsure'))}}


@pytest.mark.parametrize('life', ['live', 'spoof', 'unsure'])
def test_badge_and_expression_stand_below_the_face(life: str) -> None:
    color = np.full((240, 320, 3), 60, np.uint8)
    one = Detection(FaceBox(160.0, 110.0, 100.0), 0.9, None, 'f00001')
    panels = OverlayPanels(color, np.full((240, 320), 0.5, np.float32), 300.0, (one,), None, '')
    plain = overlay_image(panels, SCALE, (640, 480))
    drawn = overlay_image(replace(panels, **said('f00001', life=life)), SCALE, (640, 480))
    badge = (drawn == LIVENESS_RGB[life]).all(axis=2)
    rows, columns = np.nonzero(badge)
    # Below the box, which ends at 34 + 2 * 160 and begins at the left at 220.
    assert rows.size > 400 and rows.min() > 354 and columns.min() == 220
    assert not (plain == LIVENESS_RGB[life]).all(axis=2).any()
    changed = (drawn != plain).any(axis=2)
    assert not changed[60:350].any() or changed[:130].any()


def test_a_face_of_which_nothing_could_be_seen_has_no_expression() -> None:
    shown = OutputExpression('neutral', dict.fromkeys(EXPRESSIONS, 1 / 7))
    assert expression_label(shown).text == 'not seen'
    assert expression_label(said('x')['expressions']['x']).text == 'surprise 70 %'
    assert [liveness_label(OutputLiveness(*life)).text for life in (
        ('live', 0.98), ('spoof', 0.6), ('unsure', 0.0))] == [
            '\N{CHECK MARK} live 98 %', '\N{BALLOT X} spoof 60 %', '? unsure']


def contrast(first: tuple[int, int, int], second: tuple[int, int, int]) -> float:
    """Return the contrast ratio of WCAG 2."""
    def luminance(rgb: tuple[int, int, int]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
                  for c in np.array(rgb) / 255]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_labels_are_readable() -> None:
    labels = [liveness_label(OutputLiveness(life, 0.9)) for life in LIVENESS_RGB]
    labels.append(expression_label(said('x')['expressions']['x']))
    assert all(contrast(label.fill, label.ink) >= 4.5 for label in labels)
    assert len({label.text.split()[0] for label in labels[:3]}) == 3  # not by colour alone


@pytest.mark.parametrize('sides', [(60.0, 60.0), (110.0, 30.0), (200.0, 90.0)])
@pytest.mark.parametrize('apart', [1.0, 0.7, 0.3])
def test_labels_do_not_lie_over_each_other(sides: tuple[float, float], apart: float) -> None:
    """Two faces near each other, and near the border of the picture."""
    width, height = 640, 480
    name = FaceLabel('f00001 Ada Lovelace 100 %', (1, 2, 3))
    below = (expression_label(said('x', 'happiness')['expressions']['x']),
             liveness_label(OutputLiveness('spoof', 1.0)))
    for x in (0.0, 100.0, 500.0, 620.0):
        for y in (-20.0, 5.0, 200.0, 430.0):
            second = x + apart * sides[0]
            faces = [LabelledFace((x, y, x + sides[0], y + sides[0]), name, below),
                     LabelledFace((second, y + 3, second + sides[1], y + 3 + sides[1]), name,
                                  below)]
            places = [p for p, _ in placed_labels(faces, font(16), width, height)]
            assert len(places) == 6
            for left, top, right, bottom in places:
                assert left >= 0 and top >= 0 and right <= width and bottom <= height
            for i, a in enumerate(places):
                for b in places[i + 1:]:
                    over = (min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1]))
                    assert min(over) <= 0, (sides, apart, x, y)
