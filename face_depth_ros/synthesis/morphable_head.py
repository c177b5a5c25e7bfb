# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The morphable head: identity, expression and gaze to vertices and landmarks, in batches.

Geometry of the ICT-FaceKit head (MIT). Frame: centimetres, x to the subject's left, y up, z out of
the face.
"""

from __future__ import annotations

from face_depth_ros.synthesis.assets import FaceAssets, HEAD_FILE
import numpy as np
import torch

HEAD_POINT_CM = (0.0, 1.0, 6.0)
"""The head point that defines the face box."""
_LANDMARKS_5 = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (48,), (54,))
"""Of the 68: lids of the right eye, of the left eye, nose tip, right and left mouth corner."""
_VERGENCE_RAD = np.deg2rad(3.0)
"""Each eyeball turned inwards from the model's rest, which diverges by 5.7 degrees an eye."""


class MorphableHead:
    """
    Blendshape head on one device.

    :param assets: a folder with ict_model.npz
    :param device: where vertices are computed
    """

    def __init__(self, assets: FaceAssets, device: torch.device | str = 'cpu') -> None:
        data = assets.arrays(HEAD_FILE)
        self.device = torch.device(device)
        self.identity_modes = len(data['identity'])
        self.expression_names = [str(name) for name in data['expression_names']]
        self.slot_names = [str(name) for name in data['slot_names']]
        self.label_names = [str(name) for name in data['label_names']]
        self.triangles = data['triangles'].astype(np.int32)
        self.triangle_slot = data['tri_slot']
        self.triangle_label = data['tri_label']
        self.uv = data['uv_local'].astype(np.float32)
        self.uv_triangles = data['uv_triangles'].astype(np.int32)
        self.landmark_vertices = data['landmarks68'].astype(np.int64)
        self.neutral_cm = data['neutral'].astype(np.float32)
        shapes = np.concatenate([data['identity'], data['expression']]).astype(np.float32)
        self._neutral = self._tensor(self.neutral_cm)
        self._shapes = self._tensor(shapes.reshape(len(shapes), -1))  # (157, V * 3)
        self._eyes = [(slice(*(int(v) for v in span)), self._tensor(centre))
                      for span, centre in zip(data['eye_vertex_range'], data['eye_centre'],
                                              strict=True)]

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def slots(self, *names: str) -> np.ndarray:
        """Return which triangles belong to the named texture slots, (T,) bool."""
        return np.isin(self.triangle_slot, [self.slot_names.index(name) for name in names])

    def identity_shapes(self) -> torch.Tensor:
        """Return the displacement of each identity mode, (100, V, 3) cm."""
        return self._shapes[:self.identity_modes].view(self.identity_modes, -1, 3)

    def identity_vertices(self, identity: torch.Tensor) -> torch.Tensor:
        """
        Return the vertices without expression: what hair and glasses are fitted to.

        :param identity: (B, 100)
        :returns: (B, V, 3) cm
        """
        shapes = self._shapes[:self.identity_modes]
        return self._neutral + (identity @ shapes).view(len(identity), -1, 3)  # (B, V, 3)

    def vertices(self, identity: torch.Tensor, expression: torch.Tensor,
                 gaze: torch.Tensor | None = None) -> torch.Tensor:
        """
        Evaluate heads.

        :param identity: (B, 100), about normal
        :param expression: (B, 57) in [0, 1]
        :param gaze: (B, 2) radians: yaw, positive to the subject's left, and pitch, positive
            up; straight ahead if None
        :returns: (B, V, 3) cm
        """
        weights = torch.cat([identity, expression], dim=1)  # (B, 157)
        vertices = self._neutral + (weights @ self._shapes).view(len(weights), -1, 3)  # (B, V, 3)
        if gaze is None:
            gaze = vertices.new_zeros(len(vertices), 2)
        for (span, centre), side in zip(self._eyes, (1.0, -1.0), strict=True):
            eye = vertices[:, span]
            pivot = centre + (eye - self._neutral[span]).mean(dim=1, keepdim=True)  # (B, 1, 3)
            turn = _gaze_rotation(gaze[:, 0] - side * _VERGENCE_RAD, gaze[:, 1])
            vertices[:, span] = (eye - pivot) @ turn.transpose(1, 2) + pivot
        return vertices

    def landmarks_68(self, vertices: torch.Tensor) -> torch.Tensor:
        """
        Return the 68 landmarks.

        :param vertices: (B, V, 3)
        :returns: (B, 68, 3), same unit and frame
        """
        return vertices[:, torch.as_tensor(self.landmark_vertices, device=vertices.device)]


def landmarks_5(landmarks_68: torch.Tensor) -> torch.Tensor:
    """
    Right eye centre, left eye centre, nose tip, right and left mouth corner.

    An eye's centre is the mean of its six lid points.

    :param landmarks_68: (B, 68, D)
    :returns: (B, 5, D)
    """
    return torch.stack([landmarks_68[:, list(points)].mean(dim=1) for points in _LANDMARKS_5],
                       dim=1)


def _gaze_rotation(yaw: torch.Tensor, pitch: torch.Tensor) -> torch.Tensor:
    """Rotation of an eyeball in the head frame, (B, 3, 3): pitch first, then yaw."""
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    sin_y, cos_y, sin_p, cos_p = yaw.sin(), yaw.cos(), pitch.sin(), pitch.cos()
    about_y = torch.stack([cos_y, zero, sin_y, zero, one, zero, -sin_y, zero, cos_y], dim=1)
    about_x = torch.stack([one, zero, zero, zero, cos_p, sin_p, zero, -sin_p, cos_p], dim=1)
    return about_y.view(-1, 3, 3) @ about_x.view(-1, 3, 3)
