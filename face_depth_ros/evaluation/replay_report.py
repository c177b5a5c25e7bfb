# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`report.html` of a replay: what the sensor saw, before and after, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
import math
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import crop_color, crop_depth, FaceBox, transform_points
from face_depth_ros.core.frames import Detection, Provenance
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.depth_view import (
    confidence_picture, DepthScale, error_picture, provenance_picture, PROVENANCE_RGB,
    shaded_depth)
from face_depth_ros.evaluation.overlay import draw_faces
from face_depth_ros.evaluation.reference_depth import ReferenceDepth
from face_depth_ros.evaluation.replay_analysis import FrameScore, ViewedFrame
from face_depth_ros.evaluation.replay_settings import PlayedFrame
from face_depth_ros.evaluation.report import (
    cards, columns, figure, key_values, number, paragraph, picture_grid, Report, Section, table)
from face_depth_ros.evaluation.surface_viewer import surface_viewer, SurfaceView
import numpy as np

CANDIDATES = 18
"""Frames kept while going through a bag, of which `PICTURES` are shown."""
PICTURES = 6
_CROP = 230
_CONTEXT = 1.12
_ERROR_LIMIT_MM = 5.0


@dataclass
class ReplayReport:
    """
    Collects what the report shows while the frames go by.

    :param total: number of frames that will come
    """

    total: int
    scale: DepthScale
    reference: ReferenceDepth | None
    kept: list[ViewedFrame] = field(default_factory=list)

    def look_at(self, view: ViewedFrame) -> None:
        """Keep a frame for the pictures if it is one of the evenly spread candidates."""
        stride = max(1, self.total // CANDIDATES)
        if view.played.index % stride == stride // 2 and view.output is not None:
            self.kept.append(view)

    def html(self, summary: dict[str, Any], played: Sequence[PlayedFrame],
             scores: Sequence[FrameScore]) -> str:
        """Return the page."""
        subtitle = (f'{summary["bag"]}, {summary["transport"]} transport, method '
                    f'{summary["method"]}, {summary["date"]}')
        report = Report('Face depth replay', subtitle)
        report.sections = [
            Section('overview', 'At a glance', [_overview(summary)]),
            Section('video', 'Overlay', [
                '<video src="overlay.mp4" controls muted loop playsinline preload="metadata">'
                '</video>',
                paragraph('Colour with face boxes, the camera\'s depth, and the published depth. '
                          'Hue tells the distance, shading the slope of the surface; dark pixels '
                          'have no depth.', 'note')]),
            Section('pictures', 'Before and after', self._pictures()),
            Section('surface', 'The surface', self._surface()),
            Section('accuracy', 'Depth quality', _accuracy(played, scores, summary)),
            Section('speed', 'Speed', _speed(played, summary)),
            Section('faces', 'Faces', [_faces(played, scores)]),
            Section('run', 'This run', _run(summary)),
        ]
        report.sections = [s for s in report.sections if any(s.blocks)]
        return report.html()

    def _chosen(self) -> list[tuple[ViewedFrame, Detection]]:
        """Evenly spread frames with a face, each with its largest one."""
        faces = [(v, max(v.detections, key=lambda d: d.box.side)) for v in self.kept
                 if v.frame is not None and v.detections and v.output.enhanced is not None]
        if len(faces) <= PICTURES:
            return faces
        return [faces[round(i)] for i in np.linspace(0, len(faces) - 1, PICTURES)]

    def _pictures(self) -> list[str]:
        chosen = self._chosen()
        if not chosen:
            return [paragraph('No face was found in the frames looked at.')]
        has_reference = self.reference is not None
        headings = ['colour', 'camera depth', 'enhanced depth', 'provenance', 'confidence']
        if has_reference:
            headings += ['camera error', 'enhanced error']
        rows = [self._row(view, face, has_reference) for view, face in chosen]
        legend = ''.join(
            f'<span><i style="background:rgb{rgb}"></i>{escape(kind.name.lower())}</span>'
            for kind, rgb in PROVENANCE_RGB.items() if kind != Provenance.LEFT_ALONE)
        blocks = [figure(plots.depth_scale_bar(self.scale), 'One scale for all depth pictures.'),
                  f'<div class="legend">provenance: {legend}</div>',
                  picture_grid(headings, rows)]
        if has_reference:
            blocks.append(paragraph(
                f'Errors against the reference, from blue (-{_ERROR_LIMIT_MM:g} mm, too near) over '
                f'white (0) to red (+{_ERROR_LIMIT_MM:g} mm, too far); dark where either is '
                'unknown.', 'note'))
        return blocks

    def _row(self, view: ViewedFrame, face: Detection,
             has_reference: bool) -> tuple[str, list[np.ndarray]]:
        frame, output = view.frame, view.output
        box = replace(face.box, side=face.box.side * _CONTEXT)
        crops = {'raw': crop_depth(frame.depth, box, _CROP),
                 'enhanced': crop_depth(output.enhanced, box, _CROP)}
        focal = _focal(frame.intrinsics, frame.depth.shape) * _CROP / box.side
        pictures = [_face_picture(frame.color, face, box),
                    *(shaded_depth(crop, self.scale, focal) for crop in crops.values()),
                    provenance_picture(_nearest_crop(output.provenance, box)),
                    confidence_picture(_nearest_crop(output.confidence, box))]
        label = f'{view.played.index}  {face.track_id}'
        if has_reference:
            found = self.reference.at(view.played.stamp_ns)
            truth = np.full((_CROP, _CROP), np.nan) if found is None else crop_depth(
                np.where(found[1], found[0], np.float32(np.nan)), box, _CROP)
            pictures += [error_picture(1e3 * (crop - truth), _ERROR_LIMIT_MM)
                         for crop in crops.values()]
            yaw = self.reference.yaw_at(view.played.stamp_ns)
            label += '' if yaw is None else f'  yaw {yaw:.0f}°'
        return label, pictures

    def _surface(self) -> list[str]:
        views = [
            SurfaceView(f'{v.played.index}', v.frame.color, v.frame.depth, v.output.enhanced,
                        d.box, v.frame.intrinsics)
            for v, d in self._chosen()[1::2] if v.frame.intrinsics is not None]
        return [surface_viewer(views)]


def _overview(summary: dict[str, Any]) -> str:
    latency, faces = summary['latency_ms'], summary['faces']
    items = [
        (f'{summary["frames_processed"]} / {summary["frames_in"]}', 'frames processed',
         f'{summary["frames_dropped"]} dropped'),
        (f'{summary["frames_with_face"]}', 'frames with a face',
         f'{len(summary["tracks"])} track{"s" * (len(summary["tracks"]) != 1)}'),
        (f'{number(latency["p50"])} ms', 'median latency', f'95 %: {number(latency["p95"])} ms'),
    ]
    if math.isfinite(faces['holes_raw']):
        items.append((f'{100 * faces["holes_raw"]:.1f} %', 'of the face had no depth',
                      f'{100 * faces["holes_enhanced"]:.1f} % after'))
    if math.isfinite(faces['roughness_raw_mm']):
        items.append((f'{faces["roughness_enhanced_mm"]:.2f} mm', 'roughness',
                      f'{faces["roughness_raw_mm"]:.2f} mm before'))
    if 'reference' in summary and summary['reference']['frames_compared']:
        reference = summary['reference']
        items.append((f'{reference["rmse_enhanced_mm"]:.2f} mm', 'RMSE to the reference',
                      f'{reference["rmse_raw_mm"]:.2f} mm before'))
    items.append((f'{summary["backend"]} {summary["precision"]}', 'engine',
                  f'{summary["transport"]} transport'))
    return cards(items)


def _accuracy(played: Sequence[PlayedFrame], scores: Sequence[FrameScore],
              summary: dict[str, Any]) -> list[str]:
    times = _times(played)
    blocks = []
    if 'reference' in summary:
        r = summary['reference']
        raw = [s.reference.rmse_raw_mm if s.reference else math.nan for s in scores]
        new = [s.reference.rmse_enhanced_mm if s.reference else math.nan for s in scores]
        blocks.append(figure(plots.lines(times, {'camera': raw, 'enhanced': new}, 'seconds',
                                         'RMSE to the reference, mm'),
                             'Against the reference, on measured pixels of the face where the '
                             'reference holds.'))
        blocks.append(paragraph(
            f'{r["frames_compared"]} frames compared: mean RMSE {number(r["rmse_raw_mm"])} mm from '
            f'the camera, {number(r["rmse_enhanced_mm"])} mm enhanced; largest change of one frame '
            f'{number(r["worst_change_mm"])} mm, {r["frames_worse_by_0.3_mm"]} frames worse by '
            f'more than 0.3 mm; box centre on the head in {r["frames_box_on_head"]} frames.'))
    holes = {'camera': [100 * s.holes_raw for s in scores],
             'enhanced': [100 * s.holes_enhanced for s in scores]}
    rough = {'camera': [s.roughness_raw_mm for s in scores],
             'enhanced': [s.roughness_enhanced_mm for s in scores]}
    blocks.append(columns(
        figure(plots.lines(times, holes, 'seconds', 'holes in the face, %'),
               'Share of the pixels published as face that have no depth.'),
        figure(plots.lines(times, rough, 'seconds', 'roughness, mm'),
               'Mean deviation of a pixel from its eight neighbours, on pixels that the camera '
               'measured.')))
    return blocks


def _speed(played: Sequence[PlayedFrame], summary: dict[str, Any]) -> list[str]:
    times = _times(played)
    latency = [math.nan if p.latency_ms is None else p.latency_ms for p in played]
    blocks = [columns(
        figure(plots.lines(times, {'latency': latency}, 'seconds', 'latency, ms'),
               'From publishing a frame to having its result; gaps are dropped frames.'),
        figure(plots.histogram(latency, summary['latency_ms'], 'latency, ms'),
               'Distribution of the latency.'))]
    if summary['stage_ms']:
        blocks.append(figure(plots.stage_bars(summary['stage_ms']), 'Where the time goes.'))
    return blocks


def _faces(played: Sequence[PlayedFrame], scores: Sequence[FrameScore]) -> str:
    return figure(
        plots.faces_timeline(_times(played), [s.faces for s in scores],
                             [bool(p.cause) for p in played]),
        'Each line is one track, stronger where the detector is surer.')


def _run(summary: dict[str, Any]) -> list[str]:
    flat = {k: v for k, v in summary.items() if not isinstance(v, (dict, list))}
    flat['dropped by cause'] = ', '.join(
        f'{k}: {v}' for k, v in summary['dropped_by_cause'].items()) or 'none'
    models = {name: {**entry, 'sha256': summary['models'][name][:16] + '…'}
              for name, entry in summary['engines'].items()}
    return [columns(key_values(flat),
                    table(summary['outputs'], 'topic')
                    + (table(models, 'model') if models else ''))]


def _times(played: Sequence[PlayedFrame]) -> list[float]:
    return [(p.stamp_ns - played[0].stamp_ns) * 1e-9 for p in played]


def _face_picture(color: np.ndarray, face: Detection, box: FaceBox) -> np.ndarray:
    picture = crop_color(color, box, _CROP)
    affine = box.crop_from_image(_CROP)
    landmarks = None if face.landmarks is None else transform_points(affine, face.landmarks)
    inner = FaceBox(_CROP / 2, _CROP / 2, _CROP * face.box.side / box.side, 0.0)
    return draw_faces(picture, [replace(face, box=inner, landmarks=landmarks)], labels=False)


def _nearest_crop(image: np.ndarray | None, box: FaceBox) -> np.ndarray:
    """Crop of an image of labels, (S, S) uint8: nearest pixel, 0 outside."""
    if image is None:
        return np.zeros((_CROP, _CROP), np.uint8)
    y, x = np.mgrid[:_CROP, :_CROP] + 0.5
    points = transform_points(box.image_from_crop(_CROP), np.stack([x, y], axis=-1))
    column, row = np.floor(points[..., 0]).astype(int), np.floor(points[..., 1]).astype(int)
    height, width = image.shape
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    values = image[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.where(inside, values, 0).astype(np.uint8)


def _focal(intrinsics: CameraIntrinsics | None, shape: tuple[int, ...]) -> float:
    return 0.9 * max(shape) if intrinsics is None else intrinsics.fx
