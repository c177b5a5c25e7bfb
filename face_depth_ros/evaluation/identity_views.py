# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Faces as a recogniser on a robot gets them: mask and relief are the estimator's.

With measured relief, that takes the place of the estimated one and the mask stays: the papers
write RGB + D* + M* for the first, and replace D* by the depth of a sensor for the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.core.errors import AlignmentError, DatasetError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_frame import frame_of, framed_input, within_crop
from face_depth_ros.core.face_surface import depth_of_relief, face_surface, FaceSurface
from face_depth_ros.core.identity_calibration import COLOR, DEPTH
from face_depth_ros.core.recognition_input import (
    area_weights,
    recognition_input,
    RecognitionInput,
    SIZE,
)
from face_depth_ros.evaluation.estimator_rows import resampled_color
from face_depth_ros.predictors.estimator_methods import CropEstimator
from face_depth_ros.predictors.face_embedder import (
    crop_by_five_points,
    FaceView,
    five_points_of,
)
import numpy as np

ESTIMATED, MEASURED = 'estimated', 'measured'
DEPTHS = (ESTIMATED, MEASURED)
"""Where the relief is from."""
LEAST_FACE = 0.04
"""A mask that covers less of the crop shows no face; a robot's node would publish none."""


@dataclass(frozen=True)
class SeenFaces:
    """
    B faces as recognisers get them.

    :param estimated: with the estimator's relief
    :param measured: with the sensor's; None where there is none
    :param faceless: in how many the estimator sees no face
    """

    estimated: list[FaceView]
    measured: list[FaceView] | None
    faceless: int

    def views(self, depth: str) -> list[FaceView] | None:
        """Return the views with relief from one of `DEPTHS`."""
        return self.estimated if depth == ESTIMATED else self.measured


class FaceLooker:
    """
    Looks at crops as the robot does.

    :param estimator: our face estimator, open
    :param five_points: also cut crops by five points, for networks that want them
    """

    def __init__(self, estimator: CropEstimator, five_points: bool = False) -> None:
        self._estimator, self._five_points = estimator, five_points

    def look(self, color: np.ndarray, relief: np.ndarray | None,
             cameras: Sequence[tuple[np.ndarray, np.ndarray]] | None = None) -> SeenFaces:
        """
        Look at B faces in one inference.

        :param color: (B, S, S, 3) uint8 RGB crops of the face box
        :param relief: (B, S, S) metres as measured, NaN where there is none; None = not measured
        :param cameras: of each face the head point (3,) metres and the affine (2, 3) from slopes
            to pixels of its crop; None = unknown, then measured relief is not metric
        :raises DatasetError: the estimator knows no classes or no landmarks
        """
        size = self._estimator.size
        said = self._estimator.estimate(np.stack([resampled_color(c, size) for c in color]))
        if not said.has_mask or (self._five_points and said.landmarks is None):
            raise DatasetError(f'{self._estimator.spec.name} tells no mask or no landmarks; '
                               'recognition needs the shipped face_estimator')
        small = small_colors(color)
        masks = _on_grid(said.mask, color.shape[1])
        aligned = [self._aligned(color[i], masks[i], None if said.landmarks is None else
                                 said.landmarks[i]) for i in range(len(color))]
        frames = [None] * len(color) if said.landmarks is None else said.landmarks
        estimated = [FaceView(recognition_input(small[i], said.relief[i], said.mask[i]),
                              aligned=aligned[i],
                              framed=_framed(color[i], said.relief[i], said.mask[i], frames[i]),
                              estimated=True)
                     for i in range(len(color))]
        measured = None if relief is None else [
            FaceView(recognition_input(small[i], np.asarray(relief[i], np.float32), masks[i]),
                     _present(relief[i]), aligned[i],
                     _framed(color[i], np.asarray(relief[i], np.float32), masks[i], frames[i]),
                     None if cameras is None else _surface(relief[i], masks[i], frames[i],
                                                           *cameras[i]))
            for i in range(len(color))]
        faceless = int(((said.mask > 0).mean(axis=(1, 2)) < LEAST_FACE).sum())
        return SeenFaces(estimated, measured, faceless)

    def _aligned(self, color: np.ndarray, mask: np.ndarray, landmarks: np.ndarray | None,
                 ) -> tuple[np.ndarray, np.ndarray] | None:
        if not self._five_points or landmarks is None:
            return None
        points = five_points_of(landmarks * np.float32(len(color)))
        try:
            return (crop_by_five_points(color, points),
                    crop_by_five_points(mask, points, nearest=True))
        except AlignmentError:  # landmarks all in one place: the whole crop instead
            return (resampled_color(color, SIZE), _on_grid(mask[None], SIZE)[0])


def _framed(color: np.ndarray, relief: np.ndarray, mask: np.ndarray,
            landmarks: np.ndarray | None) -> RecognitionInput | None:
    """
    Return a face in the frame of its landmarks.

    :param landmarks: (68, 2) in shares of the crop's side
    """
    if landmarks is None:
        return None
    side = len(color)
    box = FaceBox(side / 2, side / 2, side)
    frame = frame_of(side * landmarks.astype(np.float64), box)
    return framed_input(color, frame, relief, mask, within_crop(frame, box, len(mask)))


def _surface(relief: np.ndarray, mask: np.ndarray, landmarks: np.ndarray | None,
             position: np.ndarray, camera: np.ndarray) -> FaceSurface | None:
    """
    Return a face's skin in metres.

    :param landmarks: (68, 2) in shares of the crop's side
    """
    if landmarks is None:
        return None
    depth = depth_of_relief(np.asarray(relief, np.float32), position, camera)
    return face_surface(depth, mask, camera, len(mask) * landmarks.astype(np.float64))


def small_colors(color: np.ndarray) -> np.ndarray:
    """Return crops (B, S, S, 3) uint8 at the recogniser's 112 pixels, by area."""
    weights = area_weights(color.shape[1])
    fine = np.einsum('ay,byxc->baxc', weights, color.astype(np.float32), optimize=True)
    fine = np.einsum('dx,baxc->badc', weights, fine, optimize=True)
    return np.clip(fine + np.float32(0.5), 0.0, 255.0).astype(np.uint8)


def _present(relief: np.ndarray) -> frozenset[str]:
    """Return what a face with this measured relief really has."""
    return frozenset((COLOR, DEPTH)) if np.isfinite(relief).any() else frozenset((COLOR,))


def _on_grid(masks: np.ndarray, side: int) -> np.ndarray:
    """Bring labels (B, S, S) to another grid, each from the nearest pixel centre."""
    if masks.shape[1] == side:
        return masks
    index = ((np.arange(side) + 0.5) * (masks.shape[1] / side)).astype(np.int64)
    return np.ascontiguousarray(masks[:, index][:, :, index])
