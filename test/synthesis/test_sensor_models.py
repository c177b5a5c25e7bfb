# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.sensor_models import (
    at_sensor_resolution,
    from_sensor_resolution,
    stereo_depth,
    StereoSettings,
    structured_light_depth,
    StructuredLightSettings,
)
import numpy as np
import pytest
import torch

FOCAL = 600.0
QUIET = StereoSettings(noise_px=0.0, low_texture=0.0, fattening_px=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wall(*distances: float) -> torch.Tensor:
    return torch.tensor(distances)[:, None, None].expand(-1, 120, 160).clone()


def post(front: float = 0.6, back: float = 1.2) -> torch.Tensor:
    """A post before a wall, columns 70 to 89."""
    depth = wall(back)
    depth[:, :, 70:90] = front
    return depth


@pytest.mark.parametrize('sensor', [stereo_depth, structured_light_depth])
def test_noise_grows_with_the_square_of_the_distance(sensor):
    distances = np.array([0.5, 1.0, 2.0])
    error = sensor(wall(*distances), FOCAL, seeded()) - wall(*distances)
    spread = np.array([np.nanstd(image) for image in error.numpy()])
    if sensor is structured_light_depth:  # a constant part is added
        settings = StructuredLightSettings()
        model = settings.noise_m + settings.noise_per_m2 * distances ** 2
        np.testing.assert_allclose(spread / spread[1], model / model[1], rtol=0.15)
    else:
        np.testing.assert_allclose(spread / spread[1], distances ** 2, rtol=0.15)
    assert np.all(np.abs([np.nanmean(image) for image in error.numpy()]) < spread / 4)


def test_stereo_disparity_has_steps():
    depth = torch.linspace(0.9, 1.3, 160).expand(1, 120, 160).clone()
    seen = stereo_depth(depth, FOCAL, seeded(), QUIET)
    disparity = FOCAL * QUIET.baseline / seen / QUIET.step_px
    valid = seen.isfinite()
    assert float((disparity - disparity.round()).abs()[valid].max()) < 2e-3
    error = (FOCAL * QUIET.baseline / depth / QUIET.step_px - disparity).abs()[valid]
    assert float(error.max()) <= 0.5 + 2e-3


def test_stereo_shadow_is_on_the_left_of_what_hides_and_as_wide_as_the_parallax():
    seen = stereo_depth(post(), FOCAL, seeded(), QUIET)[0, 60]
    holes = seen.isnan().nonzero()[:, 0]
    parallax = FOCAL * QUIET.baseline * (1 / 0.6 - 1 / 1.2)
    assert int(holes.max()) == 69
    assert len(holes) == pytest.approx(parallax, abs=1.0)


def test_structured_light_shadow_is_narrower_with_its_baseline():
    settings = StructuredLightSettings(noise_m=0.0, noise_per_m2=0.0, speckle=0.0, grazing=1e9)
    seen = structured_light_depth(post(), FOCAL, seeded(), settings)[0, 60]
    parallax = FOCAL * settings.baseline * (1 / 0.6 - 1 / 1.2)
    holes = seen.isnan().nonzero()[:, 0]
    assert len(holes) == pytest.approx(parallax, abs=1.0) and int(holes.max()) == 69
    millimetres = seen[seen.isfinite()] * 1000.0
    torch.testing.assert_close(millimetres, millimetres.round(), atol=1e-3, rtol=0)


def test_structured_light_loses_surfaces_that_recede():
    steep = 0.7 + torch.linspace(0.0, 1.2, 160).expand(1, 120, 160)
    settings = StructuredLightSettings(speckle=0.0, baseline=1e-6)
    seen = structured_light_depth(steep, FOCAL, seeded(), settings)[:, :, 1:25]
    assert bool(seen.isnan().all())  # 6.4 to 5.1 metres deep for each metre across
    gentle = 0.7 + torch.linspace(0.0, 0.1, 160).expand(1, 120, 160)
    assert not bool(structured_light_depth(gentle, FOCAL, seeded(), settings).isnan().any())


def test_stereo_fattens_the_front_of_edges():
    settings = StereoSettings(noise_px=0.0, low_texture=0.0, fattening_px=3)
    seen = stereo_depth(post(), FOCAL, seeded(), settings)[0]
    right = seen[:, 90:93]
    grown = (right < 0.7).float().mean()
    assert 0.3 < float(grown) < 0.9
    assert not bool((seen[:, 94:] < 0.7).any())


@pytest.mark.parametrize(('sensor', 'settings', 'share'), [
    (stereo_depth, StereoSettings(low_texture=0.1), 0.1),
    (structured_light_depth, StructuredLightSettings(speckle=0.05), 0.05)])
def test_share_of_lost_surface(sensor, settings, share):
    lost = sensor(wall(*[1.0] * 12), FOCAL, seeded(), settings).isnan().float().mean()
    assert share / 2 < float(lost) < share * 2


def test_too_near_or_absent_surfaces_are_holes():
    assert bool(stereo_depth(wall(0.2), FOCAL, seeded()).isnan().all())
    nothing = torch.full((1, 20, 20), torch.nan)
    for sensor in (stereo_depth, structured_light_depth):
        assert bool(sensor(nothing, FOCAL, seeded()).isnan().all())


@pytest.mark.parametrize('sensor', [stereo_depth, structured_light_depth])
def test_equal_seeds_measure_equally(sensor):
    first, second, other = (sensor(post(), FOCAL, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.nan_to_num(), second.nan_to_num())
    assert not torch.equal(first.nan_to_num(), other.nan_to_num())


def test_sensor_resolution_and_back_keeps_planes_and_holes():
    x = (torch.arange(128) + 0.5) / 128.0
    depth = (0.8 + 0.1 * x).expand(2, 128, 128).clone()
    depth[:, 40:60, 40:60] = torch.nan
    ratio = torch.tensor([0.5, 0.3])
    coarse = at_sensor_resolution(depth, ratio)
    assert bool(coarse[0, 64:].isnan().all()) and bool(coarse[1, :, 39:].isnan().all())
    back = from_sensor_resolution(coarse, ratio)
    inner = slice(8, 112)
    error = (back - depth)[:, inner, inner]
    assert float(error[error.isfinite()].abs().max()) < 0.1 / 128 * 2.5
    assert bool(back[:, 45:55, 45:55].isnan().all())
    assert bool(back[:, 80:110, inner].isfinite().all())


def test_sensor_settings_that_cannot_be_are_refused():
    with pytest.raises(SettingsError, match=r'must be > 0, got baseline = 0'):
        StereoSettings(baseline=0.0)
    with pytest.raises(SettingsError, match=r'step_m = -1'):
        StructuredLightSettings(step_m=-1.0)
