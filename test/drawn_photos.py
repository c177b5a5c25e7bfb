# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Records of a face photo bank drawn by hand, so that nothing needs to be rendered."""

from __future__ import annotations

from face_depth_ros.synthesis.face_photo_bank import CROP_PX, PART, record_type
from face_depth_ros.synthesis.labels import FINE
import numpy as np


def drawn_records(count: int = PART) -> np.ndarray:
    """White discs of skin with a nose right of the middle; relief grows to the right."""
    records = np.zeros(count, record_type())
    y, x = np.mgrid[:CROP_PX, :CROP_PX] + 0.5 - CROP_PX / 2
    disc, nose = np.hypot(x, y) < 70, np.hypot(x - 30, y) < 12
    records['rgba'][:, disc] = 255
    records['label'][:, disc], records['label'][:, nose] = FINE['skin'], FINE['nose']
    records['relief'] = np.where(disc, x / 1000, np.nan)
    points = np.stack([np.linspace(60, 190, 68), np.full(68, 128.0)], axis=1)
    records['landmarks'], records['visible'] = points, True
    records['rotation'] = np.diag([1.0, -1.0, -1.0])
    records['identity'] = np.arange(count)
    return records
