# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The depth of things that are held up in place of a face, as a canonical crop sees them.

Prints flat and bent, cut-outs, boxes, balls, a face turned inside out: to teach an enhancer that
none of them is a face, and to test that it makes none of them.
"""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.image_filters import smooth_noise
import torch

CROP_SIDE_M = 0.22
"""What the side of a canonical crop spans at the depth of the face."""

ATTACKS = ('flat print', 'bent print', 'print bent inwards', 'wavy print', 'box', 'ball')
_MAX_TILT = 0.7
_RADIUS_M = (0.045, 0.4)
_DISTANCE_M = (0.3, 1.2)


def render_attack(kind: str, batch: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """
    Render attacks of one kind, each of random place, size and bend.

    :param kind: one of `ATTACKS`
    :param generator: decides all that is random; its device is that of the result
    :returns: (B, size, size) float32 metres, NaN beside the thing
    :raises SettingsError: no such kind
    """
    if kind not in ATTACKS:
        raise SettingsError(f'attack {kind!r} is not known, expected one of {", ".join(ATTACKS)}')
    device = generator.device
    draws = torch.rand(9, batch, 1, 1, generator=generator, device=device)
    x, y = _plane_axes(draws[0], draws[1], draws[2], size)  # metres on the thing, (B, S, S)
    half_width, half_height = 0.06 + 0.1 * draws[3], 0.08 + 0.12 * draws[4]
    oval = (x / half_width) ** 2 + (y / half_height) ** 2 < 1.0
    sheet = (x.abs() < half_width) & (y.abs() < half_height)
    inside = torch.where(draws[5] < 0.3, oval, sheet)
    tilt = _MAX_TILT * (2.0 * torch.rand(2, batch, 1, 1, generator=generator, device=device) - 1.0)
    slope = tilt[0] * x + tilt[1] * y
    radius = _RADIUS_M[0] * (_RADIUS_M[1] / _RADIUS_M[0]) ** draws[6]
    if kind == 'flat print':
        relief = slope
    elif kind == 'box':
        relief = 0.5 * slope + (x * tilt[0].sign()).clamp_min(0.0) * (0.5 + 2.0 * draws[7])
    elif kind == 'wavy print':
        relief = slope + 0.02 * draws[7] * smooth_noise((batch, size, size), 48, generator)
    elif kind == 'ball':
        radius = radius.clamp(0.07, 0.14)
        inside = (x / radius) ** 2 + (y / (1.25 * radius)) ** 2 < 0.97
        relief = radius - (radius ** 2 - x ** 2 - (y / 1.25) ** 2).clamp_min(0.0).sqrt()
    else:
        inside = inside & (x.abs() < 0.95 * radius)
        bend = radius - (radius ** 2 - x ** 2).clamp_min(0.0).sqrt()
        relief = 0.4 * slope + (bend if kind == 'bent print' else -bend)
    near, far = _DISTANCE_M
    return torch.where(inside, near + (far - near) * draws[8] + relief, torch.nan)


def inside_out(depth: torch.Tensor) -> torch.Tensor:
    """
    Return faces as the inside of a mask: what was near becomes far.

    :param depth: (B, H, W) float32 metres, NaN where there is nothing
    """
    near = depth.nan_to_num(nan=torch.inf).flatten(1).amin(1)[:, None, None]
    far = depth.nan_to_num(nan=-torch.inf).flatten(1).amax(1)[:, None, None]
    return near + far - depth


def _plane_axes(turn: torch.Tensor, shift_x: torch.Tensor, shift_y: torch.Tensor,
                size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Return the coordinates of each pixel on the thing, metres, each (B, S, S).

    :param turn: (B, 1, 1), 0 to 1: mostly upright, within 45 degrees
    :param shift_x: (B, 1, 1), 0 to 1: how far off the centre
    :param shift_y: the same, downwards
    """
    axis = (torch.arange(size, device=turn.device) + 0.5) / size - 0.5
    u = CROP_SIDE_M * axis - 0.03 * (2.0 * shift_x - 1.0)
    v = CROP_SIDE_M * axis[:, None] - 0.03 * (2.0 * shift_y - 1.0)
    angle = (2.0 * turn - 1.0) ** 3 * torch.pi / 4.0
    return angle.cos() * u + angle.sin() * v, angle.cos() * v - angle.sin() * u
