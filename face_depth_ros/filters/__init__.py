# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The hand-crafted enhancers of the enhancement paper, run by librealsense."""

from __future__ import annotations

from face_depth_ros.filters.filter_factory import DepthFilter, ENHANCER_FILTERS, make_filter

__all__ = ['DepthFilter', 'ENHANCER_FILTERS', 'make_filter']
