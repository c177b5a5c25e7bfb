# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small files in the layout of KinectFaceDB, with a face that is a bulge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
from face_depth_ros.datasets.kinect_face_db import FRONTAL
import numpy as np

DEPTH = '{0}/{1}/Depth/DepthKinect/depth_{0}_{1}_{2}.txt'
COLOR = '{0}/{1}/RGB/rgb_{0}_{1}_{2}.bmp'
POINTS = '{0}/{1}/Mark/MarkRGB/rgb_{0}_{1}_{2}_Points.txt'
MARKS = [(104, 110), (152, 110), (128, 133), (109, 162), (147, 162), (128, 193)]
"""Eyes, nose tip, mouth corners, chin in the image of 256 x 256."""


def bulge_mm() -> np.ndarray:
    """Return a head-like depth, (256, 256) float64 whole millimetres, 0 beside it."""
    ys, xs = np.mgrid[:256, :256]
    away = ((xs - 128) / 55) ** 2 + ((ys - 135) / 75) ** 2
    depth = np.rint(780 + 90 * away - 25 * np.exp(-((xs - 128) ** 2 + (ys - 133) ** 2) / 60))
    return np.where(away < 1, depth, 0)


def landmark_text(points: Sequence[tuple[int, int]]) -> str:
    """Return a landmark file's content; points in the image of 256 x 256."""
    return ''.join(f'{x + 192}\t{y + 74}\t800\t\n' for x, y in points)


def write_session(root: Path, person: str, session: str, variants: Sequence[str] = FRONTAL, *,
                  landmarks: bool = True) -> np.ndarray:
    """Write the files of a session, all variants alike; return their depth in mm."""
    depth_mm = bulge_mm()
    ys, xs = np.mgrid[:256, :256]
    lines = np.stack([xs + 192, ys + 74, depth_mm], axis=-1).reshape(-1, 3).astype(int)
    text = '\n'.join(f'{x}\t{y}\t{z}\t' for x, y, z in lines)
    color = np.full((256, 256, 3), (50, 100, 200), np.uint8)  # BGR
    for variant in variants:
        for pattern in (DEPTH, COLOR, POINTS):
            (root / pattern.format(person, session, variant)).parent.mkdir(parents=True,
                                                                           exist_ok=True)
        (root / DEPTH.format(person, session, variant)).write_text(text)
        cv2.imwrite(str(root / COLOR.format(person, session, variant)), color)
        if landmarks:
            (root / POINTS.format(person, session, variant)).write_text(landmark_text(MARKS))
    return depth_mm
