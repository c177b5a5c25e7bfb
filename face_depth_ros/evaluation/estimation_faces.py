# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Real faces on which estimated depth is judged: crops of a bag's largest face, turned either way.

The face area is fixed before anything is estimated. Where the reference knows how the head stands
it is a piece of the head: what lies in the canonical ellipse, brows to chin, of the frame that
shows the face most from the front; each frame judges what it shows of that piece. Else it is the
ellipse in each frame's own crop, at most 11 cm behind its nearest point. In it count the pixels
with sensor depth and, where there is a reference, only those within 15 mm of it: the others are
flying pixels, or what is behind the outline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.crop_alignment import CropCamera
from face_depth_ros.core.depth import nearest_surface
from face_depth_ros.core.errors import BagError
from face_depth_ros.core.face_box import crop_color, crop_depth
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.core.frames import Detection, Frame
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.real_faces import canonical_ellipse
from face_depth_ros.evaluation.reference_depth import NEAR_MM, ReferenceDepth
from face_depth_ros.predictors.face_detector import FaceDetector
import numpy as np

MOST_YAW_DEG = 60.0
_BEHIND_M = 0.11
_AROUND_PX, _HIDDEN_M = 13, 0.02
"""Sides of the nose lie at most so far behind what surrounds them; a neck lies farther."""
_LEAST_AREA = 0.1
"""Share of the ellipse that must be left to judge."""


@dataclass(frozen=True)
class RealFace:
    """
    The largest face of one frame; images are its canonical crop, (256, 256).

    :param index: number of the frame in the bag
    :param yaw_deg: of the head against the camera, None where nobody knows
    :param color: (256, 256, 3) uint8 RGB
    :param sensor: metres, float32, NaN where there is none to trust
    :param reference: metres, float32, NaN where unknown, or None
    :param area: bool, the face area; the sensor has depth all over it
    :param camera: of the crop
    :param frame: the whole frame, with intrinsics
    :param model_from_camera: (3, 4) metres, where the camera's points lie on the head, or None
    """

    index: int
    yaw_deg: float | None
    color: np.ndarray
    sensor: np.ndarray
    reference: np.ndarray | None
    area: np.ndarray
    camera: CropCamera
    detection: Detection
    frame: Frame
    model_from_camera: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Return number and yaw, as tables and pictures call it."""
        turned = '' if self.yaw_deg is None else f', yaw {self.yaw_deg:+.0f}\N{DEGREE SIGN}'
        return f'frame {self.index}{turned}'


@dataclass
class RealFaces:
    """
    The faces of a bag.

    :param faces: in the order of the bag
    :param frames: within the yaw, or all where it is not known
    :param missed: frames without a detected face, or with a box that holds no face area
    :param area_note: how the face area was found, a sentence
    :param yaw_note: how yaw is known, likewise
    """

    faces: list[RealFace]
    frames: int
    missed: list[int]
    area_note: str
    yaw_note: str


@dataclass(frozen=True)
class HeadPiece:
    """
    The face as it lies in the most frontal view.

    :param camera: of that view's crop
    :param camera_from_model: (3, 4)
    :param farthest: metres, (256, 256) float32, where the face ends along that view's rays, 0
        outside it
    """

    camera: CropCamera
    camera_from_model: np.ndarray
    farthest: np.ndarray

    @staticmethod
    def of(surface: np.ndarray, camera: CropCamera, model_from_camera: np.ndarray) -> HeadPiece:
        """
        Take the face of the frontal view.

        :param surface: metres, (256, 256) float32, NaN outside the ellipse and in holes
        :param model_from_camera: (3, 4)
        """
        kernel = np.ones((_AROUND_PX, _AROUND_PX), np.uint8)
        # The farthest around closes the holes along the nose and takes in its hidden sides.
        around = cv2.dilate(np.nan_to_num(surface), kernel)
        farthest = np.where(canonical_ellipse() & (around > 0), around + np.float32(_HIDDEN_M),
                            np.float32(0.0))
        rotation = model_from_camera[:, :3].T
        return HeadPiece(camera, np.column_stack(
            [rotation, -rotation @ model_from_camera[:, 3]]), farthest)

    def area(self, points: np.ndarray, model_from_camera: np.ndarray) -> np.ndarray:
        """
        Return which points belong to the face.

        :param points: metres, (3, 256, 256) of another view, NaN where unknown
        :param model_from_camera: (3, 4) of that view
        :returns: (256, 256) bool
        """
        size = points.shape[1:]
        moved = _moved(self.camera_from_model, _moved(model_from_camera, points.reshape(3, -1)))
        with np.errstate(invalid='ignore'):
            moved[:, ~(moved[2] > 0.0)] = np.nan
            x, y = np.floor(self.camera.pixels(moved.astype(np.float32)) + 0.5)
            seen = (x >= 0) & (x < CROP_PX) & (y >= 0) & (y < CROP_PX)
        result = np.zeros(moved.shape[1], bool)
        farthest = self.farthest[y[seen].astype(int), x[seen].astype(int)]
        result[seen] = moved[2, seen] < farthest
        return result.reshape(size)


def real_faces(path: Path, reference_path: Path | None = None, *, backend: str = 'auto',
               precision: str = 'auto', limit: int | None = None,
               most_yaw: float = MOST_YAW_DEG) -> RealFaces:
    """
    Read the faces of a bag.

    :param reference_path: true depth; None = what lies beside the bag, if anything
    :param limit: at most so many frames of the bag
    :param most_yaw: degrees to either side; frames beyond are left out where yaw is known
    :raises BagError: no camera_info, or no face with depth
    """
    reference_path = reference_path or ReferenceDepth.beside(path)
    reference = None if reference_path is None else ReferenceDepth(reference_path)
    detector = FaceDetector(backend=backend, precision=precision)
    result = RealFaces([], 0, [], *_notes(reference))
    try:
        piece = None if reference is None else _head_piece(path, reference, detector)
        for index, stamp_ns, frame in _frames(path, limit):
            yaw = None if reference is None else reference.yaw_at(stamp_ns)
            if yaw is not None and abs(yaw) > most_yaw:
                continue
            result.frames += 1
            face = _face(index, yaw, frame, _largest(frame, detector), reference, piece)
            if face is None:
                result.missed.append(index)
            else:
                result.faces.append(face)
    finally:
        detector.close()
    if not result.faces:
        raise BagError(f'no frame of {path} shows a face with depth in its face area',
                       cause='no_face')
    return result


def _face(index: int, yaw: float | None, frame: Frame, detection: Detection | None,
          reference: ReferenceDepth | None, piece: HeadPiece | None) -> RealFace | None:
    """Cut a face out; None where its box holds too little of the face area."""
    if detection is None or frame.color is None or frame.depth is None:
        return None
    box, camera = detection.box, CropCamera.of(detection.box, CROP_PX, _intrinsics(frame))
    sensor, surface = crop_depth(frame.depth, box, CROP_PX), None
    truth = None if reference is None else reference.at(frame.stamp_ns)
    area = ellipse = canonical_ellipse()
    if truth is not None:
        surface = crop_depth(truth[0], box, CROP_PX)
        with np.errstate(invalid='ignore'):
            trusted = np.abs(sensor - surface) <= np.float32(1e-3 * NEAR_MM)
        sensor = np.where(trusted, sensor, np.float32(np.nan))
    pose = None if reference is None else reference.pose_at(frame.stamp_ns)
    if piece is not None and surface is not None and pose is not None:
        area = piece.area(camera.points(surface), pose)
    else:
        area = _near(sensor, ellipse)
    area = area & np.isfinite(sensor)
    if area.sum() < _LEAST_AREA * ellipse.sum():
        return None
    return RealFace(index, yaw, crop_color(frame.color, box, CROP_PX), sensor, surface, area,
                    camera, detection, frame, pose)


def _head_piece(path: Path, reference: ReferenceDepth, detector: FaceDetector,
                ) -> HeadPiece | None:
    """Find the face in the most frontal frame; None where the reference knows no poses."""
    piece, least = None, float('inf')
    for _, stamp_ns, frame in _frames(path, None):
        yaw, pose, truth = (reference.yaw_at(stamp_ns), reference.pose_at(stamp_ns),
                            reference.at(stamp_ns))
        if yaw is None or pose is None or truth is None or abs(yaw) >= least:
            continue
        detection = _largest(frame, detector)
        if detection is None:
            continue
        surface = np.where(canonical_ellipse(), crop_depth(truth[0], detection.box, CROP_PX),
                           np.float32(np.nan))
        camera = CropCamera.of(detection.box, CROP_PX, _intrinsics(frame))
        piece, least = HeadPiece.of(surface, camera, pose), abs(yaw)
    return piece


def _frames(path: Path, limit: int | None) -> Iterator[tuple[int, int, Frame]]:
    with Bag(path) as bag:
        for source, frame in bag.decoded(bag.camera_topics(), limit):
            yield source.index, source.stamp_ns, frame


def _largest(frame: Frame, detector: FaceDetector) -> Detection | None:
    if frame.color is None:
        return None
    return max(detector.detect(frame.color), key=lambda d: d.box.side, default=None)


def _near(depth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the part of the mask that lies little behind its nearest point, bool."""
    nearest = nearest_surface(np.where(mask, depth, np.float32(np.nan)))
    with np.errstate(invalid='ignore'):
        near: np.ndarray = mask & (depth < nearest + _BEHIND_M)
    return near


def intrinsics_of(face: RealFace) -> CameraIntrinsics:
    """Return the intrinsics of a face's frame."""
    return _intrinsics(face.frame)


def _intrinsics(frame: Frame) -> CameraIntrinsics:
    if frame.intrinsics is None:
        raise BagError('the bag has no camera_info, without which depth is no surface; record '
                       "the colour camera's camera_info too", cause='camera_info')
    return frame.intrinsics


def _notes(reference: ReferenceDepth | None) -> tuple[str, str]:
    if reference is None or reference.yaw_deg is None:
        return ('Face area: the canonical ellipse of each frame, brows to chin.',
                'Yaw is not known: all frames count.')
    known = 'Yaw is that of the reference: the head against the camera, 0 in the frontal frame.'
    if reference.pose_at(reference.stamps()[0]) is None:
        return 'Face area: the canonical ellipse of each frame, brows to chin.', known
    return ('Face area: one piece of the head, brows to chin as the most frontal frame shows it, '
            "found in every frame by the reference's poses; the same pixels for all rows.", known)


def _moved(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    moved: np.ndarray = pose[:, :3] @ points + pose[:, 3:]
    return moved

