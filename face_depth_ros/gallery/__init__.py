# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Known people: their templates, kept safe, and the search among them."""
