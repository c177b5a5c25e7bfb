# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Meshes with colours, textures and labels, ready to be drawn into one camera image."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.synthesis.textures import Texture
import numpy as np
import torch


@dataclass(frozen=True)
class Surface:
    """
    A mesh in the optical frame.

    :param points: (V, 3) metres; normals: (V, 3) of about unit length
    :param triangles: (T, 3) int64
    :param uv: (T, 3, 2) texture coordinates of the corners
    :param albedo: (T, 3) linear, of triangles without a texture
    :param texture: (T,) int64 index into textures, -1 = none
    :param gloss: (T,) strength of highlights
    :param label: (T,) uint8 fine label
    :param two_sided: (T,) bool
    """

    points: torch.Tensor
    normals: torch.Tensor
    triangles: torch.Tensor
    uv: torch.Tensor
    albedo: torch.Tensor
    texture: torch.Tensor
    gloss: torch.Tensor
    label: torch.Tensor
    two_sided: torch.Tensor
    textures: tuple[Texture, ...] = ()


def make_surface(points: torch.Tensor, triangles: np.ndarray | torch.Tensor, *,
                 label: int | np.ndarray, albedo: np.ndarray | torch.Tensor | None = None,
                 uv: np.ndarray | torch.Tensor | None = None,
                 texture: int | np.ndarray = -1, textures: tuple[Texture, ...] = (),
                 gloss: float | np.ndarray = 0.0, two_sided: bool = False,
                 normals: torch.Tensor | None = None) -> Surface:
    """
    Fill in a surface; numbers stand for all triangles.

    :param points: (V, 3) metres, optical frame
    :param albedo: (3,) or (T, 3) linear; black if None
    :param uv: (T, 3, 2); zero if None
    :param normals: (V, 3); computed if None
    """
    device = points.device
    triangles = torch.as_tensor(triangles, device=device).long()
    count = len(triangles)

    def spread(value, dtype: torch.dtype, *shape: int) -> torch.Tensor:
        return torch.as_tensor(value, device=device).to(dtype).expand(count, *shape)

    return Surface(
        points, vertex_normals(points, triangles) if normals is None else normals, triangles,
        points.new_zeros(count, 3, 2) if uv is None else spread(uv, torch.float32, 3, 2),
        spread(np.zeros(3) if albedo is None else albedo, torch.float32, 3),
        spread(texture, torch.int64), spread(gloss, torch.float32), spread(label, torch.uint8),
        spread(two_sided, torch.bool), textures)


def vertex_normals(points: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """
    Return normals averaged over the triangles around each vertex, weighted by their area.

    :param points: (V, 3); triangles: (T, 3) int64
    :returns: (V, 3) unit; zero for vertices without triangles
    """
    a, b, c = points[triangles].unbind(dim=1)
    faces = torch.linalg.cross(b - a, c - a)  # (T, 3)
    total = torch.zeros_like(points)
    for corner in range(3):
        total.index_add_(0, triangles[:, corner], faces)
    return torch.nn.functional.normalize(total, dim=1, eps=1e-12)


def join(surfaces: list[Surface]) -> Surface:
    """Put surfaces into one, in their order."""
    vertex, texture = 0, 0
    triangles, textures = [], []
    for part in surfaces:
        triangles.append(part.triangles + vertex)
        textures.append(torch.where(part.texture >= 0, part.texture + texture, part.texture))
        vertex, texture = vertex + len(part.points), texture + len(part.textures)

    def cat(name: str) -> torch.Tensor:
        return torch.cat([getattr(part, name) for part in surfaces])

    return Surface(cat('points'), cat('normals'), torch.cat(triangles), cat('uv'), cat('albedo'),
                   torch.cat(textures), cat('gloss'), cat('label'), cat('two_sided'),
                   tuple(item for part in surfaces for item in part.textures))
