# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Counts of causes: those of refused frames and those of frames published all the same."""

from __future__ import annotations

from face_depth_ros.nodes.diagnostics import work_values
from face_depth_ros.nodes.health import Health


def test_what_is_said_of_a_published_frame_is_no_refusal() -> None:
    """A replay once took a face that was left alone for a dropped frame."""
    lines: list[str] = []
    health = Health(lines.append)
    health.count('depth_range', 'a hand is in front', published=True)
    health.count('depth_range', 'a hand is in front', published=True)
    health.count('sizes_differ', 'depth is not aligned')
    values = work_values(health.report(), 0, 10.0)
    assert values['count.depth_range'] == values['noted.depth_range'] == 2
    assert values['count.sizes_differ'] == 1
    assert 'noted.sizes_differ' not in values
    assert len(lines) == 2
