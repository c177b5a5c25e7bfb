# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Drawing: oriented boxes with ids and landmarks, and the panels of the overlay video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
import zlib

import cv2
from face_depth_ros.core.depth_view import DepthScale, shaded_depth
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.face_drawing import blend_mask, draw_landmarks
from face_depth_ros.evaluation.face_labels import (
    draw_labels,
    expression_label,
    FaceLabel,
    LabelledFace,
    liveness_label,
)
from face_depth_ros.evaluation.output_messages import (
    OutputEstimate,
    OutputExpression,
    OutputLiveness,
)
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_BACKGROUND = (15, 17, 21)
_TEXT = (236, 239, 244)
_MUTED = (150, 158, 172)
_TRACK_RGB = ((64, 196, 255), (255, 171, 64), (124, 225, 120), (244, 114, 182), (250, 228, 90),
              (178, 140, 255), (96, 225, 208), (255, 128, 110))
_SUBPIXEL_BITS = 4
_BAR_HEIGHT = 34
_SCALE_WIDTH = 78
_GAP = 4
_HEIGHT_BUDGET = 960


@dataclass(frozen=True)
class OverlayPanels:
    """
    What one frame of the overlay video shows.

    :param color: (H, W, 3) uint8 RGB
    :param depth: metres, (H, W) float32, NaN where invalid
    :param focal: pixels
    :param detections: faces, with track ids
    :param enhanced: metres, (H, W) float32, NaN where invalid; None when the frame was dropped
    :param caption: one line below the panels
    :param estimates: whether an estimator ran, so that its panel is there
    :param estimate: what it said; None when the frame was dropped
    :param identities: person and probability by track id, None where no recogniser ran
    :param expressions: by track id, None where nobody read them
    :param liveness: by track id, None where nobody told it
    """

    color: np.ndarray
    depth: np.ndarray
    focal: float
    detections: tuple[Detection, ...]
    enhanced: np.ndarray | None
    caption: str
    estimates: bool = False
    estimate: OutputEstimate | None = None
    identities: dict[str, tuple[str, float]] | None = None
    expressions: dict[str, OutputExpression] | None = None
    liveness: dict[str, OutputLiveness] | None = None


def draw_faces(color: np.ndarray, detections: Sequence[Detection], scale: float = 1.0,
               labels: bool = True) -> np.ndarray:
    """
    Colour image with oriented boxes, ids, scores and landmarks.

    :param color: (H, W, 3) uint8 RGB
    :param scale: size of the result over the size of the image; boxes stay crisp
    :returns: (round(H * scale), round(W * scale), 3) uint8 RGB
    """
    height, width = (max(1, round(s * scale)) for s in color.shape[:2])
    canvas = _with_boxes(resized(color, width, height), detections, scale)
    return _labelled(canvas, detections, scale) if labels else canvas


def _with_boxes(canvas: np.ndarray, detections: Sequence[Detection], scale: float) -> np.ndarray:
    """Draw boxes and five landmarks into a picture `scale` times as large."""
    thickness = max(2, round(min(canvas.shape[:2]) / 240))
    for detection in detections:
        rgb = track_color(detection.track_id)
        corners = detection.box.corners() * scale
        _polyline(canvas, corners, (0, 0, 0), thickness + 2)
        _polyline(canvas, corners, rgb, thickness)
        # A tick at the top edge tells which way is up.
        top = 0.5 * (corners[0] + corners[1])
        middle = np.array([detection.box.center_x, detection.box.center_y]) * scale
        _polyline(canvas, np.array([top, top + 0.12 * (top - middle)]), rgb, thickness)
        for point in () if detection.landmarks is None else detection.landmarks * scale:
            if np.isfinite(point).all():
                cv2.circle(canvas, _fixed(point), (thickness + 2) << _SUBPIXEL_BITS, (0, 0, 0),
                           -1, cv2.LINE_AA, _SUBPIXEL_BITS)
                cv2.circle(canvas, _fixed(point), (thickness + 1) << _SUBPIXEL_BITS, rgb, -1,
                           cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


def overlay_image(panels: OverlayPanels, scale: DepthScale, size: tuple[int, int]) -> np.ndarray:
    """
    One frame of the overlay video: colour, depth before, depth after, scale and caption.

    Three panels stand in a row; with an estimator there are four, two below two where they are
    wider than high, and mask and landmarks lie over the colour.

    :param size: width and height of one panel, pixels (see `panel_size`)
    :returns: (h, w, 3) uint8 RGB with even sides
    """
    width, height = size
    pictures = [('colour', _color_panel(panels, size)),
                ('depth of the camera', _depth_panel(panels.depth, scale, panels, size)),
                ('enhanced depth', _depth_panel(panels.enhanced, scale, panels, size))]
    if panels.estimates:
        estimated = None if panels.estimate is None else panels.estimate.depth
        pictures[0] = ('colour, mask and landmarks', pictures[0][1])
        pictures.append(('depth estimated from colour',
                         _depth_panel(estimated, scale, panels, size)))
    columns, rows = _grid(width, height, len(pictures))
    canvas = np.full((_even(rows * (height + _BAR_HEIGHT) + _BAR_HEIGHT),
                      _even(columns * (width + _GAP) - _GAP + _SCALE_WIDTH), 3),
                     _BACKGROUND, np.uint8)
    corners = [(i % columns * (width + _GAP), i // columns * (height + _BAR_HEIGHT) + _BAR_HEIGHT)
               for i in range(len(pictures))]
    for (left, top), (_, picture) in zip(corners, pictures, strict=True):
        canvas[top:top + height, left:left + width] = picture[:height, :width]
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    for (left, top), (title, _) in zip(corners, pictures, strict=True):
        draw.text((left + 10, top - _BAR_HEIGHT // 2), title, _TEXT, font(17), anchor='lm')
    draw.text((10, canvas.shape[0] - _BAR_HEIGHT // 2), panels.caption, _MUTED, font(15),
              anchor='lm')
    _draw_scale(image, draw, scale, columns * (width + _GAP) - _GAP, height)
    return np.asarray(image)


def panel_size(width: int, height: int, budget: int = 1840, panels: int = 3) -> tuple[int, int]:
    """
    Return the even size of one panel, such that all are at most `budget` pixels wide together.

    :param panels: three or four (see `overlay_image`)
    """
    columns, rows = _grid(width, height, panels)
    factor = min(budget / (columns * width), 640 / height,
                 _HEIGHT_BUDGET / (rows * height))
    return _even(round(width * factor)), _even(round(height * factor))


def _grid(width: int, height: int, panels: int) -> tuple[int, int]:
    """Return columns and rows: what is wider than high and more than three stands in two rows."""
    return (2, 2) if panels > 3 and width > height else (panels, 1)


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the image at another size: by area when shrinking, else cubic, (h, w, C)."""
    if image.shape[:2] == (height, width):
        return image.copy()
    shrinking = width < image.shape[1]
    return cv2.resize(image, (width, height),
                      interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)


def track_color(track_id: str) -> tuple[int, int, int]:
    """Return the colour of a track, RGB, the same wherever it is drawn."""
    number = int(track_id[1:]) if track_id[1:].isdigit() else zlib.crc32(track_id.encode())
    return _TRACK_RGB[(number - 1) % len(_TRACK_RGB)]


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of all drawings, which comes with matplotlib."""
    path = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'
    return ImageFont.truetype(str(path), size)


def _color_panel(panels: OverlayPanels, size: tuple[int, int]) -> np.ndarray:
    factor = size[0] / panels.color.shape[1]
    canvas, boxes = resized(panels.color, *size), list(panels.detections)
    if panels.estimate is not None:
        canvas = blend_mask(canvas, panels.estimate.mask)
        for landmarks in panels.estimate.landmarks.values():
            draw_landmarks(canvas, landmarks, factor)
        # The 68 points take the place of the detector's five.
        boxes = [replace(d, landmarks=None) if d.track_id in panels.estimate.landmarks else d
                 for d in boxes]
    return _labelled(_with_boxes(canvas, boxes, factor), boxes, factor, panels.identities or {},
                     panels.expressions or {}, panels.liveness or {})


def _depth_panel(depth: np.ndarray | None, scale: DepthScale, panels: OverlayPanels,
                 size: tuple[int, int]) -> np.ndarray:
    width, height = size
    if depth is None:
        canvas = Image.fromarray(np.full((height, width, 3), _BACKGROUND, np.uint8))
        ImageDraw.Draw(canvas).text((width // 2, height // 2), 'dropped', _MUTED, font(22),
                                    anchor='mm')
        return np.asarray(canvas)
    picture = cv2.resize(shaded_depth(depth, scale, panels.focal), (width, height),
                         interpolation=cv2.INTER_AREA if width < depth.shape[1]
                         else cv2.INTER_NEAREST)
    factor = width / depth.shape[1]
    for detection in panels.detections:
        _polyline(picture, detection.box.corners() * factor, track_color(detection.track_id), 1)
    return picture


def _labelled(canvas: np.ndarray, detections: Sequence[Detection], scale: float,
              names: Mapping[str, tuple[str, float]] = MappingProxyType({}),
              expressions: Mapping[str, OutputExpression] = MappingProxyType({}),
              liveness: Mapping[str, OutputLiveness] = MappingProxyType({})) -> np.ndarray:
    """
    Write beside the boxes track and score, or who it is and how likely; below, what else is known.

    That is the expression shown with its probability, and a badge of live, spoof or unsure.
    """
    faces = []
    for detection in detections:
        track = detection.track_id
        person, score = names.get(track, ('', detection.score))
        text = ' '.join(filter(None, (track, person, f'{100 * score:.0f} %')))
        below = []
        if (shown := expressions.get(track)) is not None:
            below.append(expression_label(shown))
        if (life := liveness.get(track)) is not None:
            below.append(liveness_label(life))
        corners = detection.box.corners() * scale
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        area = (float(left), float(top), float(right), float(bottom))
        faces.append(LabelledFace(area, FaceLabel(text, track_color(track)), tuple(below)))
    return draw_labels(canvas, faces, font(max(13, round(min(canvas.shape[:2]) / 30))))


def _draw_scale(image: Image.Image, draw: ImageDraw.ImageDraw, scale: DepthScale, left: int,
                height: int) -> None:
    """Colour bar at the right edge, nearest at the top."""
    top, bottom = _BAR_HEIGHT + 14, _BAR_HEIGHT + height - 14
    distances = np.linspace(scale.near, scale.far, bottom - top)
    bar = np.repeat(scale.colors(distances)[:, None], 14, axis=1)
    image.paste(Image.fromarray(bar), (left + 10, top))
    for share in (0.0, 0.5, 1.0):
        y = top + share * (bottom - top - 1)
        draw.text((left + 29, y), f'{scale.near + share * (scale.far - scale.near):.2f}', _TEXT,
                  font(14), anchor='lm')
    draw.text((left + 10, _BAR_HEIGHT // 2), 'metres', _MUTED, font(14), anchor='lm')


def _polyline(canvas: np.ndarray, points: np.ndarray, rgb: tuple[int, int, int],
              thickness: int) -> None:
    fixed = np.array([_fixed(p) for p in points], np.int32)
    cv2.polylines(canvas, [fixed[:, None]], len(points) > 2, rgb, thickness, cv2.LINE_AA,
                  _SUBPIXEL_BITS)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """Corner-origin pixels as OpenCV's fixed-point, centre-origin coordinates."""
    scaled = (np.asarray(point, np.float64) - 0.5) * (1 << _SUBPIXEL_BITS)
    x, y = np.clip(scaled, -1e6, 1e6)
    return round(float(x)), round(float(y))


def _even(size: int) -> int:
    return max(2, size + size % 2)
