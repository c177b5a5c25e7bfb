# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Colour image in, faces out: any resolution is brought to the network's input size and back."""

from __future__ import annotations

import cv2
from face_depth_ros.core.detection_decoding import decode_faces
from face_depth_ros.core.errors import InvalidImageError, ModelSpecError, SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.engines import open_engine
import numpy as np


class FaceDetector:
    """
    Finds faces in colour images.

    :param model: name or path of the network's ModelSpec
    :param backend: of the engine
    :param precision: of the engine
    :param confidence_threshold: smallest score of a face, 0 to 1; None = the spec's
    :param max_faces: at most so many faces a frame, the best
    :raises SettingsError: a setting out of its range
    :raises FaceDepthError: the model or the backend is missing
    """

    def __init__(self, model: str = 'face_detector', backend: str = 'auto',
                 precision: str = 'auto', confidence_threshold: float | None = None,
                 max_faces: int = 16) -> None:
        spec = find_model(model)
        self._size = _input_size(spec)
        self._pad = spec.number('pad_value')
        self._stride, self._side_unit = _whole(spec, 'stride'), spec.number('side_unit_px')
        if confidence_threshold is None:
            confidence_threshold = spec.number('confidence_threshold')
        self.confidence_threshold = confidence_threshold
        self.max_faces = max_faces
        self.engine = open_engine(spec, backend, precision)

    @property
    def confidence_threshold(self) -> float:
        """Smallest score of a face, 0 to 1; may be set between frames."""
        return self._confidence_threshold

    @confidence_threshold.setter
    def confidence_threshold(self, value: float) -> None:
        if not 0.0 <= value <= 1.0:
            raise SettingsError(f'confidence_threshold is {value}, expected 0 to 1')
        self._confidence_threshold = float(value)

    @property
    def max_faces(self) -> int:
        """At most so many faces a frame; may be set between frames."""
        return self._max_faces

    @max_faces.setter
    def max_faces(self, value: int) -> None:
        if value < 1:
            raise SettingsError(f'max_faces is {value}, expected at least 1')
        self._max_faces = int(value)

    def detect(self, color: np.ndarray) -> tuple[Detection, ...]:
        """
        Find the faces of one image.

        :param color: (H, W, 3) uint8 RGB; not changed
        :returns: best first, untracked, in pixels of the image; the centre of a box lies in the
            image or near its border
        :raises InvalidImageError: not such an image, or without pixels
        """
        if color.ndim != 3 or color.shape[2] != 3 or color.dtype != np.uint8 or 0 in color.shape:
            raise InvalidImageError(
                f'the face detector takes (H, W, 3) uint8 RGB images with pixels, got shape '
                f'{color.shape} {color.dtype}; decode the message with core.image_decoding')
        tensor, scale_x, scale_y = self.prepare(color)
        maps = self.engine({'image': tensor})
        found = decode_faces(maps['score'][0, 0], maps['box'][0], maps['landmarks'][0],
                             stride=self._stride, side_unit=self._side_unit,
                             threshold=self.confidence_threshold, max_faces=self.max_faces)
        return tuple(_enlarged(detection, scale_x, scale_y) for detection in found)

    def prepare(self, color: np.ndarray) -> tuple[np.ndarray, float, float]:
        """
        Shrink to fit the network's input, never enlarge, and pad right and below.

        :param color: (H, W, 3) uint8
        :returns: the input (1, 3, H', W') float32 0 to 255, and image pixels per pixel of it in x
            and in y
        """
        height, width = color.shape[:2]
        shrink = min(1.0, self._size[0] / height, self._size[1] / width)
        new_h, new_w = (max(1, round(size * shrink)) for size in (height, width))
        if (new_h, new_w) != (height, width):
            color = cv2.resize(color, (new_w, new_h), interpolation=cv2.INTER_AREA)
        tensor = np.full((1, 3, *self._size), self._pad, np.float32)
        tensor[0, :, :new_h, :new_w] = color.transpose(2, 0, 1)  # (3, H, W)
        return tensor, width / new_w, height / new_h

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.engine.close()


def _enlarged(detection: Detection, scale_x: float, scale_y: float) -> Detection:
    """Move a detection to the image; both scales agree up to the rounding of the size."""
    box = detection.box
    landmarks = detection.landmarks
    if landmarks is not None:
        landmarks = landmarks * np.array([scale_x, scale_y], np.float32)
    return Detection(FaceBox(box.center_x * scale_x, box.center_y * scale_y,
                             box.side * (scale_x + scale_y) / 2.0, box.roll),
                     detection.score, landmarks)


def _input_size(spec: ModelSpec) -> tuple[int, int]:
    """Return height and width of the network's input."""
    shapes = {t.name: t.shape for t in spec.inputs}
    shape = shapes.get('image', ())
    if len(shape) != 4 or shape[1] != 3 or min(shape[2:]) < 1:
        raise ModelSpecError(f'{spec.path}: the inputs are {shapes}, expected image (-1, 3, H, W) '
                             'with fixed H and W; export the model again')
    return shape[2], shape[3]


def _whole(spec: ModelSpec, key: str) -> int:
    value = spec.number(key)
    if value != int(value) or value < 1:
        raise ModelSpecError(f'{spec.path}: {key} is {value!r}, expected a whole number >= 1')
    return int(value)
