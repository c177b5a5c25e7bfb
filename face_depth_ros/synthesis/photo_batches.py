# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos and sensor depth of many rendered faces at once: backgrounds, occluders, cameras, noise.

What `face_photos` does with one photo on a CPU, for batches on any device.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.synthesis.face_batches import FaceRenders
from face_depth_ros.synthesis.image_filters import box_sum, smooth_noise
from face_depth_ros.synthesis.labels import MASK_OF_FINE
import torch
from torch.nn import functional

_GAMMA, _KNEE = 2.2, 0.75
_SMALL = (0.3, 0.45, 0.65)
"""Shares of the resolution of photos that were taken from afar."""
_SIGMAS_PX = (0.7, 1.1, 1.7)
_FINGERS = 5
_BLOCK = 8
_QUANTUM = 16.0


@dataclass(frozen=True)
class PhotoStyle:
    """
    How photos and depth differ from the render, as shares of the batch or largest values.

    :param occluders: with something held before the face
    :param degraded: taken by a cheap camera
    :param shadows: in uneven light
    :param cut: reaching beyond the border of the camera's image, black there
    :param noise_m: least and largest sigma of the depth sensor, log-uniform between them
    :param holes: largest share of the depth that is lost
    :param smoothed: share whose depth has been smoothed, as an enhancer does
    :param noise_scale: pixels of the photo for each of the 192 in which noise is laid down; its
        finest part is averaged over what a larger pixel covers
    """

    occluders: float = 0.25
    degraded: float = 0.8
    shadows: float = 0.35
    cut: float = 0.05
    noise_m: tuple[float, float] = (0.0003, 0.004)
    holes: float = 0.06
    smoothed: float = 0.6
    noise_scale: float = 1.0


@dataclass(frozen=True)
class PhotoBatch:
    """
    B photos in their face boxes.

    :param color: (B, 3, S, S) uint8 RGB
    :param mask: (B, S, S) uint8, true mask; what hides the face is background
    :param relief: (B, S, S) float32 metres as a depth sensor measures it, NaN where it does not
    :param covered: (B,) bool, something is held before the face
    """

    color: torch.Tensor
    mask: torch.Tensor
    relief: torch.Tensor
    covered: torch.Tensor


class PhotoComposer:
    """
    Composes photos.

    :param backgrounds: (N, 3, h, w) uint8 RGB on the device
    :param generator: of the same device
    """

    def __init__(self, backgrounds: torch.Tensor, generator: torch.Generator) -> None:
        self.backgrounds, self.generator = backgrounds, generator
        self._mask_of = torch.as_tensor(MASK_OF_FINE, device=backgrounds.device)

    def compose(self, renders: FaceRenders, style: PhotoStyle) -> PhotoBatch:
        """Compose one photo, and its depth, of each render."""
        batch, size = renders.label.shape[:2]
        head = to_display(renders.color)
        head = self._recolored(head)
        head = self._uneven(head, style.shadows)
        there = renders.label > 0
        soft = functional.avg_pool2d(there.float()[:, None], 3, 1, 1)
        color = self._background(batch, size) * (1 - soft) + head * soft
        mask = self._mask_of[renders.label]
        relief = torch.where(there, renders.relief, torch.nan)
        covered = self._chance(batch, style.occluders)
        color, hidden, nearer = self._occluded(color, relief, covered)
        mask = mask.masked_fill(hidden, 0)
        measured = self.measure(torch.where(hidden, nearer, relief), style)
        color = self._camera(color, self._chance(batch, style.degraded))
        beyond = self._beyond(batch, size) & self._chance(batch, style.cut)[:, None, None]
        color = color.masked_fill(beyond[:, None], 0.0)
        return PhotoBatch((color * 255.0 + 0.5).clamp(0.0, 255.0).to(torch.uint8),
                          mask.masked_fill(beyond, 0), measured.masked_fill(beyond, torch.nan),
                          covered)

    def _uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        values = torch.rand(shape, generator=self.generator, device=self.generator.device)
        return low + (high - low) * values

    def _normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator, device=self.generator.device)

    def _chance(self, count: int, share: float) -> torch.Tensor:
        return self._uniform(0.0, 1.0, count) < share

    def _background(self, count: int, size: int) -> torch.Tensor:
        """Return parts of backgrounds, some mirrored, (B, 3, S, S) in [0, 1]."""
        index = (self._uniform(0.0, 1.0, count) * len(self.backgrounds)).long()
        zoom = self._uniform(0.3, 1.0, count)
        shift = (self._uniform(-1.0, 1.0, count, 2) * (1 - zoom)[:, None])
        flip = torch.where(self._chance(count, 0.5), -1.0, 1.0)
        theta = torch.zeros(count, 2, 3, device=zoom.device)
        theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = zoom * flip, zoom, shift
        grid = functional.affine_grid(theta, [count, 3, size, size], align_corners=False)
        chosen = self.backgrounds[index].float() / 255.0
        return functional.grid_sample(chosen, grid, padding_mode='reflection',
                                      align_corners=False)

    def _recolored(self, head: torch.Tensor) -> torch.Tensor:
        count = len(head)
        gain = self._uniform(0.7, 1.15, count, 1) * (1.0 + 0.07 * self._normal(count, 3))
        return (head * gain[:, :, None, None]).clamp(0.0, 1.0)

    def _uneven(self, head: torch.Tensor, share: float) -> torch.Tensor:
        """Lay smooth shadows or coloured glows over some heads."""
        count, size = len(head), head.shape[-1]
        grey = self._uniform(0.45, 1.45, count, 1, 3, 3)
        tint = torch.where(self._chance(count, 0.4)[:, None, None, None],
                           self._uniform(0.8, 1.2, count, 3, 3, 3), 1.0)
        gain = functional.interpolate(grey * tint, size=(size, size), mode='bicubic',
                                      align_corners=True)
        gain = torch.where(self._chance(count, share)[:, None, None, None], gain, 1.0)
        return (head * gain).clamp(0.0, 1.0)

    def _occluded(self, color: torch.Tensor, relief: torch.Tensor, covered: torch.Tensor,
                  ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Hold hands, balls or sheets before some faces; also where, and their relief."""
        batch, size = relief.shape[:2]
        inside, rim = self._shapes(batch, size)
        inside = inside & covered[:, None, None]
        skin = torch.tensor([0.92, 0.7, 0.55], device=color.device) * (
            0.7 + 0.3 * self._uniform(0.0, 1.0, batch, 3))
        plain = torch.where(self._chance(batch, 0.5)[:, None], skin,
                            self._uniform(0.0, 1.0, batch, 3))
        plain = plain * self._uniform(0.2, 1.0, batch, 1)
        shaded = plain[:, :, None, None] * (0.6 + 0.4 * rim.clamp(0.0, 1.0))[:, None]
        texture = self._background(batch, size)
        look = torch.where(self._chance(batch, 0.3)[:, None, None, None], texture, shaded)
        soft = functional.avg_pool2d(inside.float()[:, None], 3, 1, 1)
        return color * (1 - soft) + look * soft, inside, self._held(relief, rim)

    def _held(self, relief: torch.Tensor, rim: torch.Tensor) -> torch.Tensor:
        """Return the relief of what is held before faces, (B, S, S)."""
        batch, size = relief.shape[:2]
        nearest = torch.where(relief.isnan(), 1e3, relief).flatten(1).amin(dim=1)
        gap = self._uniform(0.0, 1.0, batch) ** 2 * 0.12 + 0.01
        axis = torch.linspace(-0.5, 0.5, size, device=relief.device)
        tilt = self._normal(batch, 2) * 0.04
        plane = (nearest - gap)[:, None, None] + tilt[:, :1, None] * axis[:, None] + (
            tilt[:, 1:, None] * axis)
        return plane - 0.01 * rim.clamp(0.0, 1.0)

    def _shapes(self, batch: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what an occluder covers (B, S, S) bool, and how deep within it, 0 to 1."""
        axis = (torch.arange(size, device=self.generator.device) + 0.5) / size
        point = torch.stack(torch.meshgrid(axis, axis, indexing='xy'), dim=2)  # (S, S, 2)
        centre = self._uniform(0.15, 0.85, batch, 2)
        turn = self._uniform(0.0, 2.0 * math.pi, batch)
        # A hand: a palm and fingers as thick lines.
        reach = self._uniform(0.06, 0.12, batch)
        spread = torch.linspace(-0.7, 0.7, _FINGERS, device=turn.device)
        angle = turn[:, None] + spread
        length = reach[:, None] * self._uniform(1.5, 2.8, batch, _FINGERS)
        count = (self._uniform(0.0, 1.0, batch) * _FINGERS).long() + 1
        shown = torch.arange(_FINGERS, device=turn.device) < count[:, None]
        offset = point - centre[:, None, None]  # (B, S, S, 2)
        depth = 1.0 - offset.norm(dim=3) / reach[:, None, None]
        for finger in range(_FINGERS):
            way = torch.stack([angle[:, finger].cos(), angle[:, finger].sin()], dim=1)
            along = (offset * way[:, None, None]).sum(dim=3)
            along = along.minimum(length[:, finger, None, None]).clamp(min=0.0)
            away = (offset - along[..., None] * way[:, None, None]).norm(dim=3)
            inner = 1.0 - away / (0.24 * reach)[:, None, None]
            depth = torch.where(shown[:, finger, None, None], depth.maximum(inner), depth)
        # Or a turned ellipse or rectangle: a ball, a cup, a sheet, a scarf.
        half = self._uniform(0.06, 0.28, batch, 2)
        cos, sin = turn.cos()[:, None, None], turn.sin()[:, None, None]
        x = (offset[..., 0] * cos + offset[..., 1] * sin) / half[:, 0, None, None]
        y = (offset[..., 1] * cos - offset[..., 0] * sin) / half[:, 1, None, None]
        oval = 1.0 - (x ** 2 + y ** 2).sqrt()
        sheet = 1.0 - torch.maximum(x.abs(), y.abs())
        kind = self._uniform(0.0, 1.0, batch)[:, None, None]
        depth = torch.where(kind < 0.4, depth, torch.where(kind < 0.65, oval, sheet))
        return depth > 0, depth

    def _beyond(self, batch: int, size: int) -> torch.Tensor:
        """Return what lies beyond a border of the image, (B, S, S) bool."""
        axis = (torch.arange(size, device=self.generator.device) + 0.5) / size - 0.5
        angle = self._uniform(0.0, 2.0 * math.pi, batch)[:, None, None]
        return axis * angle.cos() + axis[:, None] * angle.sin() > self._uniform(
            0.15, 0.48, batch)[:, None, None]

    def _camera(self, color: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Take some photos by cheap cameras, (B, 3, S, S) in [0, 1]."""
        batch = len(color)
        image = self._lost_detail(color)
        exposure = torch.exp(0.22 * self._normal(batch))
        exposure = exposure * torch.where(self._chance(batch, 0.05),
                                          self._uniform(0.3, 0.6, batch), 1.0)
        gamma = torch.exp(0.2 * self._normal(batch))
        contrast = self._uniform(0.7, 1.3, batch)
        balance = 1.0 + 0.06 * self._normal(batch, 3)
        image = (image * exposure[:, None, None, None]).clamp(1e-4, 1.0)
        image = image ** gamma[:, None, None, None]
        image = ((image - 0.45) * contrast[:, None, None, None] + 0.45)
        image = (image * balance[:, :, None, None]).clamp(0.0, 1.0)
        grey = image.mean(dim=1, keepdim=True)
        amount = torch.where(self._chance(batch, 0.3), self._uniform(0.3, 1.7, batch), 1.0)
        amount = torch.where(self._chance(batch, 0.06), 0.0, amount)
        image = grey + (image - grey) * amount[:, None, None, None]
        sigma = torch.exp(self._uniform(math.log(0.005), math.log(0.06), batch))
        sigma = sigma * self._chance(batch, 0.5)
        image = image + sigma[:, None, None, None] * self._normal(*image.shape)
        image = torch.where(self._chance(batch, 0.3)[:, None, None, None],
                            self._compressed(image.clamp(0.0, 1.0)), image)
        return torch.where(chosen[:, None, None, None], image, color).clamp(0.0, 1.0)

    def _lost_detail(self, color: torch.Tensor) -> torch.Tensor:
        """Take some photos from afar, and some out of focus."""
        size = color.shape[-1]
        kind = self._uniform(0.0, 1.0, len(color))
        image = color.clone()
        for step, share in enumerate(_SMALL):
            rows = ((kind >= 0.12 * step) & (kind < 0.12 * (step + 1))).nonzero()[:, 0]
            if len(rows):
                side = int(size * share)
                small = functional.interpolate(image[rows], size=(side, side), mode='area')
                image[rows] = functional.interpolate(small, size=(size, size), mode='bilinear',
                                                     align_corners=False)
        for step, sigma in enumerate(_SIGMAS_PX):
            low = 0.5 + 0.07 * step
            rows = ((kind >= low) & (kind < low + 0.07)).nonzero()[:, 0]
            if len(rows):
                image[rows] = _blurred(image[rows], sigma)
        return image

    def _compressed(self, image: torch.Tensor) -> torch.Tensor:
        """Quantise the cosine transform of blocks of 8 x 8 pixels, as JPEG does."""
        batch, channels, height, width = image.shape
        basis = _cosines(image.device)
        blocks = image.view(batch, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
        blocks = blocks.transpose(3, 4)  # (B, C, h, w, 8, 8)
        spectrum = basis @ blocks @ basis.T
        order = torch.arange(_BLOCK, device=image.device)
        coarse = (_QUANTUM + 5.0 * (order[:, None] + order)) / 255.0
        step = coarse * self._uniform(0.3, 2.0, batch)[:, None, None, None, None, None]
        blocks = basis.T @ ((spectrum / step).round() * step) @ basis
        return blocks.transpose(3, 4).reshape(batch, channels, height, width)

    def compose_relief(self, label: torch.Tensor, relief: torch.Tensor, style: PhotoStyle,
                       ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Compose what depth and mask are of photos whose colour nobody needs.

        :param label: (B, S, S) int64 fine labels; relief: (B, S, S) metres
        :returns: true mask (B, S, S) uint8; relief (B, S, S) float32 without the sensor's noise,
            occluders before it, NaN where nothing is; see `measure`
        """
        batch, size = label.shape[:2]
        there = label > 0
        covered = self._chance(batch, style.occluders)
        relief = torch.where(there, relief, torch.nan)
        inside, rim = self._shapes(batch, size)
        inside = inside & covered[:, None, None]
        relief = torch.where(inside, self._held(relief, rim), relief)
        mask = self._mask_of[label].masked_fill(inside, 0)
        beyond = self._beyond(batch, size) & self._chance(batch, style.cut)[:, None, None]
        return mask.masked_fill(beyond, 0), relief.masked_fill(beyond, torch.nan)

    def measure(self, relief: torch.Tensor, style: PhotoStyle) -> torch.Tensor:
        """
        Return relief as a depth sensor, or an enhancer after it, gives it.

        :param relief: (B, S, S) metres
        """
        batch, scale = len(relief), style.noise_scale
        shape = tuple(relief.shape)
        low, high = (math.log(v) for v in style.noise_m)
        sigma = torch.exp(self._uniform(low, high, batch))[:, None, None]
        noise = (0.6 * scale * self._normal(*shape)
                 + 0.6 * smooth_noise(shape, 4 * scale, self.generator)
                 + 0.5 * smooth_noise(shape, 12 * scale, self.generator))
        noisy = relief + sigma * noise
        smooth = self._chance(batch, style.smoothed)[:, None, None]
        known = noisy.isfinite()
        values = torch.where(known, noisy, 0.0)
        window = 2 * round(2 * scale) + 1
        mean = box_sum(values, window) / box_sum(known.float(), window).clamp(min=1.0)
        edge = (mean - noisy).abs() > 0.006
        noisy = torch.where(smooth & ~edge & known, mean, noisy)
        share = self._uniform(0.0, 1.0, batch) ** 2 * style.holes
        bound = torch.special.ndtri(1.0 - share.clamp(min=1e-4))[:, None, None]
        lost = smooth_noise(shape, 9 * scale, self.generator) > bound
        return noisy.masked_fill(lost, torch.nan)


def to_display(linear: torch.Tensor) -> torch.Tensor:
    """Convert linear light (B, S, S, 3) to sRGB (B, 3, S, S) in [0, 1], with a soft shoulder."""
    over = (linear - _KNEE).clamp(min=0.0)
    soft = linear.clamp(0.0, _KNEE) + (1 - _KNEE) * (1.0 - torch.exp(-over / (1 - _KNEE)))
    return (soft.clamp(1e-6, 1.0) ** (1 / _GAMMA)).permute(0, 3, 1, 2)


def _blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = math.ceil(2.5 * sigma)
    axis = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (axis / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(image.shape[1], 1, 1, 1)  # (C, 1, 1, K)
    padded = functional.pad(image, (reach,) * 4, mode='replicate')
    rows = functional.conv2d(padded, kernel, groups=image.shape[1])
    return functional.conv2d(rows, kernel.transpose(2, 3), groups=image.shape[1])


def _cosines(device: torch.device) -> torch.Tensor:
    """Return the orthonormal cosine transform of 8 values, (8, 8)."""
    place = torch.arange(_BLOCK, device=device, dtype=torch.float32)
    basis = torch.cos(math.pi / _BLOCK * (place + 0.5) * place[:, None]) * math.sqrt(2 / _BLOCK)
    basis[0] /= math.sqrt(2.0)
    return basis
