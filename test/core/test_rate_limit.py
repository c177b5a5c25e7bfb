# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""No more frames than asked for, and those evenly."""

from __future__ import annotations

from face_depth_ros.core.rate_limit import RateLimit
import numpy as np
import pytest

SECONDS = 20


def taken(camera_hz: float, rate_hz: float, jitter: float = 0.0) -> np.ndarray:
    """Return the stamps, seconds, that are taken of a camera's."""
    limit, count = RateLimit(), round(camera_hz * SECONDS)
    shift = np.random.default_rng(5).uniform(-jitter, jitter, count)
    stamps = (np.arange(count) + shift) / camera_hz + 1.0
    found = stamps[[limit.takes(round(1e9 * s), rate_hz) for s in stamps]]
    assert limit.skipped == count - len(found)
    return found


@pytest.mark.parametrize('jitter', [0.0, 0.05, 0.3])
@pytest.mark.parametrize(('camera_hz', 'rate_hz'), [
    (30, 10), (30, 20), (30, 7), (15, 10), (90, 12.5), (29.97, 10), (60, 59)])
def test_on_average_the_rate_and_evenly(camera_hz: float, rate_hz: float, jitter: float) -> None:
    stamps = taken(camera_hz, rate_hz, jitter)
    assert len(stamps) / SECONDS == pytest.approx(rate_hz, rel=0.02)
    assert np.diff(stamps).max() < 1.0 / rate_hz + (1.0 + 2.0 * jitter) / camera_hz


@pytest.mark.parametrize('jitter', [0.0, 0.05])
@pytest.mark.parametrize(('camera_hz', 'rate_hz'), [(30, 0), (30, 30), (30, 200), (10, 10)])
def test_a_camera_within_the_rate_loses_nothing(camera_hz: float, rate_hz: float,
                                                jitter: float) -> None:
    assert len(taken(camera_hz, rate_hz, jitter)) == camera_hz * SECONDS


def test_after_a_pause_two_come_at_once_at_most() -> None:
    limit = RateLimit()
    assert limit.takes(0, 10.0)
    assert [limit.takes(10 ** 12 + i, 10.0) for i in range(4)] == [True, True, False, False]


def test_a_bag_that_starts_over_is_taken_up() -> None:
    limit = RateLimit()
    assert limit.takes(10 ** 10, 5.0) and not limit.takes(10 ** 10 + 1, 5.0)
    assert limit.takes(1, 5.0) and not limit.takes(2, 5.0)
