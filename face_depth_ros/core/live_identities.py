# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The rule that only living faces are called by a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from face_depth_ros.core.frames import Identity, Liveness

LIVE, SPOOF, UNSURE = 'live', 'spoof', 'unsure'
LIVENESS_LABELS = (LIVE, SPOOF, UNSURE)
UNKNOWN = 'unknown'
NOT_LIVE = 'not_live'
"""Cause of a face that is unknown because nobody says that it lives."""
NOT_LIVE_REFUSAL = 'the face is not said to be live'
"""Why nobody is introduced by such a face."""


def labels_by_track(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return what is said of each track; one that is named twice is unsure.

    :param found: track id and label of each face
    """
    labels: dict[str, str] = {}
    for track, label in found:
        labels[track] = UNSURE if track in labels else label
    return labels


def labels_of(liveness: Sequence[Liveness]) -> dict[str, str]:
    """Return what a liveness detector says of each track."""
    return labels_by_track((face.detection.track_id, face.label) for face in liveness)


def only_live(identities: Sequence[Identity], labels: Mapping[str, str] | None) -> (
        tuple[Identity, ...]):
    """
    Make everybody unknown who is not said to be alive.

    :param labels: by track id, None = nothing is said of this frame
    """
    return tuple(i if _lives(i.detection.track_id, labels or {}) else
                 replace(i, person=UNKNOWN, probability=0.0, cause=NOT_LIVE) for i in identities)


def _lives(track_id: str, labels: Mapping[str, str]) -> bool:
    """Whether a face is said to be alive; what is not said is not so."""
    return bool(track_id) and labels.get(track_id) == LIVE
