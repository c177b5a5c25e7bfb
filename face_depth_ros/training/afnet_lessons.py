# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How a branch of AFNet-M begins without ImageNet: it learns where a face's parts are and what moves.

A network of one modality alone tells, besides the expression, the 68 landmarks and the action
units. By expressions alone a branch that begins at random learns nothing for thousands of photos.
"""

from __future__ import annotations

from face_depth_ros.core.expression_input import LOWERED, PART
from face_depth_ros.core.expression_labels import ACTION_UNITS
from face_depth_ros.core.face_photo import BOX_SIDE_M, LANDMARK_COUNT
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
from face_depth_ros.networks.afnet_m import AFNetM, AFNetMConfig, WIDTHS
from face_depth_ros.training.afnet_data import Batch
import numpy as np
import torch
from torch import nn
from torch.nn import functional

UNITS_WEIGHT, LANDMARKS_WEIGHT = 2.0, 1.0
LANDMARK_UNIT = 0.1
"""Sides of the image that a landmark's error of 1 is."""
PREFIX = 'network.'
"""Of the network's own weights within those of a `TaughtBranch`."""


class TaughtBranch(nn.Module):
    """
    A network of one modality that tells more than the expression.

    :param network: of one modality
    """

    def __init__(self, network: AFNetM) -> None:
        super().__init__()
        self.network = network
        width = WIDTHS[-1]
        self.units = nn.Linear(width, len(ACTION_UNITS))
        self.landmarks = nn.Linear(width, 2 * LANDMARK_COUNT)

    @property
    def config(self) -> AFNetMConfig:
        """Return the network's."""
        return self.network.config

    def forward(self, texture: torch.Tensor, depth: torch.Tensor, mask_1: torch.Tensor,
                mask_2: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Tell expression, action units and landmarks; parameters as of AFNetM.

        :returns: logits (B, 6); units (B, 17); landmarks (B, 68, 2) in `LANDMARK_UNIT` from where
            a mean face has them
        """
        maps = self.network.maps(texture, depth, mask_1, mask_2)
        pooled = maps[self.network.branches[0]].mean(dim=(2, 3))
        return (self.network.heads[0](pooled), self.units(pooled),
                self.landmarks(pooled).unflatten(1, (LANDMARK_COUNT, 2)))


def mean_landmarks() -> np.ndarray:
    """Return where a mean face from ahead has its landmarks, (68, 2) in sides of the part."""
    in_box = MEAN_LANDMARKS_M[:, :2] / BOX_SIDE_M - (0.0, LOWERED)
    return (in_box / PART + 0.5).astype(np.float32)


def loss_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Return the cross entropy; of a `TaughtBranch` with the errors of its other answers."""
    said = model(*batch.images)
    if not isinstance(said, tuple):
        loss: torch.Tensor = functional.cross_entropy(said.float(), batch.label)
        return loss
    logits, units, landmarks = (answer.float() for answer in said)
    mean = torch.from_numpy(mean_landmarks()).to(landmarks.device)
    wanted = (batch.landmarks - mean) / LANDMARK_UNIT
    loss = functional.cross_entropy(logits, batch.label)
    loss = loss + UNITS_WEIGHT * (units - batch.units).square().sum(1).mean()
    return loss + LANDMARKS_WEIGHT * (landmarks - wanted).square().mean()


def network_weights(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the network's own weights, those of a `TaughtBranch` without its other answers."""
    own = {key.removeprefix(PREFIX): value for key, value in weights.items()
           if key.startswith(PREFIX)}
    return own or weights
