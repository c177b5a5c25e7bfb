# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a replay's report shows of expressions and liveness: time lines, pictures and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from face_depth_ros.core.face_box import crop_color
from face_depth_ros.evaluation.face_labels import expression_label, liveness_label
from face_depth_ros.evaluation.face_state_plots import face_timeline, FaceState
from face_depth_ros.evaluation.replay_analysis import FrameScore, ViewedFrame
from face_depth_ros.evaluation.replay_face_states import coverage, warnings_of
from face_depth_ros.evaluation.report import figure, paragraph, table, thumbnails
import numpy as np

_CROP = 132
_CONTEXT = 1.12
_MOST_PICTURES = 8
_MOST_TRACKS = 12
_GAP_STEPS = 3.0
"""A face lasts until the next frame, but not over a gap of more than so many usual steps."""


@dataclass(frozen=True)
class Thumbnail:
    """
    A face in one of its states.

    :param index: of the frame
    :param sureness: probabilities of what is said of it, multiplied
    :param picture: (h, w, 3) uint8 RGB
    """

    index: int
    sureness: float
    caption: str
    picture: np.ndarray


@dataclass
class FaceThumbnails:
    """Keeps the surest view of each state of each face while frames go by."""

    kept: dict[str, dict[tuple[str, str], Thumbnail]] = field(default_factory=dict)

    def look_at(self, view: ViewedFrame) -> None:
        """Keep faces of a frame that are surer than those kept."""
        output, images = view.output, view.images
        if output is None or images is None or (
                output.expressions is None and output.liveness is None):
            return
        for face in view.detections:
            shown = (output.expressions or {}).get(face.track_id)
            life = (output.liveness or {}).get(face.track_id)
            state = ('' if shown is None else shown.shown, '' if life is None else life.label)
            sureness = (1.0 if shown is None else shown.probability) * (
                1.0 if life is None else max(life.score, 0.01))
            known = self.kept.setdefault(face.track_id, {})
            if state not in known or sureness > known[state].sureness:
                words = [label.text for label in (
                    None if shown is None else expression_label(shown),
                    None if life is None else liveness_label(life)) if label is not None]
                box = replace(face.box, side=_CONTEXT * face.box.side)
                known[state] = Thumbnail(view.played.index, sureness, ', '.join(words),
                                         crop_color(images.color, box, _CROP))

    def of(self, track: str) -> list[Thumbnail]:
        """Return the pictures of a track in the order of time, at most the surest few."""
        surest = sorted(self.kept.get(track, {}).values(), key=lambda t: -t.sureness)
        return sorted(surest[:_MOST_PICTURES], key=lambda t: t.index)


def face_state_blocks(summary: Mapping[str, Any], times: Sequence[float],
                      scores: Sequence[FrameScore], pictures: FaceThumbnails) -> list[str]:
    """
    Return the blocks of the section, none where neither stage ran.

    :param times: seconds since the first frame
    :param scores: one for each of them
    """
    parts = [part for part in ('expressions', 'liveness') if part in summary]
    if not parts:
        return []
    blocks = [paragraph(f'Not live: {line}. {_advice(summary)}', 'warning')
              for line in warnings_of(summary)]
    blocks.append(paragraph(' '.join(
        f'{part.capitalize()} {coverage(summary[part])}.' for part in parts)))
    tracks = list(dict.fromkeys(t for part in parts for t in summary[part]['tracks']))
    tracks.sort(key=lambda t: -max(sum(summary[part]['tracks'].get(t, {}).values())
                                   for part in parts))
    if len(tracks) > _MOST_TRACKS:
        blocks.append(paragraph(f'The {_MOST_TRACKS} of {len(tracks)} tracks that were seen '
                                'longest.', 'note'))
    shown = sorted(tracks[:_MOST_TRACKS])
    blocks.append(table({track: _row(summary, parts, track) for track in shown}, 'track'))
    words = ' and '.join(filter(None, (
        'probabilities of the expressions, smoothed over time, with the one that is shown above'
        if 'expressions' in parts else '', 'liveness' if 'liveness' in parts else '')))
    for track in shown:
        blocks += _track_blocks(track, f'{track}: {words}.', times, scores, pictures)
    return blocks


def _advice(summary: Mapping[str, Any]) -> str:
    if summary['require_live']:
        return 'It was called so before it was found out.'
    return 'The option require-live leaves it unknown.'


def _row(summary: Mapping[str, Any], parts: Sequence[str], track: str) -> dict[str, str]:
    """Return in how many frames what was said of a track."""
    told = {f'frames by {"expression" if part == "expressions" else part}': summary[part]
            for part in parts}
    if 'identities' in summary:
        told['frames as whom'] = summary['identities']
    return {heading: ', '.join(f'{label} {n}' for label, n in found['tracks'].get(
        track, {}).items()) for heading, found in told.items()}


def _track_blocks(track: str, caption: str, times: Sequence[float],
                  scores: Sequence[FrameScore], pictures: FaceThumbnails) -> list[str]:
    """Return time line and pictures of one face."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.1
    ends = [min(later, t + _GAP_STEPS * step)
            for t, later in zip(times, [*times[1:], times[-1] + step], strict=True)]
    states = [FaceState(begin, end, (s.expressions or {}).get(track),
                        (s.liveness or {}).get(track))
              for begin, end, s in zip(times, ends, scores, strict=True)
              if track in (s.expressions or {}) or track in (s.liveness or {})]
    return [figure(face_timeline(states, (times[0], times[-1] + step)), caption),
            thumbnails([(t.picture, f'frame {t.index + 1}: {t.caption}')
                        for t in pictures.of(track)])]
