# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Head poses in front of a camera: sampling, projection, oriented boxes, canonical crops.

Optical frame: x right, y down, z forward, metres; pixels from the corner of the image. A head at
rest faces the camera: its x is the camera's x, its y and z are reversed.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.morphable_head import HEAD_POINT_CM
import numpy as np
import torch

BOX_SIDE_M = 0.22
_METRES_PER_CM = 0.01


@dataclass(frozen=True)
class PoseRange:
    """
    How heads stand in front of the camera.

    Half of the yaws are uniform within +-max_yaw, half normal with a third of it; pitch and roll
    are normal, clipped at three sigma. Angles in degrees.

    :param distance_m: nearest and farthest depth of the head point, log-uniform between them
    :param max_off_axis: largest |X / Z| and |Y / Z| of the head point, uniform
    :param any_roll: roll uniform over the whole circle instead of normal
    """

    max_yaw: float = 90.0
    pitch_sigma: float = 12.0
    roll_sigma: float = 15.0
    any_roll: bool = False
    distance_m: tuple[float, float] = (0.3, 2.5)
    max_off_axis: float = 0.35

    def __post_init__(self) -> None:
        nearest, farthest = self.distance_m
        if not 0.2 <= nearest <= farthest:
            raise SettingsError(f'distance_m is {self.distance_m}, expected 0.2 <= nearest <= '
                                'farthest: nearer, the head would cut the image plane')


DEFAULT_POSES = PoseRange()


@dataclass(frozen=True)
class HeadPoses:
    """
    Rigid poses of B heads.

    :param rotation: (B, 3, 3), from the head frame to the optical frame
    :param position: (B, 3) metres, the head point in the optical frame
    """

    rotation: torch.Tensor
    position: torch.Tensor

    def to_optical(self, points_cm: torch.Tensor) -> torch.Tensor:
        """
        Move points of the head frame to the optical frame.

        :param points_cm: (B, N, 3)
        :returns: (B, N, 3) metres
        """
        head_point = points_cm.new_tensor(HEAD_POINT_CM)
        turned = ((points_cm - head_point) * _METRES_PER_CM) @ self.rotation.transpose(1, 2)
        return turned + self.position[:, None]

    def boxes(self, focal: torch.Tensor | float,
              principal_point: torch.Tensor | tuple[float, float]) -> torch.Tensor:
        """
        Oriented boxes: centre and side from the head point, roll from the head's up direction.

        :param focal: pixels, a number or (B,)
        :param principal_point: pixels, (2,) or (B, 2)
        :returns: (B, 4): centre x, centre y, side in pixels; roll in radians, clockwise
        """
        focal = torch.as_tensor(focal, dtype=self.position.dtype, device=self.position.device)
        offset = torch.as_tensor(principal_point, dtype=focal.dtype, device=focal.device)
        depth = self.position[:, 2]
        slope = self.position[:, :2] / depth[:, None]  # (B, 2)
        centre = slope * focal.expand_as(depth)[:, None] + offset  # (B, 2)
        up = self.rotation[:, :, 1]
        seen_up = up[:, :2] - slope * up[:, 2:]  # (B, 2) image direction of the head's up
        roll = torch.atan2(seen_up[:, 0], -seen_up[:, 1])
        return torch.cat([centre, (focal * BOX_SIDE_M / depth)[:, None], roll[:, None]], dim=1)


def head_rotation(yaw: torch.Tensor, pitch: torch.Tensor, roll: torch.Tensor) -> torch.Tensor:
    """
    Rotation from the head frame to the optical frame.

    :param yaw: (B,) radians, positive when the subject turns to its left
    :param pitch: (B,) radians, positive when it looks up
    :param roll: (B,) radians, positive clockwise in the image
    :returns: (B, 3, 3)
    """
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    sin_y, cos_y, sin_p, cos_p = yaw.sin(), yaw.cos(), pitch.sin(), pitch.cos()
    sin_r, cos_r = roll.sin(), roll.cos()
    about_y = torch.stack([cos_y, zero, sin_y, zero, one, zero, -sin_y, zero, cos_y], dim=1)
    about_x = torch.stack([one, zero, zero, zero, cos_p, sin_p, zero, -sin_p, cos_p], dim=1)
    in_image = torch.stack([cos_r, -sin_r, zero, sin_r, cos_r, zero, zero, zero, one], dim=1)
    to_optical = torch.diag(yaw.new_tensor([1.0, -1.0, -1.0]))
    return (in_image.view(-1, 3, 3) @ to_optical @ about_x.view(-1, 3, 3)
            @ about_y.view(-1, 3, 3))


def sample_poses(count: int, generator: np.random.Generator,
                 limits: PoseRange = DEFAULT_POSES,
                 device: torch.device | str = 'cpu') -> HeadPoses:
    """
    Draw poses.

    :returns: poses on the device, float32
    """
    sigma = np.where(generator.random(count) < 0.5, 0.0, limits.max_yaw / 3.0)
    normal = np.clip(generator.standard_normal((3, count)), -3.0, 3.0)
    yaw = np.where(sigma == 0.0, generator.uniform(-limits.max_yaw, limits.max_yaw, count),
                   normal[0] * sigma)
    roll = (generator.uniform(-180.0, 180.0, count) if limits.any_roll
            else normal[2] * limits.roll_sigma)
    angles = np.deg2rad(np.stack([yaw, normal[1] * limits.pitch_sigma, roll]))
    slope = generator.uniform(-limits.max_off_axis, limits.max_off_axis, (count, 2))
    nearest, farthest = np.log(limits.distance_m)
    depth = np.exp(generator.uniform(nearest, farthest, count))
    position = np.concatenate([slope, np.ones((count, 1))], axis=1) * depth[:, None]
    yaw_t, pitch_t, roll_t = torch.as_tensor(angles, dtype=torch.float32, device=device)
    return HeadPoses(head_rotation(yaw_t, pitch_t, roll_t),
                     torch.as_tensor(position, dtype=torch.float32, device=device))


def project(points: torch.Tensor, focal: torch.Tensor | float,
            principal_point: torch.Tensor | tuple[float, float]) -> torch.Tensor:
    """
    Project points of the optical frame.

    :param points: (B, N, 3) metres
    :param focal: pixels, a number or (B,)
    :param principal_point: pixels, (2,) or (B, 2)
    :returns: (B, N, 3): x, y in pixels, z in metres
    """
    focal = torch.as_tensor(focal, dtype=points.dtype, device=points.device).expand(len(points))
    offset = torch.as_tensor(principal_point, dtype=points.dtype, device=points.device)
    offset = offset.expand(len(points), 2)
    z = points[..., 2:]
    pixels = points[..., :2] / z * focal[:, None, None] + offset[:, None]
    return torch.cat([pixels, z], dim=2)


def to_canonical_crop(pixels: torch.Tensor, boxes: torch.Tensor, size: int) -> torch.Tensor:
    """
    Move projected points into the upright crop of their box.

    :param pixels: (B, N, 3): x, y in pixels, z is kept
    :param boxes: (B, 4): centre x, centre y, side, roll
    :param size: pixels along a side of the crop
    :returns: (B, N, 3)
    """
    offset = pixels[..., :2] - boxes[:, None, :2]
    scale = (size / boxes[:, 2])[:, None]
    cos, sin = boxes[:, 3].cos()[:, None], boxes[:, 3].sin()[:, None]
    x = (cos * offset[..., 0] + sin * offset[..., 1]) * scale + size / 2
    y = (cos * offset[..., 1] - sin * offset[..., 0]) * scale + size / 2
    return torch.stack([x, y, pixels[..., 2]], dim=2)
