# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Pairs of photos: each is to find the other photo of its person among many of strangers.

Source: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, with a queue of earlier
embeddings after He et al., "Momentum Contrast", CVPR 2020, here of the network itself, which
moves little, and with an additive margin on the cosine as in Wang et al., "CosFace", CVPR 2018.
"""

from __future__ import annotations

import torch
from torch.nn import functional

_KEY = 4
"""So many numbers of a person tell who it is: they are drawn from a continuum."""


class EmbeddingQueue:
    """
    The latest embeddings, and whose they are.

    :param length: how many are kept
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.features = torch.zeros(0)
        self.keys = torch.zeros(0, _KEY)

    def push(self, features: torch.Tensor, numbers: torch.Tensor) -> None:
        """Add embeddings (B, D) of people (B, N); the oldest leave."""
        new, keys = features.detach(), numbers[:, :_KEY]
        old = self.features if len(self.features) else new[:0]
        self.features = torch.cat([new, old])[:self.length]
        self.keys = torch.cat([keys, self.keys])[:self.length]


def pair_loss(features: torch.Tensor, numbers: torch.Tensor, queue: EmbeddingQueue,
              scale: float, margin: float) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Return the loss of a batch, and for each photo whether it finds its partner.

    :param features: (2 P, D) of any length; photo i and photo P + i are of one person
    :param numbers: (2 P, N), who they are; N >= 4
    :param scale: of the cosines; margin: that the cosine to the partner must be ahead
    """
    count = len(features)
    own = functional.normalize(features.float())
    others = torch.cat([own, queue.features.to(own)]) if len(queue.features) else own
    keys = torch.cat([numbers[:, :_KEY], queue.keys])
    partner = (torch.arange(count) + count // 2) % count
    logits = scale * own @ others.T
    allowed = ~(numbers[:, None, :_KEY] == keys[None]).all(dim=2)
    row = torch.arange(count)
    allowed[row, partner] = True
    logits = logits.masked_fill(~allowed, -torch.inf)
    found = logits.argmax(dim=1) == partner
    logits = logits - scale * margin * functional.one_hot(partner, logits.shape[1])
    queue.push(own, numbers)
    return functional.cross_entropy(logits, partner), found
