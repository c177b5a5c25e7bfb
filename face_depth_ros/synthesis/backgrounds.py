# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What stands behind people: environment maps or random clutter, and the depth of a room."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.synthesis.lighting import Environment
import numpy as np

_FARTHEST_M = 9.0


@dataclass(frozen=True)
class Background:
    """
    :param color: (H, W, 3) float32 linear light, exposed
    :param depth: (H, W) float32 metres, NaN where it is too far to measure
    """

    color: np.ndarray
    depth: np.ndarray


def room_depth(camera: CameraIntrinsics, wall_m: float = 3.0, tilt: float = 0.0,
               camera_height_m: float = 1.2) -> np.ndarray:
    """
    Depth of a wall and a floor for a level camera.

    :param wall_m: distance of the wall along the optical axis
    :param tilt: slope of the wall, depth per metre to the right
    :param camera_height_m: above the floor
    :returns: (H, W) float32 metres, NaN beyond 9 m
    """
    x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
    wall = wall_m / np.maximum(1.0 - tilt * x, 0.05)[None, :]
    floor = np.where(y > 1e-6, camera_height_m / np.maximum(y, 1e-6), np.inf)[:, None]
    depth = np.minimum(wall, floor).astype(np.float32)
    depth[depth > _FARTHEST_M] = np.nan
    return depth


def environment_color(environment: Environment, camera: CameraIntrinsics, rotation: np.ndarray,
                      exposure: float, blur_px: float = 0.0) -> np.ndarray:
    """
    Look into an environment map with a pinhole camera.

    :param rotation: (3, 3) from the optical frame to the map's frame
    :param exposure: factor on the map's light
    :param blur_px: sigma of the blur, for a background out of focus
    :returns: (H, W, 3) float32 linear
    """
    column, row = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = np.stack([(column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy,
                     np.ones_like(column)], axis=2) @ rotation.T
    x, y, z = np.moveaxis(rays / np.linalg.norm(rays, axis=2, keepdims=True), 2, 0)
    height, width = environment.rgb.shape[:2]
    map_x = np.mod(np.arctan2(z, x) / (2.0 * np.pi), 1.0) * width - 0.5
    map_y = np.arccos(np.clip(y, -1.0, 1.0)) / np.pi * height - 0.5
    wrapped = np.concatenate([environment.rgb, environment.rgb[:, :1]], axis=1)
    color = cv2.remap(wrapped, np.maximum(map_x, 0.0).astype(np.float32),
                      map_y.astype(np.float32), cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE) * np.float32(exposure)
    return _blurred(np.minimum(color, 4.0), blur_px)


def clutter_color(camera: CameraIntrinsics, generator: np.random.Generator,
                  pieces: int = 25) -> np.ndarray:
    """
    Draw a wall with random furniture: boxes, discs, bars, gradients, grain.

    :returns: (H, W, 3) float32 linear
    """
    height, width = camera.height, camera.width
    base, end = generator.uniform(0.03, 0.9, (2, 3))
    ramp = np.linspace(0.0, 1.0, height)[:, None, None]
    color = np.broadcast_to(base + (0.6 * base + 0.4 * end - base) * ramp,
                            (height, width, 3)).astype(np.float32).copy()
    for _ in range(pieces):
        centre = generator.uniform(0.0, 1.0, 2) * (width, height)
        size = np.exp(generator.uniform(np.log(0.02), np.log(0.35), 2)) * width
        paint = tuple(float(v) for v in generator.uniform(0.0, 1.0, 3) ** 1.5)
        if generator.random() < 0.3:
            cv2.ellipse(color, tuple(int(v) for v in centre), tuple(int(v) + 1 for v in size / 2),
                        generator.uniform(0, 180), 0, 360, paint, -1, cv2.LINE_AA)
        else:
            angle = generator.normal(0.0, 8.0)
            corners = cv2.boxPoints((tuple(centre), tuple(size), angle))
            cv2.fillPoly(color, [corners.astype(np.int32)], paint, cv2.LINE_AA)
    grain = generator.normal(1.0, 0.05, (height // 2 + 1, width // 2 + 1)).astype(np.float32)
    fine = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    return _blurred(np.clip(color * fine[..., None], 0.0, 2.0),
                    float(generator.uniform(0.0, 2.0)))


def _blurred(color: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(color, (0, 0), sigma) if sigma > 0.3 else color
