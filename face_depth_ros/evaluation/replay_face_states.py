# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What faces said in a replay and whether they lived, track by track."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from face_depth_ros.core.live_identities import LIVE, SPOOF, UNKNOWN
from face_depth_ros.evaluation.output_messages import OutputExpression, OutputLiveness
from face_depth_ros.evaluation.replay_analysis import FrameScore


def summarise_expressions(scores: Sequence[FrameScore]) -> dict[str, Any]:
    """Return what summary.json says of expressions: how many faces had one, and which."""
    said = [(s, s.expressions or {}) for s in scores]
    return _answers(said) | {'frames': [
        {'index': s.index, 'faces': {track: {
            'label': e.label, 'probabilities': {k: round(p, 4) for k, p in
                                                e.probabilities.items()}}
            for track, e in faces.items()}} for s, faces in said if faces]}


def summarise_liveness(scores: Sequence[FrameScore]) -> dict[str, Any]:
    """Return what summary.json says of liveness, and of people who are recognised in a spoof."""
    said = [(s, s.liveness or {}) for s in scores]
    return _answers(said) | {
        'named_but_not_live': named_but_not_live(scores),
        'frames': [{'index': s.index, 'faces': {track: [face.label, round(face.score, 4)]
                                                for track, face in faces.items()}}
                   for s, faces in said if faces]}


def named_but_not_live(scores: Sequence[FrameScore]) -> list[dict[str, Any]]:
    """Return in how many frames a track was called by a name that was not live, by label."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for score in scores:
        for track, face in (score.liveness or {}).items():
            person = (score.identities or {}).get(track, (UNKNOWN, 0.0))[0]
            if person != UNKNOWN and face.label != LIVE:
                found.setdefault((track, person), Counter())[face.label] += 1
    return [{'track': track, 'person': person, 'frames': dict(labels)}
            for (track, person), labels in sorted(found.items())]


def face_state_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return lines for a terminal, none where neither stage ran."""
    rows = []
    for part in ('expressions', 'liveness'):
        if part in summary:
            found = summary[part]
            rows.append((part, coverage(found)))
            rows += [(f'  {track}', counted(labels)) for track, labels in found['tracks'].items()]
    return rows + [('  not live', line) for line in warnings_of(summary)]


def coverage(found: Mapping[str, Any]) -> str:
    """Return for how many frames with a face all faces were answered, and which were not."""
    without = ', '.join(f'frame {f["index"] + 1} {" ".join(f["tracks"])}'
                        for f in found['frames_without'])
    return (f'for every face in {found["frames_answered"]} of {found["frames_with_face"]} frames '
            'with a face' + (f'; without: {without}' if without else ''))


def counted(labels: Mapping[str, int]) -> str:
    """Return counts of labels in words."""
    return ', '.join(f'{label} in {n} frame{"s" * (n != 1)}' for label, n in labels.items())


def warnings_of(summary: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each person who is recognised in a face that is a spoof."""
    return [f'{entry["track"]} is recognised as {entry["person"]}, but it is a spoof in '
            f'{entry["frames"][SPOOF]} of these frames'
            for entry in summary.get('liveness', {}).get('named_but_not_live', [])
            if entry['frames'].get(SPOOF)]


def _answers(said: Sequence[tuple[FrameScore, Mapping[str, OutputExpression | OutputLiveness]]],
             ) -> dict[str, Any]:
    """Count the faces with an answer."""
    with_face = [(s, faces) for s, faces in said if s.faces]
    without = [{'index': s.index, 'tracks': [t for t, _ in s.faces if t not in faces]}
               for s, faces in with_face if any(t not in faces for t, _ in s.faces)]
    tracks: dict[str, Counter[str]] = {}
    for _, faces in said:
        for track, answer in faces.items():
            label = answer.shown if isinstance(answer, OutputExpression) else answer.label
            tracks.setdefault(track, Counter())[label] += 1
    return {
        'frames_with_face': len(with_face),
        'frames_answered': len(with_face) - len(without),
        'frames_without': without,
        'faces': sum(len(s.faces) for s, _ in with_face),
        'faces_answered': sum(t in faces for s, faces in with_face for t, _ in s.faces),
        'tracks': {t: dict(labels.most_common()) for t, labels in sorted(tracks.items())}}
