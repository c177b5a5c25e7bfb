# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Where the 68 landmarks lie on the mean head, so that a face in an image tells its distance.

Measured on the neutral head of ICT-FaceKit (MIT licence). Its interocular distance, outer corner
to outer corner 8.9 cm, is that of adults; over the identities of that model the size of a head
differs by 4.2 % (one sigma), which limits how well a size alone can place a face.
"""

from __future__ import annotations

import numpy as np

HEAD_SIZE_SIGMA = 0.05
"""One sigma of the distance by head size, as a share: head sizes, and what a landmark is off."""
RIGID_LANDMARKS = (0, 1, 2, 8, 14, 15, 16, *range(27, 36), 36, 39, 42, 45)
"""Those that expressions hardly move: ends of the jaw line, chin, nose, corners of the eyes."""
_LANDMARKS_CM = (
    (-7.36, -2.68, 2.34), (-7.28, -0.49, 2.07), (-6.94, 1.46, 1.47), (-6.56, 3.36, 0.83),
    (-5.72, 5.49, -0.13), (-4.3, 7.21, -1.35), (-3.05, 7.91, -2.77), (-1.54, 8.26, -4.27),
    (0, 8.57, -4.43), (1.54, 8.26, -4.27), (3.05, 7.91, -2.77), (4.3, 7.21, -1.35),
    (5.72, 5.49, -0.13), (6.56, 3.36, 0.83), (6.94, 1.46, 1.47), (7.28, -0.49, 2.07),
    (7.36, -2.68, 2.34), (-5.82, -4.2, -1.91), (-4.93, -4.98, -2.99), (-3.79, -5.26, -3.83),
    (-2.41, -5.19, -4.48), (-1.17, -4.91, -4.73), (1.17, -4.91, -4.73), (2.41, -5.19, -4.48),
    (3.79, -5.26, -3.83), (4.93, -4.98, -2.99), (5.82, -4.2, -1.91), (0, -2.74, -4.73),
    (0, -1.63, -5.52), (0, -0.61, -6.31), (0, 0.59, -7.07), (-1.25, 2.14, -4.87),
    (-0.6, 2.14, -5.42), (0, 2.2, -5.57), (0.6, 2.14, -5.42), (1.25, 2.14, -4.87),
    (-4.46, -2.43, -2.6), (-3.87, -2.87, -3.36), (-2.78, -2.94, -3.53), (-1.84, -2.25, -3.2),
    (-2.73, -2.08, -3.41), (-3.86, -2.07, -3.23), (1.84, -2.25, -3.2), (2.78, -2.94, -3.53),
    (3.87, -2.87, -3.36), (4.46, -2.43, -2.6), (3.86, -2.07, -3.23), (2.73, -2.08, -3.41),
    (-2.53, 4.52, -4.19), (-1.7, 3.78, -5.22), (-0.73, 3.42, -5.73), (0, 3.48, -5.84),
    (0.73, 3.42, -5.73), (1.7, 3.78, -5.22), (2.53, 4.52, -4.19), (1.8, 5.06, -4.9),
    (1.03, 5.3, -5.39), (0, 5.38, -5.55), (-1.03, 5.3, -5.39), (-1.8, 5.06, -4.9),
    (-2.21, 4.49, -4.13), (-1, 4.3, -5.09), (0, 4.32, -5.28), (1, 4.3, -5.09),
    (2.21, 4.49, -4.13), (1.07, 4.38, -5.04), (0, 4.4, -5.25), (-1.07, 4.38, -5.04),
)
MEAN_LANDMARKS_M = np.array(_LANDMARKS_CM) * 0.01
"""(68, 3) metres from the head point; the head faces the camera: x right, y down, z forward."""
