# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Whole camera frames: people, things they hold, and a room; colour, depth, labels, boxes."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.synthesis import shapes
from face_depth_ros.synthesis.backgrounds import Background
from face_depth_ros.synthesis.head_crops import project_points, visible_points
from face_depth_ros.synthesis.head_pose import HeadPoses
from face_depth_ros.synthesis.labels import FINE, MASK_OF_FINE
from face_depth_ros.synthesis.lighting import Lights
from face_depth_ros.synthesis.morphable_head import landmarks_5
from face_depth_ros.synthesis.person import Person, PersonModel, PersonState, PersonSurfaces
from face_depth_ros.synthesis.rasterizer import rasterize
from face_depth_ros.synthesis.shading import pixels_of, render_color, render_labels
from face_depth_ros.synthesis.surface import join, make_surface, Surface
from face_depth_ros.synthesis.textures import as_planes, Texture, to_linear, to_srgb
import numpy as np
import torch
from torch.nn import functional

_SUPERSAMPLING = 2


@dataclass(frozen=True)
class FaceInScene:
    """
    The truth about one person of a frame.

    :param box: oriented box in the image, also where it lies outside
    :param landmarks_5: (5, 2) pixels; landmarks_68: (68, 2) pixels
    :param visible_5: (5,) bool; visible_68: (68,) bool: in the image and not hidden
    :param yaw: radians, positive when the subject turns to its left
    :param distance: metres, depth of the head point
    """

    box: FaceBox
    landmarks_5: np.ndarray
    landmarks_68: np.ndarray
    visible_5: np.ndarray
    visible_68: np.ndarray
    yaw: float
    distance: float


@dataclass(frozen=True)
class SceneFrame:
    """
    One rendered frame.

    :param color: (H, W, 3) uint8 sRGB
    :param depth: (H, W) float32 metres of all that is there, without sensor errors, NaN where
        nothing is within range
    :param head_depth: (H, W) float32 metres of heads and necks alone, as if nothing else were
        there; NaN elsewhere
    :param mask: (H, W) uint8 mask classes; fine: (H, W) uint8 fine labels
    :param faces: in the order of the people
    """

    color: np.ndarray
    depth: np.ndarray
    head_depth: np.ndarray
    mask: np.ndarray
    fine: np.ndarray
    faces: list[FaceInScene]


def render_scene(model: PersonModel, camera: CameraIntrinsics,
                 people: list[tuple[Person, PersonState]], background: Background,
                 lights: Lights, things: list[Surface] | None = None) -> SceneFrame:
    """
    Render one frame; a sequence is a loop over states.

    :param background: of the camera's size
    :param things: solid surfaces besides people, see held_sheet and held_hand
    :raises SettingsError: the background has another size
    """
    if background.color.shape[:2] != (camera.height, camera.width):
        raise SettingsError(f'the background has the shape {background.color.shape}, expected '
                            f'({camera.height}, {camera.width}, 3)')
    parts = [model.surfaces(person, state, _pixels_per_cm(camera, state))
             for person, state in people]
    color = torch.from_numpy(background.color.astype(np.float32)).to(model.device)
    depth = torch.from_numpy(background.depth.astype(np.float32)).to(model.device)
    fine = torch.zeros_like(depth, dtype=torch.uint8)
    solid = [part.opaque for part in parts] + (things or [])
    if solid:
        opaque, clear = join(solid), join([part.clear for part in parts] or [_nothing(model)])
        color = _over(opaque, clear, camera, lights, color)
        seen = render_labels(opaque, clear, camera)
        before = ~(seen.depth > depth)
        fine = torch.where(before & (seen.label > 0), seen.label, fine)
        depth = torch.fmin(seen.depth, depth)
    heads = _head_depth(parts, camera, depth)
    labels = fine.cpu().numpy()
    return SceneFrame(to_srgb(color).cpu().numpy(), depth.cpu().numpy(), heads.cpu().numpy(),
                      MASK_OF_FINE[labels], labels,
                      [_face(part, state, camera, depth)
                       for part, (_, state) in zip(parts, people, strict=True)])


def held_sheet(model: PersonModel, image: np.ndarray, position: np.ndarray, rotation: np.ndarray,
               width_m: float, bend: float = 0.0) -> Surface:
    """
    A printed sheet of paper, for instance with a face on it.

    :param image: (h, w, 3) uint8 sRGB, printed on it
    :param position: (3,) metres, its middle in the optical frame
    :param rotation: (3, 3) from the sheet's frame (as a head's:
        x to its left, y up, z out of the print) to the optical frame
    :param bend: depth of the bulge about the upright axis, share of the width
    """
    vertices, triangles, uv = shapes.sheet()
    shape = np.array([1.0, image.shape[0] / image.shape[1], 1.0]) * width_m / 2.0
    points = vertices * shape
    points[:, 2] += bend * width_m * (1.0 - vertices[:, 0] ** 2)
    points = points @ np.asarray(rotation).T + np.asarray(position)
    texture = Texture(as_planes(to_linear(image.astype(np.float32)), model.device))
    return make_surface(torch.as_tensor(points, dtype=torch.float32, device=model.device),
                        triangles, label=FINE['occluder'], uv=uv[triangles], texture=0,
                        textures=(texture,), gloss=0.02, two_sided=True)


def held_hand(model: PersonModel, position: np.ndarray, rotation: np.ndarray,
              rgb: tuple[float, float, float] = (190.0, 140.0, 115.0)) -> Surface:
    """
    A raised hand, its palm's middle at the position.

    :param position: (3,) metres; rotation: (3, 3) from the hand's frame to the optical frame
    :param rgb: sRGB 0 to 255
    """
    vertices, triangles = shapes.hand()
    points = vertices * 0.01 @ np.asarray(rotation).T + np.asarray(position)
    return make_surface(torch.as_tensor(points, dtype=torch.float32, device=model.device),
                        triangles, label=FINE['occluder'], albedo=to_linear(np.array(rgb)),
                        gloss=0.05)


def _pixels_per_cm(camera: CameraIntrinsics, state: PersonState) -> float:
    return _SUPERSAMPLING * camera.fx * 0.01 / max(float(state.position[2]), 0.1)


def _nothing(model: PersonModel) -> Surface:
    empty = torch.zeros(1, 3, device=model.device)
    return make_surface(empty, np.zeros((0, 3), np.int64), label=0)


def _over(opaque: Surface, clear: Surface, camera: CameraIntrinsics, lights: Lights,
          behind: torch.Tensor) -> torch.Tensor:
    """Lay the shaded surfaces over the background, (H, W, 3) linear."""
    fine_camera = camera.scaled(camera.width * _SUPERSAMPLING, camera.height * _SUPERSAMPLING)
    image = render_color(opaque, clear, fine_camera, lights)
    layers = torch.cat([image.color.permute(2, 0, 1), image.alpha[None]])[None]
    small = functional.avg_pool2d(layers, _SUPERSAMPLING)[0].permute(1, 2, 0)  # (H, W, 4)
    return small[..., :3] + (1.0 - small[..., 3:]) * behind


def _head_depth(parts: list[PersonSurfaces], camera: CameraIntrinsics,
                like: torch.Tensor) -> torch.Tensor:
    depth = torch.full_like(like, torch.nan)
    for part in parts:
        heads = rasterize(pixels_of(part.opaque, camera),
                          part.opaque.triangles[:part.head_triangles], camera.height,
                          camera.width)
        depth = torch.fmin(depth, heads.depth[0])
    return depth


def _face(part: PersonSurfaces, state: PersonState, camera: CameraIntrinsics,
          depth: torch.Tensor) -> FaceInScene:
    points = torch.cat([landmarks_5(part.landmarks[None])[0], part.landmarks])  # (73, 3)
    pixels = project_points(points, camera)
    visible = visible_points(pixels, points[:, 2], depth).cpu().numpy()
    places = pixels.cpu().numpy()
    pose = HeadPoses(torch.as_tensor(np.asarray(state.rotation, np.float32))[None],
                     torch.as_tensor(np.asarray(state.position, np.float32))[None])
    box = pose.boxes(camera.fx, (camera.cx, camera.cy))[0].tolist()
    yaw = float(np.arctan2(state.rotation[0, 2], -state.rotation[2, 2]))
    return FaceInScene(FaceBox(*box), places[:5], places[5:], visible[:5], visible[5:], yaw,
                       float(state.position[2]))
