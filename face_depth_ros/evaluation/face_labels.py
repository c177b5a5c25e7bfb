# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Labels beside faces: who it is, what it says, whether it lives; none lies over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.core.live_identities import LIVE, SPOOF, UNSURE
from face_depth_ros.evaluation.output_messages import (
    NOT_SEEN,
    OutputExpression,
    OutputLiveness,
)
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_DARK = (10, 12, 16)
_WHITE = (255, 255, 255)
_NIGHT = (27, 31, 40)
LIVENESS_RGB = {LIVE: (0, 114, 178), SPOOF: (213, 94, 0), UNSURE: (176, 182, 192)}
"""Blue, vermilion and grey: apart for all kinds of colour vision, and of different lightness."""
LIVENESS_MARKS = {LIVE: '\N{CHECK MARK}', SPOOF: '\N{BALLOT X}', UNSURE: '?'}
_GAP = 3
_PAD_X, _PAD_Y = 6, 4

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom, pixels."""


@dataclass(frozen=True)
class FaceLabel:
    """
    One label.

    :param fill: colour behind the text, RGB
    :param ink: colour of the text, RGB
    """

    text: str
    fill: tuple[int, int, int]
    ink: tuple[int, int, int] = _DARK


@dataclass(frozen=True)
class LabelledFace:
    """
    A face and its labels.

    :param area: bounding rectangle of its box, pixels of the picture
    :param above: the label over it
    :param below: those under it
    """

    area: Rectangle
    above: FaceLabel
    below: tuple[FaceLabel, ...] = ()


def liveness_label(said: OutputLiveness) -> FaceLabel:
    """Return the badge of live, spoof or unsure: a mark and the word, not the colour alone."""
    chance = f' {100 * said.score:.0f} %' if said.score else ''
    return FaceLabel(f'{LIVENESS_MARKS.get(said.label, "?")} {said.label}{chance}',
                     LIVENESS_RGB.get(said.label, LIVENESS_RGB[UNSURE]),
                     _WHITE if said.label == LIVE else _DARK)


def expression_label(said: OutputExpression) -> FaceLabel:
    """Return the label of the expression shown."""
    chance = '' if said.shown == NOT_SEEN else f' {100 * said.probability:.0f} %'
    return FaceLabel(f'{said.shown}{chance}', _NIGHT, _WHITE)


def draw_labels(canvas: np.ndarray, faces: Sequence[LabelledFace],
                letters: ImageFont.FreeTypeFont) -> np.ndarray:
    """
    Return the picture with the labels of its faces.

    :param canvas: (h, w, 3) uint8 RGB
    """
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    for place, label in placed_labels(faces, letters, canvas.shape[1], canvas.shape[0]):
        draw.rectangle(place, label.fill)
        x0, y0, _, _ = letters.getbbox(label.text)
        # One base line for all: of the font's height, not of the letters that occur.
        draw.text((place[0] + _PAD_X - x0, place[1] + _PAD_Y - _top(letters)), label.text,
                  label.ink, letters)
    return np.asarray(image)


def placed_labels(faces: Sequence[LabelledFace], letters: ImageFont.FreeTypeFont, width: int,
                  height: int) -> list[tuple[Rectangle, FaceLabel]]:
    """
    Find a place for each label within the picture, near its face and free of other labels.

    Where there is none, it lies where it covers least of others.
    """
    placed: list[tuple[Rectangle, FaceLabel]] = []
    for face in faces:
        placed += _placed_block(face.area, [face.above], letters, (width, height), placed,
                                above=True)
    for face in faces:
        if face.below:
            placed += _placed_block(face.area, face.below, letters, (width, height), placed,
                                    above=False)
    return placed


def _placed_block(area: Rectangle, labels: Sequence[FaceLabel], letters: ImageFont.FreeTypeFont,
                  size: tuple[int, int], taken: Sequence[tuple[Rectangle, FaceLabel]], *,
                  above: bool) -> list[tuple[Rectangle, FaceLabel]]:
    """Place labels of a face together, one under the other, equally wide."""
    line = _height(letters)
    w = max(_width(label, letters) for label in labels)
    h = len(labels) * line
    seen = (max(area[0], 0.0), max(area[1], 0.0), min(area[2], size[0]), min(area[3], size[1]))
    blocks = []
    for x, y in _places(seen, w, h, size[1], above=above):
        left = min(max(x, 0.0), max(size[0] - w, 0.0))
        top = min(max(y, 0.0), max(size[1] - h, 0.0))
        covered = sum(_overlap((left, top, left + w, top + h), other) for other, _ in taken)
        # A place that only the border of the picture has pushed there is not the one meant.
        blocks.append(((covered, abs(top - y) > 0.5 * h), left, top))
    _, left, top = min(blocks, key=lambda block: block[0])
    return [((left, top + i * line, left + w, top + (i + 1) * line - 1), label)
            for i, label in enumerate(labels)]


def _places(area: Rectangle, w: float, h: float, height: int, *, above: bool,
            ) -> list[tuple[float, float]]:
    """
    Return where a block may lie, best first: over or under the face, in it, beside, anywhere near.

    :param area: of the face, as far as it is in the picture
    :param w, h: of the block
    :param height: of the picture
    :param above: whether it belongs over the face
    """
    left, top, right, bottom = area
    over, under = (left, top - h - _GAP), (left, bottom + _GAP)
    inside_top, inside_bottom = (left, top + _GAP), (left, bottom - h - _GAP)
    near = [over, inside_top, under, inside_bottom] if above else [under, inside_bottom, over,
                                                                   inside_top]
    sides = (right + _GAP, left - w - _GAP)
    beside = [(x, y) for x in sides for y in (top, bottom - h)]
    anywhere = [(x, float(y)) for x in (left, *sides) for y in range(0, height, 4)]
    anywhere.sort(key=lambda place: abs(place[0] - near[0][0]) + abs(place[1] - near[0][1]))
    return near + beside + anywhere


def _overlap(a: Rectangle, b: Rectangle) -> float:
    return (max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
            * max(0.0, min(a[3], b[3]) - max(a[1], b[1])))


def _width(label: FaceLabel, letters: ImageFont.FreeTypeFont) -> float:
    x0, _, x1, _ = letters.getbbox(label.text)
    return x1 - x0 + 2 * _PAD_X


def _top(letters: ImageFont.FreeTypeFont) -> float:
    return letters.getbbox('Ag%')[1]


def _height(letters: ImageFont.FreeTypeFont) -> float:
    _, y0, _, y1 = letters.getbbox('Ag%')
    return y1 - y0 + 2 * _PAD_Y
