# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Replay an RGB-D bag and show what comes out.

    replay BAG --out DIR [--transport ros|direct] [--realtime] [--method METHOD]
                         [--estimator ours|depthnet|cgan|off]
                         [--gallery FILE] [--enroll NAME@START-END] [--require-live]
                         [--expressions MODEL|off] [--liveness MODEL|off]

Writes DIR/bag (MCAP), DIR/summary.json, DIR/overlay.mp4 and DIR/report.html, all of them or none.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
import logging
from pathlib import Path
import sys
import time
from typing import Any

from face_depth_ros.core.depth_view import DepthScale
from face_depth_ros.core.errors import BagError, FaceDepthError
from face_depth_ros.core.model_spec import PRECISIONS
from face_depth_ros.evaluation.bag_types import LABEL_INFO
from face_depth_ros.evaluation.bag_writer import BagWriter
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.camera_topics import CameraTopics
from face_depth_ros.evaluation.estimate_analysis import named_faces
from face_depth_ros.evaluation.identity_analysis import identity_rows
from face_depth_ros.evaluation.interruption import INTERRUPTED, signals_interrupt
from face_depth_ros.evaluation.origin import command_line
from face_depth_ros.evaluation.output_folder import complete_folder, write_complete
from face_depth_ros.evaluation.output_messages import LABEL_INFO_TOPIC, OutputFrame
from face_depth_ros.evaluation.overlay import overlay_image, OverlayPanels, panel_size
from face_depth_ros.evaluation.reference_depth import box_mask, ReferenceDepth
from face_depth_ros.evaluation.replay_analysis import (
    CameraImages,
    FrameScore,
    score_frame,
    viewed_frames,
    ViewedFrame,
)
from face_depth_ros.evaluation.replay_direct import DirectPlayer
from face_depth_ros.evaluation.replay_face_states import face_state_rows
from face_depth_ros.evaluation.replay_report import ReplayReport
from face_depth_ros.evaluation.replay_settings import (
    BACKENDS,
    EnrollWindow,
    ESTIMATORS,
    EXPRESSION_MODEL,
    LIVENESS_MODEL,
    OFF,
    OpenPlayer,
    PlayedFrame,
    Player,
    RECOGNIZERS,
    recorded_types,
    ReplaySettings,
    TRANSPORTS,
    with_models,
)
from face_depth_ros.evaluation.replay_summary import counted, summarise, to_json
from face_depth_ros.evaluation.video import VideoInfo, VideoWriter
from face_depth_ros.predictors.depth_enhancer import METHODS
import numpy as np
from tqdm import tqdm

_LOG = logging.getLogger(__name__)
SUMMARY_FILE = 'summary.json'
_SCALE_SAMPLES_PER_FRAME = 400


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    options = _parser().parse_args(arguments)
    try:
        options.enroll = tuple(EnrollWindow.parse(text) for text in options.enroll)
        settings = ReplaySettings(**vars(options))
        with signals_interrupt():
            summary = replay(settings, command=command_line('replay', arguments))
    except FaceDepthError as error:
        sys.stderr.write(f'replay: {error}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f'replay: interrupted; {options.out} is as it was\n')
        return INTERRUPTED
    sys.stdout.write(f'{summary_table(summary)}\n\n{settings.out}: summary.json, report.html, '
                     'overlay.mp4, bag/\n')
    return 0


def replay(settings: ReplaySettings, *, command: str = 'replay',
           open_player: OpenPlayer | None = None) -> dict[str, Any]:
    """
    Replay a bag and write everything; nothing is left behind on failure.

    :param open_player: instead of the transport that the settings name
    :returns: the content of summary.json
    :raises FaceDepthError: the bag, a model, a setting or the output folder is not usable
    """
    started = time.monotonic()
    settings, notes = with_models(settings)
    for note in notes:
        _LOG.warning(note)
    with complete_folder(settings.out, SUMMARY_FILE) as folder, Bag(settings.bag) as bag:
        topics = bag.camera_topics(color=settings.color_topic, depth=settings.depth_topic)
        reference = _reference(settings)
        if next(bag.decoded(topics, settings.limit), None) is None:
            raise BagError(
                f'{bag.path} has no frame: no message of {topics.color} has the stamp of one of '
                f'{topics.depth}; record both with synchronised stamps', cause='bag_no_frames')
        if settings.recognizes:  # what is wrong with the gallery is said before anything starts
            settings.access.open(create=bool(settings.enroll),
                                 read_only=not settings.enroll).close()
        player = (open_player or _open_transport)(settings)
        try:
            played = _play(bag, topics, player, settings, folder / 'bag')
            # Stages wait for the nodes' last diagnostics, which refusals are read from.
            engines, stages, refusals = player.engines(), player.stages(), player.refusals()
            enrollments = player.enrollments() if settings.recognizes else ()
        finally:
            player.close()
        unmatched = dict(bag.join_drops)
        if reference is not None and not _shares_frames(reference, played):
            notes += (f'nothing is compared with {reference.path}: it has no frame of this bag',)
            _LOG.warning(notes[-1])
            reference = None
        with Bag(folder / 'bag') as outputs:
            report, scores = _look(bag, topics, outputs, played, reference,
                                   folder / 'overlay.mp4', settings.estimator != OFF)
            counts = outputs.counts()
            types = {t: {'type': kind, 'count': counts[t]} for t, kind in outputs.types().items()}
        summary = summarise(settings, played, scores, engines, types,
                            input_sha256=bag.sha256(), command=command,
                            wall_s=time.monotonic() - started, unmatched=unmatched,
                            stages=stages, reference=reference, refusals=refusals,
                            enrollments=enrollments, notes=notes)
        summary['video'] = vars(VideoInfo.read(folder / 'overlay.mp4'))
        write_complete(folder / 'report.html', report.html(summary, played, scores))
        write_complete(folder / SUMMARY_FILE, to_json(summary))
    return summary


def summary_table(summary: dict[str, Any]) -> str:
    """Return the summary as lines for a terminal."""
    latency = summary['latency_ms']
    rows = [
        ('frames', f'{summary["frames_processed"]} of {summary["frames_in"]} processed, '
                   f'{summary["frames_dropped"]} dropped'
                   + (f': {counted(summary["dropped_by_cause"])}'
                      if summary['dropped_by_cause'] else '')),
        *([('unmatched', f'{counted(summary["unmatched_messages"])} (messages without a partner '
                         'of equal stamp)')] if summary['unmatched_messages'] else []),
        ('faces', f'in {summary["frames_with_face"]} frames, {len(summary["tracks"])} tracks'),
        ('transport', summary['transport'] + (' (real time)' if summary['realtime'] else '')),
        ('method', summary['method']),
        ('engine', f'{summary["backend"]}, {summary["precision"]}'),
        ('latency', ', '.join(f'{k} {v:.1f} ms' for k, v in latency.items()))]
    rows += [(f'  {name}', ', '.join(f'{k} {v:.2f} ms' for k, v in stage.items()))
             for name, stage in summary['stage_ms'].items()]
    faces = summary['faces']
    rows += [('holes in faces', f'{100 * faces["holes_raw"]:.2f} % -> '
                                f'{100 * faces["holes_enhanced"]:.2f} %'),
             ('roughness', f'{faces["roughness_raw_mm"]:.3f} -> '
                           f'{faces["roughness_enhanced_mm"]:.3f} mm')]
    if 'reference' in summary and summary['reference']['frames_compared']:
        r = summary['reference']
        rows += [('RMSE to reference', f'{r["rmse_raw_mm"]:.3f} -> {r["rmse_enhanced_mm"]:.3f} mm '
                                       f'({r["frames_compared"]} frames)'),
                 ('worse by > 0.3 mm', f'{r["frames_worse_by_0.3_mm"]} frames (largest change '
                                       f'{r["worst_change_mm"]:+.3f} mm)'),
                 ('box on the head', f'{r["frames_box_on_head"]} frames')]
    if 'estimation' in summary:
        rows += _estimation_rows(summary['estimation'], summary['estimator'])
    if 'identities' in summary:
        rows += identity_rows(summary['identities'])
    rows += face_state_rows(summary)
    rows += [('note', note) for note in summary['notes']]
    rows += [('wall time', f'{summary["wall_s"]:.1f} s')]
    width = max(len(name) for name, _ in rows)
    return '\n'.join(f'{name:<{width}}  {value}' for name, value in rows)


def _estimation_rows(e: dict[str, Any], name: str) -> list[tuple[str, str]]:
    without = named_faces(e)
    counts = ', '.join(f'{n} {cause}' for cause, n in e['doubted_by_estimator'].items())
    rows = [('estimator', name),
            ('estimated', f'depth and mask in {e["frames_with_depth_and_mask"]} of '
                          f'{e["frames_with_face"]} frames with a face'
                          + (f'; without: {without}' if without else ''))]
    if counts:
        rows.append(('  doubts', f'{counts} (as the estimator counted)'))
    if e['faces_compared']:
        rows.append(('estimated - camera',
                     f'{e["offset_mm"]:+.1f} mm, RMSE {e["rmse_mm"]:.1f} mm, '
                     f'{e["shape_rmse_mm"]:.1f} mm without the offset '
                     f'({e["faces_compared"]} faces)'))
    if 'reference_rmse_mm' in e:
        rows.append(('  to the reference', f'RMSE {e["reference_rmse_mm"]:.1f} mm '
                                           f'({e["reference_frames"]} frames)'))
    return rows


def _open_transport(settings: ReplaySettings) -> Player:
    if settings.transport == 'direct':
        return DirectPlayer(settings)
    try:
        # Only this transport needs a ROS installation.
        from face_depth_ros.evaluation.replay_ros import RosPlayer
    except ModuleNotFoundError as error:
        raise BagError(
            f'the transport ros needs the Python package {error.name}; source a ROS 2 set-up or '
            'run `make demo`, which installs it, or use --transport direct',
            cause='ros_missing') from error
    return RosPlayer(settings)


def _reference(settings: ReplaySettings) -> ReferenceDepth | None:
    path = settings.reference or ReferenceDepth.beside(settings.bag)
    return None if path is None else ReferenceDepth(path)


def _shares_frames(reference: ReferenceDepth, played: Sequence[PlayedFrame]) -> bool:
    return not set(reference.stamps()).isdisjoint(p.stamp_ns for p in played)


def _play(bag: Bag, topics: CameraTopics, player: Player, settings: ReplaySettings,
          path: Path) -> list[PlayedFrame]:
    """Play all frames and record what comes."""
    total = bag.counts().get(topics.color)
    if settings.limit is not None:
        total = min(total or settings.limit, settings.limit)
    played = []
    with BagWriter(path) as writer, tqdm(total=total, desc='replay', unit='frame') as progress:
        for topic, msgtype in recorded_types(settings).items():
            writer.announce(topic, msgtype)
        if settings.estimator != OFF:
            writer.announce(LABEL_INFO_TOPIC, LABEL_INFO, latched=True)
        for item in player.play(bag.frames(topics, settings.limit)):
            for message in item.outputs:
                writer.write(message.topic, message.msgtype, item.log_ns, message.cdr)
            # The outputs are in the bag now; keeping them would cost the memory of all frames.
            played.append(replace(item, outputs=()))
            progress.update()
    return played


def _look(bag: Bag, topics: CameraTopics, outputs: Bag, played: list[PlayedFrame],
          reference: ReferenceDepth | None, video_path: Path,
          estimator: bool) -> tuple[ReplayReport, list[FrameScore]]:
    """Go through the recording: draw the video, measure, and keep pictures for the report."""
    scale = _depth_scale(bag, topics, outputs, played)
    report = ReplayReport(scale, reference)
    scores = []
    with VideoWriter(video_path) as video, tqdm(
            total=len(played), desc='report', unit='frame') as progress:
        size = None
        for view in viewed_frames(bag, topics, outputs, played):
            scores.append(score_frame(view, reference, estimator=estimator))
            report.look_at(view)
            progress.update()
            if view.images is None:
                continue
            height, width = view.images.depth.shape
            size = size or panel_size(width, height, panels=3 + estimator)
            panels = replace(_panels(view, view.images, len(played)), estimates=estimator)
            video.add(overlay_image(panels, scale, size),
                      (view.played.stamp_ns - played[0].stamp_ns) * 1e-9)
    return report, scores


def _panels(view: ViewedFrame, images: CameraImages, total: int) -> OverlayPanels:
    played = view.played
    state = f'dropped: {played.cause}' if played.cause else f'latency {played.latency_ms:.1f} ms'
    faces = len(view.detections)
    caption = (f'frame {played.index + 1} of {total}     {faces} face{"s" * (faces != 1)}     '
               f'{state}')
    output = view.output or OutputFrame(played.stamp_ns)
    return OverlayPanels(images.color, images.depth, images.focal, view.detections,
                         output.enhanced, caption, estimate=output.estimate,
                         identities=output.identities, expressions=output.expressions,
                         liveness=output.liveness)


def _depth_scale(bag: Bag, topics: CameraTopics, outputs: Bag,
                 played: list[PlayedFrame]) -> DepthScale:
    """Scale that holds the faces of all frames, or all depth where there are none."""
    faces, everything = [], []
    generator = np.random.default_rng(0)
    for view in viewed_frames(bag, topics, outputs, played):
        if view.images is None:
            continue
        depth = view.images.depth
        everything.append(_sample(depth[np.isfinite(depth)], generator))
        boxes = [replace(d.box, side=d.box.side * 0.8) for d in view.detections]
        inside = depth[box_mask(boxes, depth.shape) & np.isfinite(depth)]
        if inside.size:
            # What lies far behind the middle of the face shows through beside it.
            faces.append(_sample(inside[np.abs(inside - np.median(inside)) < 0.2], generator))
    chosen = faces or everything
    return DepthScale.around(np.concatenate(chosen) if chosen else np.empty(0))


def _sample(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if values.size <= _SCALE_SAMPLES_PER_FRAME:
        return values
    return values[generator.integers(0, values.size, _SCALE_SAMPLES_PER_FRAME)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='replay', description=__doc__.strip().split('\n')[0])
    parser.add_argument('bag', metavar='BAG', type=Path, help='rosbag2 folder or storage file')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR',
                        help='folder to write; replaced only if a replay made it')
    parser.add_argument('--transport', choices=TRANSPORTS, default='ros',
                        help='ros: the nodes in their container over DDS; direct: in this process')
    parser.add_argument('--realtime', action='store_true',
                        help="keep the bag's own pace instead of waiting for each result")
    parser.add_argument('--method', choices=METHODS, default='network',
                        help='how depth is enhanced')
    parser.add_argument('--temporal', action='store_true',
                        help="join each face's depth with that of its last frames")
    parser.add_argument('--estimator', choices=ESTIMATORS, default=ReplaySettings.estimator,
                        help='what estimates depth, mask and landmarks from colour')
    parser.add_argument('--recognizer', choices=RECOGNIZERS, default='auto',
                        help='tell who the faces are; auto: if a gallery is given')
    parser.add_argument('--recognizer-model', default=ReplaySettings.recognizer_model,
                        metavar='MODEL', help='ModelSpec (default: %(default)s)')
    parser.add_argument('--gallery', type=Path, metavar='FILE', help='people to recognise')
    parser.add_argument('--key-file', type=Path, metavar='FILE',
                        help="the gallery's key; default: that in FACE_DEPTH_GALLERY_KEY")
    parser.add_argument('--plain', action='store_true', help='the gallery has no key')
    parser.add_argument('--enroll', action='append', default=[], metavar='NAME@START-END',
                        help='introduce the person seen in these seconds; may be repeated')
    parser.add_argument('--require-live', action='store_true',
                        help='whoever is not said to live is unknown')
    parser.add_argument('--expressions', metavar='MODEL',
                        help=f'what reads expressions, or off (default: {EXPRESSION_MODEL}, off '
                             'while there is no such model)')
    parser.add_argument('--liveness', metavar='MODEL',
                        help=f'what tells who lives, or off (default: {LIVENESS_MODEL}, off '
                             'while there is no such model)')
    parser.add_argument('--backend', choices=BACKENDS, default='auto')
    parser.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')
    parser.add_argument('--limit', type=int, metavar='N', help='at most N frames')
    parser.add_argument('--color-topic', metavar='TOPIC', help='instead of the one found by name')
    parser.add_argument('--depth-topic', metavar='TOPIC', help='instead of the one found by name')
    parser.add_argument('--reference', type=Path, metavar='FILE.npz',
                        help='true depth (keys depth_mm, valid, stamp_ns); default: '
                             'fused_depth.npz or true_depth.npz in BAG/../reference')
    parser.add_argument('--deadline-s', type=float, default=5.0, metavar='S',
                        help='a frame without a result after so long is dropped')
    return parser


if __name__ == '__main__':
    raise SystemExit(main())
