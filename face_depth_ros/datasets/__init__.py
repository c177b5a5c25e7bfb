# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
