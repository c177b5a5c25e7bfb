# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Faces of the test split as a stereo or structured-light camera shows them: open, with a hand over
the mouth, with paper over one side; and what is held up in place of a face.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
from face_depth_ros.evaluation.real_faces import (
    ATTACK,
    FaceSample,
    landmark_hull,
    MOUTH,
    NEUTRAL,
    PAPER,
)
from face_depth_ros.synthesis import sensor_models, shapes
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.head_pose import HeadPoses, PoseRange
from face_depth_ros.synthesis.morphable_head import landmarks_5
from face_depth_ros.synthesis.presentation_attacks import (
    ATTACKS,
    CROP_SIDE_M,
    inside_out,
    render_attack,
)
from face_depth_ros.synthesis.rasterizer import rasterize
from face_depth_ros.synthesis.surroundings import Surroundings, SurroundingsShare
import numpy as np
import torch

SENSORS = ('stereo', 'structured light')
INSIDE_OUT = 'inside of a mask'
ATTACK_KINDS = (*ATTACKS, INSIDE_OUT)
FRONTAL_POSES = PoseRange(max_yaw=25.0, pitch_sigma=8.0, roll_sigma=8.0, distance_m=(0.4, 0.9))
"""Faces that a landmark detector finds, as the paper selects them; at arm's length."""

_FIRST_SEED = 2_000_003
"""Away from the seeds of training and of the synthetic pairs."""
_STREAM = 0xFACE5
_SENSOR_FOCAL = 600.0
_SHARE = SurroundingsShare(hair=0.6, glasses=0.25, hand=0.0, paper=0.0, wall=0.6, clutter=0.3)
_MOUTH_POINTS = slice(48, 68)
_NOSE_TIP = 30
_ON_FACE_PIXELS = 2


def rendered_faces(people: int, assets: str = '') -> Iterator[FaceSample]:
    """
    Render people one after the other, each open, with a hand, and with paper; more adds to them.

    Every other person is seen by the other of `SENSORS`. The mask is the area between the 68
    landmarks; `truth` is the head where
    nothing of the person (hair, glasses) is before it.

    :param assets: folder of the head assets; '' = FACE_DEPTH_ASSETS or the known places
    :raises AssetsError: the assets are not there
    """
    torch.set_num_threads(1)  # more make these small operations slower
    source = FaceDepthRenderer(find_assets(assets or None), split='test', limits=FRONTAL_POSES)
    around = Surroundings(source.assets, source.head, _SHARE)
    for index in range(people):
        yield from _person(source, around, index)


def rendered_attacks(each: int, assets: str = '') -> Iterator[FaceSample]:
    """
    Render things held up in place of a face, with the landmarks of a face of the test split.

    A print's landmarks are those of the face printed on it. The mask is the area between them.

    :param each: how many of each kind of `ATTACK_KINDS`
    :raises AssetsError: the assets are not there
    """
    torch.set_num_threads(1)
    source = FaceDepthRenderer(find_assets(assets or None), split='test', limits=FRONTAL_POSES)
    for kind in ATTACK_KINDS:
        for index in range(each):
            yield _attack(source, kind, index)


def _person(source: FaceDepthRenderer, around: Surroundings,
            index: int) -> Iterator[FaceSample]:
    seed = _FIRST_SEED + index
    generator = np.random.default_rng((_STREAM, seed))
    faces = source.sample(seed, 1)
    vertices = source.head.vertices(faces.identity, faces.expression, faces.gaze)
    points_cm = source.head.landmarks_68(vertices)  # (1, 68, 3)
    truth = rasterize(source.to_crop(vertices, faces.poses), source.triangles, source.size,
                      source.size).depth
    scene = torch.fmin(truth, around.depth(faces.identity, faces.poses, source.size, generator))
    points = _on_face(source.to_crop(points_cm, faces.poses)[0, :, :2].numpy(), truth[0].numpy())
    mask = landmark_hull(points) & np.isfinite(truth[0].numpy())
    # What hair and glasses hide is not to be restored.
    uncovered = torch.where(scene < truth, torch.nan, truth)[0].numpy()
    focal = source.crop_focal(faces.poses)
    sensor = SENSORS[index % len(SENSORS)]
    for number, variant in enumerate((NEUTRAL, MOUTH, PAPER)):
        observed = scene
        if variant != NEUTRAL:
            thing, triangles = (_hand if variant == MOUTH else _sheet)(points_cm[0].numpy(),
                                                                      generator)
            observed = torch.fmin(scene, _draw(source, thing, triangles, faces.poses))
        noise = torch.Generator().manual_seed(3 * seed + number)
        yield FaceSample(f'{index:04d} {sensor}', variant,
                         _seen(observed, focal, sensor, noise), mask, points,
                         _few(points), truth=uncovered)


def _attack(source: FaceDepthRenderer, kind: str, index: int) -> FaceSample:
    seed = _FIRST_SEED + 10_000_019 * (ATTACK_KINDS.index(kind) + 1) + index
    noise = torch.Generator().manual_seed(seed)
    batch = source.sample(seed, 1)
    vertices = source.head.vertices(batch.identity, batch.expression, batch.gaze)
    face = rasterize(source.to_crop(vertices, batch.poses), source.triangles, source.size,
                     source.size).depth
    depth = (inside_out(face) if kind == INSIDE_OUT
             else render_attack(kind, 1, source.size, noise))
    points = _on_face(source.to_crop(source.head.landmarks_68(vertices),
                                     batch.poses)[0, :, :2].numpy(), face[0].numpy())
    middle = torch.as_tensor([float(depth[depth.isfinite()].median())])
    sensor = SENSORS[index % len(SENSORS)]
    return FaceSample(f'{kind} {index:03d} {sensor}', ATTACK + kind,
                      _seen(depth, source.size / CROP_SIDE_M * middle, sensor, noise),
                      landmark_hull(points), points, _few(points))


def _seen(depth: torch.Tensor, focal: torch.Tensor, sensor: str,
          generator: torch.Generator) -> np.ndarray:
    """Measure (1, S, S) metres with a camera of 600 pixels focal length, back in the crop."""
    ratio = (_SENSOR_FOCAL / focal).clamp(max=1.0)
    coarse = sensor_models.at_sensor_resolution(depth, ratio)
    measure = (sensor_models.stereo_depth if sensor == SENSORS[0]
               else sensor_models.structured_light_depth)
    measured = measure(coarse, focal * ratio, generator)
    seen: np.ndarray = sensor_models.from_sensor_resolution(measured, ratio)[0].numpy()
    return seen


def _hand(points_cm: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a hand laid over the mouth: vertices in the head frame, cm, and triangles."""
    vertices, triangles = shapes.hand()
    angle = np.deg2rad(generator.choice((-1.0, 1.0)) * generator.uniform(60.0, 110.0))
    cos, sin = np.cos(angle), np.sin(angle)
    turned = vertices @ np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    mouth = points_cm[_MOUTH_POINTS].mean(axis=0)
    shift = generator.uniform((-1.5, -1.5, 2.5), (1.5, 0.5, 4.0))
    fingertip = turned[np.abs(turned[:, 0]).argmax()]
    # The mouth lies a third of the way from the palm's middle to the fingertips.
    return turned - 0.35 * fingertip + mouth + shift, triangles


def _sheet(points_cm: np.ndarray, generator: np.random.Generator,
           ) -> tuple[np.ndarray, np.ndarray]:
    """Return a sheet before one side of the face: vertices in the head frame, cm."""
    vertices, triangles = shapes.sheet()[:2]
    side = generator.choice((-1.0, 1.0))
    half = np.array([7.5, 10.5, 1.0])
    turn = np.deg2rad(generator.uniform(-12.0, 12.0))
    points = vertices * half
    points = np.stack([points[:, 0] * np.cos(turn), points[:, 1], points[:, 0] * np.sin(turn)], 1)
    nose = points_cm[_NOSE_TIP]
    centre = np.array([side * (half[0] + generator.uniform(-0.5, 1.5)), -1.0,
                       nose[2] + generator.uniform(1.0, 3.0)])
    return (points + centre).astype(np.float32), triangles


def _draw(source: FaceDepthRenderer, points_cm: np.ndarray, triangles: np.ndarray,
          poses: HeadPoses) -> torch.Tensor:
    """Return the depth of a two-sided mesh of the head frame in the crop, (1, S, S) metres."""
    points = torch.as_tensor(np.asarray(points_cm, np.float32))[None]
    return rasterize(source.to_crop(points, poses), torch.as_tensor(triangles), source.size,
                     source.size, cull_back_faces=False).depth


def _on_face(points: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """
    Move landmarks that lie off the visible head, or on its very edge, to its nearest pixel.

    So does a detector in the image, whose jawline is the contour that it sees.

    :param points: (68, 2); truth: (S, S) metres, NaN beside the head
    """
    kernel = np.ones((2 * _ON_FACE_PIXELS + 1,) * 2, np.uint8)
    inner = cv2.erode(np.isfinite(truth).astype(np.uint8), kernel, borderValue=0).astype(bool)
    pixels = np.argwhere(inner)[:, ::-1] + 0.5
    moved = points.astype(np.float32).copy()
    if not len(pixels):
        return moved
    cells = np.clip(np.floor(points), 0, len(truth) - 1).astype(int)
    for i in np.nonzero(~inner[cells[:, 1], cells[:, 0]])[0]:
        moved[i] = pixels[np.square(pixels - points[i]).sum(axis=1).argmin()]
    return moved


def _few(points: np.ndarray) -> np.ndarray:
    few: np.ndarray = landmarks_5(torch.as_tensor(points)[None])[0].numpy()
    return few
