# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A shape model of drawn faces, domes with bumps, and what a depth camera sees of them."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.face_surface import FaceSurface
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
import numpy as np

MODES, MOODS = 6, 3
_HALF_M = 0.06
_BUMP_M = 0.015


def height(across: np.ndarray, person: np.ndarray, mood: np.ndarray) -> np.ndarray:
    """
    Return how far behind the head point the face is, metres; negative = nearer to the camera.

    :param across: (..., 2) metres right and down of the head point
    :param person: (MODES,); mood: (MOODS,)
    """
    x, y = across[..., 0], across[..., 1]
    code = np.concatenate([person, mood])
    bumps = 0.0
    for k, weight in enumerate(code):
        angle = 2.4 * k
        u, v = 0.028 * np.cos(angle), 0.034 * np.sin(angle)
        bumps = bumps + 0.003 * weight * np.exp(-((x - u) ** 2 + (y - v) ** 2) / _BUMP_M ** 2)
    nose = 0.02 * np.exp(-(x ** 2 + y ** 2) / 0.012 ** 2)
    return -0.05 + 6.0 * (x ** 2 + y ** 2) - nose - bumps


def shape_arrays(dimensions: int = MODES) -> dict[str, np.ndarray]:
    """Return the arrays of a core.shape_model.ShapeModel."""
    rng = np.random.default_rng(3)
    places = rng.uniform(-_HALF_M, _HALF_M, (400, 2))
    all_places = np.concatenate([places, MEAN_LANDMARKS_M[:, :2]])
    plain = height(all_places, np.zeros(MODES), np.zeros(MOODS))

    def mode(number: int) -> np.ndarray:
        code = np.eye(MODES + MOODS)[number]
        moved = np.zeros((len(all_places), 3))
        moved[:, 2] = height(all_places, code[:MODES], code[MODES:]) - plain
        return moved

    step = 1e-5
    still = (np.zeros(MODES), np.zeros(MOODS))
    slopes = [(height(places + np.array(way), *still) - plain[:400]) / step
              for way in ((step, 0.0), (0.0, step))]
    normals = np.stack([slopes[0], slopes[1], -np.ones(400)], axis=1)
    modes = np.stack([mode(k) for k in range(MODES + MOODS)])
    return {'mean': np.column_stack([all_places, plain]), 'identity': modes[:MODES],
            'expression': modes[MODES:],
            'normals': normals / np.linalg.norm(normals, axis=1, keepdims=True),
            'projection': np.eye(MODES)[:, :dimensions]}


def write_shape_model(path: Path, dimensions: int = MODES) -> Path:
    """Write the model."""
    np.savez(path, **shape_arrays(dimensions))  # type: ignore[arg-type]
    return path


def seen_surface(person: np.ndarray, mood: np.ndarray | None = None, *, yaw: float = 0.0,
                 position: tuple[float, float, float] = (0.05, -0.03, 0.7), size: int = 96,
                 noise: float = 0.0, seed: int = 0) -> FaceSurface:
    """
    Look at a face by a depth camera.

    :param yaw: radians
    :param noise: one sigma of the depth, metres
    """
    mood = np.zeros(MOODS) if mood is None else mood
    focal = size * position[2] / 0.2
    x, y, z = position
    camera = np.array([[focal, 0.0, size / 2 - focal * x / z],
                       [0.0, focal, size / 2 - focal * y / z]])
    turn = np.array([[np.cos(yaw), 0.0, np.sin(yaw)], [0.0, 1.0, 0.0],
                     [-np.sin(yaw), 0.0, np.cos(yaw)]])
    axis = np.arange(size) + 0.5
    pixels = np.stack(np.meshgrid(axis, axis), axis=2)
    slope = np.linalg.solve(camera[:, :2], (pixels.reshape(-1, 2) - camera[:, 2]).T).T
    depth = np.full(len(slope), z - 0.05)
    for _ in range(40):  # where the ray meets the height field
        local = (np.column_stack([slope * depth[:, None], depth]) - position) @ turn
        behind = height(np.clip(local[:, :2], -0.08, 0.08), person, mood) - local[:, 2]
        depth = depth + np.clip(0.6 * behind, -0.02, 0.02)
    on_face = (np.abs(local[:, :2]) < _HALF_M + 0.01).all(axis=1) & (np.abs(behind) < 1e-4)
    depth = depth + noise * np.random.default_rng(seed).standard_normal(len(depth))
    places = MEAN_LANDMARKS_M[:, :2]
    marks = np.column_stack([places, height(places, person, mood)]) @ turn.T + position
    return FaceSurface(np.where(on_face, depth, np.nan).reshape(size, size).astype(np.float32),
                       camera, marks[:, :2] / marks[:, 2:])
