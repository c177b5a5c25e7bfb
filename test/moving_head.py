# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A head of formulas before a camera: true depth at any pose, and what a noisy sensor sees."""

from __future__ import annotations

from dataclasses import dataclass
import functools

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
import numpy as np

CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)
_HALF_AXES = (0.078, 0.11, 0.095)
MOUTH = (0.0, 0.048)
"""Middle of the mouth in the head's frame, metres right and down of the middle."""


@dataclass(frozen=True)
class Head:
    """
    A head at a pose.

    :param x: metres right of the optical axis
    :param y: metres below it
    :param z: metres before the camera
    :param yaw: radians
    :param pitch: radians
    :param mouth_m: how deep the mouth is open, metres
    :param nose_m: how far the nose stands out, metres; another one is another person
    """

    x: float = 0.0
    y: float = 0.0
    z: float = 0.65
    yaw: float = 0.0
    pitch: float = 0.0
    mouth_m: float = 0.0
    nose_m: float = 0.024

    def depth(self) -> np.ndarray:
        """Return true depth in metres, (240, 320) float32, NaN beside the head."""
        return _rendered(self).copy()

    def rotation(self) -> np.ndarray:
        """Return the rotation from the head's frame to the camera's, (3, 3)."""
        return cv2.Rodrigues(np.array([self.pitch, 0.0, 0.0]))[0] @ cv2.Rodrigues(
            np.array([0.0, self.yaw, 0.0]))[0]

    def mouth(self) -> np.ndarray:
        """Return where the open mouth's floor is, (240, 320) bool; for a head that looks ahead."""
        v, u = np.mgrid[:CAMERA.height, :CAMERA.width] + 0.5
        z = self.z - 0.085
        return ((((u - CAMERA.cx) * z / CAMERA.fx - self.x - MOUTH[0]) / 0.018) ** 2
                + (((v - CAMERA.cy) * z / CAMERA.fy - self.y - MOUTH[1]) / 0.011) ** 2) < 1.0

    def box(self) -> FaceBox:
        """Return the box that a perfect detector gives."""
        side = 0.2 * CAMERA.fx / self.z
        return FaceBox(CAMERA.cx + CAMERA.fx * self.x / self.z,
                       CAMERA.cy + CAMERA.fy * self.y / self.z, side)

    def front(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the depth of the front against the middle of the head, metres."""
        a, b, c = _HALF_AXES
        shell = -c * np.sqrt(np.maximum(1.0 - (x / a) ** 2 - (y / b) ** 2, 0.01))
        nose = self.nose_m * np.exp(-(x / 0.012) ** 2 - ((y - 0.008) / 0.022) ** 2)
        eyes = 0.009 * (np.exp(-((x - 0.032) / 0.014) ** 2 - ((y + 0.025) / 0.01) ** 2)
                        + np.exp(-((x + 0.032) / 0.014) ** 2 - ((y + 0.025) / 0.01) ** 2))
        away = ((x - MOUTH[0]) / 0.022) ** 2 + ((y - MOUTH[1]) / 0.014) ** 2
        return shell - nose + eyes + self.mouth_m / (1.0 + away ** 6)


@functools.lru_cache(maxsize=64)
def _rendered(head: Head) -> np.ndarray:
    """Walk along the rays around the head until they meet its surface."""
    box = head.box()
    half, depth = 0.8 * box.side, np.full((CAMERA.height, CAMERA.width), np.nan, np.float32)
    x0, y0 = (max(int(c - half), 0) for c in (box.center_x, box.center_y))
    part = np.s_[y0:int(box.center_y + half), x0:int(box.center_x + half)]
    v, u = (i[part] for i in np.mgrid[:CAMERA.height, :CAMERA.width] + 0.5)
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)])
    middle, turn = np.array([head.x, head.y, head.z])[:, None], head.rotation()
    z = np.full(u.shape, head.z - 0.08)
    for _ in range(30):
        at = (turn.T @ ((rays * z).reshape(3, -1) - middle)).reshape(rays.shape)  # (3, h, w)
        off = head.front(at[0], at[1]) - at[2]
        z = z + 0.6 * off
    inside = (at[0] / _HALF_AXES[0]) ** 2 + (at[1] / _HALF_AXES[1]) ** 2 < 0.9
    depth[part] = np.where((np.abs(off) < 1e-4) & inside, z, np.nan)
    return depth


def jittered(box: FaceBox, chance: np.random.Generator) -> FaceBox:
    """Return a box as a real detector gives it: 1 % off in place, 2 % in size, 2 degrees."""
    shift = chance.normal(0.0, 0.01 * box.side, 2)
    return FaceBox(box.center_x + shift[0], box.center_y + shift[1],
                   box.side * float(np.exp(chance.normal(0.0, 0.02))),
                   float(chance.normal(0.0, 0.035)))


def sensed(truth: np.ndarray, chance: np.random.Generator, noise_m: float = 0.0025,
           holes: float = 0.04, wall_m: float = 1.6) -> np.ndarray:
    """
    Return depth as a stereo camera gives it: blotchy noise, whole millimetres, holes, a wall.

    :param truth: metres, (H, W) float32, NaN where there is nothing
    :param noise_m: standard deviation
    :param holes: share of the pixels
    """
    blotches = cv2.GaussianBlur(chance.normal(0.0, 1.0, truth.shape), (0, 0), 0.9)
    depth = np.where(np.isfinite(truth), truth, wall_m) + noise_m * blotches / blotches.std()
    spots = cv2.GaussianBlur(chance.normal(0.0, 1.0, truth.shape), (0, 0), 1.5)
    depth = np.rint(depth * 1e3) * 1e-3
    depth[spots > np.quantile(spots, 1.0 - holes)] = np.nan
    return depth.astype(np.float32)
