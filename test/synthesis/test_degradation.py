# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.core.depth import DepthRange
from face_depth_ros.core.depth import nearest_surface as core_nearest_surface
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.degradation import (
    DegradationSettings,
    degrade,
    fill_holes_at_random,
    nearest_surface,
    normalise,
    PAPER_NONE_RMSE,
    sample_settings,
)
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
import numpy as np
import pytest
import torch


def disc(batch: int = 8, size: int = 256) -> torch.Tensor:
    """A tilted disc at about 0.7 m, NaN around it."""
    steps = torch.linspace(-1.0, 1.0, size)
    y, x = torch.meshgrid(steps, steps, indexing='ij')
    depth = 0.7 + 0.05 * x + 0.02 * y
    return depth.masked_fill(x * x + y * y > 0.64, torch.nan).expand(batch, size, size).clone()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_equal_seeds_degrade_equally():
    first, second, other = (degrade(disc(), seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.nan_to_num(), second.nan_to_num())
    assert not torch.equal(first.nan_to_num(), other.nan_to_num())


def test_nothing_appears_outside_and_holes_eat_the_outline_first():
    truth = disc(32)
    holes = degrade(truth, seeded()).isnan()
    valid = truth.isfinite()
    assert bool(holes[~valid].all())
    steps = torch.linspace(-1.0, 1.0, 256)
    radius = (steps[:, None] ** 2 + steps ** 2).sqrt()
    rim, middle = (radius > 0.74) & (radius < 0.8), radius < 0.5
    lost_rim, lost_middle = holes[:, rim].float().mean(), holes[:, middle].float().mean()
    assert 0.04 < float(lost_middle) < 0.2
    assert float(lost_rim) > 2.5 * float(lost_middle)


def test_noise_is_uniform_within_its_range_before_the_mean():
    plain = DegradationSettings(noise_m=0.015, hole_rate=0.0, blur=0.0)
    error = (degrade(disc(), seeded(), plain) - disc())[disc().isfinite()]
    assert float(error.abs().max()) <= 0.015 + 1e-6
    assert float(error.std()) == pytest.approx(0.015 / np.sqrt(3.0), rel=0.01)
    assert abs(float(error.mean())) < 1e-4


def test_blur_is_the_mean_of_the_valid_pixels_of_the_window():
    clean = DegradationSettings(noise_m=0.0, hole_rate=1.0, blur=1.0)
    result = degrade(disc(1), seeded(), clean)[0].double().numpy()
    kept = np.isfinite(result)
    source = np.where(kept, disc(1)[0].double().numpy(), np.nan)
    generator = np.random.default_rng(0)
    rows, columns = np.nonzero(kept)
    for pick in generator.integers(0, len(rows), 200):
        row, column = rows[pick], columns[pick]
        window = source[max(row - 2, 0):row + 3, max(column - 2, 0):column + 3]
        assert result[row, column] == pytest.approx(np.nanmean(window), abs=1e-6)


def test_each_image_can_have_its_own_settings():
    settings = DegradationSettings(torch.tensor([0.0, 0.015]), torch.tensor([0.0, 1.0]),
                                   torch.tensor([0.0, 1.0]))
    result = degrade(disc(2), seeded(), settings)
    assert torch.equal(result[0].nan_to_num(), disc(1)[0].nan_to_num())
    assert int(result[1].isnan().sum()) > int(disc(1).isnan().sum()) + 500
    drawn = sample_settings(1000, seeded())
    assert float(drawn.noise_m.max()) <= 0.015 and float(drawn.noise_m.min()) < 0.001
    assert 0.6 < float(drawn.blur.mean()) < 0.8


def test_an_empty_image_stays_empty():
    empty = torch.full((2, 64, 64), torch.nan)
    assert bool(degrade(empty, seeded()).isnan().all())
    assert bool(nearest_surface(empty).isnan().all())


@pytest.mark.parametrize('blurred', [False, True])
def test_random_background_fills_the_asked_holes_within_the_range(blurred):
    depth = disc(4)
    where = torch.zeros_like(depth, dtype=torch.bool)
    where[:, :128] = True
    filled = fill_holes_at_random(depth, where, seeded(), blurred)
    valid = depth.isfinite()
    assert torch.equal(filled[valid], depth[valid])
    assert bool(filled[:, :128].isfinite().all())
    assert bool(filled[:, 128:][~valid[:, 128:]].isnan().all())
    near = nearest_surface(depth)[0]
    values = filled[:, :128][~valid[:, :128]] - near
    assert float(values.min()) >= -1e-6 and float(values.max()) <= 0.25 + 1e-6
    steps = (filled[:, 1:128, 0] - filled[:, :127, 0]).abs().mean()
    assert (float(steps) < 0.02) == blurred


def test_normalisation_agrees_with_core():
    depth = degrade(disc(3), seeded())
    depth[1] += 0.4 * torch.rand(256, 256, generator=seeded(5))
    near = nearest_surface(depth)
    for index in range(3):
        image = depth[index].numpy()
        assert float(near[index]) == pytest.approx(core_nearest_surface(image), abs=1e-6)
        expected = DepthRange(float(near[index])).normalise(image)
        np.testing.assert_allclose(normalise(depth, near)[index], expected, atol=1e-6)


@pytest.mark.parametrize(('values', 'message'), [
    ({'blur_size': 4}, 'expected an odd number'), ({'noise_m': -0.1}, 'noise_m is -0.1'),
    ({'hole_rate': -1.0}, 'hole_rate is -1.0')])
def test_wrong_settings_are_refused(values, message):
    with pytest.raises(SettingsError, match=message):
        DegradationSettings(**values)


@pytest.mark.assets
@pytest.mark.slow
def test_unenhanced_error_is_that_of_the_paper():
    source = FaceDepthRenderer(find_assets(), split='test')
    errors = []
    for seed in range(8):
        truth = source.render(seed, 32).depth
        degraded = degrade(truth, seeded(seed))
        near = truth.nan_to_num(nan=torch.inf).flatten(1).amin(dim=1)
        goal, seen = normalise(truth, near), normalise(degraded, near)
        face = goal < 1.0
        squares = torch.where(face, (goal - seen) ** 2, 0.0).flatten(1).sum(dim=1)
        errors.append((squares / face.flatten(1).sum(dim=1)).sqrt())
    assert float(torch.cat(errors).mean()) == pytest.approx(PAPER_NONE_RMSE, abs=0.006)
