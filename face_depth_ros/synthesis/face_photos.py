# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos of rendered faces: another background, light, occluder and camera at each use.

What a detector's box may lack in accuracy is drawn too: the crop is shifted, scaled and turned
against the true face box.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.core.face_photo import FacePhoto, MASK_LABELS, MIRRORED_68
from face_depth_ros.synthesis.camera_colors import degrade, recolor_head
from face_depth_ros.synthesis.face_photo_bank import BOX_PX, CROP_PX, FacePhotoBank
from face_depth_ros.synthesis.labels import MASK_OF_FINE
from face_depth_ros.synthesis.photo_backgrounds import (
    any_color,
    BackgroundSource,
    shaded_oval,
    skin_color,
)
import numpy as np

_BACKGROUND_PX = 256
_NOT_FACE = MASK_LABELS.index('background')
_ROUGHNESS_PX = 1.5
"""Sigma, 1.7 mm: edges of the head model's labels are a triangle, 2 to 4 mm, rough."""
_COVERED = 0.5


@dataclass(frozen=True)
class PhotoVariation:
    """
    How photos differ from the render.

    :param shift: sigma of the crop's displacement, in sides of the face box
    :param scale: sigma of the logarithm of its size
    :param roll_deg: sigma of its turn
    :param occluders: share of photos with something before the face
    :param degraded: share of photos that look taken by a cheap camera
    :param shadows: share of photos with uneven light
    :param cut: share of photos that reach beyond the border of the camera's image, black there
    """

    shift: float = 0.035
    scale: float = 0.07
    roll_deg: float = 6.0
    occluders: float = 0.22
    degraded: float = 0.85
    shadows: float = 0.35
    cut: float = 0.08


TRAINING = PhotoVariation()
TEST = PhotoVariation(shift=0.02, scale=0.04, roll_deg=3.0, occluders=0.15)
"""A detector's own errors; the rest as in training, on people, skins and photos not trained on."""


class FacePhotoSource:
    """
    Composes photos from a bank.

    :param bank: rendered faces
    :param panoramas: of `photo_backgrounds.load_panoramas`, may be empty
    :param variation: how photos differ from the render
    :param size: pixels along a side of the photo
    :param backgrounds: how many backgrounds to draw ahead; each photo shows a part of one
    :param seed: of the backgrounds
    """

    def __init__(self, bank: FacePhotoBank, panoramas: list[np.ndarray],
                 variation: PhotoVariation = TRAINING, size: int = 192, backgrounds: int = 400,
                 seed: int = 0) -> None:
        self.bank, self.variation, self.size = bank, variation, size
        source = BackgroundSource(panoramas)
        generator = np.random.default_rng((0xBAC6, seed))
        self.backgrounds = [source.draw(_BACKGROUND_PX, generator) for _ in range(backgrounds)]

    def photo(self, index: int, generator: np.random.Generator) -> FacePhoto:
        """
        Compose one photo.

        :param index: of the face in the bank
        """
        record = self.bank.read(np.array([index]))[0]
        box = self._crop_box(generator)
        mirrored = bool(generator.random() < 0.5)
        return self.compose(record, box, mirrored, generator)

    def background(self, generator: np.random.Generator) -> np.ndarray:
        """Return a part of a background, (S, S, 3) uint8 RGB."""
        source = self.backgrounds[generator.integers(len(self.backgrounds))]
        side = int(_BACKGROUND_PX * generator.uniform(0.3, 1.0))
        top, left = generator.integers(0, _BACKGROUND_PX - side + 1, 2)
        part = source[top:top + side, left:left + side]
        part = part[:, ::-1] if generator.random() < 0.5 else part
        return cv2.resize(np.ascontiguousarray(part), (self.size, self.size))

    def compose(self, record: np.ndarray, box: FaceBox, mirrored: bool,
                generator: np.random.Generator) -> FacePhoto:
        """
        Compose a photo of a given crop.

        :param record: of a `FacePhotoBank`
        :param box: the crop, in pixels of the record, before mirroring
        """
        size = self.size
        head, mask, relief = warp_record(record, box, size)
        points = transform_points(box.crop_from_image(size), record['landmarks'])
        visible = np.array(record['visible'])
        yaw, pitch = head_angles(record['rotation'])
        if mirrored:
            head, mask, relief = (np.ascontiguousarray(a[:, ::-1]) for a in (head, mask, relief))
            points = points[list(MIRRORED_68)] * (-1.0, 1.0) + (size, 0.0)
            visible, yaw = visible[list(MIRRORED_68)], -yaw
        head = recolor_head(head, generator)
        if generator.random() < self.variation.shadows:
            head = uneven_light(head, generator)
        free = cv2.cvtColor(255 - head[..., 3], cv2.COLOR_GRAY2RGB)
        image = cv2.add(cv2.multiply(self.background(generator), free, scale=1.0 / 255.0),
                        np.ascontiguousarray(head[..., :3]))
        hidden = np.zeros((size, size), bool)
        if generator.random() < self.variation.occluders:
            image, hidden = occlude(image, self.background(generator), generator)
        if generator.random() < self.variation.degraded:
            image = degrade(image, generator)
        if generator.random() < self.variation.cut:
            beyond = beyond_border(size, generator)
            image[beyond], hidden = 0, hidden | beyond
        mask[hidden] = _NOT_FACE
        relief[mask == _NOT_FACE] = np.nan
        visible = visible & seen_points(points, hidden)
        roll = float(np.rad2deg(box.roll)) * (1.0 if mirrored else -1.0)
        return FacePhoto(image, relief, mask, points.astype(np.float32), visible,
                         float(np.rad2deg(yaw)), float(np.rad2deg(pitch)), roll,
                         int(record['identity']))

    def _crop_box(self, generator: np.random.Generator) -> FaceBox:
        """Draw a crop as a detector would give it, in pixels of a record."""
        variation, middle = self.variation, CROP_PX / 2
        wide = 2.0 if generator.random() < 0.15 else 1.0
        shift = np.clip(generator.standard_normal(2), -2.5, 2.5) * variation.shift * wide
        scale, turn = np.clip(generator.standard_normal(2), -2.5, 2.5) * wide
        return FaceBox(middle + shift[0] * BOX_PX, middle + shift[1] * BOX_PX,
                       BOX_PX * float(np.exp(scale * variation.scale)),
                       float(np.deg2rad(turn * variation.roll_deg)))


def warp_record(record: np.ndarray, box: FaceBox,
                size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Cut a crop out of a record.

    The classes are resampled as areas, over what their edges on the head model are rough by.

    :returns: head (S, S, 4) uint8, RGB times alpha and alpha; mask (S, S) uint8 of MASK_LABELS;
        relief (S, S) float32 metres for a head of 22 cm in the crop, NaN where there is none
    """
    affine = box.image_from_crop(size)
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5

    def warped(image: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(image, affine, (size, size),
                              flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)

    classes = MASK_OF_FINE[record['label']]
    areas = np.zeros((len(MASK_LABELS), size, size), np.uint8)
    for label in np.unique(classes):
        area = cv2.GaussianBlur(cv2.inRange(classes, int(label), int(label)), (0, 0),
                                _ROUGHNESS_PX)
        areas[label] = warped(area)
    relief = record['relief'].astype(np.float32)
    face = (classes != _NOT_FACE) & np.isfinite(relief)
    layers = np.stack([np.where(face, relief, 0.0), face], axis=2).astype(np.float32)
    sharp, soft = warped(layers), warped(cv2.GaussianBlur(layers, (0, 0), _ROUGHNESS_PX))
    # What the smooth mask has beyond the rim takes the relief from around it.
    near = np.where((sharp[..., 1] > _COVERED)[..., None], sharp, soft)
    with np.errstate(invalid='ignore', divide='ignore'):
        values = near[..., 0] / near[..., 1]
    values[near[..., 1] < 1e-3] = np.nan
    mask = areas.argmax(axis=0).astype(np.uint8)
    mask[np.isnan(values)] = _NOT_FACE
    return (warped(record['rgba']), mask,
            (values * np.float32(BOX_PX / box.side)).astype(np.float32))


def head_angles(rotation: np.ndarray) -> tuple[float, float]:
    """
    Return yaw and pitch of a head that stands upright in the image, radians.

    :param rotation: (3, 3) from the head frame to the optical frame
    """
    ahead = rotation[:, 2]
    return (float(np.arcsin(np.clip(ahead[0], -1.0, 1.0))),
            float(np.arctan2(-ahead[1], -ahead[2])))


def seen_points(points: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """
    Tell which points lie in the image and behind nothing.

    :param points: (N, 2) pixels; hidden: (S, S) bool
    :returns: (N,) bool
    """
    cells = np.floor(points).astype(int)
    inside = ((cells >= 0) & (cells < len(hidden))).all(axis=1)
    column, row = np.clip(cells, 0, len(hidden) - 1).T
    return inside & ~hidden[row, column]


def uneven_light(head: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """
    Lay a smooth shadow or a coloured glow over a head.

    :param head: (S, S, 4) uint8, RGB times alpha, and alpha
    :returns: the same form, colours at most alpha
    """
    size = len(head)
    coarse = generator.uniform(0.45, 1.45, (3, 3, 1)).astype(np.float32)
    if generator.random() < 0.4:
        coarse = coarse * generator.uniform(0.8, 1.2, (3, 3, 3)).astype(np.float32)
    gain = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, -1)
    lit = np.clip(head[..., :3] * gain, 0.0, head[..., 3:])
    return np.concatenate([lit.astype(np.uint8), head[..., 3:]], axis=2)


def occlude(image: np.ndarray, texture: np.ndarray,
            generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """
    Hold something before a face: fingers, a ball, or a piece of anything.

    :param texture: (S, S, 3) uint8, what the piece may look like
    :returns: image (S, S, 3) uint8, and where it is hidden (S, S) bool
    """
    size = len(image)
    kind = generator.random()
    layer, shape = image.copy(), np.zeros((size, size), np.uint8)
    centre = generator.uniform(0.1, 0.9, 2) * size
    if kind < 0.4:
        _draw_fingers(layer, shape, centre, generator)
    elif kind < 0.55:
        axes = tuple(int(a) for a in generator.uniform(0.07, 0.2, 2) * size)
        middle, angle = (int(centre[0]), int(centre[1])), float(generator.uniform(0, 180))
        shaded_oval(layer, middle, (axes[0], axes[1]), angle, any_color(generator), generator)
        cv2.ellipse(shape, middle, (axes[0], axes[1]), angle, 0, 360, 255, -1)
    else:
        corners = int(generator.integers(3, 7))
        angles = np.sort(generator.uniform(0.0, 2.0 * np.pi, corners))
        radius = generator.uniform(0.1, 0.4) * size
        outline = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(shape, [outline.astype(np.int32)], 255)
        layer = texture if generator.random() < 0.6 else np.full_like(
            image, np.array(any_color(generator), np.uint8))
    hidden = shape > 127
    soft = cv2.GaussianBlur(shape, (3, 3), 0)[..., None] / np.float32(255.0)
    return (image * (1 - soft) + layer * soft).astype(np.uint8), hidden


def beyond_border(size: int, generator: np.random.Generator) -> np.ndarray:
    """Return what of a crop lies beyond one or two borders of the image, (S, S) bool."""
    place = (np.arange(size) + 0.5) / size - 0.5
    beyond = np.zeros((size, size), bool)
    angle = generator.uniform(0.0, 2.0 * np.pi)
    for turn in (0.0, np.pi / 2)[:1 + (generator.random() < 0.3)]:
        x, y = np.cos(angle + turn), np.sin(angle + turn)
        beyond |= place[None] * x + place[:, None] * y > generator.uniform(0.1, 0.48)
    return beyond


def _draw_fingers(layer: np.ndarray, shape: np.ndarray, palm: np.ndarray,
                  generator: np.random.Generator) -> None:
    """Draw a palm with fingers in one skin colour, in place, and its shape."""
    size, color = len(layer), np.array(skin_color(generator))
    reach = generator.uniform(0.06, 0.14) * size
    turn = generator.uniform(0.0, 2.0 * np.pi)
    middle = (int(palm[0]), int(palm[1]))
    for angle in np.linspace(-0.7, 0.7, int(generator.integers(1, 6))) + turn:
        length = reach * generator.uniform(1.5, 2.8)
        end = (int(palm[0] + length * np.cos(angle)), int(palm[1] + length * np.sin(angle)))
        width = max(2, int(reach * generator.uniform(0.35, 0.5)))
        shade = tuple(float(c) for c in np.clip(color * generator.uniform(0.75, 1.0), 0, 255))
        cv2.line(layer, middle, end, shade, width, cv2.LINE_AA)
        cv2.line(shape, middle, end, 255, width)
    axes = (max(2, int(reach)), max(2, int(reach * 0.85)))
    angle = float(np.rad2deg(turn))
    shaded_oval(layer, middle, axes, angle,
                (float(color[0]), float(color[1]), float(color[2])), generator)
    cv2.ellipse(shape, middle, axes, angle, 0, 360, 255, -1)
