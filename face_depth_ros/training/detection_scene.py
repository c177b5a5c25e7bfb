# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Composes images with any number of faces for the face detector: heads of a bank on backgrounds.

Pixels are corner-origin; boxes and landmarks are exact whatever is done to the colours.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
from face_depth_ros.core.detection_decoding import circle_overlap
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.synthesis.camera_colors import degrade, recolor_head
from face_depth_ros.synthesis.photo_backgrounds import any_color, skin_color
from face_depth_ros.training.detection_heads import HeadBank
import numpy as np

PADDING_GREY = 127
"""What surrounds an image that does not fill the network's input."""
BALD_SHARE = 0.3
"""So many faces are picked among the bald ones alone: they are rare, in banks and elsewhere."""
TORSO_SHARE = 0.5
"""So many heads get shoulders drawn below, over the rendered ones."""
_MIRRORED = (1, 0, 2, 4, 3)
"""Order of the five landmarks after a reflection: left and right change places."""
_MAX_PLACED_OVERLAP = 0.12
_SEEN_SHARE = 0.4
"""A face counts if so much of its inner disc lies in the image and is not covered."""
_NOBODY = 255


@dataclass(frozen=True)
class SceneRange:
    """
    What is composed.

    :param side_px: smallest box side
    :param largest: largest box side as a share of the image's longer side
    :param negatives: share of images without a face
    :param turned: share of faces with any roll; the others are normal about upright
    :param roll_sigma: degrees, clipped at 60
    """

    side_px: float = 20.0
    largest: float = 1.35
    negatives: float = 0.15
    turned: float = 0.08
    roll_sigma: float = 22.0

    def __post_init__(self) -> None:
        if not (self.side_px > 4.0 and self.largest > 0.0 and 0.0 <= self.negatives <= 1.0
                and 0.0 <= self.turned <= 1.0 and self.roll_sigma >= 0.0):
            raise SettingsError(f'{self} cannot be composed; expected side_px > 4, largest > 0, '
                                'shares in 0 to 1 and roll_sigma >= 0')


@dataclass(frozen=True)
class Scene:
    """
    One composed image and its truth.

    :param image: (H, W, 3) uint8 RGB
    :param boxes: (K, 4) float32: centre x, y, side in pixels, roll in radians
    :param landmarks: (K, 5, 2) float32 pixels
    :param visible: (K, 5) bool, in the image and not hidden by the head or its hair
    :param yaw_deg: (K,) float32
    :param seen: (K,) bool, False where so little of the face shows that it is neither right nor
        wrong to find it
    """

    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    yaw_deg: np.ndarray
    seen: np.ndarray


class SceneComposer:
    """
    Composes scenes; the same generator state gives the same scene.

    :param bank: heads
    :param backgrounds: images to draw on, (N, S, S, 3) uint8 RGB
    :param limits: what is composed
    """

    def __init__(self, bank: HeadBank, backgrounds: np.ndarray,
                 limits: SceneRange = SceneRange()) -> None:
        if backgrounds.ndim != 4 or backgrounds.shape[3] != 3 or backgrounds.dtype != np.uint8:
            raise SettingsError(f'backgrounds are {backgrounds.shape} {backgrounds.dtype}, '
                                'expected (N, S, S, 3) uint8')
        self._faces, self._backs = bank.faces, bank.backs
        if not len(self._faces):
            raise SettingsError('the head bank shows no face from the front or the side')
        bald = self._faces[bank.bald[self._faces]]
        self._bald = bald if len(bald) else self._faces
        self.bank = bank
        self.backgrounds = backgrounds
        self.limits = limits

    def compose(self, height: int, width: int, generator: np.random.Generator) -> Scene:
        """Compose one scene of the given size."""
        image = self._background(height, width, generator)
        for _ in range(generator.choice([0, 0, 0, 1, 2])):
            self._distract(image, generator)
        boxes = sorted(self._places(height, width, generator), key=lambda box: box.side)
        owner = np.full((height, width), _NOBODY, np.uint8)
        truth = [self._add_face(image, owner, number, box, generator)
                 for number, box in enumerate(boxes)]
        seen = [_seen_share(owner, number, box) >= _SEEN_SHARE for number, box in enumerate(boxes)]
        rows = [(b.center_x, b.center_y, b.side, b.roll) for b in boxes]
        points = np.array([t[0] for t in truth], np.float32).reshape(-1, 5, 2)
        inside = ((points >= 0.0) & (points < (width, height))).all(axis=2)  # (K, 5)
        visible = np.array([t[1] for t in truth], bool).reshape(-1, 5) & inside
        return Scene(degrade(image, generator), np.array(rows, np.float32).reshape(-1, 4), points,
                     visible, np.array([t[2] for t in truth], np.float32), np.array(seen, bool))

    def _background(self, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
        source = self.backgrounds[generator.integers(len(self.backgrounds))]
        share = generator.uniform(0.3, 1.0)
        size = len(source)
        crop_h = max(8, int(size * share * min(1.0, height / width)))
        crop_w = max(8, int(size * share * min(1.0, width / height)))
        top = generator.integers(0, size - crop_h + 1)
        left = generator.integers(0, size - crop_w + 1)
        part = source[top:top + crop_h, left:left + crop_w]
        if generator.random() < 0.5:
            part = part[:, ::-1]
        image = cv2.resize(np.ascontiguousarray(part), (width, height))
        return image[..., generator.permutation(3)].copy() if generator.random() < 0.3 else image

    def _places(self, height: int, width: int,
                generator: np.random.Generator) -> list[FaceBox]:
        """Draw boxes that leave each other's faces free."""
        limits = self.limits
        if generator.random() < limits.negatives:
            return []
        longest = math.log(limits.largest * max(height, width) / limits.side_px)
        boxes: list[FaceBox] = []
        for _ in range(int(generator.choice([1, 1, 1, 2, 3, 5]))):
            side = limits.side_px * math.exp(generator.uniform(0.0, longest))
            if boxes:
                side = min(side, 0.6 * max(height, width))
            inset = min(0.2 * side, 0.45 * min(height, width)) * generator.random()
            x, y = (generator.uniform(inset, s - inset) for s in (width, height))
            roll = float(np.clip(generator.normal(0.0, limits.roll_sigma), -60.0, 60.0))
            if generator.random() < limits.turned:
                roll = generator.uniform(-180.0, 180.0)
            box = FaceBox(x, y, side, math.radians(roll))
            if all(_apart(box, other) for other in boxes):
                boxes.append(box)
        return boxes

    def _add_face(self, image: np.ndarray, owner: np.ndarray, number: int, box: FaceBox,
                  generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        """Paste a face and note it as owner; returns landmarks, which are visible, and yaw."""
        pool = self._bald if generator.random() < BALD_SHARE else self._faces
        index = int(pool[generator.integers(len(pool))])
        mirrored = bool(generator.random() < 0.5)
        self._paste(image, owner, index, box, mirrored, generator)
        middle = (round(box.center_x - 0.5), round(box.center_y - 0.5))
        cv2.circle(owner, middle, max(1, round(0.4 * box.side)), number, -1)
        if generator.random() < 0.14:
            _occlude(image, box, generator)
        points = self.bank.landmarks[index].astype(np.float64)
        visible, yaw = self.bank.visible[index], float(self.bank.yaw_deg[index])
        if mirrored:
            points = points[list(_MIRRORED)] * (-1.0, 1.0)
            visible, yaw = visible[list(_MIRRORED)], -yaw
        return transform_points(box.image_from_crop(1), points + 0.5), visible, yaw

    def _distract(self, image: np.ndarray, generator: np.random.Generator) -> None:
        """Paste what is no face: the back of a head, or a head with its parts exchanged."""
        height, width = image.shape[:2]
        side = float(np.exp(generator.uniform(np.log(24.0), np.log(0.8 * max(height, width)))))
        box = FaceBox(generator.uniform(0, width), generator.uniform(0, height), side,
                      math.radians(generator.normal(0.0, self.limits.roll_sigma)))
        if len(self._backs) and generator.random() < 0.6:
            self._paste(image, None, int(generator.choice(self._backs)), box, False, generator)
        else:
            scrambled = _scramble(self.bank.rgba[generator.choice(self._faces)], generator)
            _blend(image, scrambled, box, self.bank.expansion)

    def _paste(self, image: np.ndarray, owner: np.ndarray | None, index: int, box: FaceBox,
               mirrored: bool, generator: np.random.Generator) -> None:
        """Paste a head, perhaps on a torso; note in `owner` what they cover."""
        head = self.bank.rgba[index]
        if mirrored:
            head = head[:, ::-1]
        _blend(image, recolor_head(np.ascontiguousarray(head), generator), box,
               self.bank.expansion, owner)
        if generator.random() < TORSO_SHARE:
            outline = _draw_torso(image, box, generator)
            if owner is not None:
                cv2.fillPoly(owner, [outline], _NOBODY)


def _apart(box: FaceBox, other: FaceBox) -> bool:
    distance = np.array(math.hypot(box.center_x - other.center_x, box.center_y - other.center_y))
    overlap = float(circle_overlap(distance, np.array(box.side * 0.6), other.side * 0.6))
    return overlap < _MAX_PLACED_OVERLAP and bool(
        distance > 0.62 * max(box.side, other.side))


def _blend(image: np.ndarray, head: np.ndarray, box: FaceBox, expansion: float,
           owner: np.ndarray | None = None) -> None:
    """Lay a premultiplied RGBA crop over the image, in place; what it covers loses its owner."""
    side = box.side * expansion
    size = len(head)
    if side < 0.6 * size:  # shrink by area first, or the warp would skip pixels
        size = max(8, round(side * 1.15))
        head = cv2.resize(head, (size, size), interpolation=cv2.INTER_AREA)
    outer = FaceBox(box.center_x, box.center_y, side, box.roll)
    corners = outer.corners()
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(corners.min(0)).astype(int), 0, (width, height))
    right, bottom = np.clip(np.ceil(corners.max(0)).astype(int), 0, (width, height))
    if right <= left or bottom <= top:
        return
    affine = outer.image_from_crop(size)
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5 - (left, top)
    warped = cv2.warpAffine(head, affine, (int(right - left), int(bottom - top)),
                            flags=cv2.INTER_LINEAR)
    part = image[top:bottom, left:right]
    free = cv2.cvtColor(255 - warped[..., 3], cv2.COLOR_GRAY2RGB)
    cv2.add(cv2.multiply(part, free, scale=1.0 / 255.0), warped[..., :3], dst=part)
    if owner is not None:
        owner[top:bottom, left:right][warped[..., 3] > 127] = _NOBODY


def _seen_share(owner: np.ndarray, number: int, box: FaceBox) -> float:
    """Share of a face's inner disc that is in the image and was not painted over."""
    radius = max(1, round(0.4 * box.side))
    return float((owner == number).sum() / (math.pi * (radius + 0.5) ** 2))


def _draw_torso(image: np.ndarray, box: FaceBox, generator: np.random.Generator) -> np.ndarray:
    """Draw shoulders in clothes below the head, in place; returns the outline in pixels."""
    collar = generator.uniform(0.1, 0.22)
    top = generator.uniform(0.55, 0.72)
    wide = generator.uniform(0.8, 1.25)
    drop = generator.uniform(0.05, 0.3)
    neckline = top + generator.uniform(0.02, 0.1)
    outline = np.array([
        (-1.15 * wide, 3.5), (-1.1 * wide, top + drop + 0.35), (-0.9 * wide, top + drop),
        (-collar * 1.6, top), (-collar, neckline), (0.0, top + generator.uniform(0.1, 0.3)),
        (collar, neckline), (collar * 1.6, top), (0.9 * wide, top + drop),
        (1.1 * wide, top + drop + 0.35), (1.15 * wide, 3.5)])
    points = transform_points(box.image_from_crop(1), outline + 0.5).round().astype(np.int32)
    cv2.fillPoly(image, [points], any_color(generator), cv2.LINE_AA)
    if generator.random() < 0.4:
        offset = np.array([generator.uniform(-0.5, 0.5), 0.0])
        ends = transform_points(box.image_from_crop(1),
                                np.array([(0.0, top + 0.35), (0.0, 3.0)]) + offset + 0.5)
        _segment(image, ends, any_color(generator), box.side * generator.uniform(0.02, 0.25))
    return points


def _segment(image: np.ndarray, ends: np.ndarray, color: tuple[float, float, float],
             thickness: float) -> None:
    """Draw a line between two points (2, 2), in place."""
    (x0, y0), (x1, y1) = ends.astype(int).tolist()
    cv2.line(image, (x0, y0), (x1, y1), color, max(1, int(thickness)), cv2.LINE_AA)


def _occlude(image: np.ndarray, box: FaceBox, generator: np.random.Generator) -> None:
    """Cover part of a face with a bar, a patch or a finger, in place."""
    color = skin_color(generator) if generator.random() < 0.5 else any_color(generator)
    to_image = box.image_from_crop(1)
    centre = generator.uniform(0.1, 0.9, 2)
    angle = generator.uniform(0.0, np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    if generator.random() < 0.5:
        ends = transform_points(to_image, np.stack([centre, centre + direction * 1.5]))
        _segment(image, ends, color, box.side * generator.uniform(0.04, 0.16))
    else:
        middle = transform_points(to_image, centre + direction * 0.25)
        axes = (generator.uniform(0.06, 0.22, 2) * box.side).astype(int) + 1
        cv2.ellipse(image, (int(middle[0]), int(middle[1])), (int(axes[0]), int(axes[1])),
                    float(np.rad2deg(angle)), 0, 360, color, -1, cv2.LINE_AA)


def _scramble(head: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Exchange the tiles of a head."""
    tiles = int(generator.choice([3, 4, 5]))
    size = len(head) // tiles * tiles
    step = size // tiles
    grid = head[:size, :size].reshape(tiles, step, tiles, step, 4).transpose(0, 2, 1, 3, 4)
    mixed = generator.permutation(grid.reshape(tiles * tiles, step, step, 4))
    rows = mixed.reshape(tiles, tiles, step, step, 4).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(rows.reshape(size, size, 4))
