# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos and depth of drawn renders: what is truth stays true, whatever the camera does."""

from __future__ import annotations

from dataclasses import replace

from face_depth_ros.synthesis.face_batches import FaceRenders
from face_depth_ros.synthesis.labels import FINE, MASK_OF_FINE
from face_depth_ros.synthesis.photo_batches import (
    PhotoBatch,
    PhotoComposer,
    PhotoStyle,
    to_display,
)
import pytest
import torch

SIZE = 96
PLAIN = PhotoStyle(occluders=0.0, degraded=0.0, shadows=0.0, cut=0.0, noise_m=(1e-6, 2e-6),
                   holes=0.0, smoothed=0.0)


def renders(count: int) -> FaceRenders:
    """Return discs of skin with a nose, bulging by 5 cm."""
    axis = torch.linspace(-1.0, 1.0, SIZE)
    squared = (axis[:, None] ** 2 + axis ** 2).expand(count, SIZE, SIZE)
    label = torch.where(squared < 0.5, FINE['skin'], 0)
    label = torch.where(squared < 0.03, FINE['nose'], label)
    relief = torch.where(squared < 0.5, 0.05 * squared - 0.1, torch.nan)
    color = 0.3 * (label > 0).float()[..., None].expand(-1, -1, -1, 3)
    return FaceRenders(color, label, relief, torch.zeros(count, 68, 2))


def composed(count: int, style: PhotoStyle, seed: int = 0) -> PhotoBatch:
    backgrounds = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8,
                                generator=torch.Generator().manual_seed(9))
    composer = PhotoComposer(backgrounds, torch.Generator().manual_seed(seed))
    return composer.compose(renders(count), style)


def test_a_plain_photo_is_the_render() -> None:
    photos, truth = composed(3, PLAIN), renders(3)
    assert photos.color.shape == (3, 3, SIZE, SIZE) and photos.color.dtype == torch.uint8
    assert photos.mask.dtype == torch.uint8
    wanted = torch.as_tensor(MASK_OF_FINE)[truth.label]
    assert torch.equal(photos.mask, wanted)
    assert set(photos.mask.unique().tolist()) == {0, int(MASK_OF_FINE[FINE['skin']]),
                                                  int(MASK_OF_FINE[FINE['nose']])}
    both = photos.relief.isfinite()
    assert not bool((both & truth.relief.isnan()).any())
    assert float(both.sum() / truth.relief.isfinite().sum()) > 0.99
    torch.testing.assert_close(photos.relief[both], truth.relief[both], atol=2e-5, rtol=0)
    assert not bool(photos.covered.any())


def test_the_same_seed_makes_the_same_photos() -> None:
    first, again, other = (composed(4, PhotoStyle(), seed) for seed in (0, 0, 1))
    assert torch.equal(first.color, again.color) and torch.equal(first.mask, again.mask)
    assert torch.equal(first.relief.nan_to_num(9.0), again.relief.nan_to_num(9.0))
    assert not torch.equal(first.color, other.color)


def test_occluders_hide_the_mask_and_are_nearer() -> None:
    """Where something is held before the face, the mask is background and the sensor sees it."""
    photos, truth = composed(24, replace(PLAIN, occluders=1.0)), renders(24)
    assert bool(photos.covered.all())
    hidden = (photos.mask == 0) & (truth.label > 0)
    share = hidden.flatten(1).float().mean(dim=1)
    assert float((share > 0.005).float().mean()) > 0.7 and float(share.mean()) > 0.03
    seen = hidden & photos.relief.isfinite()
    nearer = (truth.relief - photos.relief)[seen]
    assert float((nearer > 0).float().mean()) > 0.95 and float(nearer.median()) > 0.01
    rest = (photos.mask > 0) & photos.relief.isfinite()
    torch.testing.assert_close(photos.relief[rest], truth.relief[rest], atol=2e-5, rtol=0)


def test_beyond_the_border_there_is_nothing() -> None:
    photos = composed(24, replace(PLAIN, cut=1.0))
    black = (photos.color == 0).all(dim=1)
    assert bool((photos.mask[black] == 0).all()) and bool(photos.relief[black].isnan().all())
    share = black.flatten(1).float().mean(dim=1)
    assert 0.1 < float(share.mean()) < 0.5 and float(share.max()) < 0.6


def test_the_sensor_is_as_noisy_and_lossy_as_asked() -> None:
    truth = renders(32)
    noisy = composed(32, replace(PLAIN, noise_m=(0.002, 0.002001)))
    both = noisy.relief.isfinite()
    assert 0.001 < float((noisy.relief - truth.relief)[both].std()) < 0.003
    smooth = composed(32, replace(PLAIN, noise_m=(0.002, 0.002001), smoothed=1.0))
    inner = smooth.relief.isfinite() & both
    assert float((smooth.relief - truth.relief)[inner].std()) < 0.9 * float(
        (noisy.relief - truth.relief)[inner].std())
    holes = composed(32, replace(PLAIN, holes=0.3))
    lost = (holes.relief.isnan() & (truth.label > 0)).flatten(1).sum(1) / (
        truth.label > 0).flatten(1).sum(1)
    assert 0.02 < float(lost.mean()) < 0.3
    assert bool((holes.mask == composed(32, PLAIN).mask).all())


def test_cheap_cameras_change_colour_alone() -> None:
    plain, cheap = composed(24, PLAIN), composed(24, replace(PLAIN, degraded=1.0, shadows=1.0))
    assert torch.equal(plain.mask, cheap.mask)
    apart = (plain.color.float() - cheap.color.float()).abs().mean(dim=(1, 2, 3))
    assert float(apart.min()) > 1.0 and float(apart.max()) < 120.0


def test_linear_light_becomes_display_values() -> None:
    light = torch.tensor([0.0, 0.2, 0.75, 1.0, 50.0]).view(1, 1, 5, 1).expand(1, 1, 5, 3)
    shown = to_display(light)
    assert shown.shape == (1, 3, 1, 5)
    values = shown[0, 0, 0]
    assert float(values[1]) == pytest.approx(0.2 ** (1 / 2.2), rel=1e-4)
    assert bool((values.diff() > 0).all()) and float(values[-1]) <= 1.0


def test_relief_is_composed_without_colour() -> None:
    """What is held before a face is background in the mask and nearer in the relief."""
    composer = PhotoComposer(torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
                             torch.Generator().manual_seed(0))
    drawn = renders(12)
    mask, relief = composer.compose_relief(drawn.label, drawn.relief, PLAIN)
    assert torch.equal(mask, torch.as_tensor(MASK_OF_FINE)[drawn.label])
    torch.testing.assert_close(relief, drawn.relief, equal_nan=True)
    mask, relief = composer.compose_relief(drawn.label, drawn.relief,
                                           replace(PLAIN, occluders=1.0))
    hidden = (drawn.label > 0) & (mask == 0)
    assert hidden.flatten(1).any(dim=1).float().mean() > 0.8
    assert (relief[hidden] < drawn.relief[hidden]).all()
    seen = mask > 0
    torch.testing.assert_close(relief[seen], drawn.relief[seen])
    mask, relief = composer.compose_relief(drawn.label, drawn.relief, replace(PLAIN, cut=1.0))
    assert relief[(mask == 0)].isnan().all() and (mask == 0).sum() > (drawn.label == 0).sum()


@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_noise_of_the_sensor_keeps_its_size_at_any_scale(scale: float) -> None:
    """Averaged over 4 x 4 of the finer pixels, noise at half the scale is as strong."""
    composer = PhotoComposer(torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
                             torch.Generator().manual_seed(0))
    side = int(192 * scale)
    style = replace(PLAIN, noise_m=(0.002, 0.0020001), noise_scale=scale)
    noise = composer.measure(torch.zeros(40, side, side), style).nan_to_num(0.0)  # few holes
    coarse = torch.nn.functional.avg_pool2d(noise[:, None], int(4 * scale))
    assert 0.0011 < float(coarse.std()) < 0.0021
