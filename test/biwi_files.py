# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small files in the layout of the Biwi Kinect Head Pose Database."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = (160, 120)
DEPTH_K = ((144.0, 0, 80), (0, 144.0, 60), (0, 0, 1))
COLOR_K = ((129.5, 0, 80), (0, 129.5, 60.5), (0, 0, 1))
TRANSLATION_MM = (-24.0, 5.9, -13.2)
CENTER_MM = (20.0, -30.0, 900.0)


def depth_bytes(depth_mm: np.ndarray) -> bytes:
    """Return a depth file's content: size, then runs of empty and of full pixels."""
    height, width = depth_mm.shape
    flat, full = depth_mm.ravel().astype('<i2'), depth_mm.ravel() > 0
    edges = np.flatnonzero(np.diff(full.astype(int), prepend=0, append=0))
    content, done = [np.array([width, height], '<i4').tobytes()], 0
    for first, last in edges.reshape(-1, 2).tolist():
        content += [np.array([first - done, last - first], '<i4').tobytes(),
                    flat[first:last].tobytes()]
        done = last
    if done < flat.size:
        content.append(np.array([flat.size - done, 0], '<i4').tobytes())
    return b''.join(content)


def calibration_text(k: object, rotation: object = np.eye(3),
                     translation: object = (0, 0, 0), distortion: object = (0, 0, 0, 0),
                     size: object = SIZE) -> str:
    """Return a calibration's content."""
    blocks = [np.atleast_2d(np.asarray(v)) for v in (k, distortion, rotation, translation, size)]
    return '\n'.join('\n'.join(' '.join(f'{x:g}' for x in row) + ' ' for row in block) + '\n'
                     for block in blocks)


def head_mm() -> np.ndarray:
    """Return depth of a head as the depth camera sees it, (120, 160) int, 0 beside it."""
    ys, xs = np.mgrid[:SIZE[1], :SIZE[0]]
    away = ((xs - 83.2) / 18) ** 2 + ((ys - 55.2) / 24) ** 2
    return np.where(away < 1, np.rint(850 + 60 * away), 0).astype(int)


def write_frame(root: Path, sequence: str = '01', number: int = 3, *,
                rotation: object = np.eye(3)) -> np.ndarray:
    """Write the files of a frame and its sequence's calibration; return its depth in mm."""
    folder = root / sequence
    folder.mkdir(parents=True, exist_ok=True)
    depth_mm = head_mm()
    stem = str(folder / f'frame_{number:05d}_')
    Path(f'{stem}depth.bin').write_bytes(depth_bytes(depth_mm))
    color = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    color[..., 2] = np.arange(SIZE[0])  # BGR: red tells the column
    color[..., 1] = np.arange(SIZE[1])[:, None]
    cv2.imwrite(f'{stem}rgb.png', color)
    rows = [*np.asarray(rotation).tolist(), [], list(CENTER_MM), []]
    Path(f'{stem}pose.txt').write_text('\n'.join(' '.join(f'{v:.6g}' for v in r) for r in rows))
    (folder / 'depth.cal').write_text(calibration_text(DEPTH_K))
    (folder / 'rgb.cal').write_text(calibration_text(COLOR_K, translation=TRANSLATION_MM))
    return depth_mm
