# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
# ruff: noqa: N802  (the real names)
"""Only what shows that this module was taken."""

from __future__ import annotations

LAYOUT = 'cuda.cudart'


def cudaGetDeviceCount():
    """Count devices: none."""
    return 0, 0
