# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Who was recognised in a replay, track by track."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from face_depth_ros.evaluation.replay_settings import EnrollResult

UNKNOWN = 'unknown'


def summarise_identities(
        frames: Sequence[tuple[int, Mapping[str, tuple[str, float]] | None]],
        enrollments: Sequence[EnrollResult]) -> dict[str, Any]:
    """
    Return what summary.json says of identities.

    :param frames: index, and person and probability by track id; None = no result
    """
    tracks: dict[str, Counter[str]] = {}
    people: dict[str, set[int]] = {}
    for index, named in frames:
        for track, (person, _) in (named or {}).items():
            tracks.setdefault(track, Counter())[person] += 1
            people.setdefault(person, set()).add(index)
    return {
        'enrollments': [{'name': e.window.name, 'from_s': e.window.start_s,
                         'to_s': e.window.end_s, 'status': e.status} for e in enrollments],
        'frames_with_person': {p: len(f) for p, f in sorted(people.items())},
        'tracks': {track: dict(names.most_common()) for track, names in sorted(tracks.items())},
        'frames': [{'index': index, 'faces': {track: [person, round(probability, 4)]
                                              for track, (person, probability) in named.items()}}
                   for index, named in frames if named]}


def identity_rows(identities: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return lines for a terminal."""
    rows = [('enrolled', f'{e["name"]} from {e["from_s"]:g} to {e["to_s"]:g} s: {e["status"]}')
            for e in identities['enrollments']]
    found = identities['frames_with_person']
    rows.append(('recognised', ', '.join(f'{name} in {n} frames' for name, n in found.items())
                 or 'nobody was there'))
    return rows + [(f'  {track}', ', '.join(f'{name} in {n} frames' for name, n in names.items()))
                   for track, names in identities['tracks'].items()]
