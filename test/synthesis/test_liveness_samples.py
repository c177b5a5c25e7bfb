# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Living faces and attacks have the shapes and sizes that their names say."""

from __future__ import annotations

from face_depth_ros.core.depth_guard import surface_shape
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis import liveness_attacks as attacks
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.liveness_attacks import Head, LIVE, SPECIES, stage, TRAINING
from face_depth_ros.synthesis.liveness_samples import draw_species, LivenessSampler
from face_depth_ros.synthesis.liveness_sensors import (
    measure,
    SENSORS,
    time_of_flight_depth,
    USUAL,
)
import numpy as np
import pytest
import torch

SIZE = 128


def drawn_head(distance_m: float = 0.7) -> Head:
    """Return a dome with a nose, the mask on it, and landmarks in a grid around the middle."""
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) * 2.0 / SIZE - 1.0
    inside = (x / 0.7) ** 2 + (y / 0.9) ** 2 < 1.0
    relief = 0.05 * (x ** 2 + 0.5 * y ** 2) - 0.025 * np.exp(
        -((x / 0.12) ** 2 + ((y - 0.1) / 0.2) ** 2))
    depth = np.where(inside, distance_m + relief, np.nan).astype(np.float32)
    points = np.stack([np.linspace(40.0, 88.0, 68), np.tile([40.0, 60.0, 75.0, 85.0], 17)], axis=1)
    points[36:42] = (50.0, 52.0) + 4.0 * np.eye(2)[np.arange(6) % 2]
    points[42:48] = (78.0, 52.0) + 4.0 * np.eye(2)[np.arange(6) % 2]
    points[48:60] = (64.0, 88.0)
    return Head(depth, inside.astype(np.uint8), points.astype(np.float32), distance_m)


def staged(kind: str, seed: int) -> Head:
    return stage(kind, drawn_head(), drawn_head(1.5), TRAINING, np.random.default_rng(seed))


@pytest.mark.parametrize('kind', SPECIES)
def test_every_kind_fills_the_crop_and_is_decided_by_its_seed(kind: str) -> None:
    for seed in range(4):
        head = staged(kind, seed)
        assert head.depth.shape == head.mask.shape == (SIZE, SIZE)
        assert head.depth.dtype == np.float32 and head.mask.dtype == np.uint8
        assert np.isfinite(head.landmarks).all()
        middle = head.depth[56:72, 56:72]
        # Screens lose depth, cut-outs may have a hole for the nose.
        assert np.isfinite(middle).mean() > 0.3
        np.testing.assert_array_equal(head.depth, staged(kind, seed).depth)
    assert not np.array_equal(staged(kind, 0).depth, staged(kind, 1).depth, equal_nan=True)


def test_busts_have_the_wrong_size_and_the_right_shape() -> None:
    for seed in range(6):
        small, large = staged('small bust', seed), staged('large bust', seed)
        assert 0.35 <= small.distance_m / 0.7 <= 0.8 and 1.25 <= large.distance_m / 0.7 <= 2.0
        for bust in (small, large):
            np.testing.assert_allclose(bust.depth, drawn_head().depth * bust.distance_m / 0.7,
                                       rtol=1e-5)
        assert 0.93 <= staged(LIVE, seed).distance_m / 0.7 <= 1.07


@pytest.mark.parametrize('kind', ['flat print', 'screen'])
def test_prints_and_screens_are_flat(kind: str) -> None:
    for seed in range(6):
        head = staged(kind, seed)
        y, x = np.mgrid[:SIZE, :SIZE]
        place = np.hypot(x - 64, y - 64) < 28
        known = place & np.isfinite(head.depth)
        near = known & (head.depth < np.nanmedian(head.depth[known]) + 0.08)
        basis = np.stack([np.ones(near.sum()), x[near], y[near]], axis=1)
        left = head.depth[near] - basis @ np.linalg.lstsq(basis, head.depth[near], rcond=None)[0]
        assert np.abs(left).max() < 0.006


def test_bent_prints_are_smooth_and_bend_what_is_printed() -> None:
    bent = [staged('bent print', seed) for seed in range(8)]
    # Of a narrow one what is behind is seen too.
    assert np.median([surface_shape(head.depth, 0.1).relief for head in bent]) < 0.0035
    moved = [np.abs(head.landmarks - drawn_head().landmarks).max() for head in bent]
    assert max(moved) > 1.0
    spans = [np.ptp(head.landmarks[:, 0]) + np.ptp(head.landmarks[:, 1]) for head in bent]
    flat = np.ptp(drawn_head().landmarks, axis=0).sum()
    assert all(span <= flat + 1.0 for span in spans), 'what is bent away is seen narrower'


def test_half_masks_leave_one_half_and_flatten_the_other() -> None:
    for seed in range(6):
        head, chance = staged('half mask', seed), np.random.default_rng(seed)
        real = attacks.resized(drawn_head(), chance.uniform(*TRAINING.live_size))
        same = np.isclose(head.depth, real.depth, atol=1e-6)[real.mask > 0]
        assert 0.15 < same.mean() < 0.9
        rows = np.nonzero(real.mask)[0]
        upper, lower = same[rows < 50].mean(), same[rows > 90].mean()
        assert min(upper, lower) < 0.1 and max(upper, lower) > 0.6


def test_cut_outs_show_the_wearer_beside_and_through_the_eyes() -> None:
    eyes = 0
    for seed in range(10):
        head = staged('cut-out', seed)
        paper = head.depth[70:80, 56:72]
        eye = head.depth[50:54, 48:53]
        eyes += float(np.nanmean(eye)) > float(np.nanmean(paper)) + 0.008
    assert eyes >= 3


def test_sensors_see_near_what_is_there_and_lose_what_lies_in_shadow() -> None:
    head = drawn_head()
    wall = np.where(np.isfinite(head.depth), head.depth, 1.2).astype(np.float32)
    for sensor in SENSORS:
        seen = measure(sensor, wall, 400.0, USUAL, (0.2, 0.2, 0.2, 0.2),
                       torch.Generator().manual_seed(0))
        off = (seen - wall)[40:90, 50:78]
        assert np.isfinite(off).mean() > 0.9 and 1e-4 < np.nanstd(off) < 0.006
        worse = measure(sensor, wall, 400.0, USUAL, (1.0, 1.0, 0.2, 0.2),
                        torch.Generator().manual_seed(0))
        assert np.nanstd((worse - wall)[40:90, 50:78]) > np.nanstd(off)
    with pytest.raises(SettingsError, match='sensor'):
        measure('radar', wall, 400.0, USUAL, (0.0,) * 4, torch.Generator())


def test_time_of_flight_rounds_hollows_and_mixes_edges() -> None:
    depth = torch.full((1, 40, 60), 0.6)
    depth[:, 18:22, 10:14] = 0.61
    depth[:, :, 30:] = 1.5
    seen = time_of_flight_depth(depth, torch.Generator().manual_seed(1), 1e-5, 0.0, 0.3, 1e-6)[0]
    assert 0.602 < float(seen[19:21, 11:13].nanmean()) < 0.609
    mixed = seen[:, 29:31]
    assert ((mixed > 0.65) & (mixed < 1.45)).float().mean() > 0.2
    assert (seen[:, 40:] - 1.5).abs().nan_to_num().max() < 0.02


def test_draws_and_names() -> None:
    drawn = draw_species(4000, np.random.default_rng(0), 0.4)
    assert 0.37 < drawn.count(LIVE) / 4000 < 0.43
    assert all(180 < drawn.count(kind) < 300 for kind in SPECIES[1:])
    with pytest.raises(SettingsError, match='mask'):
        stage('mask', drawn_head(), drawn_head(), TRAINING, np.random.default_rng(0))


@pytest.fixture(scope='module')
def sampler() -> LivenessSampler:
    return LivenessSampler(find_assets(), 'validation')


@pytest.mark.assets
def test_frames_fit_their_boxes_and_repeat(sampler: LivenessSampler) -> None:
    scenes = sampler.scenes(3, SPECIES)
    again = sampler.scenes(3, SPECIES)
    for index, (scene, same) in enumerate(zip(scenes, again, strict=True)):
        sample = sampler.measure(scene, 50 + index)
        np.testing.assert_array_equal(sample.depth, sampler.measure(same, 50 + index).depth)
        count = sample.depth.shape[0]
        assert sample.depth.shape == (count, count) and 40 <= count <= 256
        assert sample.species == SPECIES[index] and sample.is_live == (index == 0)
        assert abs(sample.box.side / count - 1.0) < 0.15
        assert (sample.mask > 0).mean() > 0.06
        assert sample.sensor in SENSORS
        head_m = sample.box.side / sample.intrinsics.fx * sample.distance_m
        if index == 0:
            assert head_m == pytest.approx(0.22, rel=0.25)
            nose = sample.landmarks[30].astype(int)
            assert sample.depth[nose[1], nose[0]] < np.nanmedian(sample.depth)
    following = sampler.measure(scenes[0], 50, 1)
    first = sampler.measure(scenes[0], 50)
    assert following.sensor == first.sensor and following.intrinsics == first.intrinsics
    assert not np.array_equal(following.depth, first.depth, equal_nan=True)


@pytest.mark.assets
def test_splits_differ_and_bad_requests_are_told(sampler: LivenessSampler) -> None:
    test = LivenessSampler(find_assets(), 'test')
    assert test.attacks == attacks.WIDER and sampler.attacks == attacks.TRAINING
    one, other = (which.scenes(3, ['live'])[0] for which in (sampler, test))
    assert not np.array_equal(one.head.depth, other.head.depth, equal_nan=True)
    with pytest.raises(SettingsError, match='seed'):
        sampler.scenes(-1, ['live'])
    with pytest.raises(SettingsError, match='sensor'):
        sampler.measure(one, 0, sensor='radar')
