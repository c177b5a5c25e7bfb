# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`report.html` of a replay: what the sensor saw, before and after, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
import math
from typing import Any

from face_depth_ros.core.depth_view import (
    confidence_picture,
    DepthScale,
    error_picture,
    provenance_picture,
    PROVENANCE_RGB,
    shaded_depth,
)
from face_depth_ros.core.face_box import crop_color, crop_depth, FaceBox, transform_points
from face_depth_ros.core.frames import Detection, Provenance
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.estimate_report import (
    estimate_blocks,
    EstimateView,
    nearest_crop,
)
from face_depth_ros.evaluation.face_state_report import face_state_blocks, FaceThumbnails
from face_depth_ros.evaluation.output_messages import OutputEstimate, OutputFrame
from face_depth_ros.evaluation.overlay import draw_faces, overlay_image, OverlayPanels, panel_size
from face_depth_ros.evaluation.reference_depth import NEAR_MM, ReferenceDepth, ReferenceScore
from face_depth_ros.evaluation.replay_analysis import CameraImages, FrameScore, ViewedFrame
from face_depth_ros.evaluation.replay_settings import PlayedFrame
from face_depth_ros.evaluation.replay_summary import counted
from face_depth_ros.evaluation.report import (
    cards,
    columns,
    data_url,
    figure,
    key_values,
    number,
    paragraph,
    picture_grid,
    Report,
    Section,
    table,
)
from face_depth_ros.evaluation.surface_viewer import surface_viewer, SurfaceView
import numpy as np

CANDIDATES = 18
"""Most frames kept while going through a bag, of which `PICTURES` are shown."""
PICTURES = 6
_CROP = 230
_CONTEXT = 1.12
_ERROR_LIMIT_MM = 5.0


@dataclass(frozen=True)
class FaceView:
    """
    The largest face of one frame, and all that is drawn of it.

    :param images: what the camera saw
    :param enhanced: metres, (H, W) float32, NaN where invalid
    :param provenance: (H, W) uint8 of `Provenance`
    :param confidence: (H, W) uint8
    :param estimate: None where no estimator ran
    :param output: what was published of the frame
    """

    index: int
    stamp_ns: int
    face: Detection
    images: CameraImages
    enhanced: np.ndarray
    provenance: np.ndarray
    confidence: np.ndarray
    estimate: OutputEstimate | None
    output: OutputFrame

    @staticmethod
    def of(view: ViewedFrame) -> FaceView | None:
        """Return the view of a frame; None without a face or without its images."""
        images, output = view.images, view.output
        if images is None or output is None or output.enhanced is None or not view.detections:
            return None
        nothing = np.zeros(images.depth.shape, np.uint8)
        return FaceView(view.played.index, view.played.stamp_ns,
                        max(view.detections, key=lambda d: d.box.side), images, output.enhanced,
                        nothing if output.provenance is None else output.provenance,
                        nothing if output.confidence is None else output.confidence,
                        output.estimate, output)


@dataclass
class ReplayReport:
    """
    Collects what the report shows while the frames go by.

    :param kept: every `stride`th of the `faces` frames with a face so far
    """

    scale: DepthScale
    reference: ReferenceDepth | None
    kept: list[FaceView] = field(default_factory=list)
    faces: int = 0
    stride: int = 1
    thumbnails: FaceThumbnails = field(default_factory=FaceThumbnails)

    def look_at(self, view: ViewedFrame) -> None:
        """Keep a frame for the pictures if it is one of the evenly spread candidates."""
        self.thumbnails.look_at(view)
        face = FaceView.of(view)
        if face is None:
            return
        if self.faces % self.stride == 0:
            self.kept.append(face)
        self.faces += 1
        if len(self.kept) > CANDIDATES:
            self.kept = self.kept[::2]
            self.stride *= 2

    def html(self, summary: dict[str, Any], played: Sequence[PlayedFrame],
             scores: Sequence[FrameScore]) -> str:
        """Return the page."""
        subtitle = (f'{summary["bag"]}, {summary["transport"]} transport, method '
                    f'{summary["method"]}, {summary["date"]}')
        report = Report('Face depth replay', subtitle)
        report.sections = [
            Section('overview', 'At a glance', [_overview(summary)]),
            Section('video', 'Overlay', self._video('estimation' in summary)),
            Section('pictures', 'Before and after', self._pictures()),
            Section('estimated', 'Estimated from colour',
                    self._estimated(played, scores, summary)),
            Section('people', 'Who is it', _people(summary)),
            Section('states', 'Expressions and liveness', face_state_blocks(
                summary, _times(played), scores, self.thumbnails)),
            Section('surface', 'The surface', self._surface()),
            Section('accuracy', 'Depth quality', _accuracy(played, scores, summary)),
            Section('speed', 'Speed', _speed(played, summary)),
            Section('faces', 'Faces', [_faces(played, scores)]),
            Section('run', 'This run', _run(summary)),
        ]
        report.sections = [s for s in report.sections if any(s.blocks)]
        return report.html()

    def _chosen(self) -> list[FaceView]:
        """Evenly spread frames of those kept."""
        if len(self.kept) <= PICTURES:
            return self.kept
        return [self.kept[round(i)] for i in np.linspace(0, len(self.kept) - 1, PICTURES)]

    def _video(self, estimates: bool) -> list[str]:
        poster = ''
        if self.kept:
            view = max(self.kept, key=lambda v: v.face.box.side * v.face.score)
            height, width = view.images.depth.shape
            panels = OverlayPanels(view.images.color, view.images.depth, view.images.focal,
                                   (view.face,), view.enhanced, f'frame {view.index + 1}',
                                   estimates, view.estimate, view.output.identities,
                                   view.output.expressions, view.output.liveness)
            size = panel_size(width, height, panels=3 + estimates)
            picture = overlay_image(panels, self.scale, size)
            poster = f' poster="{data_url(picture)}"'
        return [f'<video src="overlay.mp4"{poster} controls muted loop playsinline '
                'preload="metadata"></video>',
                paragraph("Colour with face boxes, the camera's depth, and the published depth"
                          + (', enhanced and estimated; mask and landmarks lie over the colour. '
                             if estimates else '. ')
                          + 'Hue tells the distance, shading the slope of the surface; dark '
                          'pixels have no depth.', 'note')]

    def _pictures(self) -> list[str]:
        chosen = self._chosen()
        if not chosen:
            return [paragraph('No face was found.')]
        headings = ['colour', 'camera depth', 'enhanced depth', 'provenance', 'confidence']
        if self.reference is not None:
            headings += ['camera error', 'enhanced error']
        legend = ''.join(
            f'<span><i style="background:rgb{rgb}"></i>{escape(kind.name.lower())}</span>'
            for kind, rgb in PROVENANCE_RGB.items() if kind != Provenance.LEFT_ALONE)
        blocks = [columns(figure(plots.depth_scale_bar(self.scale),
                                 'One scale for all depth pictures.'),
                          f'<div class="legend">provenance: {legend}</div>'),
                  picture_grid(headings, [self._row(view) for view in chosen])]
        if self.reference is not None:
            blocks.append(paragraph(
                f'Errors against the reference, from blue ({-_ERROR_LIMIT_MM:g} mm, too near) '
                f'over white (0) to red (+{_ERROR_LIMIT_MM:g} mm, too far); dark where either '
                'is unknown.', 'note'))
        return blocks

    def _row(self, view: FaceView) -> tuple[str, list[np.ndarray]]:
        box = replace(view.face.box, side=view.face.box.side * _CONTEXT)
        crops = [crop_depth(depth, box, _CROP) for depth in (view.images.depth, view.enhanced)]
        focal = view.images.focal * _CROP / box.side
        pictures = [_face_picture(view.images.color, view.face, box),
                    *(shaded_depth(crop, self.scale, focal) for crop in crops),
                    provenance_picture(nearest_crop(view.provenance, box, _CROP)),
                    confidence_picture(nearest_crop(view.confidence, box, _CROP))]
        label = f'{view.index + 1}: {view.face.track_id}'
        if self.reference is not None:
            found = self.reference.at(view.stamp_ns)
            truth = np.full((_CROP, _CROP), np.nan) if found is None else crop_depth(
                np.where(found[1], found[0], np.float32(np.nan)), box, _CROP)
            pictures += [error_picture(1e3 * (crop - truth), _ERROR_LIMIT_MM) for crop in crops]
            yaw = self.reference.yaw_at(view.stamp_ns)
            label += '' if yaw is None else f', yaw {yaw:.0f}°'
        return label, pictures

    def _estimated(self, played: Sequence[PlayedFrame], scores: Sequence[FrameScore],
                   summary: dict[str, Any]) -> list[str]:
        if 'estimation' not in summary:
            return []
        views = [EstimateView(f'{v.index + 1}: {v.face.track_id}', v.face, v.images, v.estimate)
                 for v in self._chosen() if v.estimate is not None]
        return estimate_blocks(views, self.scale, _times(played), scores, summary['estimation'])

    def _surface(self) -> list[str]:
        views = [
            SurfaceView(f'{v.index + 1}', v.images.color, v.images.depth, v.enhanced, v.face.box,
                        v.images.intrinsics, None if v.estimate is None else v.estimate.depth)
            for v in self._chosen()[1::2] if v.images.intrinsics is not None]
        return [surface_viewer(views)]


def _overview(summary: dict[str, Any]) -> str:
    latency, faces = summary['latency_ms'], summary['faces']
    items = [
        (f'{summary["frames_processed"]} / {summary["frames_in"]}', 'frames processed',
         f'{summary["frames_dropped"]} dropped'),
        (f'{summary["frames_with_face"]}', 'frames with a face',
         f'{len(summary["tracks"])} track{"s" * (len(summary["tracks"]) != 1)}'),
        (f'{latency["p50"]:.1f} ms', 'median latency', f'95 %: {latency["p95"]:.1f} ms'),
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
    if 'estimation' in summary:
        e = summary['estimation']
        items.append((f'{e["frames_with_depth_and_mask"]} / {e["frames_with_face"]}',
                      'frames with estimated depth and mask',
                      f'RMSE to the camera {number(e["rmse_mm"])} mm'))
    items += [(f'{summary[part]["frames_answered"]} / {summary[part]["frames_with_face"]}',
               f'frames with {part} of every face', '')
              for part in ('expressions', 'liveness') if part in summary]
    items.append((summary['precision'], f'arithmetic of {summary["backend"]}',
                  f'{summary["transport"]} transport'))
    return cards(items)


def _accuracy(played: Sequence[PlayedFrame], scores: Sequence[FrameScore],
              summary: dict[str, Any]) -> list[str]:
    times = _times(played)
    blocks = _reference_plots(times, scores, summary) if 'reference' in summary else []
    holes = {'camera': [100 * s.holes_raw for s in scores],
             'enhanced': [100 * s.holes_enhanced for s in scores]}
    rough = {'camera': [s.roughness_raw_mm for s in scores],
             'enhanced': [s.roughness_enhanced_mm for s in scores]}
    return [*blocks, columns(
        figure(plots.lines(times, holes, 'seconds', 'holes in the face, %'),
               'Share of the pixels published as face that have no depth.'),
        figure(plots.lines(times, rough, 'seconds', 'roughness, mm'),
               'Mean deviation of a pixel from its eight neighbours, on pixels that the camera '
               'measured, away from steps of the surface.'))]


def _reference_plots(times: Sequence[float], scores: Sequence[FrameScore],
                     summary: dict[str, Any]) -> list[str]:
    r = summary['reference']
    if not r['frames_compared']:
        return [paragraph('No frame with a face could be compared with the reference.')]
    none = ReferenceScore.unknown()
    found = [s.reference or none for s in scores]
    everywhere = {'camera': [f.rmse_raw_mm for f in found],
                  'enhanced': [f.rmse_enhanced_mm for f in found]}
    near = {'camera': [f.near_rmse_raw_mm for f in found],
            'enhanced': [f.near_rmse_enhanced_mm for f in found]}
    return [
        paragraph(
            f'{r["frames_compared"]} frames against the reference, on measured pixels of the face '
            f'where it holds: mean RMSE {number(r["rmse_raw_mm"])} mm from the camera, '
            f'{number(r["rmse_enhanced_mm"])} mm enhanced. Largest change of one frame '
            f'{r["worst_change_mm"]:+.3f} mm; {r["frames_worse_by_0.3_mm"]} frames worse by more '
            f'than 0.3 mm. Box centre on the head in {r["frames_box_on_head"]} frames.'),
        columns(
            figure(plots.lines(times, everywhere, 'seconds', 'RMSE, mm'),
                   'All measured pixels of the face, flying ones among them.'),
            figure(plots.lines(times, near, 'seconds', 'RMSE, mm'),
                   f'Only pixels where the camera is within {NEAR_MM:g} mm of the reference: what '
                   'enhancement does to good measurements.'))]


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


def _people(summary: dict[str, Any]) -> list[str]:
    if 'identities' not in summary:
        return []
    rows = {track: {'as whom': ', '.join(f'{name} in {n} frames' for name, n in names.items())}
            for track, names in summary['identities']['tracks'].items()}
    enrolled = {e['name']: {'from': f'{e["from_s"]:g} s', 'to': f'{e["to_s"]:g} s',
                            'result': e['status']}
                for e in summary['identities']['enrollments']}
    blocks = [table(enrolled, 'introduced')] if enrolled else []
    return blocks + [table(rows, 'track')] if rows else blocks


def _run(summary: dict[str, Any]) -> list[str]:
    flat = {k: v for k, v in summary.items() if not isinstance(v, (dict, list))}
    flat['dropped by cause'] = counted(summary['dropped_by_cause']) or 'none'
    flat['messages without a frame'] = counted(summary['unmatched_messages']) or 'none'
    flat['notes'] = '; '.join(summary['notes']) or 'none'
    models = {name: {**entry, 'sha256': summary['models'][name][:16] + '…'}
              for name, entry in summary['engines'].items()}
    return [table(summary['outputs'], 'topic'), table(models, 'model') if models else '',
            key_values(flat)]


def _times(played: Sequence[PlayedFrame]) -> list[float]:
    return [(p.stamp_ns - played[0].stamp_ns) * 1e-9 for p in played]


def _face_picture(color: np.ndarray, face: Detection, box: FaceBox) -> np.ndarray:
    picture = crop_color(color, box, _CROP)
    affine = box.crop_from_image(_CROP)
    landmarks = None if face.landmarks is None else transform_points(affine, face.landmarks)
    inner = FaceBox(_CROP / 2, _CROP / 2, _CROP * face.box.side / box.side, 0.0)
    return draw_faces(picture, [replace(face, box=inner, landmarks=landmarks)], labels=False)

