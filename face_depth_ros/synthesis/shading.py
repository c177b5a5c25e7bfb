# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Colours, labels and depth of surfaces in one camera image.

Opaque surfaces first, with ambient occlusion from the depth image and the shadow of the first
lamp; then hair, lashes and lenses in front of them, layer by layer from the nearest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.synthesis.image_filters import box_sum
from face_depth_ros.synthesis.labels import FINE
from face_depth_ros.synthesis.lighting import Lights
from face_depth_ros.synthesis.rasterizer import barycentrics, RasterImage, rasterize
from face_depth_ros.synthesis.surface import Surface
from face_depth_ros.synthesis.textures import sample
import torch
from torch.nn import functional

_CLEAR_LAYERS = 4
_OVERLAY_LABEL_ABOVE, _SOLID_ABOVE = 0.3, 0.5
_OCCLUSION_CM, _OCCLUSION_PER_M, _DARKEST = 1.0, 30.0, 0.3
_SHINE_EXPONENT = 28.0
_WRAP = 0.12
_SHADOW_BIAS_M, _SHADOW_SIZE, _SHADOW_FAR_M = 0.006, 256, 50.0


@dataclass(frozen=True)
class Fragments:
    """
    The N pixels in which a surface is seen.

    :param pixel: (N,) index into the flat image
    :param triangle: (N,) int64
    :param normal: (N, 3) unit, towards the camera where the surface is two-sided
    :param point: (N, 3) metres
    :param uv: (N, 2)
    """

    pixel: torch.Tensor
    triangle: torch.Tensor
    normal: torch.Tensor
    point: torch.Tensor
    uv: torch.Tensor


@dataclass(frozen=True)
class ColorImage:
    """
    :param color: (H, W, 3) linear light times alpha; alpha: (H, W); depth: (H, W) metres, opaque
        surfaces only
    """

    color: torch.Tensor
    alpha: torch.Tensor
    depth: torch.Tensor


@dataclass(frozen=True)
class LabelImage:
    """
    :param label: (H, W) uint8 fine labels, 0 where nothing is
    :param depth: (H, W) metres of what a depth camera sees: through lenses, not through hair
    """

    label: torch.Tensor
    depth: torch.Tensor


def pixels_of(surface: Surface, camera: CameraIntrinsics) -> torch.Tensor:
    """Project the vertices, (1, V, 3): x, y in pixels, z in metres."""
    focal = surface.points.new_tensor([camera.fx, camera.fy])
    centre = surface.points.new_tensor([camera.cx, camera.cy])
    z = surface.points[:, 2:]
    return torch.cat([surface.points[:, :2] / z * focal + centre, z], dim=1)[None]


def render_color(opaque: Surface, clear: Surface, camera: CameraIntrinsics,
                 lights: Lights) -> ColorImage:
    """
    Shade what the camera sees.

    :param opaque: solid surfaces; clear: surfaces with alpha in their textures
    """
    pixels = pixels_of(opaque, camera)
    raster = _draw(opaque, pixels, camera)
    seen = _fragments(opaque, pixels, raster, camera)
    albedo, _ = _albedo(opaque, seen)
    light = _lamp_shadow(opaque, seen, lights)
    color = torch.zeros(camera.height * camera.width, 3, device=albedo.device)
    shade = _occlusion(raster.depth[0], camera).flatten()[seen.pixel][:, None]
    color[seen.pixel] = _lit(opaque, seen, albedo, lights, light) * shade
    coverage = (raster.triangle[0] >= 0).float().flatten()
    front, through = torch.zeros_like(color), torch.ones_like(coverage)
    for part, surface_seen in _clear_layers(clear, camera, raster.depth):
        tint, alpha = _albedo(clear, surface_seen)
        weight = through[surface_seen.pixel] * alpha
        lit = _lit(clear, surface_seen, tint, lights, torch.ones_like(alpha), wrap=0.5)
        front[surface_seen.pixel] += weight[:, None] * lit * (0.8 ** part)
        through[surface_seen.pixel] -= weight
    total = front + through[:, None] * color
    size = (camera.height, camera.width)
    return ColorImage(total.view(*size, 3), (1.0 - through * (1.0 - coverage)).view(size),
                      raster.depth[0])


def render_labels(opaque: Surface, clear: Surface, camera: CameraIntrinsics) -> LabelImage:
    """Label the nearest solid thing in each pixel's centre, or the lens before it."""
    pixels = pixels_of(opaque, camera)
    raster = _draw(opaque, pixels, camera)
    seen = _fragments(opaque, pixels, raster, camera)
    label = torch.zeros(camera.height * camera.width, dtype=torch.uint8,
                        device=opaque.points.device)
    label[seen.pixel] = _overlaid_labels(opaque, seen)
    depth = raster.depth[0].flatten().clone()
    done = torch.zeros_like(label, dtype=torch.bool)
    for _, layer in _clear_layers(clear, camera, raster.depth):
        _, alpha = _albedo(clear, layer)
        lens = clear.label[layer.triangle] == FINE['glasses_lens']
        named = ((alpha > _SOLID_ABOVE) | lens) & ~done[layer.pixel]
        label[layer.pixel[named]] = clear.label[layer.triangle[named]]
        done[layer.pixel[named]] = True
        hair = (clear.label[layer.triangle] == FINE['hair']) & (alpha > _SOLID_ABOVE)
        depth[layer.pixel[hair]] = torch.fmin(depth[layer.pixel[hair]], layer.point[hair, 2])
    size = (camera.height, camera.width)
    return LabelImage(label.view(size), depth.view(size))


def _draw(surface: Surface, pixels: torch.Tensor, camera: CameraIntrinsics,
          behind: torch.Tensor | None = None) -> RasterImage:
    return rasterize(pixels, surface.triangles, camera.height, camera.width,
                     cull_back_faces=~surface.two_sided, behind=behind)


def _clear_layers(clear: Surface, camera: CameraIntrinsics,
                  solid: torch.Tensor) -> Iterator[tuple[int, Fragments]]:
    """Yield (number, fragments) of each layer that lies before the solid depth (1, H, W)."""
    if not len(clear.triangles):
        return
    pixels = pixels_of(clear, camera)
    behind = None
    for layer in range(_CLEAR_LAYERS):
        raster = _draw(clear, pixels, camera, behind)
        behind = raster.depth
        hidden = raster.depth > solid  # False where nothing solid is
        triangle = raster.triangle.masked_fill(hidden, -1)
        seen = _fragments(clear, pixels, RasterImage(raster.depth, triangle), camera)
        if not len(seen.pixel):
            return
        yield layer, seen


def _fragments(surface: Surface, pixels: torch.Tensor, raster: RasterImage,
               camera: CameraIntrinsics) -> Fragments:
    hit = raster.triangle[0] >= 0
    pixel = hit.flatten().nonzero()[:, 0]
    triangle = raster.triangle[0][hit].long()
    weights = barycentrics(pixels, surface.triangles, raster)[..., None]  # (N, 3, 1)
    normal = _weighted(surface.normals[surface.triangles[triangle]], weights)
    normal = functional.normalize(normal, dim=1, eps=1e-9)
    z = raster.depth[0][hit]
    row, column = torch.div(pixel, camera.width, rounding_mode='floor'), pixel % camera.width
    point = torch.stack([(column + 0.5 - camera.cx) / camera.fx * z,
                         (row + 0.5 - camera.cy) / camera.fy * z, z], dim=1)
    away = (normal * point).sum(dim=1) > 0
    normal = torch.where((away & surface.two_sided[triangle])[:, None], -normal, normal)
    return Fragments(pixel, triangle, normal, point,
                     _weighted(surface.uv[triangle], weights))


def _weighted(corners: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Interpolate (N, 3, D) with (N, 3, 1); faster than a sum over the axis."""
    return (corners[:, 0] * weights[:, 0] + corners[:, 1] * weights[:, 1]
            + corners[:, 2] * weights[:, 2])


def _albedo(surface: Surface, seen: Fragments) -> tuple[torch.Tensor, torch.Tensor]:
    """Return linear colours (N, 3) and alpha (N,)."""
    color = surface.albedo[seen.triangle].clone()
    alpha = torch.ones(len(color), device=color.device)
    index = surface.texture[seen.triangle]
    for number, texture in enumerate(surface.textures):
        where = (index == number).nonzero()[:, 0]
        if not len(where):
            continue
        color[where] = sample(texture.color, seen.uv[where])
        if texture.alpha is not None:
            alpha[where] = sample(texture.alpha, seen.uv[where])[:, 0]
    return color, alpha


def _overlaid_labels(surface: Surface, seen: Fragments) -> torch.Tensor:
    """Labels of the triangles, and brows where the texture has them, (N,) uint8."""
    label = surface.label[seen.triangle].clone()
    index = surface.texture[seen.triangle]
    for number, texture in enumerate(surface.textures):
        if texture.overlay is None:
            continue
        where = (index == number).nonzero()[:, 0]
        uv = seen.uv[where]
        painted = sample(texture.overlay, uv)[:, 0] > _OVERLAY_LABEL_ABOVE
        left = uv[painted, 0] > 0.5
        label[where[painted]] = torch.where(left, FINE['left_brow'],
                                            FINE['right_brow']).to(torch.uint8)
    return label


def _lit(surface: Surface, seen: Fragments, albedo: torch.Tensor, lights: Lights,
         first_lamp: torch.Tensor, wrap: float = _WRAP) -> torch.Tensor:
    """
    Diffuse light and highlights, (N, 3) linear.

    :param first_lamp: (N,) 1 where the first lamp shines, 0 in its shadow
    """
    diffuse = lights.diffuse(seen.normal)
    shine = torch.zeros_like(albedo)
    view = functional.normalize(-seen.point, dim=1)
    lamps = zip(lights.lamp_directions, lights.lamp_rgb, strict=True)
    for number, (direction, color) in enumerate(lamps):
        strength = ((seen.normal @ direction + wrap) / (1.0 + wrap)).clamp(min=0.0)
        middle = functional.normalize(view + direction, dim=1)
        peak = (seen.normal * middle).sum(dim=1).clamp(min=0.0) ** _SHINE_EXPONENT
        if number == 0:
            strength, peak = strength * first_lamp, peak * first_lamp
        diffuse = diffuse + strength[:, None] * color * lights.exposure
        shine = shine + peak[:, None] * color * lights.exposure
    gloss = surface.gloss[seen.triangle][:, None]
    grazing = (1.0 - (seen.normal * view).sum(dim=1).clamp(0.0, 1.0))[:, None] ** 4
    return albedo * diffuse + gloss * (3.0 * shine + grazing * diffuse)


def _occlusion(depth: torch.Tensor, camera: CameraIntrinsics) -> torch.Tensor:
    """Darken what lies deeper than its surroundings: mouths, nostrils, eyelids, necks; (H, W)."""
    valid = depth.isfinite()
    if not bool(valid.any()):
        return torch.ones_like(depth)
    reach = _OCCLUSION_CM * 0.01 * camera.fx / float(depth[valid].median())
    size = 2 * max(int(round(reach)), 1) + 1
    count = box_sum(valid.float()[None], size)[0]
    around = box_sum(depth.nan_to_num(nan=0.0)[None], size)[0] / count
    deeper = (depth - around).nan_to_num(nan=0.0).clamp(min=0.0)
    return (1.0 / (1.0 + _OCCLUSION_PER_M * deeper)).clamp(min=_DARKEST)


def _lamp_shadow(surface: Surface, seen: Fragments, lights: Lights) -> torch.Tensor:
    """Return 1 where the first lamp reaches a pixel, 0 where it does not, (N,) in [0, 1]."""
    towards = lights.lamp_directions[0]
    side = functional.normalize(torch.linalg.cross(towards, towards.new_tensor([0.31, 0.2, 1.0])),
                                dim=0)
    basis = torch.stack([side, torch.linalg.cross(towards, side), -towards])  # (3, 3)
    flat = surface.points @ basis.T
    low, high = flat.amin(dim=0), flat.amax(dim=0)
    scale = (_SHADOW_SIZE - 2) / float((high - low)[:2].max())

    def to_map(points: torch.Tensor) -> torch.Tensor:
        along = points @ basis.T
        return torch.cat([(along[:, :2] - low[:2]) * scale + 1.0,
                          along[:, 2:] - low[2] + _SHADOW_FAR_M], dim=1)

    front = rasterize(to_map(surface.points)[None], surface.triangles, _SHADOW_SIZE, _SHADOW_SIZE,
                      cull_back_faces=False).depth[0].nan_to_num(nan=1e3)
    place = to_map(seen.point)
    bias = max(_SHADOW_BIAS_M, 2.0 / scale)
    lit = torch.zeros(len(place), device=place.device)
    for dx, dy in ((-0.4, -0.9), (0.9, -0.4), (0.4, 0.9), (-0.9, 0.4)):
        column = (place[:, 0] + dx).long().clamp(0, _SHADOW_SIZE - 1)
        row = (place[:, 1] + dy).long().clamp(0, _SHADOW_SIZE - 1)
        lit += (place[:, 2] <= front[row, column] + bias).float()
    return lit / 4.0
