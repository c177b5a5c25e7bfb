# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The benchmark of the hand-off runs and measures both ways (how fast is not a test)."""

from __future__ import annotations

from face_depth_ros.nodes.handoff_benchmark import HopTimer, measure
from face_depth_ros.nodes.image_messages import ImageFrame
import numpy as np
import pytest

pytestmark = pytest.mark.ros


def test_both_ways_are_timed() -> None:
    result = measure(3, 64, 48)
    assert len(result['in_process_ms']) == len(result['dds_ms']) == 3
    assert all(t > 0 for way in ('in_process_ms', 'dds_ms') for t in result[way])
    assert result['bytes'] == 64 * 48 * 3
    assert 'rmw' in result['rmw']


def test_the_image_itself_arrives_both_ways() -> None:
    timer = HopTimer()
    try:
        image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
        frame = ImageFrame(5, 'camera', 'rgb8', image)
        for hop in (timer.in_process_ms, timer.dds_ms):
            hop(frame)
            np.testing.assert_array_equal(timer.arrived.array, image)
    finally:
        timer.close()
