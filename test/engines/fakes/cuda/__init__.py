# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Stands in for cuda-python 13 where there is no GPU."""
