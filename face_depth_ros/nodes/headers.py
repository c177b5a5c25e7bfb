# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Stamps as one integer, and the header of every output: that of its camera message."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

NS = 1_000_000_000


def stamp_of(header: Header) -> int:
    """Return the stamp in nanoseconds."""
    return int(header.stamp.sec) * NS + int(header.stamp.nanosec)


def header_of(stamp_ns: int, frame_id: str) -> Header:
    """Return a header with the stamp and frame of a camera message."""
    sec, nanosec = divmod(stamp_ns, NS)
    return Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)
