# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Hair and glasses that follow the identity of a head."""

from __future__ import annotations

from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.textures import TextureLevels
import numpy as np
import torch

_SMOOTHING_STEPS = 8
_OPAQUE = 0.5
_LENS = 1
_CLEARANCE_CM, _CLEARANCE_REACH_CM, _LARGEST_PUSH_CM = 0.12, 0.35, 1.2


class HairStyle:
    """
    One hair mesh, deformed with the identity of the head below it.

    :param head: gives the device and the shapes
    :param name: of a hair/<name>.npz with its .png
    """

    def __init__(self, assets: FaceAssets, head: MorphableHead, name: str) -> None:
        data = assets.arrays('hair', f'{name}.npz')
        self.name = name
        self.triangles = data['triangles'].astype(np.int32)
        self.uv, self.uv_triangles = data['uv'].astype(np.float32), data['uv_triangles']
        texture = assets.image('hair', f'{name}.png', channels=4)  # (H, W, 4) RGBA
        self.levels = TextureLevels(texture)
        self._rest = torch.as_tensor(data['vertices'].astype(np.float32), device=head.device)
        corners = head.triangles[data['attach_triangle']]  # (N, 3)
        shapes = head.identity_shapes()[:, corners.astype(np.int64)]  # (100, N, 3, 3)
        weights = torch.as_tensor(data['attach_bary'].astype(np.float32), device=head.device)
        moved = (shapes * weights[..., None]).sum(dim=2)  # (100, N, 3)
        moved = _smoothed(moved.transpose(0, 1).flatten(1), self.triangles)  # (N, 300)
        self._shapes = moved.view(len(corners), -1, 3).transpose(0, 1).flatten(1)  # (100, N * 3)
        self.opaque = self.triangles[self._mean_alpha(texture[..., 3]) > _OPAQUE]

    def vertices(self, identity: torch.Tensor) -> torch.Tensor:
        """
        Fit the hair to heads.

        :param identity: (B, 100)
        :returns: (B, N, 3) cm, head frame
        """
        return self._rest + (identity @ self._shapes).view(len(identity), -1, 3)  # (B, N, 3)

    def _mean_alpha(self, alpha: np.ndarray) -> np.ndarray:
        """
        Opacity of each triangle from seven points of it.

        :param alpha: (H, W) uint8
        :returns: (T,) in [0, 1]
        """
        corners = self.uv[self.uv_triangles]  # (T, 3, 2)
        weights = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [3, 3, 0], [0, 3, 3],
                            [3, 0, 3]], np.float32)
        weights /= weights.sum(axis=1, keepdims=True)
        points = np.einsum('pc,tcd->tpd', weights, corners)
        height, width = alpha.shape
        column = np.clip((points[..., 0] * width).astype(int), 0, width - 1)
        row = np.clip(((1.0 - points[..., 1]) * height).astype(int), 0, height - 1)
        return alpha[row, column].mean(axis=1) / 255.0


class Glasses:
    """
    One rigid pair of glasses, hung on the nose bridge and the ears.

    :param name: of a glasses/<name>.npz
    """

    def __init__(self, assets: FaceAssets, head: MorphableHead, name: str) -> None:
        data = assets.arrays('glasses', f'{name}.npz')
        self.name = name
        self.triangles = data['triangles'].astype(np.int32)
        self.is_lens = data['tri_label'] == _LENS
        self.frame_rgb = data['frame_rgb'].astype(np.float32)
        device = head.device
        self._anchors = torch.as_tensor(data['anchor_vertices'].astype(np.int64), device=device)
        neutral = torch.as_tensor(head.neutral_cm, device=device)
        self._rest_anchors = neutral[self._anchors]
        rest = torch.as_tensor(data['vertices'].astype(np.float32), device=device)
        self._rest = rest - self._rest_anchors[0]
        lens = np.unique(self.triangles[self.is_lens])
        self._lens = torch.as_tensor(lens[::4].astype(np.int64), device=device)
        near_eyes = ((head.neutral_cm[:, 2] > 4.0) & (np.abs(head.neutral_cm[:, 0]) < 8.0)
                     & (np.abs(head.neutral_cm[:, 1] - 3.0) < 4.5))
        used = np.zeros(len(neutral), bool)
        used[head.triangles[head.slots('face')]] = True
        self._skin = torch.as_tensor(np.nonzero(near_eyes & used)[0], device=device)

    def vertices(self, head_vertices: torch.Tensor) -> torch.Tensor:
        """
        Fit the glasses: their three anchors follow the head, lenses keep off the skin.

        :param head_vertices: (B, V, 3) cm, of the identity without expression
        :returns: (B, N, 3) cm, head frame
        """
        anchors = head_vertices[:, self._anchors]  # (B, 3, 3)
        rest_axes = _axes(self._rest_anchors[None])
        fitted_axes = _axes(anchors)
        change = fitted_axes @ torch.linalg.inv(rest_axes)  # (B, 3, 3)
        fitted = self._rest @ change.transpose(1, 2) + anchors[:, :1]  # (B, N, 3)
        lens, skin = fitted[:, self._lens], head_vertices[:, self._skin]
        close = torch.cdist(lens[..., :2], skin[..., :2]) < _CLEARANCE_REACH_CM  # (B, L, S)
        front = torch.where(close, skin[:, None, :, 2], -torch.inf).amax(dim=2)
        push = (front + _CLEARANCE_CM - lens[..., 2]).amax(dim=1).clamp(0.0, _LARGEST_PUSH_CM)
        ears = anchors[:, 1:, 2].mean(dim=1, keepdim=True)  # (B, 1)
        reach = fitted[..., 2] - ears
        share = (reach / reach.amax(dim=1, keepdim=True)).clamp(0.0, 1.0)  # (B, N)
        fitted[..., 2] += share * push[:, None]
        return fitted


def _axes(anchors: torch.Tensor) -> torch.Tensor:
    """Columns: across the ears, from the bridge back to the ears, up; (B, 3, 3)."""
    bridge, left, right = anchors.unbind(dim=1)
    up = anchors.new_tensor([0.0, 1.0, 0.0]).expand_as(bridge)
    return torch.stack([left - right, (left + right) / 2 - bridge, up], dim=2)


def _smoothed(values: torch.Tensor, triangles: np.ndarray) -> torch.Tensor:
    """
    Laplacian smoothing over a mesh.

    :param values: (N, D)
    """
    pairs = np.concatenate([triangles[:, [a, b]] for a in range(3) for b in range(3) if a != b])
    index = torch.as_tensor(pairs.T.astype(np.int64), device=values.device)
    ones = torch.ones(index.shape[1], device=values.device)
    neighbours = torch.sparse_coo_tensor(index, ones,
                                         (len(values), len(values)),
                                         check_invariants=False).coalesce()
    counts = torch.sparse.sum(neighbours, dim=1).to_dense()[:, None]
    for _ in range(_SMOOTHING_STEPS):
        mean = torch.sparse.mm(neighbours, values) / counts.clamp(min=1.0)
        values = torch.where(counts > 0, (values + mean) / 2, values)
    return values
