# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.predictors.liveness_tracker import Evidence, LivenessTracker, MOST_LOG_ODDS
import pytest

TENTH = 100_000_000


def test_evidence_is_the_mean_of_the_window() -> None:
    tracker = LivenessTracker(0.25)
    assert tracker.update(0, 'a', 2.0) == Evidence(2.0, 1)
    assert tracker.update(TENTH, 'a', 0.0) == Evidence(1.0, 2)
    assert tracker.update(TENTH, 'b', -1.0) == Evidence(-1.0, 1)
    assert tracker.update(3 * TENTH, 'a', -2.0) == Evidence(-1.0, 2), 'the first is too old'


def test_no_frame_says_more_than_its_share() -> None:
    tracker = LivenessTracker(1.0)
    tracker.update(0, 'a', 1e9)
    assert tracker.update(TENTH, 'a', -2.0).log_odds == (MOST_LOG_ODDS - 2.0) / 2


def test_tracks_end_when_time_jumps_or_they_are_lost() -> None:
    tracker = LivenessTracker(1.0)
    for stamp in range(3):
        tracker.update(stamp * TENTH, 'a', 1.0)
    tracker.drop('a')
    tracker.drop('nobody')
    assert tracker.update(3 * TENTH, 'a', 1.0).frames == 1
    assert tracker.update(2 * TENTH, 'a', 1.0).frames == 1, 'time has jumped back'
    tracker.forget(30 * TENTH)
    assert tracker.update(2 * TENTH, 'a', 1.0).frames == 1
    tracker.reset()
    assert tracker.update(3 * TENTH, 'a', 1.0).frames == 1


def test_what_has_no_track_stands_for_itself() -> None:
    tracker = LivenessTracker(1.0)
    tracker.update(0, '', 3.0)
    assert tracker.update(1, '', 1.0) == Evidence(1.0, 1)


@pytest.mark.parametrize('window', [-1.0, float('nan'), float('inf')])
def test_odd_windows_are_refused(window: float) -> None:
    with pytest.raises(SettingsError, match='window_s'):
        LivenessTracker(window)
