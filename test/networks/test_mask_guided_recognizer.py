# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The mask-guided recogniser has the paper's maps and modules; each branch sees its own image."""

from __future__ import annotations

from collections.abc import Callable

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.recognition_input import DEPTH_LIMIT, SIZE
from face_depth_ros.networks.mask_guided_recognizer import (
    build_mask_guided_recognizer,
    face_only,
    MaskGuidedRecognizer,
    MaskGuidedRecognizerConfig,
    one_hot,
    SEBlock,
    SpatialAttention,
    SqueezeExcitation,
)
import pytest
import torch
from torch import nn

SMALL = MaskGuidedRecognizerConfig((16, 24, 32, 40), (1, 1, 1, 1), dimensions=12)
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def faces(count: int, seed: int = 0) -> Inputs:
    """Return random inputs, the outer quarter of the mask background."""
    generator = torch.Generator().manual_seed(seed)
    color = 255.0 * torch.rand(count, 3, SIZE, SIZE, generator=generator)
    depth = torch.randn(count, 1, SIZE, SIZE, generator=generator).clamp(
        -DEPTH_LIMIT, DEPTH_LIMIT)
    mask = torch.zeros(count, 1, SIZE, SIZE)
    mask[:, :, 28:84, 28:84] = torch.randint(
        1, len(MASK_LABELS), (count, 1, 56, 56), generator=generator).float()
    return color, depth, mask


def with_statistics(network: nn.Module) -> nn.Module:
    """Let batch normalisation see something, then set to evaluation."""
    network.train()
    with torch.no_grad():
        for seed in range(3):
            network(*faces(4, seed))
    return network.eval()


@pytest.fixture(scope='module', name='small')
def small_network() -> nn.Module:
    torch.manual_seed(0)
    return with_statistics(MaskGuidedRecognizer(SMALL))


def seen_at(module: nn.Module, run: Callable[[], object]) -> list[torch.Tensor]:
    """Return what a module answers during a run."""
    answers: list[torch.Tensor] = []
    handle = module.register_forward_hook(lambda _, __, answer: answers.append(answer))
    run()
    handle.remove()
    return answers


def test_the_papers_network_attends_56_x_56_x_64_and_14_x_14_x_256() -> None:
    """Both branches at the places of section IV.B; embeddings of 256 values, unit length."""
    network = build_mask_guided_recognizer().eval()
    assert network.config == MaskGuidedRecognizerConfig()
    shapes: dict[str, tuple[int, ...]] = {}
    hooks = []
    for name in ('color', 'depth', 'mask'):
        for stage in network.ATTENDED:
            def keep(_: nn.Module, __: object, answer: torch.Tensor, key=f'{name} {stage}'):
                shapes[key] = tuple(answer.shape[1:])
            hooks.append(getattr(network, name).stages[stage].register_forward_hook(keep))
    with torch.no_grad():
        embeddings = network(*faces(1))
    for hook in hooks:
        hook.remove()
    assert shapes == {f'{name} {stage}': shape for name in ('color', 'depth', 'mask')
                      for stage, shape in ((0, (64, 56, 56)), (2, (256, 14, 14)))}
    for embedding in embeddings:
        assert embedding.shape == (1, 256)
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(1))
    assert len(network.mask.stages) == 3
    blocks = [m for m in network.color.modules() if isinstance(m, SEBlock)]
    assert len(blocks) == 10
    assert all(isinstance(b.excitation, SqueezeExcitation) for b in blocks)


def test_attention_maps_are_made_once_by_the_mask_and_used_by_both(small: nn.Module) -> None:
    """One module a place; either branch's features are multiplied by the same map."""
    inputs = faces(2)
    assert len(small.attention) == len(small.ATTENDED) == 2
    assert sum(isinstance(m, SpatialAttention) for m in small.modules()) == 2
    with torch.no_grad():
        maps = small.attention_maps(inputs[2])
        assert {k: tuple(m.shape) for k, m in maps.items()} == {
            0: (2, 1, 56, 56), 2: (2, 1, 14, 14)}
        for place in maps.values():
            assert bool(((place > 0) & (place < 1)).all()) and float(place.std()) > 0
        for attention in small.attention:  # called once for both branches
            assert len(seen_at(attention, lambda: small(*inputs))) == 1
        for branch in (small.color, small.depth):
            entered: list[torch.Tensor] = []
            hook = branch.stages[1].register_forward_pre_hook(
                lambda _, given, store=entered: store.append(given[0]))
            (left,) = seen_at(branch.stages[0], lambda: small(*inputs))
            hook.remove()
            torch.testing.assert_close(entered[0], left * maps[0])


def test_each_embedding_depends_on_its_own_image_and_the_mask(small: nn.Module) -> None:
    color, depth, mask = faces(2)
    other_color, other_depth, other_mask = faces(2, 9)
    with torch.no_grad():
        by_color, by_depth = small(color, depth, mask)
        same_color, new_depth = small(color, other_depth, mask)
        new_color, same_depth = small(other_color, depth, mask)
        masked_color, masked_depth = small(color, depth, other_mask)
    assert torch.equal(by_color, same_color) and torch.equal(by_depth, same_depth)
    for was, now in ((by_color, new_color), (by_depth, new_depth), (by_color, masked_color),
                     (by_depth, masked_depth)):
        assert float((was - now).abs().max()) > 1e-4


def test_the_background_does_not_matter(small: nn.Module) -> None:
    color, depth, mask = faces(2)
    outside = mask == 0
    with torch.no_grad():
        before = small(color, depth, mask)
        after = small(torch.where(outside, 255.0 - color, color),
                      torch.where(outside, -depth, depth), mask)
    for was, now in zip(before, after, strict=True):
        assert torch.equal(was, now)


def test_each_face_is_described_for_itself(small: nn.Module) -> None:
    inputs = faces(3)
    with torch.no_grad():
        together = small(*inputs)
        alone = [small(*(i[k:k + 1] for i in inputs)) for k in range(3)]
    for part in range(2):
        torch.testing.assert_close(together[part], torch.cat([a[part] for a in alone]),
                                   atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = MaskGuidedRecognizer(SMALL)
    f_color, f_depth = network.features(*faces(6))
    assert f_color.shape == f_depth.shape == (6, SMALL.dimensions)
    (f_color.square() * torch.randn(6, 12) + f_depth * torch.randn(6, 12)).sum().backward()
    without = [name for name, p in network.named_parameters()
               if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert without == []


def test_face_only_scales_and_takes_the_background_away() -> None:
    color = torch.full((1, 3, 2, 2), 255.0)
    depth = torch.full((1, 1, 2, 2), DEPTH_LIMIT)
    mask = torch.tensor([[[[0.0, 1.0], [6.0, 0.0]]]])
    wanted = torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    seen_color, seen_depth = face_only(color, depth, mask)
    assert torch.equal(seen_color, wanted.expand(1, 3, 2, 2))
    assert torch.equal(seen_depth, wanted[None, None])
    middle_color, middle_depth = face_only(color / 2, depth * 0, torch.ones(1, 1, 2, 2))
    assert float(middle_color.abs().max()) == 0.0 == float(middle_depth.abs().max())


def test_one_hot_has_a_channel_a_class() -> None:
    mask = torch.arange(7.0).view(1, 1, 1, 7)
    assert torch.equal(one_hot(mask)[0, :, 0], torch.eye(7))
    assert one_hot(mask.bfloat16()).dtype == torch.bfloat16


def test_squeeze_and_excitation_weighs_channels_alone() -> None:
    torch.manual_seed(0)
    module = SqueezeExcitation(16, 16)
    x = torch.randn(2, 16, 5, 5)
    share = module(x) / x
    torch.testing.assert_close(share, share[:, :, :1, :1].expand_as(share))
    assert bool(((share > 0) & (share < 1)).all())
