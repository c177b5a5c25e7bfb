# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Classes of people who are known in numbers."""

from __future__ import annotations

from face_depth_ros.training.person_prototypes import PersonPrototypes
import torch
from torch.nn import functional


def test_the_own_person_wins_when_the_embedding_is_theirs() -> None:
    torch.manual_seed(0)
    prototypes = PersonPrototypes(10, 16)
    own, strangers = torch.randn(5, 10), torch.randn(30, 10)
    features = prototypes.linear(own).detach()
    logits = prototypes(3.0 * features, own, strangers)
    assert logits.shape == (5, 35)
    assert logits.argmax(dim=1).tolist() == list(range(5))
    torch.testing.assert_close(logits.diagonal(), torch.full((5,), 16.0))


def test_two_photos_of_a_person_are_no_strangers_to_each_other() -> None:
    prototypes = PersonPrototypes(4, 8)
    own = torch.randn(3, 4)[[0, 1, 0]]
    logits = prototypes(torch.randn(3, 8), own, torch.zeros(0, 4))
    assert logits[0, 2] == logits[2, 0] == -torch.inf
    assert logits[[0, 1, 2], [0, 1, 2]].isfinite().all() and logits[1, [0, 2]].isfinite().all()


def test_people_never_seen_are_told_apart_after_training() -> None:
    """The embedding is learned from one photo a person, each person once."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 20, generator=generator)
    embed, prototypes = torch.nn.Linear(20, 8), PersonPrototypes(6, 8)
    optimizer = torch.optim.Adam([*embed.parameters(), *prototypes.parameters()], 0.01)
    for _ in range(150):
        people = torch.randn(32, 6, generator=generator)
        photos = people @ mixing + 0.5 * torch.randn(32, 20, generator=generator)
        logits = prototypes(embed(photos), people, torch.randn(64, 6, generator=generator))
        optimizer.zero_grad()
        functional.cross_entropy(logits, torch.arange(32)).backward()
        optimizer.step()
    people = torch.randn(50, 6, generator=generator)
    first, second = (functional.normalize(embed(
        people @ mixing + 0.5 * torch.randn(50, 20, generator=generator))) for _ in range(2))
    found = (first @ second.T).argmax(dim=1) == torch.arange(50)
    assert found.float().mean() > 0.85
