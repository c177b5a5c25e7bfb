# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The frontal faces of a bag, open as recorded, and with a made hand and sheet put before them.

Face area: from the brows to the chin of the detected box and, where the bag has a reference, only
where that has surface. Landmarks: the five of the detector; a bag has no 68.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from face_depth_ros.core.errors import BagError
from face_depth_ros.core.face_box import crop_color, crop_depth, transform_points
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.covered_faces import covered_by_hand, covered_by_paper
from face_depth_ros.evaluation.depth_pairs import SIZE
from face_depth_ros.evaluation.real_faces import (
    canonical_ellipse,
    FaceSample,
    MOUTH,
    NEUTRAL,
    PAPER,
)
from face_depth_ros.evaluation.reference_depth import ReferenceDepth
from face_depth_ros.predictors.face_detector import FaceDetector
import numpy as np

COVERED_NOTE = ('The hand and the sheet are made: simple shapes put 3 to 6 cm before the measured '
                'face, with noise of the size that the camera shows on it.')
_LEAST_FACE = 0.2
"""Share of the face area that must have surface in the reference, else the box is no face."""
_FRONTAL = 0.5
"""The nose tip lies at most this far from the middle of the eyes, of half their distance."""


def bag_faces(path: Path, reference_path: Path | None = None, *, backend: str = 'auto',
              precision: str = 'auto', limit: int | None = None) -> Iterator[FaceSample]:
    """
    Find the largest frontal face of each frame; each gives three samples, see `VARIANTS`.

    :param reference_path: true depth; None = what lies beside the bag, if anything
    :param limit: at most so many frames of the bag
    :raises BagError: the bag has no depth with a frontal face
    """
    reference_path = reference_path or ReferenceDepth.beside(path)
    reference = None if reference_path is None else ReferenceDepth(reference_path)
    detector = FaceDetector(backend=backend, precision=precision)
    found = 0
    try:
        with Bag(path) as bag:
            for source, frame in bag.decoded(bag.camera_topics(), limit):
                if frame.color is None or frame.depth is None:
                    continue
                face = max(detector.detect(frame.color), key=lambda d: d.box.side, default=None)
                truth = None if reference is None else reference.at(source.stamp_ns)
                if face is None or not is_frontal(face) or (
                        reference is not None and truth is None):
                    continue
                sample = _sample(f'{source.index:04d}', frame.color, frame.depth, face, truth)
                if sample is not None:
                    found += 1
                    yield from _with_covers(sample, source.index)
    finally:
        detector.close()
    if not found:
        raise BagError(f'no frame of {path} shows a frontal face with depth'
                       + ('' if reference is None else f' and a frame of {reference_path}'),
                       cause='no_face')


def is_frontal(face: Detection) -> bool:
    """Whether the nose tip lies well between the eyes: within about 25 degrees of yaw."""
    if face.landmarks is None:
        return False
    right, left, nose = np.asarray(face.landmarks, np.float64)[:3]
    half = 0.5 * (left - right)
    length = float(np.hypot(*half))
    if length == 0:
        return False
    aside = abs(float((nose - 0.5 * (left + right)) @ half)) / length ** 2
    return aside < _FRONTAL


def _sample(name: str, color: np.ndarray, depth: np.ndarray, face: Detection,
            truth: tuple[np.ndarray, np.ndarray] | None) -> FaceSample | None:
    """Cut a face out; None where the reference has too little surface in it."""
    mask, known = canonical_ellipse(), None
    if truth is not None:
        surface, valid = truth
        inside = np.isfinite(crop_depth(surface, face.box, SIZE))
        if (mask & inside).sum() < _LEAST_FACE * mask.sum():
            return None
        mask &= inside
        known = crop_depth(np.where(valid, surface, np.float32(np.nan)), face.box, SIZE)
    points = transform_points(face.box.crop_from_image(SIZE), np.asarray(face.landmarks))
    return FaceSample(name, NEUTRAL, crop_depth(depth, face.box, SIZE), mask,
                      landmarks_few=points.astype(np.float32),
                      color=crop_color(color, face.box, SIZE), truth=known)


def _with_covers(sample: FaceSample, seed: int) -> Iterator[FaceSample]:
    yield sample
    for variant, cover in ((MOUTH, covered_by_hand), (PAPER, covered_by_paper)):
        yield FaceSample(sample.name, variant, cover(sample.depth, seed), sample.mask,
                         landmarks_few=sample.landmarks_few, color=sample.color)
