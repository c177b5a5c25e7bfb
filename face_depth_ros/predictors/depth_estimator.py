# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Colour in, metric face depth, mask and landmarks out; all faces of a frame in one inference.

The networks tell relief; core/face_placement.py gives it its place, from sensor depth under the
face where there is any, else from the size of the head, else none: then no depth is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.dynamic_crop import dynamic_crop_box
from face_depth_ros.core.errors import (
    FaceDepthError,
    InvalidDepthError,
    InvalidImageError,
    SettingsError,
)
from face_depth_ros.core.face_box import (
    covered_region,
    crop_color,
    crop_from_region,
    transform_points,
    warp_image,
)
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.face_placement import (
    along_ray,
    FacePlacement,
    place_by_box,
    place_by_landmarks,
    place_by_sensor,
    UNPLACED,
)
from face_depth_ros.core.frames import (
    Detection,
    EstimatedDepth,
    FaceEstimate,
    Placement,
    SkippedFace,
)
from face_depth_ros.engines import Engine
from face_depth_ros.predictors.estimator_methods import CropEstimates, open_estimator, OURS
import numpy as np

CROPS = ('box', 'dynamic')
_SEEN = 0.5
_UNSAID_SIGMA_M = 0.008
"""Of relief, for networks that do not say it: what the papers' networks err on rendered faces."""
_SENSOR_SAMPLES = 3000
_BOX_CHANGE = 1.6
"""A dynamic crop that differs more from the detected box looks at a hand or at the wall."""


@dataclass(frozen=True)
class _Pasted:
    """
    A face on the image grid, within the region x0, y0, x1, y1.

    :param relief: (h, w) sides of the box; sigma: (h, w) the same unit; mask: (h, w) uint8
    :param along: (h, w) how far along the ray to the head point a depth of 1 reaches
    """

    region: tuple[int, int, int, int]
    relief: np.ndarray
    sigma: np.ndarray
    mask: np.ndarray
    along: np.ndarray

    @property
    def window(self) -> tuple[slice, slice]:
        """Return the region as an index of an image."""
        x0, y0, x1, y1 = self.region
        return slice(y0, y1), slice(x0, x1)


class DepthEstimator:
    """
    Estimates the depth of detected faces from colour.

    :param model: a name of `estimator_methods.ESTIMATORS`, or name or path of a ModelSpec
    :param confidence_threshold: least probability of a face, 0 to 1; below, nothing is published
    :param crop: 'box' = the detection's own box; 'dynamic' = 22 cm at the sensor's depth around
        its centre (equation 6 of Pini et al.); the box, with the note 'dynamic_crop', where there
        is no such depth, or it makes a box that is no face's
    :raises SettingsError: a setting out of its range
    :raises FaceDepthError: the model or the backend is missing
    """

    def __init__(self, model: str = OURS, backend: str = 'auto', precision: str = 'auto',
                 confidence_threshold: float = 0.5, crop: str = 'box') -> None:
        if crop not in CROPS:
            raise SettingsError(f'crop is {crop!r}, expected one of {", ".join(CROPS)}')
        self.confidence_threshold, self.crop = confidence_threshold, crop
        self.model = model
        self.network = open_estimator(model, backend, precision)

    @property
    def engine(self) -> Engine:
        """Return the engine of the network."""
        return self.network.engine

    @property
    def confidence_threshold(self) -> float:
        """Least probability of a face, 0 to 1; may be set between frames."""
        return self._confidence_threshold

    @confidence_threshold.setter
    def confidence_threshold(self, value: float) -> None:
        if not 0.0 <= value <= 1.0:
            raise SettingsError(f'confidence_threshold is {value}, expected 0 to 1')
        self._confidence_threshold = float(value)

    def estimate(self, color: np.ndarray, detections: Sequence[Detection], *,
                 intrinsics: CameraIntrinsics | None = None,
                 depth: np.ndarray | None = None) -> EstimatedDepth:
        """
        Estimate every detected face of a frame; where faces overlap the larger one wins.

        :param color: (H, W, 3) uint8 RGB; not changed
        :param intrinsics: of the image; None = faces without sensor depth stay unplaced
        :param depth: metres, (H, W) float32, NaN where invalid, on the same grid; None = no sensor
        :raises InvalidImageError: not such an image
        :raises InvalidDepthError: not such depth
        """
        _check(color, depth)
        shape = color.shape[:2]
        result = EstimatedDepth(np.full(shape, np.nan, np.float32),
                                np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8))
        skipped: list[SkippedFace] = []
        crops, faces, notes = [], [], []
        for found in sorted(detections, key=lambda d: d.box.side):
            detection, note = self._cropped(found, intrinsics, depth)
            try:
                crops.append(crop_color(color, detection.box, self.network.size))
                faces.append(detection)
                notes.append(note)
            except FaceDepthError as error:
                skipped.append(SkippedFace(detection.track_id, error.cause, str(error)))
        if not faces:
            return replace(result, skipped=tuple(skipped))
        said = self.network.estimate(np.stack(crops))
        estimates = []
        for row, detection in enumerate(faces):
            if not said.confidence[row] >= self.confidence_threshold:  # also where NaN
                skipped.append(_no_face(detection, float(said.confidence[row])))
                continue
            estimate = _paste(result, said, row, detection, intrinsics, depth)
            estimates.append(replace(estimate, note=estimate.note or notes[row]))
        return replace(result, faces=tuple(estimates), skipped=tuple(skipped))

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.network.close()

    def _cropped(self, detection: Detection, intrinsics: CameraIntrinsics | None,
                 depth: np.ndarray | None) -> tuple[Detection, str]:
        """Return the detection with the box that the crop is cut by, and '' or a note."""
        if self.crop == 'box':
            return detection, ''
        box = detection.box
        if depth is None or intrinsics is None:
            return detection, 'dynamic_crop'
        try:
            side = dynamic_crop_box((box.center_x, box.center_y), depth, intrinsics,
                                    BOX_SIDE_M * 1e3, BOX_SIDE_M * 1e3).side
        except FaceDepthError:
            return detection, 'dynamic_crop'
        if not box.side / _BOX_CHANGE <= side <= box.side * _BOX_CHANGE:
            return detection, 'dynamic_crop'
        return replace(detection, box=replace(box, side=side)), ''


def _paste(result: EstimatedDepth, said: CropEstimates, row: int, detection: Detection,
           intrinsics: CameraIntrinsics | None, depth: np.ndarray | None) -> FaceEstimate:
    """Place one face and lay it over the frame, in place."""
    height, width = result.mask.shape
    pasted = _on_image(said, row, detection, intrinsics, (width, height))
    landmarks = None
    if said.landmarks is not None:
        landmarks = transform_points(detection.box.image_from_crop(1),
                                     said.landmarks[row]).astype(np.float32)
    placed = _place(said, row, detection, pasted, landmarks, intrinsics, depth)
    face = pasted.mask > 0
    window = pasted.window
    result.mask[window][face] = pasted.mask[face]
    if placed.kind != Placement.NONE:
        # A smaller face below may have been placed where this one is not: nothing of it may stay.
        metric = (placed.distance_m + placed.scale_m * pasted.relief) / pasted.along
        sigma = np.hypot(placed.sigma_m, placed.scale_m * pasted.sigma)
        # A box as large as a face at the lens puts some of it behind the camera: no depth.
        behind = metric <= 0.0
        metric[behind] = sigma[behind] = np.nan
        result.depth[window][face] = metric[face]
        result.uncertainty[window][face] = sigma[face]
    else:
        result.depth[window][face] = np.nan
        result.uncertainty[window][face] = np.nan
    return FaceEstimate(
        detection, float(said.confidence[row]), said.relief[row], said.mask[row], landmarks,
        None if said.visibility is None else said.visibility[row], placed.kind,
        placed.distance_m, placed.sigma_m,
        'no_intrinsics' if placed.kind == Placement.NONE else placed.note)


def _on_image(said: CropEstimates, row: int, detection: Detection,
              intrinsics: CameraIntrinsics | None, image_size: tuple[int, int]) -> _Pasted:
    """Bring a face from its crop to the pixels of the image, width and height."""
    size = said.surface.shape[-1]
    region = covered_region(detection.box, *image_size)
    x0, y0, x1, y1 = region
    affine = crop_from_region(detection.box, size, x0, y0)

    def warped(image: np.ndarray) -> np.ndarray:
        return warp_image(image, affine, y1 - y0, x1 - x0)

    inside = warped(np.ones((size, size), np.float32)) > 0.5
    scores = np.stack([warped(score) for score in said.scores[row]])
    classes = scores.argmax(axis=0) if said.has_mask else scores[0] > 0
    mask = np.where(inside, classes, 0).astype(np.uint8)
    sigma = (np.full_like(said.surface[row], _UNSAID_SIGMA_M) if said.sigma is None
             else said.sigma[row])
    scale = np.float32(1.0 / BOX_SIDE_M)
    pixels = np.stack(np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5), axis=2)
    return _Pasted(region, warped(said.surface[row]) * scale, warped(sigma) * scale, mask,
                   along_ray(detection.box, intrinsics, pixels))


def _place(said: CropEstimates, row: int, detection: Detection, pasted: _Pasted,
           landmarks: np.ndarray | None, intrinsics: CameraIntrinsics | None,
           depth: np.ndarray | None) -> FacePlacement:
    """Say where a face stands, by the best that there is."""
    placed = UNPLACED
    if depth is not None:
        face = (pasted.mask > 0) & np.isfinite(depth[pasted.window])
        step = max(1, int(face.sum()) // _SENSOR_SAMPLES)
        along = depth[pasted.window][face][::step] * pasted.along[face][::step]
        placed = place_by_sensor(pasted.relief[face][::step], along, detection.box, intrinsics)
    if placed.kind != Placement.NONE or intrinsics is None:
        return placed
    if landmarks is None or said.visibility is None or said.landmarks is None:
        return place_by_box(detection.box, intrinsics)
    return place_by_landmarks(detection.box, intrinsics, landmarks,
                              _relief_at(said, row, said.landmarks[row], said.visibility[row]))


def _relief_at(said: CropEstimates, row: int, points: np.ndarray,
               visibility: np.ndarray) -> np.ndarray:
    """
    Read the relief under the landmarks.

    :param points: (68, 2) sides of the crop
    :returns: (68,) sides of the box, NaN where a landmark is hidden or off the face
    """
    size = said.relief.shape[-1]
    places = (points * size - 0.5).astype(np.float32)[None]  # (1, 68, 2) for cv2.remap
    values = cv2.remap(said.relief[row], places, np.empty(0, np.float32), cv2.INTER_NEAREST,
                       borderMode=cv2.BORDER_CONSTANT, borderValue=[np.nan])[0]
    return np.where(visibility > _SEEN, values / np.float32(BOX_SIDE_M), np.nan)


def _no_face(detection: Detection, confidence: float) -> SkippedFace:
    return SkippedFace(detection.track_id, 'no_face',
                       f'no face is seen in the box of {detection.track_id or "a detection"}: '
                       f'probability {confidence:.2f}; nothing is published for it')


def _check(color: np.ndarray, depth: np.ndarray | None) -> None:
    if color.ndim != 3 or color.shape[2] != 3 or color.dtype != np.uint8 or 0 in color.shape:
        raise InvalidImageError(
            f'the depth estimator takes (H, W, 3) uint8 RGB images with pixels, got shape '
            f'{color.shape} {color.dtype}; decode the message with core.image_decoding')
    if depth is not None and (depth.dtype != np.float32 or depth.shape != color.shape[:2]):
        raise InvalidDepthError(
            f'depth is {depth.shape} {depth.dtype}, expected float32 metres on the grid of the '
            f'colour image, {color.shape[:2]}; align depth to colour', cause='depth_size')
