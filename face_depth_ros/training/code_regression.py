# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The last layer of an encoder in closed form: least squares of the codes, by its features."""

from __future__ import annotations

from face_depth_ros.networks.face_shape import FaceShapeEncoder
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.shape_scoring import inputs_of
import torch

RIDGES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Tried for each code, times the mean square of a feature."""
HELD_OUT = 5
"""Each so many-th person is held out to choose by."""


@torch.no_grad()
def solve_last_layer(encoder: FaceShapeEncoder, bank: IdentityBank, wanted: torch.Tensor,
                     batch: int = 256) -> None:
    """
    Replace the encoder's last layer by the one of the least squared error, with ridges.

    The ridge of each code is the one that suits people held out best; the layer is then solved
    for all people with it.

    :param bank: each photo is looked at once
    :param wanted: (N, K), the codes of its photos
    """
    features = features_of(encoder, bank, batch)
    held = bank.person % HELD_OUT == 0
    if not bool(held.any()) or bool(held.all()):
        ridges = features.new_full((wanted.shape[1],), RIDGES[3])
    else:
        told = torch.stack([predicted(features[~held], wanted[~held], features[held], ridge)
                            for ridge in RIDGES])  # (R, H, K)
        best = (told - wanted[held]).square().mean(dim=1).argmin(dim=0)  # (K,)
        ridges = features.new_tensor(RIDGES)[best]
    weight, bias = solved(features, wanted, ridges)
    encoder.codes.weight.copy_(weight.T)
    encoder.codes.bias.copy_(bias)


@torch.no_grad()
def features_of(encoder: FaceShapeEncoder, bank: IdentityBank, batch: int) -> torch.Tensor:
    """Return the features of each photo, (N, F) float32."""
    encoder.eval()
    parts = []
    for rows in torch.arange(len(bank), device=bank.person.device).split(batch):
        color, mask = inputs_of(bank, rows)
        with torch.autocast(color.device.type, torch.bfloat16):
            parts.append(encoder.features(
                color.contiguous(memory_format=torch.channels_last), mask).float())
    return torch.cat(parts)


def predicted(features: torch.Tensor, wanted: torch.Tensor, others: torch.Tensor,
              ridge: float) -> torch.Tensor:
    """Solve on some photos with one ridge and tell the codes of others, (H, K)."""
    weight, bias = solved(features, wanted, features.new_full((wanted.shape[1],), ridge))
    return others @ weight + bias


def solved(features: torch.Tensor, wanted: torch.Tensor,
           ridges: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Solve ridge regressions of the same features.

    :param features: (N, F); wanted: (N, K)
    :param ridges: (K,), times the mean variance of a feature
    :returns: weight (F, K), bias (K,)
    """
    middle, target = features.mean(dim=0), wanted.mean(dim=0)
    a, b = (features - middle).double(), (wanted - target).double()
    gram = a.T @ a / len(a)
    right = a.T @ b / len(a)
    unit = gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    weight = torch.zeros_like(right)
    for ridge in ridges.unique():
        chosen = ridges == ridge
        weight[:, chosen] = torch.linalg.solve(gram + float(ridge) * unit, right[:, chosen])
    found = weight.float()
    return found, target - middle @ found
