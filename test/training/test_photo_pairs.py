# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pairs of photos that find each other among strangers."""

from __future__ import annotations

from face_depth_ros.training.photo_pairs import EmbeddingQueue, pair_loss
import pytest
import torch


def people(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)).repeat(2, 1)


def test_partners_find_each_other() -> None:
    features = torch.eye(4).repeat(2, 1)
    near, found = pair_loss(features, people(4), EmbeddingQueue(8), 24.0, 0.0)
    assert found.all() and float(near) < 1e-6
    apart, found = pair_loss(torch.cat([torch.eye(4), torch.eye(4).roll(1, 0)]), people(4),
                             EmbeddingQueue(8), 24.0, 0.0)
    assert not found.any() and float(apart) == pytest.approx(24.0, abs=0.1)


def test_the_margin_is_what_the_partner_must_be_ahead() -> None:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(8, 5, generator=generator)
    easy, hard = (float(pair_loss(features, people(4), EmbeddingQueue(8), 10.0, margin)[0])
                  for margin in (0.0, 0.3))
    assert easy < hard <= easy + 3.0


def test_earlier_embeddings_are_strangers_unless_of_the_same_person() -> None:
    """The queue holds the latest, and other photos of the own person are left out."""
    queue = EmbeddingQueue(10)
    first = torch.eye(8)[:6]
    pair_loss(first, people(3, 1), queue, 24.0, 0.0)
    assert len(queue.features) == 6 and not queue.features.requires_grad
    same, found = pair_loss(torch.eye(8)[:6], people(3, 2), queue, 24.0, 0.0)
    assert not found.any() and float(same) > 20.0  # equal embeddings of strangers
    assert len(queue.features) == 10
    own, _ = pair_loss(torch.eye(8)[[0, 1, 2, 0, 1, 2]], people(3, 2), queue, 24.0, 0.0)
    other, _ = pair_loss(torch.eye(8)[[0, 1, 2, 0, 1, 2]], people(3, 2), EmbeddingQueue(4), 24.0,
                         0.0)
    assert float(own) >= float(other)
