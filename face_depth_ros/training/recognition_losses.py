# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Losses of RGB-D face recognition.

Source: Deng et al., "ArcFace", CVPR 2019, for the angular margin; Chiu et al., "High-Accuracy
RGB-D Face Recognition via Segmentation-Aware Face Depth Estimation and Mask-Guided Attention
Network", equations 8 to 13, for the cross-modal focal loss, the semantic alignment loss and the
totals. Left open there and chosen: the probabilities are those of the margin's logits; a branch's
loss does not move the other branch, since it "optimizes the parameters of" its own and of the
mask branch; the focal regularisation is bounded by `LARGEST_FOCUS`: the first steps stay finite.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import torch
from torch import nn
from torch.nn import functional

LARGEST_FOCUS = 10.0
_EPSILON = 1e-7


class ArcFaceHead(nn.Module):
    """
    Logits of people with an additive angular margin.

    :param dimensions: of the embedding
    :param people: classes
    :param margin: radians added to the angle to the own class
    :param scale: of the cosines
    """

    def __init__(self, dimensions: int, people: int, margin: float = 0.5,
                 scale: float = 64.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(people, dimensions))
        nn.init.normal_(self.weight, std=0.01)
        self.margin, self.scale = margin, scale

    def forward(self, features: torch.Tensor, person: torch.Tensor,
                ease: float = 0.0) -> torch.Tensor:
        """
        Compare with every class.

        :param features: (B, D) of any length; person: (B,) int64
        :param ease: share of the margin that is left out, for the first steps
        :returns: (B, P) logits
        """
        margin = self.margin * (1.0 - ease)
        with torch.autocast(features.device.type, enabled=False):
            cosine = functional.normalize(features.float()) @ functional.normalize(
                self.weight.float()).T
            own = cosine.gather(1, person[:, None]).clamp(-1.0 + _EPSILON, 1.0 - _EPSILON)
            # Beyond pi - margin the cosine would rise again: go on linearly there.
            shifted = torch.cos(torch.acos(own) + margin)
            straight = own - math.sin(math.pi - margin) * margin
            moved = torch.where(own > math.cos(math.pi - margin), shifted, straight)
            return self.scale * cosine.scatter(1, person[:, None], moved)


@dataclass(frozen=True)
class BranchWeights:
    """
    Weights of the totals, equations 8 to 13; the defaults are the paper's.

    :param focal: lambda 1; alignment: lambda 2
    :param alpha, gamma: of the cross-modal focal loss; beta: of the focal regularisation
    """

    focal: float = 0.5
    alignment: float = 0.05
    alpha: float = 1.0
    gamma: float = 3.0
    beta: float = 2.0


def branch_losses(logits_m: torch.Tensor, logits_n: torch.Tensor, features_m: torch.Tensor,
                  features_n: torch.Tensor, person: torch.Tensor,
                  weights: BranchWeights = BranchWeights()) -> torch.Tensor:
    """
    Return the total loss of branch m beside branch n, equation 12 or 13.

    :param logits_m, logits_n: (B, P); features_m, features_n: (B, D); person: (B,) int64
    """
    classification_m = functional.cross_entropy(logits_m, person)
    classification_n = functional.cross_entropy(logits_n, person).detach()
    focal = cross_modal_focal_loss(logits_m, logits_n.detach(), person, weights)
    aligned = semantic_alignment_loss(features_m, features_n.detach(), classification_m.detach(),
                                      classification_n, weights.beta)
    return ((1.0 - weights.focal) * classification_m + weights.focal * focal
            + weights.alignment * aligned)


def cross_modal_focal_loss(logits_m: torch.Tensor, logits_n: torch.Tensor, person: torch.Tensor,
                           weights: BranchWeights = BranchWeights()) -> torch.Tensor:
    """Return equation 8 with the weight of equation 9, the mean over the batch."""
    log_m = torch.log_softmax(logits_m, dim=1).gather(1, person[:, None])[:, 0]
    m = log_m.exp()
    n = torch.softmax(logits_n, dim=1).gather(1, person[:, None])[:, 0]
    trust = n * 2.0 * m * n / (m + n + _EPSILON)
    return (-weights.alpha * (1.0 - trust) ** weights.gamma * log_m).mean()


def semantic_alignment_loss(features_m: torch.Tensor, features_n: torch.Tensor,
                            loss_m: torch.Tensor, loss_n: torch.Tensor,
                            beta: float = 2.0) -> torch.Tensor:
    """
    Return equation 10 with the focal regularisation of equation 11, the mean over the batch.

    :param loss_m, loss_n: classification losses of both branches
    """
    focus = torch.expm1(beta * (loss_m - loss_n)).clamp(0.0, LARGEST_FOCUS)
    apart = 1.0 - functional.cosine_similarity(features_m.float(), features_n.float())
    return focus * apart.mean()
