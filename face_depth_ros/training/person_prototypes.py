# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Classes of people who are known in numbers: what a face should look like to a network.

Source: our own. A classifier has a weight vector for each person, learned from that person's
photos, so it needs many photos of each and learns nothing about people between. Of rendered
people everything is known: the vector of a person is a linear function of shape and looks. Then
one photo of a person suffices, every person ever drawn is a class, and people who are alike have
vectors that are alike.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

_FIRST_SCALE, _LARGEST_SCALE = 16.0, 64.0


class PersonPrototypes(nn.Module):
    """
    Compares embeddings with people.

    :param numbers: how many numbers say who a person is
    :param dimensions: of the embedding
    """

    def __init__(self, numbers: int, dimensions: int) -> None:
        super().__init__()
        self.linear = nn.Linear(numbers, dimensions)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE)))

    def forward(self, features: torch.Tensor, own: torch.Tensor,
                strangers: torch.Tensor) -> torch.Tensor:
        """
        Return logits of the own person (first), the others of the batch, and strangers.

        :param features: (B, D) of any length
        :param own: (B, N) numbers of the people in the photos
        :param strangers: (K, N) numbers of other people
        :returns: (B, B + K); column b is the person of photo b; another photo of the own person
            is left out
        """
        with torch.autocast(features.device.type, enabled=False):
            prototypes = functional.normalize(self.linear(torch.cat([own, strangers]).float()))
            scale = self.log_scale.exp().clamp(max=_LARGEST_SCALE)
            logits = scale * functional.normalize(features.float()) @ prototypes.T
            same = (own[:, None] == own[None]).all(dim=2)
            same &= ~torch.eye(len(own), dtype=torch.bool, device=own.device)
            return torch.cat([logits[:, :len(own)].masked_fill(same, -torch.inf),
                              logits[:, len(own):]], dim=1)
