# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The faces of KinectFaceDB as samples: a session's open face places its box and its face area.

As in the paper, the other frontal variants take the area of the open face, since people keep
still and a covered face has no sure landmarks; profiles are left out. The dataset has six
landmarks; no 68 are at hand here.
"""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_box import crop_color, crop_depth, FaceBox, transform_points
from face_depth_ros.datasets.kinect_face_db import (
    FRONTAL,
    KinectFace,
    KinectFaceDb,
)
from face_depth_ros.datasets.kinect_face_db import (
    NEUTRAL as NEUTRAL_RECORDING,
)
from face_depth_ros.datasets.kinect_face_db import (
    SIZE as IMAGE_SIZE,
)
from face_depth_ros.evaluation.depth_pairs import SIZE
from face_depth_ros.evaluation.real_faces import (
    canonical_ellipse,
    FaceSample,
    MOUTH,
    NEUTRAL,
    PAPER,
)
from face_depth_ros.predictors.face_detector import FaceDetector
import numpy as np

VARIANT_OF = {NEUTRAL_RECORDING: NEUTRAL, 'Smile': 'smile', 'OpenMouth': 'open mouth',
              'LightOn': 'light', 'OcclusionEyes': 'eyes', 'OcclusionMouth': MOUTH,
              'OcclusionPaper': PAPER}
_IN_CROP = np.array([[88.3, 98.2], [167.7, 98.2], [128.0, 135.7], [96.6, 183.9], [159.4, 183.9],
                     [128.0, 234.4]])
"""Where the six landmarks of the mean head lie in a canonical crop of 256, from 0.7 m in front."""


def kinect_faces(folder: Path, limit: int | None = None, *,
                 backend: str = 'auto') -> Iterator[FaceSample]:
    """
    Read the frontal recordings, person by person.

    :param limit: at most so many sessions
    :param backend: of the detector, which finds open faces that have no landmark file
    :raises DatasetError: not such a folder, a file of it is wrong, or an open face is not found
    """
    database = KinectFaceDb(folder)
    detector: FaceDetector | None = None
    try:
        for person, session in database.sessions[:limit]:
            box: FaceBox | None = None
            for variant in FRONTAL:
                face = database.read(person, session, variant)
                if box is None:
                    if face.landmarks is None and detector is None:
                        detector = FaceDetector(backend=backend)
                    box = _box(face, detector)
                yield _sample(face, box)
    finally:
        if detector is not None:
            detector.close()


def box_from_landmarks(points: np.ndarray) -> FaceBox:
    """
    Return the box that brings six landmarks nearest to those of the mean head.

    :param points: pixels, (6, 2): eyes, nose tip, mouth corners, chin, right before left
    """
    from_mean, to_mean = _IN_CROP.mean(axis=0), points.mean(axis=0)
    # As complex numbers a similarity is one factor, and its least squares one division.
    crop, image = ((p - m) @ np.array([1.0, 1.0j]) for p, m in ((_IN_CROP, from_mean),
                                                                (points, to_mean)))
    factor = complex(np.vdot(crop, image) / np.vdot(crop, crop))
    middle = complex(*(SIZE / 2 - from_mean)) * factor
    return FaceBox(to_mean[0] + middle.real, to_mean[1] + middle.imag, abs(factor) * SIZE,
                   math.atan2(factor.imag, factor.real))


def _box(face: KinectFace, detector: FaceDetector | None) -> FaceBox:
    if face.landmarks is not None:
        return box_from_landmarks(face.landmarks)
    found = () if detector is None else detector.detect(face.color)
    if not found:
        raise DatasetError(
            f'no face is found in the open recording of {face.person} {face.session}, which has '
            'no landmark file in Mark/MarkRGB either; complete the copy of the dataset, or leave '
            'this session out')
    return max(found, key=lambda d: d.box.side).box


def _sample(face: KinectFace, box: FaceBox) -> FaceSample:
    points = None
    if face.landmarks is not None:
        points = transform_points(box.crop_from_image(SIZE), face.landmarks).astype(np.float32)
    inside = np.isfinite(crop_depth(np.ones((IMAGE_SIZE, IMAGE_SIZE), np.float32), box, SIZE))
    return FaceSample(
        f'{face.person} {face.session}', VARIANT_OF[face.variant],
        crop_depth(face.depth, box, SIZE), canonical_ellipse() & inside, landmarks_few=points,
        color=crop_color(face.color, box, SIZE))
