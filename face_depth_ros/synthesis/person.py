# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A synthetic person: its look, its state at one moment, and its surfaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from face_depth_ros.core.errors import AssetsError
from face_depth_ros.synthesis import shapes
from face_depth_ros.synthesis.accessories import Glasses, HairStyle
from face_depth_ros.synthesis.appearance import Appearance, AppearanceLibrary
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.head_pose import HeadPoses
from face_depth_ros.synthesis.labels import FINE, HEAD_LABELS
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.surface import join, make_surface, Surface, vertex_normals
from face_depth_ros.synthesis.textures import as_planes, Texture, to_linear
import numpy as np
import torch

_TEXTURED = ('face', 'head', 'eye')
_GLOSS = {'eye': 0.5, 'teeth': 0.25, 'gums': 0.2, 'lacrimal': 0.3}
_LENS_ALPHA = 0.12


@dataclass(frozen=True)
class Person:
    """
    What stays the same about a person.

    :param identity: (100,) shape coefficients
    """

    identity: np.ndarray
    look: Appearance


@dataclass(frozen=True)
class PersonState:
    """
    A person at one moment.

    :param rotation: (3, 3) from the head frame to the optical frame
    :param position: (3,) metres, the head point in the optical frame
    :param expression: (57,) in [0, 1]
    :param gaze: (2,) radians, yaw to the subject's left, pitch up
    :param torso_rotation: (3, 3) from the torso's upright frame (as the head's) to the optical
        frame; None = the torso is turned as the head is
    """

    rotation: np.ndarray
    position: np.ndarray
    expression: np.ndarray
    gaze: np.ndarray = field(default_factory=lambda: np.zeros(2))
    torso_rotation: np.ndarray | None = None


@dataclass(frozen=True)
class PersonSurfaces:
    """
    :param opaque: head, glasses' frame, torso; the first head_triangles are head and neck
    :param clear: hair, lashes, lenses: alpha in their textures
    :param landmarks: (68, 3) metres, optical frame
    """

    opaque: Surface
    clear: Surface
    head_triangles: int
    landmarks: torch.Tensor


class PersonModel:
    """
    Makes surfaces of people; holds the head, the hair and the textures.

    :raises AssetsError: the assets lack skins, or the head has other labels
    """

    def __init__(self, assets: FaceAssets, device: torch.device | str = 'cpu') -> None:
        self.head = MorphableHead(assets, device)
        if tuple(self.head.label_names) != HEAD_LABELS:
            raise AssetsError(f'the head model has the labels {self.head.label_names}, expected '
                              f'{HEAD_LABELS}; get the current asset folder')
        self.expressions = ExpressionTable(assets, self.head.expression_names)
        self.library = AppearanceLibrary(assets, self.head.device)
        self.assets = assets
        self._drawn = np.nonzero(~self.head.slots('none', 'eyelash', 'tongue_unused'))[0]
        self._triangles = torch.as_tensor(self.head.triangles[self._drawn],
                                          device=self.device).long()
        self._uv = self._tensor(self.head.uv[self.head.uv_triangles[self._drawn]])
        self._labels = self.head.triangle_label[self._drawn].astype(np.int64) + 1
        brows = np.isin(self._labels, [FINE['left_brow'], FINE['right_brow']])
        self._labels[brows] = FINE['skin']  # the texture's overlay tells brows more finely
        self._lashes = np.nonzero(self.head.slots('eyelash'))[0]
        outer = self.head.slots('face', 'head')
        self._outer = torch.as_tensor(self.head.triangles[outer], device=self.device).long()
        self._inner = torch.as_tensor(self.head.triangles[self._drawn[~outer[self._drawn]]],
                                      device=self.device).long()
        self._outer_vertices = torch.unique(self._outer)
        self._hair = lru_cache(maxsize=None)(lambda name: HairStyle(assets, self.head, name))
        self._glasses = lru_cache(maxsize=None)(lambda name: Glasses(assets, self.head, name))
        self._strands = lru_cache(maxsize=32)(self._make_strands)
        self._textures = lru_cache(maxsize=16)(self._make_textures)

    @property
    def device(self) -> torch.device:
        """Where vertices and pixels are computed."""
        return self.head.device

    def surfaces(self, person: Person, state: PersonState,
                 pixels_per_cm: float) -> PersonSurfaces:
        """
        Build the surfaces of a person.

        :param pixels_per_cm: in the image; chooses the size of the textures
        """
        identity = self._tensor(person.identity)[None]
        vertices = self.head.vertices(identity, self._tensor(state.expression)[None],
                                      self._tensor(state.gaze)[None])
        pose = HeadPoses(self._tensor(state.rotation)[None], self._tensor(state.position)[None])
        points = pose.to_optical(vertices)[0]
        level = float(2.0 ** np.ceil(np.log2(max(pixels_per_cm, 0.5))))
        opaque = [self._head_surface(points, person.look, level)]
        clear = [self._lash_surface(points, person.look, level)]
        if person.look.glasses is not None:
            glasses = self._glasses(person.look.glasses)
            fitted = pose.to_optical(glasses.vertices(self.head.identity_vertices(identity)))[0]
            frame, lens = _glasses_surfaces(glasses, fitted, person.look)
            opaque.append(frame)
            clear.append(lens)
        if person.look.hair is not None:
            clear.append(self._hair_surface(pose, identity, person.look, level))
        opaque.append(self._torso_surface(pose, state, person.look))
        landmarks = self.head.landmarks_68(points[None])[0]
        return PersonSurfaces(join(opaque), join(clear), len(self._drawn), landmarks)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def _head_surface(self, points: torch.Tensor, look: Appearance, level: float) -> Surface:
        names, index = self.head.slot_names, self.head.triangle_slot[self._drawn]
        flat = self.library.flat_colors(look)
        colors = np.stack([flat.get(name, np.zeros(3)) for name in names])[index]
        texture = np.array([_TEXTURED.index(name) if name in _TEXTURED else -1
                            for name in names])[index]
        gloss = np.array([_GLOSS.get(name, look.gloss) for name in names])[index]
        normals = vertex_normals(points, self._inner)
        outer = vertex_normals(points, self._outer)
        normals[self._outer_vertices] = outer[self._outer_vertices]
        return make_surface(points, self._triangles, label=self._labels, albedo=colors,
                            uv=self._uv, texture=texture,
                            textures=self._textures(look, level)[:3], gloss=gloss,
                            normals=normals)

    def _make_textures(self, look: Appearance, level: float) -> tuple[Texture, ...]:
        face, head = self.library.skin_textures(look, level)
        lash = as_planes(self.library.lash_alpha.at_width(64.0)[..., None] / 255.0, self.device)
        color = self._tensor(self.library.flat_colors(look)['eyelash'])[:, None, None]
        return (face, head, self.library.iris_texture(look, level),
                Texture(color.expand(3, *lash.shape[1:]), alpha=lash * 0.8))

    def _lash_surface(self, points: torch.Tensor, look: Appearance, level: float) -> Surface:
        return make_surface(points, self.head.triangles[self._lashes], label=FINE['eyelash'],
                            uv=self.head.uv[self.head.uv_triangles[self._lashes]], texture=0,
                            textures=self._textures(look, level)[3:], two_sided=True)

    def _hair_surface(self, pose: HeadPoses, identity: torch.Tensor, look: Appearance,
                      level: float) -> Surface:
        style = self._hair(look.hair)
        points = pose.to_optical(style.vertices(identity))[0]
        strands, alpha = self._strands(look.hair, level)
        color = (self._tensor(to_linear(look.hair_rgb))[:, None, None] * strands)
        texture = Texture(color.clamp(max=1.0), alpha=alpha)
        return make_surface(points, style.triangles, label=FINE['hair'], texture=0,
                            uv=style.uv[style.uv_triangles], textures=(texture,), gloss=0.15,
                            two_sided=True)

    def _make_strands(self, name: str, level: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Return linear brightness relative to the mean, and alpha, (1, h, w) each."""
        image = self._hair(name).levels.at_width(30.0 * level)
        alpha = image[..., 3:] / 255.0
        brightness = image[..., :3].mean(axis=2, keepdims=True)
        mean = float((brightness * alpha).sum() / max(float(alpha.sum()), 1.0))
        strands = np.clip(brightness / max(mean, 1.0), 0.2, 2.5) ** 1.5
        return (as_planes(np.asarray(strands), self.device),
                as_planes(np.asarray(alpha), self.device))

    def _torso_surface(self, pose: HeadPoses, state: PersonState, look: Appearance) -> Surface:
        vertices, triangles = shapes.torso()
        pivot = self._tensor(np.array(shapes.TORSO_PIVOT_CM))
        turn = pose.rotation[0]
        if state.torso_rotation is not None:
            turn = self._tensor(state.torso_rotation)
        neck = pose.to_optical(pivot[None, None])[0, 0]
        points = ((self._tensor(vertices) - pivot) * 0.01) @ turn.T + neck
        return make_surface(points, triangles, label=FINE['body'],
                            albedo=to_linear(look.cloth_rgb))


def _glasses_surfaces(glasses: Glasses, points: torch.Tensor,
                      look: Appearance) -> tuple[Surface, Surface]:
    """Return frame and lenses."""
    frame = make_surface(points, glasses.triangles[~glasses.is_lens], label=FINE['glasses_frame'],
                         albedo=to_linear(look.frame_rgb), gloss=0.4, two_sided=True)
    tint = torch.ones(3, 2, 2, device=points.device) * 0.5
    alpha = torch.full((1, 2, 2), _LENS_ALPHA, device=points.device)
    lens = make_surface(points, glasses.triangles[glasses.is_lens], label=FINE['glasses_lens'],
                        texture=0, textures=(Texture(tint, alpha=alpha),), gloss=0.6,
                        two_sided=True)
    return frame, lens
