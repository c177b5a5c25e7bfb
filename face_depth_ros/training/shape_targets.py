# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What face shapes are learnt from: the modes of the morphable head, and errors of shapes."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.synthesis.face_mesh import face_mesh, FaceMesh
from face_depth_ros.synthesis.morphable_head import MorphableHead
import torch

PLACE_KEPT = 0.1
"""How much of a shape's squared error counts that turn, shift and size of the whole explain."""
MM_PER_CM = 10.0
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class ShapeModes:
    """
    The linear model of the face on the mesh's vertices.

    :param mean: (V, 3) cm
    :param identity: (100, 3 V) cm; expression: (57, 3 V) cm
    :param place: (3 V, 7) orthonormal: how vertices move when all shift, turn or grow
    """

    mesh: FaceMesh
    mean: torch.Tensor
    identity: torch.Tensor
    expression: torch.Tensor
    place: torch.Tensor

    def differences(self, identity: torch.Tensor,
                    expression: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return both parts of shapes.

        :param identity: (B, 100); expression: (B, 57)
        :returns: identity and residual differences, (B, V, 3) cm each
        """
        return ((identity @ self.identity).unflatten(1, (-1, 3)),
                (expression @ self.expression).unflatten(1, (-1, 3)))


def shape_modes(head: MorphableHead, count: int, device: torch.device | str = 'cpu') -> ShapeModes:
    """
    Restrict the head to the face mesh.

    :param count: vertices of the mesh
    """
    mesh = face_mesh(head, count)
    rows = torch.as_tensor(mesh.vertices, device=head.device)
    unit = torch.eye(head.identity_modes + len(head.expression_names), device=head.device)
    split = head.identity_modes
    neutral = torch.as_tensor(head.neutral_cm[mesh.vertices], device=head.device)
    moved = head.vertices(unit[:, :split], unit[:, split:])[:, rows] - neutral
    modes = moved.flatten(1).to(device)
    mean = neutral.to(device)
    return ShapeModes(mesh, mean, modes[:split], modes[split:], place_of(mean))


def place_of(mean: torch.Tensor) -> torch.Tensor:
    """
    Return how points move when all shift, turn or grow a little, (3 V, 7) orthonormal.

    :param mean: (V, 3)
    """
    centred = mean - mean.mean(dim=0)
    axes = torch.eye(3, device=mean.device, dtype=mean.dtype)
    columns = [axis.expand_as(centred) for axis in axes]
    columns += [torch.linalg.cross(axis.expand_as(centred), centred) for axis in axes]
    columns.append(centred)
    basis: torch.Tensor = torch.linalg.qr(torch.stack([c.flatten() for c in columns], 1)).Q
    return basis


def shape_error(difference: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """
    Return the mean squared distance of vertices, mm^2, most of it that of the form alone.

    What all vertices do together (a shift, a turn, a growth) counts a tenth: a crop hardly tells
    how large a head is, and shapes are compared after alignment.

    :param difference: (B, V, 3) cm
    :param place: of `ShapeModes`
    :returns: (B,)
    """
    flat = difference.flatten(1)
    together = (flat @ place).square().sum(dim=1)
    squared = flat.square().sum(dim=1) - (1.0 - PLACE_KEPT) * together
    return squared * (MM_PER_CM ** 2 / difference.shape[1])


def whole_modes(modes: ShapeModes, identity: torch.Tensor,
                expression: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Return the principal components of whole shapes, which do not tell identity from expression.

    :param identity: (N, 100), expression: (N, 57): faces whose shapes are analysed
    :returns: matrix (157, K) from coefficients (identity, expression) to the codes, whose second
        moments are one; modes (K, 3 V) cm; K = 157
    """
    coefficients = torch.cat([identity, expression], dim=1).double()
    second = coefficients.T @ coefficients / len(coefficients)
    values, vectors = torch.linalg.eigh(second)
    root = values.clamp_min(_LEAST_VARIANCE).sqrt()
    both = torch.cat([modes.identity, modes.expression]).double()
    u, singular, vt = torch.linalg.svd(root[:, None] * (vectors.T @ both), full_matrices=False)
    to_codes = (vectors / root) @ u
    return to_codes.float(), (singular[:, None] * vt).float()


@torch.no_grad()
def aligned_rmse(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """
    Root mean square distance after the best similarity of each shape, in closed form.

    :param source: (B, V, 3) cm; target: (B, V, 3) cm
    :returns: (B,) mm
    """
    a = (source - source.mean(dim=1, keepdim=True)).float()
    b = (target - target.mean(dim=1, keepdim=True)).float()
    u, singular, vt = torch.linalg.svd(b.transpose(1, 2) @ a)
    sign = torch.ones_like(singular)
    sign[:, 2] = torch.det(u @ vt).sign()
    turn = (u * sign[:, None]) @ vt
    scale = (singular * sign).sum(dim=1) / a.square().sum(dim=(1, 2))
    left = b - scale[:, None, None] * (a @ turn.transpose(1, 2))
    return left.square().sum(dim=2).mean(dim=1).sqrt() * MM_PER_CM
