# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How good a face shape network is on a bank of photos, and what its codes are there."""

from __future__ import annotations

from face_depth_ros.networks.face_shape import FaceShapeNetwork
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.shape_batches import inputs_of
from face_depth_ros.training.shape_targets import aligned_rmse, ShapeModes
import torch
from torch.nn import functional

YAW_BINS = (15.0, 45.0, 75.0, 91.0)
"""Upper ends of the yaws, degrees, that are told apart."""


def mean_codes(codes: torch.Tensor, bank: IdentityBank) -> torch.Tensor:
    """
    Return the mean code of each person, (P, K).

    :param codes: (N, K) of the bank's photos
    """
    total = codes.new_zeros(bank.people, codes.shape[1]).index_add_(0, bank.person, codes)
    count = codes.new_zeros(bank.people).index_add_(0, bank.person, torch.ones_like(codes[:, 0]))
    return total / count.clamp_min(1.0)[:, None]


@torch.no_grad()
def validate(network: FaceShapeNetwork, bank: IdentityBank, modes: ShapeModes,
             batch: int = 256) -> dict[str, float]:
    """
    Judge on people never trained on.

    :returns: mean RMSE in mm after a similarity: of the whole shape, also by yaw, of the identity
        shape against the neutral face, and of the mean face against the whole; rank-1 in percent
        by the cosine of c_Id, the first photo of each person as the gallery
    """
    network.eval()
    columns: list[tuple[torch.Tensor, ...]] = []
    for rows in torch.arange(len(bank), device=bank.person.device).split(batch):
        c_id, _, told = network(*inputs_of(bank, rows))
        identity, residual = modes.differences(bank.identity[bank.person[rows]],
                                               bank.expression[rows])
        neutral = modes.mean + identity
        columns.append((aligned_rmse(told.vertices, neutral + residual),
                        aligned_rmse(told.identity_vertices, neutral),
                        aligned_rmse(modes.mean.expand_as(neutral), neutral + residual),
                        functional.normalize(c_id.float())))
    whole, neutral_error, mean_error, codes = (torch.cat(c) for c in zip(*columns, strict=True))
    metrics = {'rmse': whole.mean(), 'identity_rmse': neutral_error.mean(),
               'mean_face_rmse': mean_error.mean()}
    yaw, nearest = bank.yaw.abs(), 0.0
    for end in YAW_BINS:
        chosen = (yaw >= nearest) & (yaw < end)
        if bool(chosen.any()):
            metrics[f'rmse_to_{end:.0f}'] = whole[chosen].mean()
        nearest = end
    return {**{name: round(float(value), 3) for name, value in metrics.items()},
            'rank_1': round(rank_1(codes, bank.person), 2)}


def rank_1(codes: torch.Tensor, person: torch.Tensor) -> float:
    """
    Return how many percent of the probes are nearest to their own person.

    :param codes: (N, D) of unit length; person: (N,); the first of each is the gallery
    """
    order = torch.argsort(person, stable=True)
    starts = torch.ones_like(person, dtype=torch.bool)
    starts[1:] = person[order][1:] != person[order][:-1]
    gallery, probes = order[starts], order[~starts]
    nearest = (codes[probes] @ codes[gallery].T).argmax(dim=1)
    right = person[gallery][nearest] == person[probes]
    return 100.0 * float(right.float().mean()) if len(probes) else 0.0
