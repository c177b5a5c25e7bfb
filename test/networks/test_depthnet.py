# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""DepthNet: two decoders on one encoder, depth and mask from one of them."""

from __future__ import annotations

from face_depth_ros.networks.depthnet import (
    build_depthnet,
    build_depthnet_discriminators,
    DepthNetConfig,
    SIZE,
)
import pytest
import torch

SMALL = DepthNetConfig(width=2, levels=4)


def test_images_have_the_papers_shapes():
    with torch.device('meta'):
        images = build_depthnet().eval()(torch.zeros(2, 3, SIZE, SIZE))
    assert {n: tuple(i.shape) for n, i in images.items()} == {
        'rgb': (2, 3, SIZE, SIZE), 'depth': (2, 1, SIZE, SIZE), 'mask': (2, 7, SIZE, SIZE)}


def test_depth_and_mask_share_all_but_the_last_step():
    """Without the mask nothing goes but its head; a change of the shared decoder moves both."""
    torch.manual_seed(0)
    with_mask, without = build_depthnet(SMALL), build_depthnet(DepthNetConfig(2, 4, mask=False))
    more = set(with_mask.state_dict()) - set(without.state_dict())
    assert set(without.state_dict()) < set(with_mask.state_dict())
    assert {name.split('.')[0] for name in more} == {'mask_head'}
    assert set(without(torch.zeros(1, 3, 16, 16))) == {'rgb', 'depth'}
    color = torch.rand(2, 3, 16, 16)
    with_mask.eval()
    before = with_mask(color)
    with torch.no_grad():
        next(with_mask.auxiliary_decoder.parameters()).mul_(-2.0)
    after = with_mask(color)
    assert not torch.equal(after['depth'], before['depth'])
    assert not torch.equal(after['mask'], before['mask'])
    assert torch.equal(after['rgb'], before['rgb'])


def test_use_needs_no_face_decoder():
    network = build_depthnet(SMALL).eval()
    color = torch.rand(2, 3, 16, 16)
    trained, used = network(color), network.estimate(color)
    assert set(used) == {'depth', 'mask'}
    for name, image in used.items():
        torch.testing.assert_close(image, trained[name])


def test_ranges():
    """Depth and image within tanh's range; the mask is logits."""
    network = build_depthnet(SMALL)
    with torch.no_grad():
        for head in (network.rgb_head, network.depth_head, network.mask_head):
            head[-1].bias.fill_(50.0)
    images = network(torch.rand(2, 3, 16, 16))
    assert images['depth'].max() <= 1.0
    assert images['rgb'].max() <= 1.0
    assert images['mask'].min() > 10.0


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    network = build_depthnet(SMALL)
    sum(image.square().sum() for image in network(torch.rand(2, 3, 16, 16)).values()).backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not dead


@pytest.mark.parametrize(('mask', 'expected'), [
    (True, {'rgb': 3, 'depth': 1, 'mask': 7}), (False, {'rgb': 3, 'depth': 1})])
def test_a_discriminator_for_each_image(mask, expected):
    judges = build_depthnet_discriminators(DepthNetConfig(2, 4, mask=mask))
    assert {n: judge(torch.rand(1, expected[n], 64, 64)).shape for n, judge in judges.items()} == {
        n: (1, 1, 6, 6) for n in expected}
