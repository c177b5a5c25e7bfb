# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.synthesis.backgrounds import environment_color, room_depth
from face_depth_ros.synthesis.lighting import (
    camera_to_map,
    make_environment,
    make_lights,
    map_directions,
    sample_lights,
)
import numpy as np
import torch

CAMERA = CameraIntrinsics(64, 48, 40.0, 40.0, 32.0, 24.0)


def gradient_map() -> np.ndarray:
    """Soft light that is strongest towards (0.6, 0.8, 0)."""
    towards = map_directions(128, 256) @ np.array([0.6, 0.8, 0.0])
    return np.repeat((1.0 + 0.7 * towards)[..., None], 3, axis=2).astype(np.float32)


def test_diffuse_light_is_the_integral_over_the_hemisphere():
    rgb = gradient_map()
    environment = make_environment('gradient', rgb)
    lights = make_lights(environment.harmonics, np.eye(3), [(np.array([0, 0, -1.0]), np.zeros(3))],
                         0.5)
    normals = torch.nn.functional.normalize(
        torch.randn(30, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    directions = map_directions(128, 256).reshape(-1, 3)
    polar = (np.arange(128) + 0.5) / 128 * np.pi
    weight = np.repeat(np.sin(polar) * (np.pi / 128) * (2 * np.pi / 256), 256)
    facing = np.maximum(normals.numpy() @ directions.T, 0.0)
    expected = facing @ (rgb.reshape(-1, 3)[:, 0] * weight) / np.pi
    seen = lights.diffuse(normals)[:, 0].numpy() / lights.exposure
    np.testing.assert_allclose(seen, expected, rtol=0.02)


def test_the_sun_becomes_a_lamp_of_the_same_power():
    rgb = np.full((256, 512, 3), 0.1, np.float32)
    rgb[64:68, 100:104] = 900.0
    environment = make_environment('sun', rgb)
    expected = map_directions(256, 512)[64:68, 100:104].mean(axis=(0, 1))
    assert environment.lamp_direction @ expected > 0.999
    solid = np.sin(66.0 / 256 * np.pi) * (np.pi / 256) * (2 * np.pi / 512) * 16
    np.testing.assert_allclose(environment.lamp_rgb, 900.0 * solid / np.pi, rtol=0.05)


def test_exposure_makes_surfaces_that_face_the_camera_as_bright_as_asked():
    lights = make_lights(make_environment('gradient', gradient_map()).harmonics * 37.0,
                         camera_to_map(1.0), [(np.array([0.0, 0.0, -1.0]), np.full(3, 9.0))], 0.6)
    facing = torch.tensor([[0.0, 0.0, -1.0]])
    light = lights.diffuse(facing) + lights.exposure * lights.lamp_rgb
    assert 0.5 < float(light.mean()) < 0.8


def test_a_level_camera_sees_up_above_and_the_turn_beside():
    rotation = camera_to_map(0.0)
    np.testing.assert_allclose(rotation @ [0.0, -1.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)
    assert np.linalg.det(rotation) > 0.999
    rgb = np.zeros((256, 512, 3), np.float32)
    rgb[:128] = 0.5  # the upper half
    seen = environment_color(make_environment('half', rgb), CAMERA, camera_to_map(0.7), 2.0)
    np.testing.assert_allclose(seen[:20], 1.0, atol=1e-3)
    np.testing.assert_allclose(seen[28:], 0.0, atol=1e-3)


def test_room_depth_is_the_nearer_of_wall_and_floor():
    depth = room_depth(CAMERA, wall_m=3.0, camera_height_m=1.2)
    np.testing.assert_allclose(depth[0], 3.0)
    row = 46
    np.testing.assert_allclose(depth[row], 1.2 / ((row + 0.5 - CAMERA.cy) / CAMERA.fy), rtol=1e-6)
    tilted = room_depth(CAMERA, wall_m=2.0, tilt=0.3)[5]
    x = (np.arange(64) + 0.5 - CAMERA.cx) / CAMERA.fx
    np.testing.assert_allclose(tilted, 2.0 + 0.3 * x * tilted, rtol=1e-5)
    assert np.isnan(room_depth(CAMERA, wall_m=20.0)[0]).all()


def test_sampled_lights_repeat_and_shine():
    environments = [make_environment('gradient', gradient_map())]
    for seed in range(20):
        first, _ = sample_lights(environments, np.random.default_rng(seed))
        second, _ = sample_lights(environments, np.random.default_rng(seed))
        assert torch.equal(first.lamp_rgb, second.lamp_rgb)
        assert first.exposure == second.exposure > 0
        lengths = first.lamp_directions.norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=1e-4, rtol=0)
