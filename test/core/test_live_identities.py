# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Only who is said to live keeps a name."""

from __future__ import annotations

from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Identity, Liveness
from face_depth_ros.core.live_identities import (
    labels_by_track,
    labels_of,
    NOT_LIVE,
    only_live,
    UNKNOWN,
)
import pytest


def face(track: str) -> Detection:
    return Detection(FaceBox(5.0, 5.0, 4.0), 0.9, track_id=track)


@pytest.mark.parametrize(('labels', 'kept'), [
    ({'f1': 'live', 'f2': 'spoof'}, [True, False]), ({'f1': 'unsure'}, [False, False]),
    ({'f1': 'live', 'f2': 'live'}, [True, True]), ({}, [False, False]), (None, [False, False])])
def test_who_is_not_live_is_unknown(labels: dict[str, str] | None, kept: list[bool]) -> None:
    people = [Identity(face('f1'), 'Ada', 0.9, 0.5, 'enhanced'), Identity(face('f2'), 'Bo', 0.8)]
    found = only_live(people, labels)
    for before, after, keeps in zip(people, found, kept, strict=True):
        if keeps:
            assert after is before
        else:
            assert (after.person, after.probability, after.cause) == (UNKNOWN, 0.0, NOT_LIVE)
            assert (after.detection, after.quality) == (before.detection, before.quality)


def test_a_face_without_a_track_is_not_live() -> None:
    assert only_live([Identity(face(''), 'Ada', 0.9)], {'': 'live'})[0].person == UNKNOWN


def test_a_track_that_is_named_twice_is_unsure() -> None:
    assert labels_by_track([('f1', 'live'), ('f2', 'live'), ('f1', 'live')]) == {
        'f1': 'unsure', 'f2': 'live'}
    assert labels_of([Liveness(face('f1'), 'spoof', 0.1), Liveness(face('f2'), 'live', 0.9)]) == {
        'f1': 'spoof', 'f2': 'live'}
