# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small files in the layout of Pandora."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
import numpy as np

DEPTH = CameraIntrinsics(128, 106, 91.0, 91.0, 65.0, 52.0)
COLOR = CameraIntrinsics(240, 135, 135.0, 134.0, 120.0, 66.0)
TRANSLATION = np.array([0.052, -0.003, 0.0])
SIZES = {'color_size': (COLOR.width, COLOR.height), 'depth_size': (DEPTH.width, DEPTH.height)}
HEAD = np.array([0.02, -0.12, 0.95])
"""The head in the depth camera's optical frame, metres."""


def record(number: int, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> dict:
    """Return what data.json tells of a frame; the joints move with its number."""
    generator = np.random.default_rng(number)
    points = HEAD + generator.uniform([-0.4, 0.1, -0.2], [0.4, 0.5, 0.2], (17, 3))
    points[3] = HEAD
    pixels = [camera.project(points + shift) - 0.5
              for camera, shift in ((DEPTH, np.zeros(3)), (COLOR, TRANSLATION))]
    return {'ts': 1480000000 + number, 'frame_num': number,
            'orientation': {'euler': {'roll': roll, 'pitch': pitch, 'yaw': yaw},
                            'quaternion': [1.0, 0.0, 0.0, 0.0]},
            'joints': pixels[0].tolist(), 'joints3D': (points * (1, -1, 1)).tolist(),
            'jointsRGB': pixels[1].tolist(), 'jointsState': [2] * 17}


def write_sequence(root: Path, subject: str = '10', sequence: str = 'base_1_ID',
                   records: tuple[dict, ...] = (record(1), record(2))) -> None:
    """Write a sequence: a head of depth 0.95 m before a wall at 2 m; grey tells the column."""
    folder = root / subject / sequence
    for name in ('RGB', 'DEPTH'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ys, xs = np.mgrid[:DEPTH.height, :DEPTH.width] + 0.5
    x, y = DEPTH.project(HEAD)
    depth_mm = np.where(np.hypot(xs - x, ys - y) < 10, 950, 2000).astype(np.uint16)
    depth_mm[:12] = 0
    color = np.repeat(np.arange(COLOR.width, dtype=np.uint8)[None], COLOR.height, axis=0)
    color = cv2.merge([color, color // 2, color * 0])  # BGR
    for each in records:
        cv2.imwrite(str(folder / 'RGB' / f'{each["frame_num"]:06d}_RGB.png'), color)
        cv2.imwrite(str(folder / 'DEPTH' / f'{each["frame_num"]:06d}_DEPTH.png'), depth_mm)
    (folder / 'data.json').write_text(json.dumps(list(records)))
