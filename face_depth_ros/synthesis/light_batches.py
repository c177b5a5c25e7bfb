# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Light of many images at once: drawing it, and what it makes of surfaces."""

from __future__ import annotations

from dataclasses import dataclass, fields

from face_depth_ros.synthesis.lighting import camera_to_map, Environment, harmonic_basis
import numpy as np
import torch

_SHINE_EXPONENT = 28.0
_WRAP = 0.12
_ENVIRONMENTS, _SECOND_LAMP = 0.75, 0.4
_FACING = ((0.0, 0.0, -1.0), (0.6, 0.0, -0.8), (-0.6, 0.0, -0.8), (0.0, -0.6, -0.8))


@dataclass(frozen=True)
class LightBatch:
    """
    Light of B images, as lighting.Lights.

    :param harmonics: (B, 9, 3); rotation: (B, 3, 3) from the optical frame to the map's frame
    :param lamp_directions: (B, 2, 3) towards the lamps; lamp_rgb: (B, 2, 3), 0 = no such lamp
    :param exposure: (B,)
    """

    harmonics: torch.Tensor
    rotation: torch.Tensor
    lamp_directions: torch.Tensor
    lamp_rgb: torch.Tensor
    exposure: torch.Tensor

    def take(self, rows: torch.Tensor) -> LightBatch:
        """Return the light of some images."""
        return LightBatch(*(getattr(self, f.name)[rows] for f in fields(self)))

    def diffuse(self, normals: torch.Tensor) -> torch.Tensor:
        """Return irradiance / pi without the lamps, exposed; (B, N, 3) of unit normals."""
        turned = normals @ self.rotation.transpose(1, 2)
        basis = harmonic_basis(turned.flatten(0, 1)).view(*turned.shape[:2], 9)
        return (basis @ self.harmonics).clamp(min=0.01) * self.exposure[:, None, None]


def draw_lights(environments: list[Environment], count: int, generator: np.random.Generator,
                device: torch.device | str) -> LightBatch:
    """Draw the light of images as lighting.sample_lights does: a map or plain light, and lamps."""
    turns = np.stack([camera_to_map(t) for t in generator.uniform(0.0, 2.0 * np.pi, count)])
    harmonics = np.zeros((count, 9, 3))
    harmonics[:, 0] = generator.uniform(0.7, 1.3, (count, 3))
    harmonics[:, 1:4] = generator.normal(0.0, 0.25, (count, 3, 1))
    directions = np.tile(np.array([0.0, 0.0, -1.0]), (count, 2, 1))
    rgb = np.zeros((count, 2, 3))
    mapped = (generator.random(count) < _ENVIRONMENTS) & bool(environments)
    if mapped.any():
        chosen = [environments[i] for i in generator.integers(0, len(environments),
                                                               int(mapped.sum()))]
        harmonics[mapped] = np.stack([e.harmonics for e in chosen])
        towards = np.stack([e.lamp_direction for e in chosen])
        directions[mapped, 0] = (turns[mapped].transpose(0, 2, 1) @ towards[..., None])[..., 0]
        rgb[mapped, 0] = np.stack([e.lamp_rgb for e in chosen])
    aim = generator.normal(size=(count, 3))
    aim[:, 1], aim[:, 2] = -np.abs(aim[:, 1]), -1.0
    aim /= np.linalg.norm(aim, axis=1, keepdims=True)
    strength = generator.uniform(0.2, 1.5, count) * np.maximum(harmonics[:, 0].mean(1), 0.05)
    lamp = strength[:, None] * generator.uniform(0.8, 1.2, (count, 3))
    second = mapped & (generator.random(count) < _SECOND_LAMP)
    directions[~mapped, 0], rgb[~mapped, 0] = aim[~mapped], lamp[~mapped]
    directions[second, 1], rgb[second, 1] = aim[second], lamp[second]
    brightness = 0.55 * np.exp(generator.normal(0.0, 0.35, count))

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values.astype(np.float32), device=device)

    lights = LightBatch(tensor(harmonics), tensor(turns), tensor(directions), tensor(rgb),
                        torch.ones(count, device=device))
    facing = tensor(np.array(_FACING)).expand(count, 4, 3)
    light = lights.diffuse(facing) + (
        facing @ lights.lamp_directions.transpose(1, 2)).clamp(min=0.0) @ lights.lamp_rgb
    exposure = tensor(brightness) / light.mean(dim=(1, 2)).clamp(min=1e-4)
    return LightBatch(lights.harmonics, lights.rotation, lights.lamp_directions, lights.lamp_rgb,
                      exposure)


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply vectors (..., 3); far faster on a GPU than a reduction over so few."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Give vectors (..., 3) unit length; zero stays zero."""
    return vectors * dot(vectors, vectors).clamp(min=1e-18).rsqrt()[..., None]


def shade(normal: torch.Tensor, point: torch.Tensor, albedo: torch.Tensor, gloss: torch.Tensor,
          first_lamp: torch.Tensor, lights: LightBatch, wrap: float = _WRAP) -> torch.Tensor:
    """
    Diffuse light and highlights.

    :param normal: (B, S, S, 3) unit; point: (B, S, S, 3) metres; albedo: (B, S, S, 3) linear
    :param gloss: (B, S, S); first_lamp: (B, S, S), 1 where the first lamp shines
    :returns: (B, S, S, 3) linear light
    """
    shape = albedo.shape
    normals = normal.flatten(1, 2)  # (B, N, 3)
    diffuse = lights.diffuse(normals)
    shine = torch.zeros_like(diffuse)
    view = unit(-point.flatten(1, 2))
    for lamp in range(2):
        direction = lights.lamp_directions[:, lamp, None]  # (B, 1, 3)
        rgb = lights.lamp_rgb[:, lamp, None] * lights.exposure[:, None, None]
        strength = ((dot(normals, direction) + wrap) / (1.0 + wrap)).clamp(min=0.0)
        middle = unit(view + direction)
        peak = dot(normals, middle).clamp(min=0.0) ** _SHINE_EXPONENT
        if lamp == 0:
            strength, peak = strength * first_lamp.flatten(1), peak * first_lamp.flatten(1)
        diffuse = diffuse + strength[..., None] * rgb
        shine = shine + peak[..., None] * rgb
    grazing = (1.0 - dot(normals, view).clamp(0.0, 1.0))[..., None] ** 4
    flat = albedo.flatten(1, 2) * diffuse + gloss.flatten(1)[..., None] * (
        3.0 * shine + grazing * diffuse)
    return flat.view(shape)
