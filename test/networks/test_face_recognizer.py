# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The student is small, and looks at faces by the same rules as the mask-guided recogniser."""

from __future__ import annotations

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.recognition_input import DEPTH_LIMIT, SIZE
from face_depth_ros.networks.face_recognizer import build_face_recognizer, FaceRecognizer
from face_depth_ros.networks.mask_guided_recognizer import SpatialAttention
import pytest
import torch


def faces(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return random inputs, the outer quarter of the mask background."""
    generator = torch.Generator().manual_seed(seed)
    color = 255.0 * torch.rand(count, 3, SIZE, SIZE, generator=generator)
    depth = torch.randn(count, 1, SIZE, SIZE, generator=generator).clamp(
        -DEPTH_LIMIT, DEPTH_LIMIT)
    mask = torch.zeros(count, 1, SIZE, SIZE)
    mask[:, :, 28:84, 28:84] = torch.randint(
        1, len(MASK_LABELS), (count, 1, 56, 56), generator=generator).float()
    return color, depth, mask


@pytest.fixture(scope='module', name='network')
def student() -> FaceRecognizer:
    """A network whose batch normalisation has seen something."""
    torch.manual_seed(0)
    network = build_face_recognizer().train()
    with torch.no_grad():
        for seed in range(3):
            network(*faces(4, seed))
    return network.eval()


def test_it_is_small_and_describes_by_80_and_80_values(network: FaceRecognizer) -> None:
    assert sum(p.numel() for p in network.parameters()) <= 4_000_000
    with torch.no_grad():
        embeddings = network(*faces(2))
    assert [tuple(e.shape) for e in embeddings] == [(2, 80), (2, 80)]
    for embedding in embeddings:
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_the_mask_attends_both_branches(network: FaceRecognizer) -> None:
    with torch.no_grad():
        maps = network.attention_maps(faces(2)[2])
    assert {k: tuple(m.shape) for k, m in maps.items()} == {0: (2, 1, 56, 56), 2: (2, 1, 14, 14)}
    for place in maps.values():
        assert bool(((place > 0) & (place < 1)).all()) and float(place.std()) > 0
    calls: list[int] = []
    hooks = [a.register_forward_hook(lambda *_, number=i: calls.append(number))
             for i, a in enumerate(network.attention)]
    with torch.no_grad():
        network(*faces(1))
    for hook in hooks:
        hook.remove()
    assert calls == [0, 1]  # one map a place, for both branches
    assert sum(isinstance(m, SpatialAttention) for m in network.modules()) == 2
    for branch, image in ((network.color, 3), (network.depth, 1)):
        x = torch.randn(1, image, SIZE, SIZE)
        with torch.no_grad():
            unmoved = branch(x, {})
            ones = branch(x, {0: torch.ones(1, 1, 56, 56), 2: torch.ones(1, 1, 14, 14)})
            moved = branch(x, {0: torch.zeros(1, 1, 56, 56)})
        assert torch.equal(unmoved, ones) and not torch.equal(unmoved, moved)


def test_each_embedding_depends_on_its_own_image_and_the_mask(network: FaceRecognizer) -> None:
    color, depth, mask = faces(2)
    other_color, other_depth, other_mask = faces(2, 9)
    with torch.no_grad():
        by_color, by_depth = network(color, depth, mask)
        same_color, new_depth = network(color, other_depth, mask)
        new_color, same_depth = network(other_color, depth, mask)
        masked_color, masked_depth = network(color, depth, other_mask)
    assert torch.equal(by_color, same_color) and torch.equal(by_depth, same_depth)
    for was, now in ((by_color, new_color), (by_depth, new_depth), (by_color, masked_color),
                     (by_depth, masked_depth)):
        assert float((was - now).abs().max()) > 1e-4


def test_the_background_does_not_matter(network: FaceRecognizer) -> None:
    color, depth, mask = faces(2)
    outside = mask == 0
    with torch.no_grad():
        before = network(color, depth, mask)
        after = network(torch.where(outside, 255.0 - color, color),
                        torch.where(outside, -depth, depth), mask)
    for was, now in zip(before, after, strict=True):
        assert torch.equal(was, now)


def test_each_face_is_described_for_itself(network: FaceRecognizer) -> None:
    inputs = faces(3)
    with torch.no_grad():
        together = network(*inputs)
        alone = [network(*(i[k:k + 1] for i in inputs)) for k in range(3)]
    for part in range(2):
        torch.testing.assert_close(together[part], torch.cat([a[part] for a in alone]),
                                   atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = build_face_recognizer()
    f_color, f_depth = network.features(*faces(6))
    (f_color.square() * torch.randn(6, 80) + f_depth * torch.randn(6, 80)).sum().backward()
    without = [name for name, p in network.named_parameters()
               if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert without == []
