# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node hri_publisher (being written by a second helper, see /tmp/plan/NOTE*; leave it)."""
