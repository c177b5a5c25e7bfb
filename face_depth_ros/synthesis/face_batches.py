# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Colour, labels and relief of many faces at once, for training at scale.

The same people as `head_crops` draws, at one size of their textures, a batch in a few hundred
calls whatever its size: hundreds of times faster on a GPU. Simpler in three things: hair is cut
out along its alpha instead of blended, there are no lashes, and only the head shades itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from face_depth_ros.synthesis import shapes
from face_depth_ros.synthesis.accessories import Glasses, HairStyle
from face_depth_ros.synthesis.appearance import AppearanceLibrary
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.face_looks import LookTable, LookTextures
from face_depth_ros.synthesis.head_pose import BOX_SIDE_M, HeadPoses, project
from face_depth_ros.synthesis.image_filters import box_sum
from face_depth_ros.synthesis.labels import FINE
from face_depth_ros.synthesis.light_batches import dot, LightBatch, shade, unit
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.rasterizer import barycentrics, RasterImage, rasterize
import numpy as np
import torch
from torch.nn import functional

SIZE = 192
_TEXTURED = ('face', 'head', 'eye')
_GLOSS = {'eye': 0.5, 'teeth': 0.25, 'gums': 0.2, 'lacrimal': 0.3}
_HAIR_GLOSS, _FRAME_GLOSS, _LENS_GLOSS = 0.15, 0.4, 0.6
_LENS_ALPHA, _SOLID_ABOVE, _BROW_ABOVE = 0.12, 0.5, 0.3
_OCCLUSION_CM, _OCCLUSION_PER_M, _DARKEST = 1.0, 30.0, 0.3
_SHADOW_PX, _SHADOW_BIAS_M, _SHADOW_FAR_M = 128, 0.008, 50.0
_HAIR_TEXELS = 256


@dataclass(frozen=True)
class Sitters:
    """
    B people at one moment each, on one device.

    :param identity: (B, 100); expression: (B, 57); gaze: (B, 2) radians
    :param poses: of their heads, upright in the image
    :param torso: (B, 3, 3) from the torso's frame to the optical frame
    :param crops: (B, 2, 3) affine from pixels of the true face box to pixels of the crop
    """

    identity: torch.Tensor
    expression: torch.Tensor
    gaze: torch.Tensor
    poses: HeadPoses
    torso: torch.Tensor
    looks: LookTable
    lights: LightBatch
    crops: torch.Tensor


@dataclass(frozen=True)
class FaceRenders:
    """
    B crops of S x S pixels.

    :param color: (B, S, S, 3) linear light, 0 where nothing is
    :param label: (B, S, S) int64 fine labels, 0 where nothing is
    :param relief: (B, S, S) metres behind the head point along the ray to it, NaN where nothing
        is; through lenses, not through hair
    :param landmarks: (B, 68, 2) pixels
    """

    color: torch.Tensor
    label: torch.Tensor
    relief: torch.Tensor
    landmarks: torch.Tensor


class _Mesh(NamedTuple):
    """A mesh in B poses: points (B, V, 3) metres, pixels (B, V, 3), normals (B, V, 3)."""

    points: torch.Tensor
    pixels: torch.Tensor
    normals: torch.Tensor
    triangles: torch.Tensor


class _Seen(NamedTuple):
    """What is seen of a mesh: triangle (B, S, S), -1 = nothing; the rest (B, S, S, D)."""

    triangle: torch.Tensor
    depth: torch.Tensor
    weights: torch.Tensor
    normal: torch.Tensor


class FaceBatchRenderer:
    """
    Renders batches of people.

    :param assets: with skins
    :param size: pixels along a side of the crop
    """

    def __init__(self, assets: FaceAssets, device: torch.device | str = 'cpu',
                 size: int = SIZE) -> None:
        self.assets, self.size, self.device = assets, size, torch.device(device)
        self.head = MorphableHead(assets, device)
        self.expressions = ExpressionTable(assets, self.head.expression_names)
        self.library = AppearanceLibrary(assets, self.device)
        self.textures = LookTextures(assets, self.library, self.head.slot_names, device)
        drawn = np.nonzero(~self.head.slots('none', 'eyelash', 'tongue_unused'))[0]
        vertices, triangles = shapes.torso()
        self._torso = self._tensor(vertices)
        self._pivot = self._tensor(np.array(shapes.TORSO_PIVOT_CM))
        head_vertices = len(self.head.neutral_cm)
        self._head_triangles = torch.as_tensor(self.head.triangles[drawn], device=device).long()
        self._triangles = torch.cat([self._head_triangles, torch.as_tensor(
            triangles + head_vertices, device=device).long()])
        count = len(triangles)
        uv = self.head.uv[self.head.uv_triangles[drawn]]
        self._uv = self._tensor(np.concatenate([uv, np.zeros((count, 3, 2), np.float32)]))
        slot = self.head.triangle_slot[drawn].astype(np.int64)
        self._slot = torch.as_tensor(np.concatenate([slot, np.full(count, -1)]), device=device)
        label = self.head.triangle_label[drawn].astype(np.int64) + 1
        label[np.isin(label, [FINE['left_brow'], FINE['right_brow']])] = FINE['skin']
        self._label = torch.as_tensor(np.concatenate([label, np.full(count, FINE['body'])]),
                                      device=device)
        gloss = np.array([_GLOSS.get(name, -1.0) for name in self.head.slot_names])[slot]
        self._gloss = self._tensor(np.concatenate([gloss, np.zeros(count)]))
        self._hair = [_Hair(assets, self.head, name, self.device) for name in self.library.hair]
        self._glasses = [Glasses(assets, self.head, name) for name in self.library.glasses]

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self.device)

    def landmarks(self, sitters: Sitters) -> torch.Tensor:
        """Return where the landmarks lie in the crops, (B, 68, 2) pixels."""
        points = sitters.poses.to_optical(self.head.vertices(
            sitters.identity, sitters.expression, sitters.gaze))
        return to_crop(self.head.landmarks_68(points), sitters, self.size)[..., :2]

    def render(self, sitters: Sitters) -> FaceRenders:
        """Render a batch."""
        size = self.size
        vertices = self.head.vertices(sitters.identity, sitters.expression, sitters.gaze)
        points = sitters.poses.to_optical(vertices)
        torso = ((self._torso - self._pivot) * 0.01) @ sitters.torso.transpose(1, 2)
        neck = sitters.poses.to_optical(self._pivot.expand(len(points), 1, 3))
        mesh = _mesh(torch.cat([points, torso + neck], dim=1), self._triangles, sitters, size)
        seen = _look(mesh, size, cull=True)
        albedo, gloss, label = self._surface(seen, sitters.looks)
        lit = _lamp_shadow(mesh, len(self._head_triangles), seen, sitters.lights)
        color = shade(seen.normal, _points_seen(mesh, seen), albedo, gloss, lit, sitters.lights)
        color = color * _occlusion(seen.depth, size)[..., None]
        hit = seen.triangle >= 0
        color, label = color * hit[..., None], label * hit
        depth = seen.depth
        for style, hair in enumerate(self._hair):
            rows = (sitters.looks.hair == style).nonzero()[:, 0]
            if len(rows):
                self._add_hair(hair, rows, sitters, color, label, depth)
        identity = self.head.identity_vertices(sitters.identity)
        for style, glasses in enumerate(self._glasses):
            rows = (sitters.looks.glasses == style).nonzero()[:, 0]
            if len(rows):
                self._add_glasses(glasses, rows, identity, sitters, color, label, depth)
        landmarks = to_crop(self.head.landmarks_68(points), sitters, size)[..., :2]
        return FaceRenders(color, label, _relief(depth, sitters, size), landmarks)

    def render_relief(self, sitters: Sitters) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Render what `render` tells of labels and relief, without light and colour.

        Several times faster: only pixels on which something is are looked at, textures at their
        nearest texel.

        :returns: label (B, S, S) int64; relief (B, S, S) metres, NaN where nothing is
        """
        size = self.size
        points = sitters.poses.to_optical(self.head.vertices(
            sitters.identity, sitters.expression, sitters.gaze))
        torso = ((self._torso - self._pivot) * 0.01) @ sitters.torso.transpose(1, 2)
        neck = sitters.poses.to_optical(self._pivot.expand(len(points), 1, 3))
        pixels = to_crop(torch.cat([points, torso + neck], dim=1), sitters, size)
        raster = rasterize(pixels, self._triangles, size, size)
        hit = raster.triangle >= 0
        depth, triangle = raster.depth, raster.triangle.clamp(min=0).long()
        label = self._label[triangle] * hit
        face = hit & (self._slot[triangle] == self.head.slot_names.index('face'))
        uv = _uv_seen(self._uv, pixels, self._triangles, raster)[face[hit]]
        brow = self.textures.brow_alpha(sitters.looks)
        painted = _texel(brow, face.nonzero()[:, 0], uv)[:, 0] > _BROW_ABOVE
        side = torch.where(uv[:, 0] > 0.5, FINE['left_brow'], FINE['right_brow'])
        label[face] = torch.where(painted, side, label[face])
        for style, hair in enumerate(self._hair):
            rows = (sitters.looks.hair == style).nonzero()[:, 0]
            if len(rows):
                self._cover_with_hair(hair, rows, sitters, label, depth)
        identity = self.head.identity_vertices(sitters.identity)
        for style, glasses in enumerate(self._glasses):
            rows = (sitters.looks.glasses == style).nonzero()[:, 0]
            if len(rows):
                self._cover_with_glasses(glasses, rows, identity, sitters, label, depth)
        return label, _relief(depth, sitters, size)

    def _cover_with_hair(self, hair: _Hair, rows: torch.Tensor, sitters: Sitters,
                         label: torch.Tensor, depth: torch.Tensor) -> None:
        some = rows_of(sitters, rows)
        pixels = to_crop(some.poses.to_optical(hair.style.vertices(some.identity)), some,
                         self.size)
        raster = rasterize(pixels, hair.triangles, self.size, self.size, cull_back_faces=False)
        shown = raster.triangle >= 0
        uv = _uv_seen(hair.uv, pixels, hair.triangles, raster)
        item = torch.zeros(len(uv), dtype=torch.int64, device=uv.device)
        shown[shown.clone()] = _texel(hair.texture, item, uv)[:, 1] > _SOLID_ABOVE
        shown &= ~(depth[rows] < raster.depth)
        label[rows] = torch.where(shown, FINE['hair'], label[rows])
        depth[rows] = torch.where(shown, raster.depth, depth[rows])

    def _cover_with_glasses(self, glasses: Glasses, rows: torch.Tensor, identity: torch.Tensor,
                            sitters: Sitters, label: torch.Tensor, depth: torch.Tensor) -> None:
        some = rows_of(sitters, rows)
        pixels = to_crop(some.poses.to_optical(glasses.vertices(identity[rows])), some, self.size)
        triangles = torch.as_tensor(glasses.triangles, device=self.device).long()
        raster = rasterize(pixels, triangles, self.size, self.size, cull_back_faces=False)
        lens = torch.as_tensor(glasses.is_lens, device=self.device)[
            raster.triangle.clamp(min=0).long()]
        shown = (raster.triangle >= 0) & ~(depth[rows] < raster.depth)
        names = torch.where(lens, FINE['glasses_lens'], FINE['glasses_frame'])
        label[rows] = torch.where(shown, names, label[rows])
        depth[rows] = torch.where(shown & ~lens, raster.depth, depth[rows])

    def _surface(self, seen: _Seen, looks: LookTable,
                 ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return albedo (B, S, S, 3), gloss (B, S, S) and labels of head and torso."""
        triangle = seen.triangle.clamp(min=0)
        uv = _weighted(self._uv[triangle], seen.weights)  # (B, S, S, 2)
        slot = self._slot[triangle]
        flat = self.textures.flat(looks)
        flat = torch.cat([flat, looks.cloth_rgb[:, None]], dim=1)  # slot -1 = the last
        item = torch.arange(len(slot), device=slot.device)[:, None, None]
        albedo = flat[item, slot]
        face, head, brow = self.textures.skin(looks)
        for name, texture in zip(_TEXTURED, (face, head, self.textures.iris(looks)),
                                 strict=True):
            where = slot == self.head.slot_names.index(name)
            albedo = torch.where(where[..., None], sample(texture, uv), albedo)
        gloss = self._gloss[triangle]
        gloss = torch.where(gloss < 0, looks.gloss[:, None, None], gloss)
        label = self._label[triangle]
        painted = (sample(brow, uv)[..., 0] > _BROW_ABOVE) & (
            slot == self.head.slot_names.index('face'))
        side = torch.where(uv[..., 0] > 0.5, FINE['left_brow'], FINE['right_brow'])
        return albedo, gloss, torch.where(painted, side, label)

    def _add_hair(self, hair: _Hair, rows: torch.Tensor, sitters: Sitters, color: torch.Tensor,
                  label: torch.Tensor, depth: torch.Tensor) -> None:
        """Lay hair over some images, in place; its nearest layer, where that is dense."""
        some = rows_of(sitters, rows)
        points = some.poses.to_optical(hair.style.vertices(some.identity))
        mesh = _mesh(points, hair.triangles, some, self.size)
        seen = _look(mesh, self.size, cull=False)
        uv = _weighted(hair.uv[seen.triangle.clamp(min=0)], seen.weights)
        strands = sample(hair.texture.expand(len(rows), -1, -1, -1), uv)  # (b, S, S, 2)
        albedo = (some.looks.hair_rgb[:, None, None] * strands[..., :1]).clamp(max=1.0)
        shown = ((seen.triangle >= 0) & (strands[..., 1] > _SOLID_ABOVE)
                 & ~(depth[rows] < seen.depth))
        ones = torch.ones_like(seen.depth)
        lit = shade(seen.normal, _points_seen(mesh, seen), albedo, ones * _HAIR_GLOSS, ones,
                    some.lights, wrap=0.5)
        color[rows] = torch.where(shown[..., None], lit, color[rows])
        label[rows] = torch.where(shown, FINE['hair'], label[rows])
        depth[rows] = torch.where(shown, seen.depth, depth[rows])

    def _add_glasses(self, glasses: Glasses, rows: torch.Tensor, identity: torch.Tensor,
                     sitters: Sitters, color: torch.Tensor, label: torch.Tensor,
                     depth: torch.Tensor) -> None:
        """Put glasses on some faces, in place; a lens is clear and has no depth."""
        some = rows_of(sitters, rows)
        points = some.poses.to_optical(glasses.vertices(identity[rows]))
        triangles = torch.as_tensor(glasses.triangles, device=self.device).long()
        mesh = _mesh(points, triangles, some, self.size)
        seen = _look(mesh, self.size, cull=False)
        lens = torch.as_tensor(glasses.is_lens, device=self.device)[seen.triangle.clamp(min=0)]
        shown = (seen.triangle >= 0) & ~(depth[rows] < seen.depth)
        albedo = torch.where(lens[..., None], 0.5, some.looks.frame_rgb[:, None, None])
        gloss = torch.where(lens, _LENS_GLOSS, _FRAME_GLOSS)
        lit = shade(seen.normal, _points_seen(mesh, seen), albedo, gloss,
                    torch.ones_like(gloss), some.lights)
        share = torch.where(lens, _LENS_ALPHA, 1.0) * shown
        color[rows] = color[rows] + share[..., None] * (lit - color[rows])
        names = torch.where(lens, FINE['glasses_lens'], FINE['glasses_frame'])
        label[rows] = torch.where(shown, names, label[rows])
        depth[rows] = torch.where(shown & ~lens, seen.depth, depth[rows])


class _Hair:
    """One hair mesh with its strands: brightness relative to the mean, and alpha."""

    def __init__(self, assets: FaceAssets, head: MorphableHead, name: str,
                 device: torch.device) -> None:
        self.style = HairStyle(assets, head, name)
        self.triangles = torch.as_tensor(self.style.triangles, device=device).long()
        self.uv = torch.as_tensor(self.style.uv[self.style.uv_triangles], device=device)
        image = self.style.levels.at_width(_HAIR_TEXELS)
        alpha = image[..., 3] / 255.0
        light = image[..., :3].mean(axis=2)
        mean = float((light * alpha).sum() / max(float(alpha.sum()), 1.0))
        strands = np.clip(light / max(mean, 1.0), 0.2, 2.5) ** 1.5
        self.texture = torch.as_tensor(np.stack([strands, alpha])[None].astype(np.float32),
                                       device=device)  # (1, 2, h, w)


def rows_of(sitters: Sitters, rows: torch.Tensor) -> Sitters:
    """Return some of the sitters."""
    def taken(value):
        if isinstance(value, torch.Tensor):
            return value[rows]
        if isinstance(value, HeadPoses):
            return HeadPoses(value.rotation[rows], value.position[rows])
        return value.take(rows)

    return Sitters(*(taken(getattr(sitters, f.name)) for f in fields(sitters)))


def to_crop(points: torch.Tensor, sitters: Sitters, size: int) -> torch.Tensor:
    """
    Project points into the crops.

    :param points: (B, N, 3) metres, optical frame
    :returns: (B, N, 3): x, y in pixels of the crop, z in metres
    """
    position = sitters.poses.position
    focal = size * position[:, 2] / BOX_SIDE_M
    centre = size / 2 - focal[:, None] * position[:, :2] / position[:, 2:]
    pixels = project(points, focal, centre)
    moved = (pixels[..., :2] @ sitters.crops[:, :, :2].transpose(1, 2)
             + sitters.crops[:, None, :, 2])
    return torch.cat([moved, pixels[..., 2:]], dim=2)


def camera_of_crops(sitters: Sitters, size: int) -> torch.Tensor:
    """Return the affines (B, 2, 3) from slopes (x/z, y/z) to pixels of the crops."""
    position = sitters.poses.position
    focal = size * position[:, 2] / BOX_SIDE_M
    centre = size / 2 - focal[:, None] * position[:, :2] / position[:, 2:]
    linear = sitters.crops[:, :, :2]
    shift = (linear @ centre[..., None]) + sitters.crops[:, :, 2:]
    return torch.cat([linear * focal[:, None, None], shift], dim=2)


def sample(texture: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
    """
    Sample each image's own texture bilinearly.

    :param texture: (B, C, h, w); uv: (B, S, S, 2) in [0, 1], v upwards
    :returns: (B, S, S, C)
    """
    grid = torch.stack([uv[..., 0] * 2.0 - 1.0, 1.0 - uv[..., 1] * 2.0], dim=3)
    values = functional.grid_sample(texture, grid, mode='bilinear', padding_mode='border',
                                    align_corners=False)
    return values.permute(0, 2, 3, 1)


def _mesh(points: torch.Tensor, triangles: torch.Tensor, sitters: Sitters, size: int) -> _Mesh:
    a, b, c = (points[:, triangles[:, corner]] for corner in range(3))
    facing = torch.linalg.cross(b - a, c - a)  # (B, T, 3)
    normals = torch.zeros_like(points)
    for corner in range(3):
        normals.index_add_(1, triangles[:, corner], facing)
    return _Mesh(points, to_crop(points, sitters, size), unit(normals * 1e4), triangles)


def _look(mesh: _Mesh, size: int, *, cull: bool) -> _Seen:
    """Draw a mesh; normals are turned towards the camera where it is seen from both sides."""
    raster = rasterize(mesh.pixels, mesh.triangles, size, size, cull_back_faces=cull)
    hit = raster.triangle >= 0
    weights = torch.zeros(*hit.shape, 3, device=hit.device)
    weights[hit] = barycentrics(mesh.pixels, mesh.triangles, raster)
    normal = unit(_interpolate(mesh.normals, mesh.triangles, raster, weights))
    if not cull:
        point = _interpolate(mesh.points, mesh.triangles, raster, weights)
        away = dot(normal, point) > 0
        normal = torch.where(away[..., None], -normal, normal)
    return _Seen(raster.triangle.long(), raster.depth, weights, normal)


def _points_seen(mesh: _Mesh, seen: _Seen) -> torch.Tensor:
    raster = RasterImage(seen.depth, seen.triangle)
    return _interpolate(mesh.points, mesh.triangles, raster, seen.weights)


def _interpolate(values: torch.Tensor, triangles: torch.Tensor, raster: RasterImage,
                 weights: torch.Tensor) -> torch.Tensor:
    """Interpolate what vertices have (B, V, 3) over the pixels, (B, S, S, 3)."""
    corners = triangles[raster.triangle.clamp(min=0).long()]  # (B, S, S, 3)
    batch, height, width = corners.shape[:3]
    flat = corners.view(batch, -1, 1).expand(-1, -1, values.shape[2])
    taken = values.gather(1, flat).view(batch, height, width, 3, -1)
    return _weighted(taken, weights)


def _weighted(corners: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Interpolate (..., 3, D) by (..., 3)."""
    return (corners[..., 0, :] * weights[..., :1] + corners[..., 1, :] * weights[..., 1:2]
            + corners[..., 2, :] * weights[..., 2:])


def _uv_seen(uv: torch.Tensor, pixels: torch.Tensor, triangles: torch.Tensor,
             raster: RasterImage) -> torch.Tensor:
    """Interpolate the texture's corners (T, 3, 2) where something is seen, (N, 2)."""
    triangle = raster.triangle[raster.triangle >= 0].long()
    return _weighted(uv[triangle], barycentrics(pixels, triangles, raster))


def _texel(texture: torch.Tensor, item: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
    """
    Return the nearest texels.

    :param texture: (B, C, h, w); item: (N,) which of them; uv: (N, 2) in [0, 1], v upwards
    :returns: (N, C)
    """
    height, width = texture.shape[2:]
    column = (uv[:, 0] * width).long().clamp(0, width - 1)
    row = ((1.0 - uv[:, 1]) * height).long().clamp(0, height - 1)
    return texture[item, :, row, column]


def _occlusion(depth: torch.Tensor, size: int) -> torch.Tensor:
    """Darken what lies deeper than its surroundings: mouths, nostrils, lids; (B, S, S)."""
    valid = depth.isfinite()
    window = 2 * max(round(_OCCLUSION_CM * 0.01 * size / BOX_SIDE_M), 1) + 1
    count = box_sum(valid.float(), window)
    around = box_sum(depth.nan_to_num(nan=0.0), window) / count
    deeper = (depth - around).nan_to_num(nan=0.0).clamp(min=0.0)
    return (1.0 / (1.0 + _OCCLUSION_PER_M * deeper)).clamp(min=_DARKEST)


def _lamp_shadow(mesh: _Mesh, head_triangles: int, seen: _Seen,
                 lights: LightBatch) -> torch.Tensor:
    """Return 1 where the first lamp reaches a pixel, 0 in the shadow of the head, (B, S, S)."""
    towards = lights.lamp_directions[:, 0]  # (B, 3)
    side = unit(torch.linalg.cross(
        towards, towards.new_tensor([0.31, 0.2, 1.0]).expand_as(towards)))
    basis = torch.stack([side, torch.linalg.cross(towards, side), -towards], dim=1)  # (B, 3, 3)
    triangles = mesh.triangles[:head_triangles]
    used = int(triangles.max()) + 1
    flat = mesh.points[:, :used] @ basis.transpose(1, 2)
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    scale = (_SHADOW_PX - 2) / (high - low)[..., :2].amax(dim=2, keepdim=True)  # (B, 1, 1)

    def to_map(points: torch.Tensor) -> torch.Tensor:
        return torch.cat([(points[..., :2] - low[..., :2]) * scale + 1.0,
                          points[..., 2:] - low[..., 2:] + _SHADOW_FAR_M], dim=2)

    front = rasterize(to_map(flat), triangles, _SHADOW_PX, _SHADOW_PX,
                      cull_back_faces=False).depth.nan_to_num(nan=1e3).flatten(1)
    place = to_map(_points_seen(mesh, seen).flatten(1, 2) @ basis.transpose(1, 2))
    bias = (2.0 / scale).clamp(min=_SHADOW_BIAS_M)[..., 0]
    lit = torch.zeros_like(place[..., 0])
    for dx, dy in ((-0.4, -0.9), (0.9, -0.4), (0.4, 0.9), (-0.9, 0.4)):
        column = (place[..., 0] + dx).long().clamp(0, _SHADOW_PX - 1)
        row = (place[..., 1] + dy).long().clamp(0, _SHADOW_PX - 1)
        lit += (place[..., 2] <= front.gather(1, row * _SHADOW_PX + column) + bias).float()
    return (lit / 4.0).view(seen.depth.shape)


def _relief(depth: torch.Tensor, sitters: Sitters, size: int) -> torch.Tensor:
    """Return depth as relief along the ray to the head point, (B, S, S) metres."""
    position = sitters.poses.position
    focal = size * position[:, 2] / BOX_SIDE_M
    inverse = torch.linalg.inv(sitters.crops[:, :, :2])
    axis = torch.arange(size, device=depth.device) + 0.5
    grid = torch.stack(torch.meshgrid(axis, axis, indexing='xy'), dim=2).flatten(0, 1)  # (SS, 2)
    pixels = (grid - sitters.crops[:, None, :, 2]) @ inverse.transpose(1, 2)  # (B, SS, 2)
    slope = ((pixels - size / 2) / focal[:, None, None]
             + (position[:, :2] / position[:, 2:])[:, None])
    distance = position.norm(dim=1, keepdim=True)
    ray = position / distance
    along = (slope @ ray[:, :2, None])[..., 0] + ray[:, 2:]  # (B, SS)
    return depth * along.view(depth.shape) - distance[..., None]
