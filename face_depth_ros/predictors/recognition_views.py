# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What a recogniser gets to see of a face in a frame: its crops, and the depth that is best for it.

Enhanced depth is taken where the sensor measured enough of the face, else the relief that was
estimated from colour. Which one it is stands in the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.face_box import crop_color, crop_depth, FaceBox, transform_points
from face_depth_ros.core.face_frame import frame_of, framed_input, within_crop
from face_depth_ros.core.face_placement import along_ray
from face_depth_ros.core.face_quality import face_quality, FaceQuality
from face_depth_ros.core.face_surface import face_surface, FaceSurface
from face_depth_ros.core.frames import EnhancedDepth, FaceEstimate, Provenance
from face_depth_ros.core.identity_calibration import COLOR, DEPTH
from face_depth_ros.core.recognition_input import recognition_input, RecognitionInput, SIZE
from face_depth_ros.predictors.face_embedder import (
    crop_by_five_points,
    FaceView,
    five_points_of,
)
import numpy as np

ENHANCED, ESTIMATED, NO_DEPTH = 'enhanced', 'estimated', ''
MEASURED_SHARE = 0.6
"""Of the mask's pixels that must be measured or corrected for enhanced depth to be taken."""
_FACE_REACH_M = 0.15
"""What lies further from the face's median is not of the face."""
_LEAST_PIXELS = 200


@dataclass(frozen=True)
class SeenFace:
    """
    A face, ready to be recognised.

    :param depth: where its depth is from: ENHANCED, ESTIMATED or NO_DEPTH
    """

    view: FaceView
    quality: FaceQuality
    depth: str


def seen_face(color: np.ndarray, estimate: FaceEstimate, enhanced: EnhancedDepth | None,
              intrinsics: CameraIntrinsics | None, *, use_depth: bool = True,
              five_points: bool = False, framed: bool = False,
              surfaces: bool = False) -> SeenFace:
    """
    Cut a face out of a frame.

    :param color: (H, W, 3) uint8 RGB
    :param enhanced: None = there is none
    :param intrinsics: None = the face is taken to stand in the middle of the image
    :param use_depth: whether depth is looked at at all
    :param five_points: cut it by five points too
    :param framed: cut it by the frame of its landmarks too
    :param surfaces: tell its skin in metres too, where depth was measured and the camera is known
    :raises FaceDepthError: the face lies outside the image, or its landmarks fix no crop
    """
    box, mask = estimate.detection.box, estimate.mask
    crop = crop_color(color, box, SIZE)
    relief, depth = estimate.relief, ESTIMATED
    measured = None if enhanced is None or not use_depth else measured_relief(
        enhanced, box, mask, intrinsics)
    if measured is not None:
        relief, depth = measured, ENHANCED
    if not use_depth or not np.isfinite(relief[mask > 0]).any():
        relief, depth = np.full(mask.shape, np.nan, np.float32), NO_DEPTH
    has = frozenset({COLOR} if depth == NO_DEPTH else {COLOR, DEPTH})
    landmarks = estimate.landmarks
    upright = None if landmarks is None else transform_points(box.crop_from_image(SIZE), landmarks)
    aligned = _aligned(color, estimate) if five_points else None
    within = _framed(color, estimate, relief) if framed else None
    inputs = recognition_input(crop, relief, mask) if within is None else within
    surface = None
    if surfaces and depth == ENHANCED and enhanced is not None and intrinsics is not None:
        surface = measured_surface(enhanced.depth, estimate, relief, intrinsics)
    return SeenFace(FaceView(inputs, has, aligned, within, surface, depth == ESTIMATED),
                    face_quality(crop, mask, box.side, upright, estimate.visibility), depth)


def measured_relief(enhanced: EnhancedDepth, box: FaceBox, mask: np.ndarray,
                    intrinsics: CameraIntrinsics | None) -> np.ndarray | None:
    """
    Return the relief of enhanced depth, None where too little of the face was measured.

    :param mask: (S, S) uint8 labels of the canonical crop
    :returns: (S, S) float32 metres along the ray to the head point, NaN off the face
    """
    size = len(mask)
    affine, place = box.image_from_crop(size), np.arange(size) + 0.5
    # (S, S, 2); a product of matrices would cost ten times as much
    pixels = np.stack([row[0] * place + (row[1] * place)[:, None] + row[2] for row in affine],
                      axis=2)
    height, width = enhanced.provenance.shape
    column, row = np.floor(pixels[..., 0]), np.floor(pixels[..., 1])
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    provenance = np.zeros((size, size), np.uint8)
    provenance[inside] = enhanced.provenance[row[inside].astype(int), column[inside].astype(int)]
    face = mask > 0
    known = face & np.isin(provenance, (Provenance.MEASURED, Provenance.CORRECTED))
    if known.sum() < _LEAST_PIXELS or known.sum() < MEASURED_SHARE * face.sum():
        return None
    along = crop_depth(enhanced.depth, box, size) * along_ray(box, intrinsics, pixels)
    known &= np.isfinite(along)
    if not known.any():
        return None
    middle = float(np.median(along[known]))
    relief = (along - middle).astype(np.float32)
    with np.errstate(invalid='ignore'):
        usable = face & (np.abs(relief) < _FACE_REACH_M)
    if usable.sum() < MEASURED_SHARE * face.sum():
        return None
    return np.where(usable, relief, np.float32(np.nan))


def measured_surface(depth: np.ndarray, estimate: FaceEstimate, relief: np.ndarray,
                     intrinsics: CameraIntrinsics) -> FaceSurface | None:
    """
    Return a face's skin in metres, None where there are no landmarks.

    :param depth: (H, W) float32 metres along the optical axis
    :param relief: (S, S) of `measured_relief`: what of the crop was measured of the face
    """
    if estimate.landmarks is None:
        return None
    box, size = estimate.detection.box, len(relief)
    along = np.where(np.isfinite(relief), crop_depth(depth, box, size), np.float32(np.nan))
    to_crop = box.crop_from_image(size)
    focal = np.diag((intrinsics.fx, intrinsics.fy))
    camera = np.column_stack([to_crop[:, :2] @ focal, transform_points(
        to_crop, np.array([intrinsics.cx, intrinsics.cy]))])
    return face_surface(along, estimate.mask, camera,
                        transform_points(to_crop, estimate.landmarks))


def _framed(color: np.ndarray, estimate: FaceEstimate,
            relief: np.ndarray) -> RecognitionInput | None:
    """Return the face in the frame of its landmarks, None where there are none."""
    if estimate.landmarks is None:
        return None
    box = estimate.detection.box
    frame = frame_of(estimate.landmarks, box)
    return framed_input(color, frame, relief, estimate.mask,
                        within_crop(frame, box, len(estimate.mask)))


def _aligned(color: np.ndarray, estimate: FaceEstimate) -> tuple[np.ndarray, np.ndarray]:
    """Cut colour and mask by five points."""
    if estimate.landmarks is not None:
        points = five_points_of(estimate.landmarks)
    elif estimate.detection.landmarks is not None:
        points = np.asarray(estimate.detection.landmarks, np.float64)
    else:
        raise FaceDepthError(
            'the model takes faces cut by five points, but the estimator gives no landmarks; use '
            'the estimator `ours`, or a model with crop: box', cause='no_landmarks')
    in_crop = transform_points(estimate.detection.box.crop_from_image(len(estimate.mask)), points)
    return (crop_by_five_points(color, points),
            crop_by_five_points(estimate.mask, in_crop, nearest=True))
