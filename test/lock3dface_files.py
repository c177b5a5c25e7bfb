# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small files in the layout of Lock3DFace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.datasets.registered_depth import CameraPair
import numpy as np

CAMERAS = CameraPair(CameraIntrinsics(128, 106, 91.0, 91.0, 64.5, 51.5),
                     CameraIntrinsics(240, 135, 135.0, 135.0, 120.0, 64.0),
                     np.eye(3), np.array([0.052, 0.0, 0.0]))
LABELS = ((60, 50), (68, 50), (64, 56), (59, 62), (69, 62))
"""Eyes, nose tip, mouth corners in the depth image."""
FACE_MM, WALL_MM = 600, 1600


def label_text(points: Sequence[tuple[int, int]] = LABELS) -> str:
    """Return a label file's content."""
    return ''.join(f'x:{x} y:{y}\r\n' for x, y in points)


def write_video(root: Path, video: str = '001_Kinect_NU_1', frames: int = 2, *,
                labels: str | None = None) -> None:
    """Write a video's files: a face as a disc before a wall."""
    folders = [root / name / f'{video}{name.upper()}' for name in ('color', 'depth')]
    marks = root / 'label' / 'infrared'
    for folder in (*folders, marks):
        folder.mkdir(parents=True, exist_ok=True)
    source, target = CAMERAS.depth, CAMERAS.color
    ys, xs = np.mgrid[:source.height, :source.width] + 0.5
    face = np.hypot(xs - 64.5, ys - 56.5) < 14
    depth_mm = np.where(face, FACE_MM, WALL_MM).astype(np.uint16)
    color = np.full((target.height, target.width, 3), (40, 80, 160), np.uint8)  # BGR
    for number in range(1, frames + 1):
        cv2.imwrite(str(folders[0] / f'{number:02d}.jpg'), color)
        cv2.imwrite(str(folders[1] / f'{number:02d}.png'), depth_mm)
    (marks / f'{video}INFRARED.txt').write_text(label_text() if labels is None else labels,
                                                newline='')
