# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The last layer of an encoder in closed form: least squares of the codes, by its features."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.networks.face_shape import FaceShapeEncoder
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.shape_batches import inputs_of
import torch

_AT_ONCE = 8192
RIDGES = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)
"""Tried for each code, times the mean square of a feature."""
HELD_OUT = 5
"""Each so many-th person is held out to choose by."""


@torch.no_grad()
def solve_last_layer(encoder: FaceShapeEncoder, bank: IdentityBank, wanted: torch.Tensor,
                     batch: int = 256) -> torch.Tensor:
    """
    Replace the encoder's last layer by the one of the least squared error, with ridges.

    The ridge of each code is the one that suits people held out best; the layer is then solved
    for all people with it.

    :param bank: each photo is looked at once
    :param wanted: (N, K), the codes of its photos
    :returns: (N, K), the codes that the encoder tells now
    """
    features = features_of(encoder, bank, batch)
    held = bank.person % HELD_OUT == 0
    ridges = features.new_full((wanted.shape[1],), RIDGES[3])
    if bool(held.any()) and not bool(held.all()):
        some = Moments.of(features[~held], wanted[~held])
        wrong = []
        for ridge in RIDGES:
            weight, bias = some.solved(torch.full_like(ridges, ridge))
            told = features[held] @ weight + bias
            wrong.append((told - wanted[held]).square().mean(dim=0))
        ridges = features.new_tensor(RIDGES)[torch.stack(wrong).argmin(dim=0)]
    weight, bias = Moments.of(features, wanted).solved(ridges)
    encoder.codes.weight.copy_(weight.T)
    encoder.codes.bias.copy_(bias)
    return features @ weight + bias


@torch.no_grad()
def features_of(encoder: FaceShapeEncoder, bank: IdentityBank, batch: int) -> torch.Tensor:
    """Return the features of each photo, (N, F) float32."""
    encoder.eval()
    parts = []
    for rows in torch.arange(len(bank), device=bank.person.device).split(batch):
        color, mask = inputs_of(bank, rows)
        with autocast(color.device):
            parts.append(encoder.features(
                color.contiguous(memory_format=torch.channels_last), mask).float())
    return torch.cat(parts)


@dataclass(frozen=True)
class Moments:
    """
    What a ridge regression needs to know of its data.

    :param middle: (F,) and target: (K,), the means
    :param gram: (F, F) of the features; right: (F, K) of features and codes; both float64
    """

    middle: torch.Tensor
    target: torch.Tensor
    gram: torch.Tensor
    right: torch.Tensor

    @staticmethod
    def of(features: torch.Tensor, wanted: torch.Tensor) -> Moments:
        """Sum up features (N, F) and codes (N, K)."""
        middle, target = features.mean(dim=0), wanted.mean(dim=0)
        width = features.shape[1]
        gram = torch.zeros(width, width, dtype=torch.float64, device=features.device)
        right = torch.zeros(width, wanted.shape[1], dtype=torch.float64, device=features.device)
        for a, b in zip(features.split(_AT_ONCE), wanted.split(_AT_ONCE), strict=True):
            a = (a - middle).double()  # rounding would make the matrix indefinite
            gram += a.T @ a
            right += a.T @ (b - target).double()
        return Moments(middle, target, gram / len(features), right / len(features))

    def solved(self, ridges: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Solve.

        :param ridges: (K,), times the mean variance of a feature
        :returns: weight (F, K), bias (K,)
        """
        unit = self.gram.diagonal().mean() * torch.eye(
            len(self.gram), dtype=self.gram.dtype, device=self.gram.device)
        weight = torch.zeros_like(self.right)
        for ridge in ridges.unique():
            chosen = ridges == ridge
            factor = torch.linalg.cholesky(self.gram + float(ridge) * unit)
            weight[:, chosen] = torch.cholesky_solve(self.right[:, chosen], factor)
        found = weight.float()
        return found, self.target - self.middle @ found
