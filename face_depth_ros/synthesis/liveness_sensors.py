# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a stereo, a structured-light or a time-of-flight camera of random quality sees of depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.image_filters import box_sum, smooth_noise
from face_depth_ros.synthesis.sensor_models import (
    stereo_depth,
    StereoSettings,
    structured_light_depth,
    StructuredLightSettings,
)
import numpy as np
import torch

STEREO, STRUCTURED_LIGHT, TIME_OF_FLIGHT = SENSORS = ('stereo', 'structured light',
                                                      'time of flight')
_EDGE_M = 0.03


@dataclass(frozen=True)
class SensorRanges:
    """
    How good cameras are, each from the best to the worst.

    :param stereo_px: sigma of the disparity, pixels
    :param light_m, light_per_m2: noise of structured light, metres, and per squared metre
    :param flight_m, flight_per_m2: the same of time of flight
    :param lost: largest share of a surface that is lost in spots
    """

    stereo_px: tuple[float, float] = (0.02, 0.08)
    light_m: tuple[float, float] = (0.0002, 0.001)
    light_per_m2: tuple[float, float] = (0.0005, 0.003)
    flight_m: tuple[float, float] = (0.0008, 0.003)
    flight_per_m2: tuple[float, float] = (0.0005, 0.002)
    lost: float = 0.04


USUAL = SensorRanges()
WORSE = SensorRanges((0.02, 0.1), (0.0002, 0.0013), (0.0005, 0.0036), (0.0008, 0.004),
                     (0.0005, 0.0025), 0.06)
"""Of the test split."""


def time_of_flight_depth(depth: torch.Tensor, generator: torch.Generator, sigma_m: float = 0.002,
                         per_m2: float = 0.001, rounding: float = 0.1,
                         lost: float = 0.01) -> torch.Tensor:
    """
    Measure depth by time of flight.

    Light that comes by way of neighbouring surfaces makes hollows shallower; pixels on an edge mix
    what is before and behind.

    :param depth: (B, H, W) float32 metres, NaN where there is nothing
    :param sigma_m, per_m2: noise at 0 m, and what is added per squared metre of distance
    :param rounding: share of the local relief that is lost
    :param lost: share of the surface without a measurement
    :returns: the same, NaN where nothing was measured
    """
    shape = tuple(depth.shape)
    valid = depth.isfinite()
    flat = depth.nan_to_num(nan=0.0)
    mean = box_sum(flat * valid, 7) / box_sum(valid.float(), 7).clamp(min=1.0)
    difference = (mean - flat).clamp(-_EDGE_M, _EDGE_M)
    mixed = flat + rounding * difference
    high = torch.nn.functional.max_pool2d(torch.where(valid, flat, -1.0)[:, None], 3, 1, 1)[:, 0]
    low = -torch.nn.functional.max_pool2d(torch.where(valid, -flat, -99.0)[:, None], 3, 1, 1)[:, 0]
    edge = valid & (high - low > _EDGE_M) & (low < 90.0)
    share = torch.rand(shape, generator=generator, device=depth.device)
    flying = edge & (torch.rand(shape, generator=generator, device=depth.device) < 0.5)
    mixed = torch.where(flying, low + share * (high - low), mixed)
    white = torch.randn(shape, generator=generator, device=depth.device)
    noise = 0.9 * white + 0.3 * smooth_noise(shape, 5, generator)
    spots = smooth_noise(shape, 3, generator)
    kept = valid & (spots < float(torch.special.ndtri(torch.tensor(1.0 - lost))) * 1.1)
    return (mixed + (sigma_m + per_m2 * flat * flat) * noise).masked_fill(~kept, torch.nan)


def measure(sensor: str, depth: np.ndarray, focal: float, ranges: SensorRanges,
            quality: Sequence[float] | np.ndarray, generator: torch.Generator) -> np.ndarray:
    """
    Measure true depth by one camera of a kind.

    :param sensor: of `SENSORS`
    :param depth: (H, W) float32 metres in the sensor's pixels, NaN where there is nothing
    :param focal: pixels
    :param quality: 4 numbers of 0 to 1: where within the ranges the camera is
    :param generator: of the noise
    :returns: (H, W) float32 metres, NaN where nothing was measured
    :raises SettingsError: no such kind of camera
    """
    if sensor not in SENSORS:
        raise SettingsError(f'sensor {sensor!r} is not known, expected one of '
                            f'{", ".join(SENSORS)}')
    draws = [float(value) for value in quality]
    scene = torch.from_numpy(np.ascontiguousarray(depth, np.float32))[None]

    def drawn(limits: tuple[float, float], position: int) -> float:
        return limits[0] + (limits[1] - limits[0]) * draws[position]

    if sensor == STEREO:
        seen = stereo_depth(scene, focal, generator, StereoSettings(
            noise_px=drawn(ranges.stereo_px, 0), fattening_px=int(3 * draws[1]),
            low_texture=ranges.lost * draws[2], max_disparity_px=200.0))
    elif sensor == STRUCTURED_LIGHT:
        seen = structured_light_depth(scene, focal, generator, StructuredLightSettings(
            noise_m=drawn(ranges.light_m, 0), noise_per_m2=drawn(ranges.light_per_m2, 1),
            speckle=ranges.lost * draws[2]))
    else:
        seen = time_of_flight_depth(scene, generator, drawn(ranges.flight_m, 0),
                                    drawn(ranges.flight_per_m2, 1), 0.2 * draws[2],
                                    0.001 + ranges.lost * draws[3])
    return np.asarray(seen[0].numpy(), np.float32)
