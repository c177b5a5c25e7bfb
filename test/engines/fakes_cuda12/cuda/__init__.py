# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Stands in for cuda-python before 12.8: the runtime is `cuda.cudart`."""
