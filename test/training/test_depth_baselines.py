# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Losses of the depth baselines: labels, weights, and who is judged on what."""

from __future__ import annotations

import math

from face_depth_ros.training.depth_baselines import (
    as_judged,
    BASELINES,
    cross_entropy,
    generator_loss,
    Judges,
    judges_loss,
    least_squares,
    squared_error,
    true_images,
)
import pytest
import torch
from torch import nn


def images_of(depth: float, mask: float = 0.0, rgb: float = 0.0) -> dict[str, torch.Tensor]:
    """Return constant images of two by two pixels."""
    return {'depth': torch.full((1, 1, 2, 2), depth), 'mask': torch.full((1, 7, 2, 2), mask),
            'rgb': torch.full((1, 3, 2, 2), rgb)}


def test_truth_in_the_form_of_the_networks():
    grey = torch.tensor([[0.0, 255.0], [127.5, 1.0]])[None, None]
    mask = torch.tensor([[[0, 6], [3, 1]]], dtype=torch.uint8)
    truth = true_images(torch.zeros(1, 3, 2, 2), grey, mask)
    assert truth['depth'].flatten().tolist() == pytest.approx([-1.0, 1.0, 0.0, 1 / 127.5 - 1])
    assert truth['mask'].shape == (1, 7, 2, 2)
    assert torch.equal(truth['mask'].argmax(dim=1), mask.long())
    assert torch.equal(truth['mask'].sum(dim=1), torch.ones(1, 2, 2))


def test_discriminators_see_probabilities():
    judged = as_judged(images_of(0.3, mask=0.0))
    assert torch.equal(judged['mask'], torch.full((1, 7, 2, 2), 0.5))
    assert torch.equal(judged['depth'], images_of(0.3)['depth'])


def test_depthnet_weights():
    """100 for depth and mask, 1 for the image and for each adversarial term."""
    baseline = BASELINES['depthnet']
    truth = images_of(0.5, rgb=0.25) | {'mask': torch.zeros(1, 7, 2, 2)}
    exact = images_of(0.5, mask=-100.0, rgb=0.25)
    assert generator_loss(baseline, exact, truth, {}).item() == pytest.approx(0.0, abs=1e-6)
    for change, expected in (({'depth': 0.6}, 10.0), ({'rgb': 0.75}, 0.5),
                             ({'mask': 0.0}, 100 * math.log(2))):
        values = {'depth': 0.5, 'mask': -100.0, 'rgb': 0.25, **change}
        loss = generator_loss(baseline, images_of(**values), truth, {})
        assert loss.item() == pytest.approx(expected, rel=1e-5)
    scores = {n: torch.zeros(1, 1, 2, 2) for n in ('rgb', 'depth', 'mask')}
    assert generator_loss(baseline, exact, truth, scores).item() == pytest.approx(3.0, abs=1e-5)


def test_the_ablation_has_no_mask_anywhere():
    baseline = BASELINES['depthnet_no_mask']
    images, truth = images_of(0.6), images_of(0.5)
    del images['mask']
    assert generator_loss(baseline, images, truth, {}).item() == pytest.approx(10.0, rel=1e-5)
    assert set(baseline.judges(2)) == {'rgb', 'depth'}


@pytest.mark.parametrize(('network', 'weight'), [('cgan', 100.0), ('cgan_ae', 1.0),
                                                 ('cui_fcn', 1.0)])
def test_squared_error_weights(network, weight):
    loss = generator_loss(BASELINES[network], images_of(0.7), images_of(0.5), {})
    assert loss.item() == pytest.approx(weight * 0.04, rel=1e-5)
    assert squared_error(images_of(0.7), images_of(0.5)).item() == pytest.approx(0.04, rel=1e-5)


def test_pix2pix_weighs_the_absolute_error():
    loss = generator_loss(BASELINES['pix2pix'], images_of(0.7), images_of(0.5), {})
    assert loss.item() == pytest.approx(20.0, rel=1e-5)


@pytest.mark.parametrize('network', ['depthnet', 'cgan', 'pix2pix'])
def test_real_is_one(network):
    """Discriminators win with high scores of truth; the generator with high scores of its own."""
    baseline = BASELINES[network]
    sharp = 1.0 if network == 'depthnet' else 20.0
    low = 0.0 if network == 'depthnet' else -20.0
    high_scores, low_scores = ({'depth': torch.full((2, 1), v)} for v in (sharp, low))
    assert judges_loss(baseline, high_scores, low_scores).item() == pytest.approx(0, abs=1e-6)
    assert judges_loss(baseline, low_scores, high_scores).item() >= 2.0 * baseline.judges_weight
    images = {'depth': torch.zeros(1, 1, 2, 2), 'rgb': torch.zeros(1, 3, 2, 2)}
    good, bad = (generator_loss(baseline, images, images, s).item()
                 for s in (high_scores, low_scores))
    assert good == pytest.approx(0.0, abs=1e-6)
    assert bad >= 1.0


def test_score_losses_by_hand():
    scores = torch.tensor([0.0, 2.0])
    assert least_squares(scores, 1.0).item() == pytest.approx(1.0)
    expected = (math.log(2) + math.log(1 + math.exp(-2.0))) / 2
    assert cross_entropy(scores, 1.0).item() == pytest.approx(expected, rel=1e-6)
    assert BASELINES['pix2pix'].judges_weight == 0.5
    assert BASELINES['cgan'].judges_weight == BASELINES['depthnet'].judges_weight == 1.0


def test_only_pix2pix_shows_its_discriminator_the_input():
    conditioned = {name for name, baseline in BASELINES.items() if baseline.conditioned}
    assert conditioned == {'pix2pix'}
    color, depth = torch.rand(1, 3, 2, 2), torch.rand(1, 1, 2, 2)
    seen = Judges({'depth': nn.Identity()}, conditioned=True)(color, {'depth': depth})
    assert torch.equal(seen['depth'], torch.cat([color, depth], dim=1))
    alone = Judges({'depth': nn.Identity()}, conditioned=False)(color, {'depth': depth})
    assert torch.equal(alone['depth'], depth)


@pytest.mark.parametrize('network', BASELINES)
def test_every_baseline_gives_what_its_losses_need(network):
    """Built at its full size, without weights: images and scores have the shapes of the truth."""
    baseline = BASELINES[network]
    with torch.device('meta'):
        image = torch.zeros(1, baseline.channels, baseline.size, baseline.size)
        images = baseline.build(32).eval()(image)
        truth = {'rgb': (1, 3), 'depth': (1, 1), 'mask': (1, 7)}
        for name, made in images.items():
            assert made.shape == (*truth[name], baseline.size, baseline.size)
        judges = baseline.judges(32)
        scores = Judges(judges, baseline.conditioned).eval()(image, as_judged(images))
    assert set(scores) == set(judges) <= set(images)
    assert ('mask' in images) == (network == 'depthnet')
