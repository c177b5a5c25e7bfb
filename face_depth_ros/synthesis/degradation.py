# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The enhancement paper's degradation of true depth: holes, noise, blur; all in batches.

Source: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section
III.B. The paper gives the order of the steps, the 15 mm and the error that results (its "None"
row); counts and sizes of the holes are ours, set so that this error comes out (HOLE_RATE).
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.ellipses import ellipse_mask, Ellipses
from face_depth_ros.synthesis.image_filters import box_sum, smooth_noise
import torch
from torch.nn import functional

PAPER_NONE_RMSE = 0.287
"""Mean RMSE of unenhanced images over the true face area, in normalised depth."""
HOLE_RATE = 0.85
"""Calibrated: at this rate the mean RMSE is PAPER_NONE_RMSE; a test recomputes it."""
_OUTLINE_HOLES, _OUTLINE_RADII = 70, (2.5, 9.0)
_RANDOM_HOLES, _RANDOM_RADII = 17, (4.0, 26.0)
_REFERENCE_SIZE = 256
_NEAREST_BLOCK = 4


@dataclass(frozen=True)
class DegradationSettings:
    """
    How strongly images are degraded; numbers, or (B,) tensors for one value an image.

    :param noise_m: half width of the uniform noise, metres
    :param hole_rate: probability that each possible hole is there, 0 to 1; HOLE_RATE as in the
        paper
    :param blur: probability of the 5 x 5 mean
    """

    noise_m: float | torch.Tensor = 0.015
    hole_rate: float | torch.Tensor = HOLE_RATE
    blur: float | torch.Tensor = 1.0
    blur_size: int = 5

    def __post_init__(self) -> None:
        if self.blur_size < 1 or self.blur_size % 2 == 0:
            raise SettingsError(f'blur_size is {self.blur_size}, expected an odd number > 0')
        for name in ('noise_m', 'hole_rate', 'blur'):
            if bool((torch.as_tensor(getattr(self, name)) < 0).any()):
                raise SettingsError(f'{name} is {getattr(self, name)}, expected 0 or more')


def sample_settings(batch: int, generator: torch.Generator) -> DegradationSettings:
    """
    Draw milder settings for training, one an image: from nearly clean to the paper's.

    :returns: settings whose fields are (B,) tensors on the generator's device
    """
    noise, holes, blur = torch.rand(3, batch, generator=generator, device=generator.device)
    return DegradationSettings(0.015 * noise, HOLE_RATE * holes, (blur < 0.7).float())


def degrade(depth: torch.Tensor, generator: torch.Generator,
            settings: DegradationSettings = DegradationSettings()) -> torch.Tensor:
    """
    Degrade true depth: holes along the outline and at random, noise, mean over valid pixels.

    :param depth: (B, H, W) float32 metres, NaN where there is nothing
    :param generator: of the same device; the same state gives the same result
    :returns: (B, H, W) float32 metres, NaN in holes and where there was nothing
    """
    batch = len(depth)
    valid = depth.isfinite()
    hole_rate = _per_image(settings.hole_rate, batch, depth)
    holes = [ellipse_mask(ellipses, *depth.shape[1:])
             for ellipses in (_outline_holes(valid, hole_rate, generator),
                              _random_holes(valid, hole_rate, generator))]
    kept = valid & ~(holes[0] | holes[1])
    noise_m = _per_image(settings.noise_m, batch, depth)
    noise = torch.rand(depth.shape, generator=generator, device=depth.device) * 2.0 - 1.0
    noisy = torch.where(kept, depth + noise * noise_m[:, None, None], 0.0)
    mean = box_sum(noisy, settings.blur_size) / box_sum(kept.float(), settings.blur_size)
    chance = torch.rand(batch, generator=generator, device=depth.device)
    blurred = chance < _per_image(settings.blur, batch, depth)
    return torch.where(blurred[:, None, None], mean, noisy).masked_fill(~kept, torch.nan)


def fill_holes_at_random(depth: torch.Tensor, where: torch.Tensor, generator: torch.Generator,
                         blurred: bool) -> torch.Tensor:
    """
    Give holes random depth, so that a network learns not to rely on them. For training only.

    The values span the 25 cm behind the nearest surface. White, or blurred to a plausible
    background.

    :param depth: (B, H, W) float32 metres, NaN in holes
    :param where: (B, H, W) bool; only holes within it are filled
    :returns: (B, H, W) float32 metres
    """
    if blurred:
        values = smooth_noise(tuple(depth.shape), 16, generator)
        values = (0.5 + 0.35 * values).clamp(0.0, 1.0)
    else:
        values = torch.rand(depth.shape, generator=generator, device=depth.device)
    near = nearest_surface(depth)[:, None, None]
    fill = near + values * FACE_DEPTH_RANGE_M
    return torch.where(where & depth.isnan(), fill, depth)


def nearest_surface(depth: torch.Tensor) -> torch.Tensor:
    """
    Distance of the nearest surface, as core.depth.nearest_surface, for batches.

    :param depth: (B, H, W) float32 metres, NaN where invalid
    :returns: (B,) metres, NaN where an image has no valid pixel
    """
    valid = depth.isfinite()
    values = torch.where(valid, depth, 0.0)
    share = functional.avg_pool2d(valid.float()[:, None], _NEAREST_BLOCK)
    total = functional.avg_pool2d(values[:, None], _NEAREST_BLOCK)
    blocks = torch.where(share >= 0.499, total / share, torch.inf).flatten(1).amin(dim=1)
    pixels = torch.where(valid, depth, torch.inf).flatten(1).amin(dim=1)
    nearest = torch.where(blocks.isfinite(), blocks, pixels)
    return torch.where(nearest.isfinite(), nearest, torch.nan)


def normalise(depth: torch.Tensor, nearest: torch.Tensor) -> torch.Tensor:
    """
    Depth as the enhancers see it, as core.depth.DepthRange.normalise, for batches.

    :param depth: (B, H, W) float32 metres, NaN where invalid
    :param nearest: (B,) metres
    :returns: (B, H, W) float32 in [0, 1); 1 where invalid or 25 cm or more behind the nearest
    """
    d = (depth - nearest[:, None, None]) / FACE_DEPTH_RANGE_M
    return torch.where(d < 1.0, d.clamp(min=0.0), 1.0)


def _per_image(value: float | torch.Tensor, batch: int, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float32, device=like.device).expand(batch)


def _outline_holes(valid: torch.Tensor, rate: torch.Tensor,
                   generator: torch.Generator) -> Ellipses:
    """Ellipses centred on random pixels of the outline of the valid area."""
    batch, _, width = valid.shape
    inner = box_sum(valid.float(), 3, padding_value=1.0) > 8.5
    outline = valid & ~inner
    item, row, column = outline.nonzero(as_tuple=True)
    counts = torch.bincount(item, minlength=batch)
    draws = torch.rand(batch, _OUTLINE_HOLES, generator=generator, device=valid.device)
    chosen = (counts.cumsum(0) - counts)[:, None] + (draws * counts[:, None]).long()
    chosen = chosen.clamp(max=max(len(item) - 1, 0))
    places = torch.stack([column, row], dim=1).float() + 0.5
    if not len(item):
        places = places.new_zeros(1, 2)
    drawable = (counts > 0)[:, None] * rate[:, None]
    return _ellipses(places[chosen], _OUTLINE_RADII, drawable, width, generator)


def _random_holes(valid: torch.Tensor, rate: torch.Tensor,
                  generator: torch.Generator) -> Ellipses:
    """Ellipses anywhere."""
    batch, height, width = valid.shape
    centres = torch.rand(batch, _RANDOM_HOLES, 2, generator=generator, device=valid.device)
    centres *= torch.tensor([width, height], device=valid.device)
    return _ellipses(centres, _RANDOM_RADII, rate[:, None], width, generator)


def _ellipses(centres: torch.Tensor, radii: tuple[float, float], rate: torch.Tensor, width: int,
              generator: torch.Generator) -> Ellipses:
    """
    Draw sizes and orientations.

    :param centres: (B, K, 2) x, y in pixels
    :param radii: smallest and largest semi-axis for an image of 256 pixels
    :param rate: (B, 1) probability that an ellipse is drawn
    """
    draws = torch.rand(4, *centres.shape[:2], generator=generator, device=centres.device)
    ratio, scale = radii[1] / radii[0], width / _REFERENCE_SIZE
    axes = radii[0] * scale * ratio ** draws[:2]  # (2, B, K)
    return Ellipses(centres, torch.stack([axes[0], axes[1]], dim=2), draws[2] * torch.pi,
                    draws[3] < rate)
