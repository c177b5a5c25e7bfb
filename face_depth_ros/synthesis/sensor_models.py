# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What a stereo and a structured-light camera make of true depth; batches, on any device.

Both are simplified: they have the errors that matter to a face at 0.3 to 2.5 m. Defaults are of
the order of a RealSense D435 (stereo) and a Kinect v1 or TrueDepth (structured light).
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.depth_warping import NEIGHBOUR_RANGE_M
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.image_filters import box_sum, smooth_noise
import torch
from torch.nn import functional

_EDGE_M = 0.03
"""A step of this depth between neighbours is the edge of an object."""


def _check_positive(**values: float) -> None:
    wrong = [f'{name} = {value}' for name, value in values.items() if not value > 0]
    if wrong:
        raise SettingsError(f'sensor settings must be > 0, got {", ".join(wrong)}')


@dataclass(frozen=True)
class StereoSettings:
    """
    A block-matching stereo camera; the depth is in the left imager's view.

    :param baseline: metres between the imagers
    :param noise_px: sigma of the disparity
    :param step_px: sub-pixel step of the disparity
    :param fattening_px: how far the front of an edge grows over what is behind
    :param low_texture: share of the surface without enough texture to match, 0 to 1
    :param max_disparity_px: nearer surfaces are not found
    """

    baseline: float = 0.05
    noise_px: float = 0.08
    step_px: float = 1 / 32
    fattening_px: int = 2
    low_texture: float = 0.03
    max_disparity_px: float = 126.0

    def __post_init__(self) -> None:
        _check_positive(baseline=self.baseline, step_px=self.step_px)


@dataclass(frozen=True)
class StructuredLightSettings:
    """
    A camera with a pattern projector beside it.

    :param baseline: metres from the projector to the camera
    :param noise_m: sigma at 0 m, plus noise_per_m2 times the squared distance
    :param step_m: the depth is a multiple of this
    :param speckle: share of the surface lost in small spots, 0 to 1
    :param grazing: surfaces that recede by more than this much depth per metre across are lost
    """

    baseline: float = 0.03
    noise_m: float = 0.0005
    noise_per_m2: float = 0.0015
    step_m: float = 0.001
    speckle: float = 0.01
    grazing: float = 5.0

    def __post_init__(self) -> None:
        _check_positive(baseline=self.baseline, step_m=self.step_m)


def stereo_depth(depth: torch.Tensor, focal: torch.Tensor | float, generator: torch.Generator,
                 settings: StereoSettings = StereoSettings()) -> torch.Tensor:
    """
    Measure depth by stereo.

    Noise and steps are of the disparity, so that those of the depth grow with its square. What
    the right imager cannot see is a hole, on the left of what hides it.

    :param depth: (B, H, W) float32 metres, NaN where there is nothing, in the sensor's pixels
    :param focal: pixels, a number or (B,)
    :param generator: of the same device
    :returns: (B, H, W) float32 metres, NaN where nothing was measured
    """
    scale = _focal(focal, depth) * settings.baseline
    shape = tuple(depth.shape)
    fattened = _fattened(depth, settings.fattening_px, generator)
    disparity = scale / fattened
    measured = disparity.isfinite() & (disparity <= settings.max_disparity_px)
    measured &= ~_in_shadow(disparity)
    if settings.low_texture > 0:
        field = smooth_noise(shape, 8, generator)
        measured &= field < _upper_quantile(settings.low_texture)
    white = torch.randn(shape, generator=generator, device=depth.device)
    noise = 0.6 * box_sum(white, 3) / 3.0 + 0.8 * smooth_noise(shape, 6, generator)
    disparity = disparity + settings.noise_px * noise
    disparity = (disparity / settings.step_px).round() * settings.step_px
    measured &= disparity > settings.step_px
    return (scale / disparity).masked_fill(~measured, torch.nan)


def structured_light_depth(depth: torch.Tensor, focal: torch.Tensor | float,
                           generator: torch.Generator,
                           settings: StructuredLightSettings = StructuredLightSettings(),
                           ) -> torch.Tensor:
    """
    Measure depth by a projected pattern.

    :param depth: (B, H, W) float32 metres, NaN where there is nothing, in the sensor's pixels
    :param focal: pixels, a number or (B,)
    :param generator: of the same device
    :returns: (B, H, W) float32 metres, NaN where nothing was measured
    """
    focal_px = _focal(focal, depth)
    shape = tuple(depth.shape)
    measured = depth.isfinite() & ~_in_shadow(focal_px * settings.baseline / depth)
    flat = torch.where(depth.isfinite(), depth, 0.0)
    across = functional.pad((flat[:, :, 2:] - flat[:, :, :-2]).abs(), (1, 1))
    down = functional.pad((flat[:, 2:] - flat[:, :-2]).abs(), (0, 0, 1, 1))
    measured &= torch.maximum(across, down) * focal_px / (2.0 * flat) < settings.grazing
    if settings.speckle > 0:
        spots = smooth_noise(shape, 2.5, generator)
        measured &= spots < _upper_quantile(settings.speckle)
    white = torch.randn(shape, generator=generator, device=depth.device)
    noise = 0.7 * white + 0.7 * smooth_noise(shape, 3, generator)
    sigma = settings.noise_m + settings.noise_per_m2 * depth * depth
    noisy = ((depth + sigma * noise) / settings.step_m).round() * settings.step_m
    return noisy.masked_fill(~measured, torch.nan)


def at_sensor_resolution(depth: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
    """
    Sample a crop as coarsely as a sensor does that sees the face from afar.

    The result keeps its size: with a ratio of 0.5 it fills the upper left quarter, the rest is
    NaN.

    :param depth: (B, H, W) metres
    :param ratio: (B,) sensor pixels per crop pixel, at most 1
    :returns: (B, H, W) metres, in the sensor's pixels
    """
    return _resample(depth, 1.0 / ratio.clamp(max=1.0))


def from_sensor_resolution(depth: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
    """
    Undo at_sensor_resolution as core.face_box samples crops.

    Bilinear over valid neighbours within 10 mm of the nearest one, NaN if the nearest is invalid.

    :param depth: (B, H, W) metres in the sensor's pixels, NaN where invalid
    :param ratio: (B,) sensor pixels per crop pixel
    :returns: (B, H, W) metres
    """
    batch, height, width = depth.shape
    step = ratio.clamp(max=1.0)[:, None]
    nearest = _resample(depth, step[:, 0])
    rows, columns = ((torch.arange(n, device=depth.device) + 0.5) * step - 0.5
                     for n in (height, width))  # (B, H), (B, W) from pixel centres
    item = torch.arange(batch, device=depth.device)[:, None, None]
    total, weights = torch.zeros_like(depth), torch.zeros_like(depth)
    for down in (0, 1):
        for right in (0, 1):
            r, c = rows.floor() + down, columns.floor() + right
            weight = (1 - (rows - r).abs())[:, :, None] * (1 - (columns - c).abs())[:, None, :]
            value = depth[item, r.long().clamp(0, height - 1)[:, :, None],
                          c.long().clamp(0, width - 1)[:, None, :]]
            weight = weight * ((value - nearest).abs() <= NEIGHBOUR_RANGE_M)
            total += weight * value.nan_to_num(nan=0.0)
            weights += weight
    return (total / weights).masked_fill(nearest.isnan(), torch.nan)


def _focal(focal: torch.Tensor | float, like: torch.Tensor) -> torch.Tensor:
    value = torch.as_tensor(focal, dtype=torch.float32, device=like.device)
    return value.expand(len(like))[:, None, None]


def _upper_quantile(share: float) -> float:
    """Return what a normal variable exceeds with this probability."""
    return float(torch.special.ndtri(torch.tensor(1.0 - share)))


def _fattened(depth: torch.Tensor, reach: int, generator: torch.Generator) -> torch.Tensor:
    """Grow what is in front over edges, along the rows and by a varying width."""
    if reach < 1:
        return depth
    front = -functional.max_pool2d(-depth.nan_to_num(nan=1e3)[:, None], (1, 2 * reach + 1), 1,
                                   (0, reach))[:, 0]
    chosen = smooth_noise(tuple(depth.shape), 4, generator) > -0.3
    behind = depth.nan_to_num(nan=1e3) - front > _EDGE_M
    return torch.where(behind & chosen & (front < 1e2), front, depth)


def _in_shadow(disparity: torch.Tensor) -> torch.Tensor:
    """Mark pixels that the second viewpoint, to the right, cannot see, (B, H, W) bool."""
    width = disparity.shape[2]
    columns = torch.arange(width, device=disparity.device, dtype=disparity.dtype)
    seen_at = columns - disparity.nan_to_num(nan=0.0)
    nearest_right = seen_at.flip(2).cummin(dim=2).values.flip(2)
    beyond = functional.pad(nearest_right[:, :, 1:], (0, 1), value=torch.inf)
    return beyond < seen_at - 0.5


def _resample(depth: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """Take the pixel under (i + 0.5) * step in both directions; NaN outside the image."""
    batch, height, width = depth.shape
    rows = ((torch.arange(height, device=depth.device) + 0.5) * step[:, None]).long()  # (B, H)
    columns = ((torch.arange(width, device=depth.device) + 0.5) * step[:, None]).long()
    item = torch.arange(batch, device=depth.device)[:, None, None]
    taken = depth[item, rows.clamp(max=height - 1)[:, :, None],
                  columns.clamp(max=width - 1)[:, None, :]]
    outside = (rows >= height)[:, :, None] | (columns >= width)[:, None, :]
    return taken.masked_fill(outside, torch.nan)
