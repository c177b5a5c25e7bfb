# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Light: the diffuse light of an environment map as spherical harmonics, and a directional lamp.

Source of the nine coefficients: Ramamoorthi and Hanrahan, "An Efficient Representation for
Irradiance Environment Maps", 2001.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
from face_depth_ros.synthesis.assets import FaceAssets
import numpy as np
import torch

_SUN_CLIP = 12.0
"""Brighter radiance than this times the median is taken out of the map and made a lamp."""
_BANDS = np.array([np.pi] + [2.0 * np.pi / 3.0] * 3 + [np.pi / 4.0] * 5)
"""Response of a diffuse surface to each harmonic."""


@dataclass(frozen=True)
class Environment:
    """
    An environment map; rows from up to down, columns around, linear light.

    :param rgb: (h, w, 3) float32
    :param harmonics: (9, 3) irradiance / pi without the lamp
    :param lamp_direction: (3,) unit, towards the brightest part, in the map's frame (y up)
    :param lamp_rgb: (3,) irradiance / pi of a surface that faces the lamp
    """

    name: str
    rgb: np.ndarray
    harmonics: np.ndarray
    lamp_direction: np.ndarray
    lamp_rgb: np.ndarray


@dataclass(frozen=True)
class Lights:
    """
    Light of one image in the optical frame.

    :param harmonics: (9, 3); rotation: (3, 3) from the optical frame to the map's frame
    :param lamps: directions towards the lamps (L, 3), and their irradiance / pi (L, 3)
    :param exposure: factor on the light that reaches the image
    """

    harmonics: torch.Tensor
    rotation: torch.Tensor
    lamp_directions: torch.Tensor
    lamp_rgb: torch.Tensor
    exposure: float

    def diffuse(self, normals: torch.Tensor) -> torch.Tensor:
        """
        Return irradiance / pi without the lamps, exposed.

        :param normals: (N, 3) unit, optical frame
        :returns: (N, 3)
        """
        value = harmonic_basis(normals @ self.rotation.T) @ self.harmonics
        return value.clamp(min=0.01) * self.exposure


def load_environments(assets: FaceAssets) -> list[Environment]:
    """Read every environment map of the assets; empty if there are none."""
    return [make_environment(name, assets.arrays('hdri', f'{name}.npz')['rgb'].astype(np.float32))
            for name in assets.names('hdri', 'npz')]


def make_environment(name: str, rgb: np.ndarray) -> Environment:
    """
    Split a map into diffuse harmonics and its brightest lamp.

    :param rgb: (h, w, 3) float32 linear light, first row up
    """
    small = cv2.resize(rgb, (128, 64), interpolation=cv2.INTER_AREA).astype(np.float64)
    directions = map_directions(64, 128)
    solid_angle = np.broadcast_to((np.sin((np.arange(64) + 0.5) / 64 * np.pi)
                                   * (np.pi / 64) * (2 * np.pi / 128))[:, None], (64, 128))
    ceiling = _SUN_CLIP * max(float(np.median(small)), 0.02)
    soft = np.minimum(small, ceiling)
    excess = (small - soft) * solid_angle[..., None]
    weight = excess.sum(axis=2)
    towards = (directions * weight[..., None]).sum(axis=(0, 1))
    length = np.linalg.norm(towards)
    direction = towards / length if length > 1e-9 else np.array([0.0, 1.0, 0.0])
    basis = harmonic_basis(torch.from_numpy(directions.reshape(-1, 3))).numpy()
    moments = basis.T @ (soft * solid_angle[..., None]).reshape(-1, 3)  # (9, 3)
    return Environment(name, rgb, moments * _BANDS[:, None] / np.pi, direction,
                       excess.sum(axis=(0, 1)) / np.pi)


def map_directions(height: int, width: int) -> np.ndarray:
    """Return the direction of each pixel of an environment map, (h, w, 3), y up."""
    polar = (np.arange(height) + 0.5) / height * np.pi
    around = (np.arange(width) + 0.5) / width * 2.0 * np.pi
    sin = np.sin(polar)[:, None]
    return np.stack([sin * np.cos(around), np.broadcast_to(np.cos(polar)[:, None],
                                                           (height, width)),
                     sin * np.sin(around)], axis=2)


def harmonic_basis(directions: torch.Tensor) -> torch.Tensor:
    """
    Evaluate the first nine real spherical harmonics.

    :param directions: (N, 3) unit
    :returns: (N, 9)
    """
    x, y, z = directions.unbind(dim=1)
    return torch.stack([
        torch.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x,
        1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3.0 * z * z - 1.0), 1.092548 * x * z,
        0.546274 * (x * x - y * y)], dim=1)


def sample_lights(environments: list[Environment], generator: np.random.Generator,
                  device: torch.device | str = 'cpu') -> tuple[Lights, Environment | None]:
    """
    Draw the light of an image: a map turned about the vertical, or plain ambient light; lamps.

    :returns: the lights, and the map that they come from, None for plain light
    """
    environment = None
    lamps = []
    turn = camera_to_map(generator.uniform(0.0, 2.0 * np.pi))
    if environments and generator.random() < 0.75:
        environment = environments[generator.integers(len(environments))]
        harmonics = environment.harmonics
        lamps.append((turn.T @ environment.lamp_direction, environment.lamp_rgb))
    else:
        harmonics = np.zeros((9, 3))
        harmonics[0] = generator.uniform(0.7, 1.3, 3)
        harmonics[1:4] = generator.normal(0.0, 0.25, (3, 1))
    if not lamps or generator.random() < 0.4:
        aim = np.array([generator.normal(), -abs(generator.normal()), -1.0])
        strength = generator.uniform(0.2, 1.5) * max(harmonics[0].mean(), 0.05)
        lamps.append((aim / np.linalg.norm(aim), strength * generator.uniform(0.8, 1.2, 3)))
    return make_lights(harmonics, turn, lamps, 0.55 * np.exp(generator.normal(0.0, 0.35)),
                       device), environment


def make_lights(harmonics: np.ndarray, rotation: np.ndarray,
                lamps: list[tuple[np.ndarray, np.ndarray]], brightness: float,
                device: torch.device | str = 'cpu') -> Lights:
    """
    Lights exposed for a surface that faces the camera.

    :param lamps: (direction towards it in the optical frame, irradiance / pi)
    :param brightness: mean light on surfaces that face the camera: 1 = white paper is white
    """
    def tensor(values) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float64), dtype=torch.float32, device=device)

    directions = tensor(np.stack([lamp[0] for lamp in lamps]))
    colors = tensor(np.stack([lamp[1] for lamp in lamps]))
    lights = Lights(tensor(harmonics), tensor(rotation), directions, colors, 1.0)
    facing = tensor([[0, 0, -1], [0.6, 0, -0.8], [-0.6, 0, -0.8], [0, -0.6, -0.8]])
    light = lights.diffuse(facing)
    light = light + (facing @ directions.T).clamp(min=0.0) @ colors
    exposure = brightness / max(float(light.mean()), 1e-4)
    return Lights(lights.harmonics, lights.rotation, directions, colors, exposure)


def camera_to_map(turn: float) -> np.ndarray:
    """
    Rotation from the optical frame to a map's frame for a level camera.

    :param turn: radians about the vertical
    """
    cos, sin = np.cos(turn), np.sin(turn)
    level = np.diag([1.0, -1.0, -1.0])
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]]) @ level
