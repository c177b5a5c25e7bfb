# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A colour crop with its mask in, the 3-D shape of the face and of the person out.

Shapes are meshes in the frame of the head (x to the subject's left, y up, z out of the face);
core.surface_mesh writes them as PLY.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.errors import InvalidImageError, ModelSpecError
from face_depth_ros.core.face_photo import BOX_SIDE_M, MASK_LABELS
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.core.surface_mesh import mesh_depth
from face_depth_ros.engines import open_engine
import numpy as np

HEAD_POINT_M = (0.0, 0.01, 0.06)
"""The head point in the head's frame: what the face box is around."""
_OUTPUTS = ('c_id', 'vertices', 'identity_vertices', 'triangles')
_FACES_AT_ONCE = 32


@dataclass(frozen=True)
class ShapesOfFaces:
    """
    Shapes of B faces, metres in the frame of the head.

    :param c_id: (B, I) float32 identity, not of unit length
    :param c_res: (B, R) float32, None if the model does not disentangle
    :param vertices: (B, V, 3) float32, the first 68 are the usual landmarks
    :param identity_vertices: (B, V, 3) float32, the person without expression
    """

    c_id: np.ndarray
    c_res: np.ndarray | None
    vertices: np.ndarray
    identity_vertices: np.ndarray

    def embeddings(self) -> np.ndarray:
        """Return c_id at unit length, (B, I): the cosine compares people."""
        length = np.linalg.norm(self.c_id, axis=1, keepdims=True)
        return self.c_id / np.maximum(length, np.float32(1e-12))

    def some(self, rows: np.ndarray) -> ShapesOfFaces:
        """Return some of the faces; rows: (B,) bool, or numbers."""
        return ShapesOfFaces(self.c_id[rows], None if self.c_res is None else self.c_res[rows],
                             self.vertices[rows], self.identity_vertices[rows])

    def of_one_person(self) -> ShapesOfFaces:
        """
        Take all faces as photos of one person: a mean identity, each photo's own residual.

        :raises ModelSpecError: the model does not disentangle: a mean of its shapes would mix
            the expressions of the photos
        """
        if self.c_res is None:
            raise ModelSpecError('photos of one person are joined by c_Id, and the model has no '
                                 'c_Id of its own; use face_shape')
        c_id = self.c_id.mean(axis=0, keepdims=True).repeat(len(self.c_id), axis=0)
        person = self.identity_vertices.mean(axis=0, keepdims=True)
        return ShapesOfFaces(c_id, self.c_res, person + (self.vertices - self.identity_vertices),
                             person.repeat(len(self.c_id), axis=0))


class FaceShape:
    """
    Reconstructs faces.

    :param model: name or path of the network's ModelSpec
    :param backend: of the engine
    :param precision: of the engine
    :raises FaceDepthError: the model or the backend is missing, or the model is another one
    """

    def __init__(self, model: str = 'face_shape', backend: str = 'auto',
                 precision: str = 'auto') -> None:
        spec = find_model(model)
        self.size = _side(spec)
        self.engine = open_engine(spec, backend, precision)
        said = self.engine({'color': np.zeros((1, 3, self.size, self.size), np.float32),
                            'mask': np.zeros((1, 1, self.size, self.size), np.float32)})
        self.triangles: np.ndarray = said['triangles'][0]
        """(T, 3) int32, the mesh of the vertices, counter-clockwise seen from outside."""

    def reconstruct(self, color: np.ndarray, mask: np.ndarray) -> ShapesOfFaces:
        """
        Reconstruct all faces.

        :param color: (B, S, S, 3) uint8 RGB crops of the face box, S = `size`, B > 0
        :param mask: (B, S, S) uint8 labels of core.face_photo.MASK_LABELS; 0 is not looked at
        :raises InvalidImageError: crops or masks of another form
        """
        side = self.size
        if color.dtype != np.uint8 or color.shape[1:] != (side, side, 3) or not len(color):
            raise InvalidImageError(f'a face shape is told from (B, {side}, {side}, 3) uint8 RGB '
                                    f'crops, B > 0, got {color.shape} {color.dtype}')
        if mask.dtype != np.uint8 or mask.shape != color.shape[:3]:
            raise InvalidImageError(f'the masks are {mask.shape} {mask.dtype}, expected '
                                    f'{color.shape[:3]} uint8, one for each crop')
        if int(mask.max()) >= len(MASK_LABELS):
            raise InvalidImageError(f'a mask has the label {int(mask.max())}, expected 0 to '
                                    f'{len(MASK_LABELS) - 1}')
        parts = []
        for start in range(0, len(color), _FACES_AT_ONCE):
            rows = slice(start, start + _FACES_AT_ONCE)
            parts.append(self.engine({
                'color': np.ascontiguousarray(color[rows].transpose(0, 3, 1, 2), np.float32),
                'mask': mask[rows, None].astype(np.float32)}))
        said = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return ShapesOfFaces(said['c_id'], said.get('c_res'), said['vertices'],
                             said['identity_vertices'])

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.engine.close()


def shape_relief(vertices: np.ndarray, triangles: np.ndarray, yaw: float = 0.0,
                 pitch: float = 0.0, size: int = 256) -> np.ndarray:
    """
    Render a shape in its face box as seen from afar, upright.

    :param vertices: (V, 3) metres in the frame of the head; triangles: (T, 3)
    :param yaw: degrees, positive when the subject turns to its left; pitch: when it looks up
    :param size: pixels along a side
    :returns: (S, S) float32 metres behind the head point, NaN where there is no face
    :raises InvalidImageError: not such a mesh
    """
    y, p = math.radians(yaw), math.radians(pitch)
    about_y = np.array([[math.cos(y), 0.0, math.sin(y)], [0.0, 1.0, 0.0],
                        [-math.sin(y), 0.0, math.cos(y)]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, math.cos(p), math.sin(p)],
                        [0.0, -math.sin(p), math.cos(p)]])
    seen = (np.asarray(vertices, np.float64) - HEAD_POINT_M) @ (about_x @ about_y).T
    pixels = size / 2.0 + seen[:, :2] * (1.0, -1.0) * (size / BOX_SIDE_M)
    return mesh_depth(np.column_stack([pixels, -seen[:, 2]]), triangles, size, size)


def _side(spec: ModelSpec) -> int:
    """Return the side of the network's inputs."""
    shapes = {t.name: t.shape for t in spec.inputs}
    side = max(shapes.get('color', (0,)))
    missing = [name for name in _OUTPUTS if name not in {t.name for t in spec.outputs}]
    if missing or side < 1 or shapes != {'color': (-1, 3, side, side),
                                         'mask': (-1, 1, side, side)}:
        raise ModelSpecError(f'{spec.path}: inputs {shapes}, outputs without {missing}; expected '
                             'color (-1, 3, S, S) and mask (-1, 1, S, S), and the outputs of '
                             'training/export_face_shape.py: this model makes no face shapes')
    return side
