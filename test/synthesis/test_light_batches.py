# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Light of batches is that of single images; its exposure is what was drawn."""

from __future__ import annotations

from types import SimpleNamespace

from face_depth_ros.synthesis import shading
from face_depth_ros.synthesis.light_batches import dot, draw_lights, LightBatch, shade, unit
from face_depth_ros.synthesis.lighting import Environment, Lights
import numpy as np
import pytest
import torch

FACING = torch.tensor([[0.0, 0.0, -1.0], [0.6, 0.0, -0.8], [-0.6, 0.0, -0.8], [0.0, -0.6, -0.8]])


def environment(seed: int) -> Environment:
    """Return a bright sky with a lamp."""
    rng = np.random.default_rng(seed)
    harmonics = rng.normal(0.0, 0.1, (9, 3)) + np.eye(9, 1) * 1.5
    towards = rng.normal(size=3) + np.array([0.0, 1.0, 0.0])
    return Environment(f'sky {seed}', np.zeros((2, 4, 3), np.float32), harmonics,
                       towards / np.linalg.norm(towards), rng.uniform(0.5, 1.5, 3))


class Recorded:
    """A generator that remembers the last normal numbers."""

    def __init__(self, seed: int) -> None:
        self.generator, self.last = np.random.default_rng(seed), np.zeros(0)

    def __getattr__(self, name: str):
        return getattr(self.generator, name)

    def normal(self, *arguments: object, **named: object) -> np.ndarray:
        self.last = self.generator.normal(*arguments, **named)
        return self.last


@pytest.mark.parametrize('skies', [0, 3])
def test_facing_surfaces_are_as_bright_as_drawn(skies: int) -> None:
    generator = Recorded(skies)
    lights = draw_lights([environment(k) for k in range(skies)], 64, generator, 'cpu')
    lamps = (FACING @ lights.lamp_directions.transpose(1, 2)).clamp(min=0.0) @ lights.lamp_rgb
    light = lights.diffuse(FACING.expand(64, 4, 3)) + lamps * lights.exposure[:, None, None]
    np.testing.assert_allclose(light.mean(dim=(1, 2)).numpy(), 0.55 * np.exp(generator.last),
                               rtol=1e-4)
    torch.testing.assert_close(lights.lamp_directions.norm(dim=2), torch.ones(64, 2))
    turned = lights.rotation @ lights.rotation.transpose(1, 2)
    torch.testing.assert_close(turned, torch.eye(3).expand(64, 3, 3), atol=1e-5, rtol=0)
    second = (lights.lamp_rgb[:, 1] > 0).any(dim=1)
    if skies:  # of those under a sky some have a lamp besides
        assert 5 < int(second.sum()) < 40
    else:
        assert not bool(second.any())


def test_the_same_generator_draws_the_same_light() -> None:
    first, again, other = (draw_lights([environment(0)], 5, np.random.default_rng(seed), 'cpu')
                           for seed in (1, 1, 2))
    assert torch.equal(first.harmonics, again.harmonics)
    assert torch.equal(first.exposure, again.exposure)
    assert not torch.equal(first.exposure, other.exposure)
    some = first.take(torch.tensor([3, 1]))
    assert torch.equal(some.lamp_rgb, first.lamp_rgb[[3, 1]]) and len(some.exposure) == 2


def single(lights: LightBatch, row: int) -> Lights:
    return Lights(lights.harmonics[row], lights.rotation[row], lights.lamp_directions[row],
                  lights.lamp_rgb[row], float(lights.exposure[row]))


@pytest.mark.parametrize('wrap', [0.12, 0.5])
def test_surfaces_are_shaded_as_in_single_images(wrap: float) -> None:
    """Albedo, gloss, lamps and shadow as `shading` does for one camera image."""
    torch.manual_seed(0)
    lights = draw_lights([environment(0), environment(1)], 3, np.random.default_rng(4), 'cpu')
    normal = unit(torch.randn(3, 6, 6, 3) - torch.tensor([0.0, 0.0, 1.0]))
    point = torch.randn(3, 6, 6, 3) * 0.1 + torch.tensor([0.0, 0.0, 0.7])
    albedo, gloss = torch.rand(3, 6, 6, 3), torch.rand(3, 6, 6)
    lamp = torch.rand(3, 6, 6)
    found = shade(normal, point, albedo, gloss, lamp, lights, wrap)
    assert found.shape == (3, 6, 6, 3)
    for row in range(3):
        surface = SimpleNamespace(gloss=gloss[row].flatten())
        seen = SimpleNamespace(normal=normal[row].view(-1, 3), point=point[row].view(-1, 3),
                               triangle=torch.arange(36))
        wanted = shading._lit(surface, seen, albedo[row].view(-1, 3), single(lights, row),
                              lamp[row].flatten(), wrap)
        torch.testing.assert_close(found[row].view(-1, 3), wanted, atol=1e-4, rtol=1e-4)


def test_vectors_of_three() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 4, 5, 3)
    torch.testing.assert_close(dot(a, b), (a * b).sum(dim=-1))
    torch.testing.assert_close(unit(a), a / a.norm(dim=-1, keepdim=True))
    assert torch.equal(unit(torch.zeros(2, 3)), torch.zeros(2, 3))
