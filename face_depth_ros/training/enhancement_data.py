# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Endless pairs of degraded and true face depth for the depth enhancer.

True depth is rendered once into a bank on disk (16 bit over the 25 cm) and varied at each use:
mirrored, shifted, scaled and turned as a detector's box may be, then degraded as in the paper, or
more mildly, or by a camera's sensor model, before surroundings that may or may not be empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.depth_enhancer import fill_holes
from face_depth_ros.synthesis import degradation, sensor_models
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.image_filters import smooth_noise
import numpy as np
import torch
from torch.nn import functional

SIZE = 256
_LEVELS = 65534
_HOLE = 65535
_RENDER_BATCH = 32


class EnhancementBatch(NamedTuple):
    """
    What one training step sees, each (B, 1, S, S) float32, in the units of the network.

    :param depth: degraded and filled, in [0, 1)
    :param valid: 1 where the degraded depth was measured within the slab
    :param truth: normalised by the degraded image's nearest surface; 0 outside `surface`
    :param surface: 1 where the truth has head or neck within the slab
    """

    depth: torch.Tensor
    valid: torch.Tensor
    truth: torch.Tensor
    surface: torch.Tensor


@dataclass(frozen=True)
class DegradationMix:
    """
    Shares of the ways to degrade; the rest of the first three is the paper's degradation.

    :param mild: the paper's steps with weaker noise, fewer holes, blur or none
    :param sensor: a stereo or structured-light camera
    :param surroundings: blurred surfaces around the head
    :param random_holes: random values around the head, as in the paper's section III.B
    """

    mild: float = 0.25
    sensor: float = 0.25
    surroundings: float = 0.25
    random_holes: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.mild + self.sensor <= 1 or not (
                0 <= self.surroundings + self.random_holes <= 1):
            raise SettingsError(f'shares of the degradation mix exceed 1: {self}')


class FaceDepthBank:
    """
    Rendered true depth on disk, memory-mapped; made by `render`, resumable.

    :param folder: holds codes.npy (N, 256, 256) uint16 and meta.npy (N, 2) float32
    """

    def __init__(self, folder: Path) -> None:
        self.codes = np.load(folder / 'codes.npy', mmap_mode='r')
        self.meta = np.load(folder / 'meta.npy', mmap_mode='r')
        ready = int(np.isfinite(self.meta[:, 0]).sum())
        self.count = ready

    @staticmethod
    def render(folder: Path, assets: FaceAssets, split: str, count: int,
               device: str = 'cpu') -> FaceDepthBank:
        """Render what is missing of `count` images (seeds = batch numbers), then open."""
        folder.mkdir(parents=True, exist_ok=True)
        shape = (count, SIZE, SIZE)
        if not (folder / 'meta.npy').exists():
            np.lib.format.open_memmap(folder / 'codes.npy', 'w+', np.uint16, shape)
            np.save(folder / 'meta.npy', np.full((count, 2), np.nan, np.float32))
        codes = np.load(folder / 'codes.npy', mmap_mode='r+')
        meta = np.load(folder / 'meta.npy', mmap_mode='r+')
        if codes.shape != shape:
            raise SettingsError(f'{folder} holds a bank of shape {codes.shape}, expected {shape}; '
                                'delete it or choose another folder')
        renderer = FaceDepthRenderer(assets, device, split)
        for start in range(0, count, _RENDER_BATCH):
            rows = slice(start, min(start + _RENDER_BATCH, count))
            if np.isfinite(meta[rows]).all():
                continue
            batch = renderer.render(start // _RENDER_BATCH, rows.stop - start)
            nearest = degradation.nearest_surface(batch.depth)
            codes[rows] = encode(degradation.normalise(batch.depth, nearest)).cpu().numpy()
            meta[rows] = torch.stack([nearest, batch.focal], 1).cpu().numpy()
        codes.flush()
        meta.flush()
        return FaceDepthBank(folder)

    def truth(self, indices: np.ndarray, device: torch.device) -> tuple[torch.Tensor, ...]:
        """
        Return normalised truth (B, S, S) with 1 = nothing, nearest (B,) m, focal (B,) px.

        :param indices: (B,)
        """
        codes = torch.from_numpy(self.codes[indices].astype(np.int32)).to(device)
        meta = torch.from_numpy(np.asarray(self.meta[indices])).to(device)
        return decode(codes), meta[:, 0], meta[:, 1]


def encode(d: torch.Tensor) -> torch.Tensor:
    """
    Return normalised depth as 16 bit, 65535 where there is nothing.

    :param d: (B, H, W) in [0, 1), 1 where there is nothing
    """
    code = torch.where(d < 1.0, (d * _LEVELS).round(), torch.tensor(float(_HOLE)))
    return code.to(torch.int32).to(torch.uint16)


def decode(codes: torch.Tensor) -> torch.Tensor:
    """Return the inverse of `encode`, float32."""
    return torch.where(codes >= _HOLE, torch.tensor(1.0), codes.float() / _LEVELS)


def vary(d: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """
    Mirror, turn, scale and shift within what a detector's box may be off.

    :param d: (B, S, S), 1 where there is nothing
    :returns: the same form
    """
    batch = len(d)
    draws = torch.rand(5, batch, generator=generator, device=d.device) * 2.0 - 1.0
    angle, scale = 0.2 * draws[0], 0.15 * draws[1] + 1.0
    mirror = torch.where(draws[2] < 0, -1.0, 1.0)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([torch.stack([cos * mirror, -sin, 0.12 * draws[3]], 1),
                         torch.stack([sin * mirror, cos, 0.12 * draws[4]], 1)], 1)  # (B, 2, 3)
    grid = functional.affine_grid(theta, [batch, 1, *d.shape[1:]], align_corners=False)
    surface = (d < 1.0).float()
    both = torch.stack([d * surface, surface], 1)  # (B, 2, S, S)
    warped = functional.grid_sample(both, grid, padding_mode='border', align_corners=False)
    value, weight = warped[:, 0], warped[:, 1]
    return torch.where(weight > 0.5, value / weight.clamp_min(1e-6), 1.0)


def make_batch(bank: FaceDepthBank, indices: np.ndarray, generator: torch.Generator,
               mix: DegradationMix | None) -> EnhancementBatch:
    """
    Degrade some of the bank's images.

    :param mix: how; None = the paper's degradation alone, unvaried, as in tests
    """
    truth, nearest, focal = bank.truth(indices, generator.device)
    if mix is not None:
        truth = vary(truth, generator)
    metric = torch.where(truth < 1.0, truth * FACE_DEPTH_RANGE_M + nearest[:, None, None],
                         torch.nan)
    degraded = degradation.degrade(metric, generator) if mix is None else _degrade_by_mix(
        metric, focal, generator, mix)
    return pair(degraded, metric)


def pair(degraded: torch.Tensor, metric: torch.Tensor) -> EnhancementBatch:
    """
    Bring a degraded image and its truth into the network's units.

    :param degraded: (B, S, S) metres, NaN where invalid
    :param metric: (B, S, S) metres, NaN where there is nothing
    """
    nearest = degradation.nearest_surface(degraded).nan_to_num(nan=0.5)
    d = degradation.normalise(degraded, nearest)[:, None]
    valid = (d < 1.0).float()
    surface = metric.isfinite()
    truth = (metric - nearest[:, None, None]) / FACE_DEPTH_RANGE_M
    return EnhancementBatch(fill_holes(d, valid), valid,
                            torch.where(surface, truth, 0.0)[:, None], surface.float()[:, None])


def _degrade_by_mix(metric: torch.Tensor, focal: torch.Tensor, generator: torch.Generator,
                    mix: DegradationMix) -> torch.Tensor:
    """Degrade each image in one of the ways of `mix`, then surround it."""
    batch = len(metric)
    kinds = torch.rand(batch, generator=generator, device=metric.device)
    around = torch.rand(batch, generator=generator, device=metric.device)
    mild = degradation.sample_settings(batch, generator)
    soft = kinds < mix.mild
    settings = degradation.DegradationSettings(
        noise_m=torch.where(soft, mild.noise_m, 0.015),
        hole_rate=torch.where(soft, mild.hole_rate, degradation.HOLE_RATE),
        blur=torch.where(soft, mild.blur, 1.0))
    outside = metric.isnan()
    scene = metric
    surrounded = around < mix.surroundings
    if bool(surrounded.any()):
        scene = torch.where(surrounded[:, None, None], _surround(metric, generator), metric)
    result = degradation.degrade(scene, generator, settings)
    sensed = (kinds >= mix.mild) & (kinds < mix.mild + mix.sensor)
    if bool(sensed.any()):
        result[sensed] = _sense(scene[sensed], focal[sensed], generator)
    random = (around >= mix.surroundings) & (around < mix.surroundings + mix.random_holes)
    if bool(random.any()):
        filled = degradation.fill_holes_at_random(result, outside, generator, blurred=False)
        result = torch.where(random[:, None, None], filled, result)
    return result


def _surround(metric: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Put blurred noise (as in the paper) or wavy, slanted walls around the heads."""
    batch, device = len(metric), metric.device
    outside = metric.isnan()
    noise = degradation.fill_holes_at_random(metric, outside, generator, blurred=True)
    axis = torch.linspace(-1.0, 1.0, SIZE, device=device)
    draws = torch.rand(5, batch, 1, 1, generator=generator, device=device)
    waves = smooth_noise(tuple(metric.shape), 24, generator)
    wall = (0.05 + 0.35 * draws[0] + 0.12 * (draws[1] - 0.5) * axis
            + 0.12 * (draws[2] - 0.5) * axis[:, None] + 0.03 * draws[3] * waves).clamp_min(0.0)
    near = degradation.nearest_surface(metric)[:, None, None]
    return torch.where(outside, torch.where(draws[4] < 0.3, noise, near + wall), metric)


def _sense(scene: torch.Tensor, crop_focal: torch.Tensor,
           generator: torch.Generator) -> torch.Tensor:
    """
    See the scene by a stereo or structured-light camera of random focal length and noise.

    The camera has its own, often coarser pixels; its image is brought back to the crop as the
    predictor does it: bilinear over valid neighbours, invalid where the nearest is.

    :param scene: (B, S, S) metres, NaN where there is nothing
    :param crop_focal: pixels of the crop, (B,)
    """
    batch, device = len(scene), scene.device
    draws = torch.rand(4, generator=generator, device=device).tolist()
    sensor_focal = 280.0 + 420.0 * torch.rand(batch, generator=generator, device=device)
    ratio = (sensor_focal / crop_focal).clamp(max=1.0)
    coarse = sensor_models.at_sensor_resolution(scene, ratio)
    focal = crop_focal * ratio
    if draws[0] < 0.5:
        stereo = sensor_models.StereoSettings(
            noise_px=0.02 + 0.1 * draws[1], fattening_px=int(3 * draws[2]),
            low_texture=0.05 * draws[3])
        seen = sensor_models.stereo_depth(coarse, focal, generator, stereo)
    else:
        light = sensor_models.StructuredLightSettings(
            noise_m=0.0002 + 0.001 * draws[1], noise_per_m2=0.003 * draws[2],
            speckle=0.03 * draws[3])
        seen = sensor_models.structured_light_depth(coarse, focal, generator, light)
    theta = torch.zeros(batch, 2, 3, device=device)
    theta[:, 0, 0] = theta[:, 1, 1] = ratio
    theta[:, 0, 2] = theta[:, 1, 2] = ratio - 1.0
    grid = functional.affine_grid(theta, [batch, 1, *scene.shape[1:]], align_corners=False)
    known = seen.isfinite().float()
    both = torch.stack([seen.nan_to_num(nan=0.0), known], 1)  # (B, 2, S, S)
    value, weight = functional.grid_sample(both, grid, align_corners=False).unbind(1)
    nearest = functional.grid_sample(known[:, None], grid, mode='nearest',
                                     align_corners=False)[:, 0]
    return torch.where(nearest > 0.5, value / weight.clamp_min(1e-6), torch.nan)
