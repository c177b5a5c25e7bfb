# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What an estimator says of real faces, to be looked at: mask, landmarks, surface and its error.

One strip for each face. Surfaces are drawn as clay lit from the upper left, which shows what a
colour scale hides; both are smoothed alike, because a sensor's steps of 1 mm alone would turn
normals by tens of degrees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
from face_depth_ros.core.depth_view import error_picture, HOLE_RGB
from face_depth_ros.evaluation.estimation_faces import RealFace
from face_depth_ros.evaluation.estimation_real import aligned_depth_error, placed_points
from face_depth_ros.evaluation.estimator_rows import EstimatedFace
from face_depth_ros.evaluation.face_drawing import blend_mask, draw_landmarks
from face_depth_ros.evaluation.overlay import font, resized
import numpy as np
from PIL import Image, ImageDraw

ERROR_LIMIT_MM = 15.0
"""Errors from here on have the full colour."""

_GAP, _LABEL, _BAR = 6, 26, 58
_PAPER, _INK = (255, 255, 255), (38, 48, 62)
_CLAY = np.array([226.0, 208.0, 190.0])
_LIGHT = np.array([-0.42, -0.50, -0.757])
_AMBIENT = 0.14
_SMOOTH_PX = 2.5
_FINE = 2
"""Landmarks are drawn at this multiple of the crop, then shrunk with it."""
_JPEG_QUALITY = 88


def spread_faces(faces: Sequence[RealFace], count: int = 9) -> list[RealFace]:
    """
    Choose faces evenly over their yaws; over the recording where yaw is not known.

    :returns: at most `count`, each once, in the order of yaw
    """
    if not faces:
        return []
    keys = np.array([float(i) if f.yaw_deg is None else f.yaw_deg for i, f in enumerate(faces)])
    goals = np.linspace(keys.min(), keys.max(), min(count, len(faces)))
    chosen = {int(np.abs(keys - goal).argmin()) for goal in goals}
    return [faces[i] for i in sorted(chosen, key=lambda i: float(keys[i]))]


def face_strip(face: RealFace, view: EstimatedFace,
               others: Mapping[str, EstimatedFace] | None = None) -> np.ndarray:
    """
    Draw mask and landmarks over the colour, the estimated and the measured surface, the error.

    :param others: further rows, of which only the error is drawn
    :returns: (h, w, 3) uint8 RGB on white paper
    """
    color = face.color
    tiles = [('mask', blend_mask(color, view.mask)),
             ('landmarks', color if view.landmarks is None else landmarks_over(
                 color, view.landmarks)),
             ('estimated', clay(placed_points(face, view.relief))),
             ('sensor', clay(face.camera.points(face.sensor))),
             ('error', _error(face, view))]
    tiles += [(f'error, {name}', _error(face, other)) for name, other in (others or {}).items()]
    size = color.shape[0]
    canvas = Image.new('RGB', (len(tiles) * (size + _GAP) + _BAR, size + _LABEL), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for i, (label, tile) in enumerate(tiles):
        left = i * (size + _GAP)
        canvas.paste(Image.fromarray(tile), (left, _LABEL))
        draw.text((left + size // 2, _LABEL // 2), label, _INK, font(16), anchor='mm')
    _draw_bar(canvas, draw, len(tiles) * (size + _GAP), size)
    return np.asarray(canvas)


def landmarks_over(color: np.ndarray, points: np.ndarray) -> np.ndarray:
    """
    Draw the curves of the 68 points.

    :param color: (H, W, 3) uint8 RGB
    :param points: (68, 2) pixels; curves with NaN are left out
    :returns: (H, W, 3) uint8 RGB
    """
    height, width = color.shape[:2]
    canvas = resized(color, _FINE * width, _FINE * height)
    draw_landmarks(canvas, np.column_stack([points, np.ones(len(points))]), _FINE)
    return resized(canvas, width, height)


def clay(points: np.ndarray) -> np.ndarray:
    """
    Draw a surface as its camera sees it.

    :param points: metres, (3, H, W), NaN where there is none
    :returns: (H, W, 3) uint8 RGB, dark where nothing is
    """
    known = np.isfinite(points[2])
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), _SMOOTH_PX)
    smooth = np.full(points.shape, np.nan)
    for i in range(3):
        blurred = cv2.GaussianBlur(np.where(known, points[i], 0.0), (0, 0), _SMOOTH_PX)
        smooth[i][known] = blurred[known] / weight[known]
    down, across = np.gradient(smooth, axis=(1, 2))  # (3, H, W) each
    normal = np.cross(down, across, axis=0)  # towards the camera
    length = np.linalg.norm(normal, axis=0)
    with np.errstate(invalid='ignore', divide='ignore'):
        lambert = np.tensordot(_LIGHT, normal, axes=1) / length
    # At an outline there is no slope to tell; it takes the light of a surface that faces us.
    lambert = np.where(np.isfinite(lambert), np.clip(lambert, 0.0, 1.0), -_LIGHT[2])
    picture = (_AMBIENT + (1.0 - _AMBIENT) * lambert)[..., None] * _CLAY
    return np.where(known[..., None], picture, HOLE_RGB).astype(np.uint8)


def save_strip(folder: Path, name: str, strip: np.ndarray) -> Path:
    """
    Write a strip as a JPEG; the folder is made.

    :param name: of the file without its ending
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{name}.jpg'
    Image.fromarray(strip).save(path, 'JPEG', quality=_JPEG_QUALITY, subsampling=0)
    return path


def _error(face: RealFace, view: EstimatedFace) -> np.ndarray:
    """Draw the error; what lies outside the face area is darker."""
    picture = error_picture(aligned_depth_error(face, view.relief), ERROR_LIMIT_MM)
    outside = ~face.area
    picture[outside] = picture[outside] // 2
    return picture


def _draw_bar(canvas: Image.Image, draw: ImageDraw.ImageDraw, left: int, height: int) -> None:
    values = np.linspace(ERROR_LIMIT_MM, -ERROR_LIMIT_MM, height)
    bar = error_picture(np.repeat(values[:, None], 14, axis=1), ERROR_LIMIT_MM)
    canvas.paste(Image.fromarray(bar), (left, _LABEL))
    for value in (ERROR_LIMIT_MM, 0.0, -ERROR_LIMIT_MM):
        y = _LABEL + (ERROR_LIMIT_MM - value) / (2.0 * ERROR_LIMIT_MM) * (height - 1)
        y = min(max(y, _LABEL + 8), _LABEL + height - 9)
        draw.text((left + 19, y), f'{value:+.0f}' if value else '0', _INK, font(14), anchor='lm')
    draw.text((left + 14, _LABEL // 2), 'mm', _INK, font(14), anchor='mm')
