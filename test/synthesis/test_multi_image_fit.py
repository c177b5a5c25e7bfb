# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The fit of the head to several images: shape, expression, pose; more images are better."""

from __future__ import annotations

from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.head_crops import upright
from face_depth_ros.synthesis.head_pose import (
    HeadPoses,
    PoseRange,
    project,
    sample_poses,
    to_canonical_crop,
)
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.multi_image_fit import Fit, FitSettings, MorphableFitter
import numpy as np
import pytest
import torch

PEOPLE, IMAGES = 6, 6


class Photographed:
    """People whose landmarks are known, seen head-on by the camera's axis."""

    def __init__(self, head: MorphableHead, assets: FaceAssets, noise: float) -> None:
        generator = np.random.default_rng(0)
        self.identity = torch.tensor(np.stack([identity_coefficients('test', i)
                                               for i in range(PEOPLE)]))
        table = ExpressionTable(assets, head.expression_names)
        self.expression = torch.tensor(table.sample(PEOPLE * IMAGES, generator)).view(
            PEOPLE, IMAGES, -1)
        limits = PoseRange(max_yaw=60.0, max_off_axis=0.0, distance_m=(0.6, 1.2))
        self.poses: HeadPoses = upright(sample_poses(PEOPLE * IMAGES, generator, limits))
        self.shapes = head.vertices(self.identity.repeat_interleave(IMAGES, 0),
                                    self.expression.flatten(0, 1))
        pixels = project(self.poses.to_optical(head.landmarks_68(self.shapes)), 1.0, (0.0, 0.0))
        crops = to_canonical_crop(pixels, self.poses.boxes(1.0, (0.0, 0.0)), 1)
        exact = crops[..., :2].view(PEOPLE, IMAGES, 68, 2)
        offset = torch.randn(exact.shape, generator=torch.Generator().manual_seed(0))
        self.landmarks = exact + noise * offset
        self.relief = (crops[..., 2] - 0.3).view(PEOPLE, IMAGES, 68) * 100.0
        self.weights = torch.ones(PEOPLE, IMAGES, 68)

    def error(self, head: MorphableHead, fit: Fit) -> float:
        """Return the RMSE of the neutral face's landmarks after removing shift and size, mm."""
        told, true = (head.landmarks_68(head.identity_vertices(c))
                      for c in (fit.identity, self.identity))
        a, b = told - told.mean(1, keepdim=True), true - true.mean(1, keepdim=True)
        scale = (a * b).sum((1, 2), True) / (a * a).sum((1, 2), True)
        return float(10.0 * (scale * a - b).square().sum(-1).mean().sqrt())

    def turn_error(self, fit: Fit, images: int) -> torch.Tensor:
        """Return the angles between true and fitted rotations, (P, K) degrees."""
        true = self.poses.rotation.view(PEOPLE, IMAGES, 3, 3)[:, :images]
        product = fit.poses.rotation.transpose(-1, -2) @ true
        cosine = (product.diagonal(dim1=-2, dim2=-1).sum(-1) - 1.0) / 2.0
        return torch.rad2deg(torch.arccos(cosine.clamp(-1.0, 1.0)))


@pytest.fixture(scope='module')
def head(assets_folder) -> MorphableHead:
    return MorphableHead(FaceAssets(assets_folder))


@pytest.fixture(scope='module')
def photographed(head: MorphableHead, assets_folder) -> Photographed:
    return Photographed(head, FaceAssets(assets_folder), noise=0.004)


@pytest.mark.assets
def test_several_images_tell_the_shape_better_than_one(head: MorphableHead,
                                                       photographed: Photographed) -> None:
    fitter, errors = MorphableFitter(head), []
    for images in (1, 2, IMAGES):
        fit = fitter.fit(photographed.landmarks[:, :images], photographed.weights[:, :images])
        assert fit.expression.shape == (PEOPLE, images, 57)
        assert 0.0 <= float(fit.expression.min()) and float(fit.expression.max()) <= 1.0
        assert float(fit.error.max()) < 0.01
        errors.append(photographed.error(head, fit))
    nothing = Fit(torch.zeros(PEOPLE, 100), fit.expression, fit.poses, fit.error)
    assert errors[2] < errors[1] < errors[0] < photographed.error(head, nothing)
    assert errors[2] < 0.6 * photographed.error(head, nothing)


@pytest.mark.assets
def test_relief_helps(head: MorphableHead, photographed: Photographed) -> None:
    fitter = MorphableFitter(head, FitSettings(relief_sigma_cm=0.3))
    inputs = (photographed.landmarks[:, :3], photographed.weights[:, :3])
    relief = photographed.relief[:, :3].clone()
    relief[:, :, 5] = torch.nan
    with_relief, without = (photographed.error(head, fit) for fit in (
        fitter.fit(*inputs, relief), fitter.fit(*inputs)))
    assert with_relief < 0.97 * without


@pytest.mark.assets
def test_the_pose_is_recovered(head: MorphableHead, photographed: Photographed) -> None:
    fit = MorphableFitter(head).fit(photographed.landmarks, photographed.weights)
    turned = photographed.turn_error(fit, IMAGES)
    assert float(turned.mean()) < 2.5 and float(turned.max()) < 6.0
    np.testing.assert_allclose(fit.poses.shift, 0.5, atol=0.03)  # the head point
    np.testing.assert_allclose(fit.poses.scale * 22.0, 1.0, atol=0.2)


@pytest.mark.assets
def test_images_that_are_not_there_do_not_matter(head: MorphableHead,
                                                 photographed: Photographed) -> None:
    fitter = MorphableFitter(head)
    landmarks, weights = photographed.landmarks[:2].clone(), photographed.weights[:2].clone()
    weights[:, 3:], landmarks[:, 3:] = 0.0, torch.nan
    fit = fitter.fit(landmarks, weights)
    alone = fitter.fit(landmarks[:, :3], weights[:, :3])
    torch.testing.assert_close(fit.identity, alone.identity, atol=1e-3, rtol=0.0)
    assert bool(fit.error[:, 3:].isnan().all()) and bool(fit.error[:, :3].isfinite().all())


@pytest.mark.assets
def test_fewer_modes_and_no_expressions(head: MorphableHead, photographed: Photographed) -> None:
    few = MorphableFitter(head, FitSettings(identity_modes=40, expressions=False))
    fit = few.fit(photographed.landmarks[:, :1], photographed.weights[:, :1])
    assert not fit.identity[:, 40:].any() and not fit.expression.any()
    assert fit.identity[:, :40].any()
    full = MorphableFitter(head).fit(photographed.landmarks[:, :1], photographed.weights[:, :1])
    assert float(full.error.mean()) < float(fit.error.mean())


@pytest.mark.assets
def test_shapes_that_do_not_fit_are_refused(head: MorphableHead) -> None:
    fitter = MorphableFitter(head, FitSettings(rounds=1))
    points, weights = torch.zeros(1, 2, 68, 2), torch.ones(1, 2, 68)
    with pytest.raises(SettingsError, match=r'landmarks has shape \(1, 2, 5, 2\), expected '
                                            r'\(P, K, 68, 2\)'):
        fitter.fit(points[:, :, :5], weights)
    with pytest.raises(SettingsError, match='weights has shape'):
        fitter.fit(points, weights[:, :1])
    with pytest.raises(SettingsError, match='relief has shape'):
        fitter.fit(points, weights, weights[..., :3])
    with pytest.raises(SettingsError, match='identity_modes is 101, the head has 100'):
        MorphableFitter(head, FitSettings(identity_modes=101))


@pytest.mark.parametrize('changes', [{'identity_modes': 0}, {'landmark_sigma': 0.0},
                                     {'rounds': -1}, {'scale_sigma': float('nan')}])
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f'{next(iter(changes))} is .*, expected > 0'):
        FitSettings(**changes)
