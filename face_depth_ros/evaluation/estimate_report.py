# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The part of a replay's report on what was estimated from colour: mask, points and depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
import math
from typing import Any

from face_depth_ros.core.depth_view import (
    confidence_picture,
    DepthScale,
    error_picture,
    shaded_depth,
)
from face_depth_ros.core.face_box import crop_color, crop_depth, FaceBox, transform_points
from face_depth_ros.core.face_photo import MASK_LABELS, MASK_RGB
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.estimate_analysis import named_faces, OTHER_SURFACE_MM
from face_depth_ros.evaluation.face_drawing import blend_mask, draw_landmarks
from face_depth_ros.evaluation.output_messages import OutputEstimate
from face_depth_ros.evaluation.replay_analysis import CameraImages, FrameScore
from face_depth_ros.evaluation.report import (
    columns,
    figure,
    number,
    paragraph,
    picture_grid,
    table,
)
import numpy as np

HEADINGS = ('colour', 'mask and landmarks', 'estimated depth', 'camera depth',
            'estimated - camera', 'uncertainty')
_CROP = 230
_CONTEXT = 1.12
_ERROR_LIMIT_MM = 15.0
_SIGMA_LIMIT_MM = 20.0


@dataclass(frozen=True)
class EstimateView:
    """One face of one frame with its estimate, to be shown."""

    label: str
    face: Detection
    images: CameraImages
    estimate: OutputEstimate


def estimate_blocks(views: Sequence[EstimateView], scale: DepthScale, times: Sequence[float],
                    scores: Sequence[FrameScore], summary: dict[str, Any]) -> list[str]:
    """
    Return the blocks of the section.

    :param views: the faces to show
    :param times: seconds since the first frame, one per score
    :param summary: what summary.json says under `estimation`
    """
    blocks = [paragraph(_verdict(summary))]
    if views:
        legend = ''.join(f'<span><i style="background:rgb{rgb}"></i>{escape(name)}</span>'
                         for name, rgb in zip(MASK_LABELS[1:], MASK_RGB[1:], strict=True))
        blocks += [f'<div class="legend">mask: {legend}</div>',
                   picture_grid(HEADINGS, [_row(view, scale) for view in views]),
                   paragraph(_explanation(), 'note')]
    if any(s.estimates for s in scores):
        blocks.append(columns(
            figure(plots.lines(times, _largest(scores, 'offset_mm'), 'seconds',
                               'estimated - camera, mm', zero=False),
                   "Offset of the largest face's distance, mean over its pixels."),
            figure(plots.lines(times, _largest(scores, 'rmse_mm', 'shape_rmse_mm'), 'seconds',
                               'RMSE, mm'),
                   'The same face, as published and with the offset taken off.')))
        blocks.append(table(summary['tracks'], 'track'))
    return blocks


def _verdict(e: dict[str, Any]) -> str:
    without = named_faces(e, at_most=20)
    counted = ', '.join(f'{n} {cause.replace("_", " ")}'
                        for cause, n in e['doubted_by_estimator'].items())
    placed = ', '.join(f'{n} by {name.replace("_", " ")}' for name, n in e['placement'].items())
    reference = (f' Against the reference: RMSE {number(e["reference_rmse_mm"])} mm in '
                 f'{e["reference_frames"]} frames.' if 'reference_rmse_mm' in e else '')
    compared = (
        f' Beside the camera, on {e["faces_compared"]} faces: offset {e["offset_mm"]:+.1f} mm, '
        f'RMSE {number(e["rmse_mm"])} mm, {number(e["shape_rmse_mm"])} mm with the offset taken '
        f'off; {100 * e["other_surface_share"]:.1f} % of the pixels lie more than '
        f'{OTHER_SURFACE_MM:g} mm apart and are left out.' if e['faces_compared'] else '')
    return (
        f'Depth and mask in {e["frames_with_depth_and_mask"]} of {e["frames_with_face"]} frames '
        f'with a face.' + (f' Without: {without}.' if without else '')
        + (f' Left out or doubted by the estimator: {counted}.' if counted else '')
        + (f' Distances placed: {placed}.' if placed else '') + compared + reference)


def _explanation() -> str:
    return (
        'Mask and landmarks: the class of each pixel, half transparent, and the 68 points as '
        'curves, grey where something hides them. Estimated depth: from colour alone, placed at '
        f'its distance, empty outside faces. Estimated - camera: blue ({-_ERROR_LIMIT_MM:g} mm, '
        f'too near) over white to red (+{_ERROR_LIMIT_MM:g} mm, too far). Uncertainty: one sigma, '
        f'dark 0 to bright {_SIGMA_LIMIT_MM:g} mm.')


def _row(view: EstimateView, scale: DepthScale) -> tuple[str, list[np.ndarray]]:
    box = replace(view.face.box, side=view.face.box.side * _CONTEXT)
    focal = view.images.focal * _CROP / box.side
    color = crop_color(view.images.color, box, _CROP)
    estimated, measured = (crop_depth(d, box, _CROP)
                           for d in (view.estimate.depth, view.images.depth))
    sigma = view.estimate.uncertainty
    share = np.zeros((_CROP, _CROP)) if sigma is None else (
        1e3 / _SIGMA_LIMIT_MM * np.nan_to_num(crop_depth(sigma, box, _CROP)))
    return view.label, [
        color, _masked(view, color, box), shaded_depth(estimated, scale, focal),
        shaded_depth(measured, scale, focal),
        error_picture(1e3 * (estimated - measured), _ERROR_LIMIT_MM),
        confidence_picture(np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8))]


def _masked(view: EstimateView, color: np.ndarray, box: FaceBox) -> np.ndarray:
    picture = blend_mask(color, nearest_crop(view.estimate.mask, box, _CROP))
    landmarks = view.estimate.landmarks.get(view.face.track_id)
    if landmarks is not None:
        points = transform_points(box.crop_from_image(_CROP), landmarks[:, :2])
        draw_landmarks(picture, np.column_stack([points, landmarks[:, 2]]))
    return picture


def nearest_crop(image: np.ndarray, box: FaceBox, size: int) -> np.ndarray:
    """Crop of an image of labels, (size, size) uint8: nearest pixel, 0 outside."""
    y, x = np.mgrid[:size, :size] + 0.5
    points = transform_points(box.image_from_crop(size), np.stack([x, y], axis=-1))
    column, row = np.floor(points[..., 0]).astype(int), np.floor(points[..., 1]).astype(int)
    height, width = image.shape
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    values = image[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.where(inside, values, 0).astype(np.uint8)


def _largest(scores: Sequence[FrameScore], *names: str) -> dict[str, list[float]]:
    """Return each measure of the face with most pixels of each frame, NaN without one."""
    labels = {'offset_mm': 'offset', 'rmse_mm': 'as published', 'shape_rmse_mm': 'offset off'}
    best = [max(s.estimates, key=lambda f: f.mask_pixels, default=None) for s in scores]
    return {labels[name]: [math.nan if f is None else getattr(f, name) for f in best]
            for name in names}
