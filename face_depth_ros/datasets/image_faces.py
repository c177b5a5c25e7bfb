# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The one face of a photo: found, cropped, and described by an estimator.

Which face of several is meant: the one whose side is largest, weighted by how central it is.
Where a second one comes near to it, nobody can tell, and the photo is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Protocol

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_box import crop_color, FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.image_decoding import MAX_PIXELS, promised_size
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.predictors.estimator_methods import find_estimator, open_estimator, OURS
from face_depth_ros.predictors.face_detector import FaceDetector
import numpy as np

CONFIDENCE = 0.5
"""A crop in which the estimator is less sure shows no face."""
EQUAL_FACES = 0.8
"""A second face of so much of the first one's weight is as likely meant."""
UNREADABLE, NO_FACE, TWO_FACES, NOT_A_FACE = 'unreadable', 'no_face', 'two_faces', 'not_a_face'
"""Causes why a photo is left out."""
_TAIL = 4096
"""A whole PNG file has its end mark within its last bytes."""


@dataclass(frozen=True)
class LeftOut:
    """
    A photo without a face to use.

    :param cause: one of the causes above
    :param reason: for people
    """

    cause: str
    reason: str


@dataclass(frozen=True)
class FoundFace:
    """
    A face in its canonical crop.

    :param color: (S, S, 3) uint8 RGB
    :param box: in pixels of the photo
    :param score: of the detector, 0 to 1
    """

    color: np.ndarray
    box: FaceBox
    score: float


@dataclass(frozen=True)
class DescribedFace:
    """
    A face with what the estimator says of it.

    :param relief: (S, S) float32 metres behind the head point (core.face_photo), NaN off the face
    :param mask: (S, S) uint8 of core.face_photo.MASK_LABELS
    :param landmarks: (68, 2) float32 pixels of the crop, None if the estimator has none
    :param visibility: (68,) float32, 0 to 1, None likewise
    :param confidence: that there is a face, 0 to 1
    """

    found: FoundFace
    relief: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray | None
    visibility: np.ndarray | None
    confidence: float


class FaceDescriber(Protocol):
    """
    What finds and describes faces.

    :param engines: what it runs in, for the record
    """

    engines: dict[str, str]

    def find(self, photo: np.ndarray) -> FoundFace | LeftOut:
        """Find the face of a photo, (H, W, 3) uint8 RGB."""

    def estimate(self, faces: Sequence[FoundFace]) -> list[DescribedFace | LeftOut]:
        """Describe faces, each independent of the others."""

    def close(self) -> None:
        """Release what it holds."""


class DescriberSource(Protocol):
    """What opens a describer in the process that needs it; pickled to get there, hashable."""

    def identity(self) -> dict[str, str | int]:
        """Return all that decides what the describer says: names, hashes, settings; crop_px."""

    def open(self) -> FaceDescriber:
        """Open it."""


@dataclass(frozen=True)
class DescriberModels:
    """
    The describer made of our face detector and an estimator.

    :param model: estimator: a name of `estimator_methods.ESTIMATORS`, or name or path of a spec
    :param detector: name or path of the face detector's spec
    :param backend: of both engines, as is `precision`
    """

    model: str = OURS
    detector: str = 'face_detector'
    backend: str = 'auto'
    precision: str = 'auto'

    def identity(self) -> dict[str, str | int]:
        """
        Return names and hashes of both models, and the settings.

        :raises ModelSpecError: one of them is not there
        """
        estimator, detector = find_estimator(self.model), find_model(self.detector)
        return {'model': estimator.name, 'model_sha256': estimator.sha256,
                'detector': detector.name, 'detector_sha256': detector.sha256,
                'backend': self.backend, 'precision': self.precision,
                'crop_px': estimator.inputs[0].shape[2]}

    def open(self) -> FaceDescriber:
        """
        Open both engines.

        :raises FaceDepthError: a model or the backend is missing
        """
        return _Models(self)


class _Models:
    """Both engines, open."""

    def __init__(self, models: DescriberModels) -> None:
        self._detector = FaceDetector(models.detector, models.backend, models.precision)
        self._estimator = open_estimator(models.model, models.backend, models.precision)
        self.engines = {name: f'{engine.backend} {engine.precision}' for name, engine in
                        (('detector', self._detector.engine),
                         ('estimator', self._estimator.engine))}

    def find(self, photo: np.ndarray) -> FoundFace | LeftOut:
        chosen = choose_face(self._detector.detect(photo), photo.shape[1], photo.shape[0])
        if isinstance(chosen, LeftOut):
            return chosen
        return FoundFace(crop_color(photo, chosen.box, self._estimator.size), chosen.box,
                         chosen.score)

    def estimate(self, faces: Sequence[FoundFace]) -> list[DescribedFace | LeftOut]:
        if not faces:
            return []
        said = self._estimator.estimate(np.stack([face.color for face in faces]))
        if not said.has_mask:
            raise DatasetError(f'{self._estimator.spec.name} knows no classes of the mask, only '
                               f'face and background; take {OURS!r}')
        result: list[DescribedFace | LeftOut] = []
        for row, face in enumerate(faces):
            sure = float(said.confidence[row])
            if sure < CONFIDENCE or not said.mask[row].any():
                result.append(LeftOut(NOT_A_FACE, 'what the detector found is no face to the '
                                                  f'estimator: probability {sure:.2f}'))
                continue
            points = None if said.landmarks is None else (
                said.landmarks[row] * np.float32(self._estimator.size))
            result.append(DescribedFace(
                face, said.relief[row], said.mask[row], points,
                None if said.visibility is None else said.visibility[row], sure))
        return result

    def close(self) -> None:
        self._detector.close()
        self._estimator.close()


def choose_face(found: Sequence[Detection], width: int, height: int) -> Detection | LeftOut:
    """
    Return the face that a photo is of: the largest and most central one.

    The weight of a face is its side times 1 - offset, where the offset of its centre from the
    photo's is 0 in the middle and 1 in a corner.

    :param found: detections in a photo of width x height pixels
    """
    if not found:
        return LeftOut(NO_FACE, 'the detector finds no face')

    def weight(face: Detection) -> float:
        offset = math.hypot(face.box.center_x - width / 2.0, face.box.center_y - height / 2.0)
        return face.box.side * max(0.0, 1.0 - offset / (math.hypot(width, height) / 2.0))

    first, *others = sorted(found, key=weight, reverse=True)
    if others and weight(others[0]) >= EQUAL_FACES * weight(first):
        return LeftOut(TWO_FACES, f'two of {len(found)} faces are equally large and central, of '
                                  f'{first.box.side:.0f} and {others[0].box.side:.0f} pixels')
    return first


def decode_photo(raw: bytes) -> np.ndarray | LeftOut:
    """
    Decode an image file: JPEG, PNG or WebP of any depth, turned as its EXIF says.

    :returns: (H, W, 3) uint8 RGB; left out if it is damaged, cut off, or absurdly large
    """
    if not raw:
        return LeftOut(UNREADABLE, 'the file is empty')
    content = np.frombuffer(raw, np.uint8)
    width, height = promised_size(content)
    if width * height > MAX_PIXELS:
        return LeftOut(UNREADABLE, f'the file says that it has {width} x {height} pixels, '
                                   f'expected at most {MAX_PIXELS} in all')
    if not _is_whole(raw):
        return LeftOut(UNREADABLE, f'the file of {len(raw)} bytes is cut off or no JPEG, PNG or '
                                   'WebP')
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        return LeftOut(UNREADABLE, f'the file of {len(raw)} bytes cannot be decoded')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _is_whole(raw: bytes) -> bool:
    """Whether a file is of a known kind and has its end: decoders fill what is missing."""
    if raw.startswith(b'\xff\xd8'):
        return _jpeg_is_whole(raw)
    if raw.startswith(b'\x89PNG\r\n\x1a\n'):
        return b'IEND' in raw[-_TAIL:]
    return (raw[:4] == b'RIFF' and raw[8:12] == b'WEBP'
            and len(raw) >= int.from_bytes(raw[4:8], 'little') + 8)


def _jpeg_is_whole(raw: bytes) -> bool:
    """
    Whether the end mark follows the first scan, however much lies behind it: phones put videos.

    Segments are skipped, since a small picture in one of them has an end mark too.
    """
    position = 2
    while 0 <= (position := raw.find(b'\xff', position)) <= len(raw) - 4:
        marker = raw[position + 1]
        if marker == 0xDA:
            return raw.find(b'\xff\xd9', position) >= 0
        # Fill bytes and markers without a segment take one and two bytes.
        position += 1 if marker in (0x00, 0xFF) else 2 if 0xD0 <= marker <= 0xD8 else (
            2 + int.from_bytes(raw[position + 2:position + 4], 'big'))
    return False
