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
from face_depth_ros.synthesis.presentation_attacks import ATTACKS, inside_out, render_attack
import numpy as np
import torch
from torch.nn import functional

SIZE = 256
_LEVELS = 65534
_HOLE = 65535
_RENDER_BATCH = 32
_OBSERVED_SEEDS = 10_000_000
_HIDDEN_BEHIND_M = 0.003
"""Truth that lies this far behind the observed scene is hidden by something."""


class EnhancementBatch(NamedTuple):
    """
    What one training step sees, each (B, 1, S, S) float32, in the units of the network.

    :param depth: degraded and filled, in [0, 1)
    :param valid: 1 where the degraded depth was measured within the slab
    :param truth: normalised by the degraded image's nearest surface; 0 outside `surface`
    :param surface: 1 where the camera looks at head or neck within the slab; 0 on what hides them
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
    :param scene: hair, glasses, shoulders, hands and walls rendered with the head
    :param surroundings: of what has no scene: blurred surfaces around the head
    :param random_holes: random values around the head, as in the paper's section III.B
    :param attacks: of what has no scene: no face at all, but a print, a box, an inside of a mask
    """

    mild: float = 0.25
    sensor: float = 0.25
    scene: float = 0.25
    surroundings: float = 0.2
    random_holes: float = 0.05
    attacks: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.mild + self.sensor <= 1 or not (
                0 <= self.surroundings + self.random_holes <= 1):
            raise SettingsError(f'shares of the degradation mix exceed 1: {self}')


class BankImages(NamedTuple):
    """
    Some images of a bank.

    :param truth: (B, S, S) metres, head and neck where nothing hides them, else NaN
    :param scene: (B, S, S) metres, all that the camera sees, NaN where there is nothing
    :param focal: (B,) pixels of the crop
    """

    truth: torch.Tensor
    scene: torch.Tensor
    focal: torch.Tensor


class FaceDepthBank:
    """
    Rendered true depth on disk, memory-mapped; made by `render`, resumable.

    :param folder: holds codes.npy (N, 256, 256) uint16, meta.npy (N, 2) float32 and, where the
        scene was rendered too, scene.npy (N, 256, 256) uint16 in 0.1 mm, 0 = nothing
    """

    def __init__(self, folder: Path) -> None:
        self.codes = np.load(folder / 'codes.npy', mmap_mode='r')
        self.meta = np.load(folder / 'meta.npy', mmap_mode='r')
        scene = folder / 'scene.npy'
        self.scene = np.load(scene, mmap_mode='r') if scene.exists() else None
        self.count = len(self.codes)

    @staticmethod
    def render(folder: Path, assets: FaceAssets, split: str, count: int, observed: bool,
               device: str = 'cpu') -> FaceDepthBank:
        """
        Render what is missing of `count` images, then open.

        Seeds are the batch numbers, and others for banks with the scene.
        """
        folder.mkdir(parents=True, exist_ok=True)
        shape = (count, SIZE, SIZE)
        files = ('codes.npy', 'scene.npy') if observed else ('codes.npy',)
        if not (folder / 'meta.npy').exists():
            for name in files:
                np.lib.format.open_memmap(folder / name, 'w+', np.uint16, shape)
            np.save(folder / 'meta.npy', np.full((count, 2), np.nan, np.float32))
        codes, *scene = (np.load(folder / name, mmap_mode='r+') for name in files)
        meta = np.load(folder / 'meta.npy', mmap_mode='r+')
        if codes.shape != shape:
            raise SettingsError(f'{folder} holds a bank of shape {codes.shape}, expected {shape}; '
                                'delete it or choose another folder')
        renderer = FaceDepthRenderer(assets, device, split)
        for start in range(0, count, _RENDER_BATCH):
            rows = slice(start, min(start + _RENDER_BATCH, count))
            if np.isfinite(meta[rows]).all():
                continue
            seed = start // _RENDER_BATCH + (_OBSERVED_SEEDS if observed else 0)
            batch = renderer.render(seed, rows.stop - start, observed)
            nearest = degradation.nearest_surface(batch.depth)
            codes[rows] = encode(degradation.normalise(batch.depth, nearest)).cpu().numpy()
            if batch.observed is not None:
                tenths = (batch.observed.nan_to_num(nan=0.0) * 1e4).round().clamp(0, _LEVELS)
                scene[0][rows] = tenths.to(torch.int32).cpu().numpy()
            meta[rows] = torch.stack([nearest, batch.focal], 1).cpu().numpy()
        codes.flush()
        meta.flush()
        return FaceDepthBank(folder)

    def read(self, indices: np.ndarray, device: torch.device) -> BankImages:
        """
        Read some images.

        :param indices: (B,)
        """
        codes = torch.from_numpy(self.codes[indices].astype(np.int32)).to(device)
        meta = torch.from_numpy(np.asarray(self.meta[indices])).to(device)
        nearest = meta[:, 0]
        d = decode(codes)
        truth = torch.where(d < 1.0, d * FACE_DEPTH_RANGE_M + nearest[:, None, None], torch.nan)
        if self.scene is None:
            return BankImages(truth, truth, meta[:, 1])
        tenths = torch.from_numpy(self.scene[indices].astype(np.float32)).to(device)
        scene = torch.where(tenths > 0, tenths * 1e-4, torch.nan)
        hidden = scene < truth - _HIDDEN_BEHIND_M
        return BankImages(truth.masked_fill(hidden, torch.nan), scene, meta[:, 1])


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


def vary(images: BankImages, generator: torch.Generator) -> BankImages:
    """Mirror, turn, scale and shift within what a detector's box may be off."""
    batch, device = len(images.truth), images.truth.device
    draws = torch.rand(5, batch, generator=generator, device=device) * 2.0 - 1.0
    angle, scale = 0.2 * draws[0], 0.15 * draws[1] + 1.0
    mirror = torch.where(draws[2] < 0, -1.0, 1.0)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([torch.stack([cos * mirror, -sin, 0.12 * draws[3]], 1),
                         torch.stack([sin * mirror, cos, 0.12 * draws[4]], 1)], 1)  # (B, 2, 3)
    grid = functional.affine_grid(theta, [batch, 1, SIZE, SIZE], align_corners=False)
    truth = _resample(images.truth, grid)
    if images.scene is images.truth:
        return BankImages(truth, truth, images.focal)
    scene = functional.grid_sample(images.scene[:, None], grid, mode='nearest',
                                   padding_mode='border', align_corners=False)[:, 0]
    return BankImages(truth, torch.where(truth.isfinite(), truth, scene), images.focal)


def make_batch(bank: FaceDepthBank, indices: np.ndarray, generator: torch.Generator,
               mix: DegradationMix | None) -> EnhancementBatch:
    """
    Degrade some of the bank's images.

    :param mix: how; None = the paper's degradation of the truth alone, unvaried, as in tests
    """
    images = bank.read(indices, generator.device)
    if mix is None:
        return pair(degradation.degrade(images.truth, generator), images.truth)
    images = vary(images, generator)
    images, is_face = _with_attacks(images, generator, mix)
    truth = images.truth.masked_fill(~is_face[:, None, None], torch.nan)
    return pair(_degrade_by_mix(images, generator, mix), truth)


def _resample(depth: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Sample bilinearly over valid pixels, (B, S, S) metres with NaN."""
    known = depth.isfinite().float()
    both = torch.stack([depth.nan_to_num(nan=0.0), known], 1)  # (B, 2, S, S)
    value, weight = functional.grid_sample(both, grid, padding_mode='border',
                                           align_corners=False).unbind(1)
    return torch.where(weight > 0.5, value / weight.clamp_min(1e-6), torch.nan)


def pair(degraded: torch.Tensor, metric: torch.Tensor) -> EnhancementBatch:
    """
    Bring a degraded image and its truth into the network's units.

    :param degraded: (B, S, S) metres, NaN where invalid
    :param metric: (B, S, S) metres, NaN where there is nothing
    """
    nearest = degradation.nearest_surface(degraded).nan_to_num(nan=0.5)
    d = degradation.normalise(degraded, nearest)[:, None]
    valid = (d < 1.0).float()
    truth = (metric - nearest[:, None, None]) / FACE_DEPTH_RANGE_M
    surface = truth < 1.0
    return EnhancementBatch(fill_holes(d, valid), valid,
                            torch.where(surface, truth, 0.0)[:, None], surface.float()[:, None])


def _with_attacks(images: BankImages, generator: torch.Generator,
                  mix: DegradationMix) -> tuple[BankImages, torch.Tensor]:
    """
    Put attacks in the place of some heads that have no scene.

    :returns: the images, and which of them are faces, (B,) bool
    """
    batch, device = len(images.truth), images.truth.device
    is_face = torch.rand(batch, generator=generator, device=device) >= mix.attacks
    if images.scene is not images.truth or bool(is_face.all()):
        return images, torch.ones_like(is_face)
    kinds = torch.randint(len(ATTACKS) + 1, (batch,), generator=generator, device=device)
    depth = images.truth.clone()
    for i in (~is_face).nonzero()[:, 0].tolist():
        kind = int(kinds[i])
        depth[i] = (inside_out(depth[i:i + 1]) if kind == len(ATTACKS) else
                    render_attack(ATTACKS[kind], 1, SIZE, generator))[0]
    return BankImages(depth, depth, images.focal), is_face


def _degrade_by_mix(images: BankImages, generator: torch.Generator,
                    mix: DegradationMix) -> torch.Tensor:
    """Degrade each image in one of the ways of `mix`, then surround it."""
    metric, scene = images.truth, images.scene
    batch = len(metric)
    kinds = torch.rand(batch, generator=generator, device=metric.device)
    around = torch.rand(batch, generator=generator, device=metric.device)
    around = around + (2.0 if scene is not metric else 0.0)
    mild = degradation.sample_settings(batch, generator)
    soft = kinds < mix.mild
    settings = degradation.DegradationSettings(
        noise_m=torch.where(soft, mild.noise_m, 0.015),
        hole_rate=torch.where(soft, mild.hole_rate, degradation.HOLE_RATE),
        blur=torch.where(soft, mild.blur, 1.0))
    outside = metric.isnan()
    surrounded = around < mix.surroundings
    if bool(surrounded.any()):
        scene = torch.where(surrounded[:, None, None], _surround(metric, generator), metric)
    result = degradation.degrade(scene, generator, settings)
    sensed = (kinds >= mix.mild) & (kinds < mix.mild + mix.sensor)
    if bool(sensed.any()):
        result[sensed] = _sense(scene[sensed], images.focal[sensed], generator)
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
    nearest = functional.grid_sample(seen.isfinite().float()[:, None], grid, mode='nearest',
                                     align_corners=False)[:, 0]
    return _resample(seen, grid).masked_fill(nearest < 0.5, torch.nan)
