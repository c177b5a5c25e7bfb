# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How still landmarks stay on a head that is known to be rigid: nobody marked them on real frames.

Each landmark is lifted by the sensor's depth and taken to the head by the reference's pose. How
far it lies from its own median place there, over all frames, is what it wanders. That says nothing
of where it should be; but what wanders is wrong in most frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from face_depth_ros.core.face_box import transform_points
from face_depth_ros.core.face_photo import BOX_SIDE_M, CROP_PX, LANDMARK_COUNT
from face_depth_ros.evaluation.estimation_faces import RealFace
from face_depth_ros.evaluation.evaluation_result import Rows
import numpy as np

GROUPS = {'brows': range(17, 27), 'nose': range(27, 36), 'eyes': range(36, 48),
          'mouth': range(48, 68)}
"""The jaw is left out: on a turned head its points lie on the outline, which is another place."""
_LEAST_FRAMES = 8


def wandering_rows(faces: Sequence[RealFace],
                   landmarks: Mapping[str, Sequence[np.ndarray | None]]) -> Rows:
    """
    Return how far landmarks wander on the head, median in mm, and percent of the box.

    :param landmarks: by row, for each face pixels of its crop, (68, 2), or None
    :returns: nothing where no pose is known; no line for rows without landmarks
    """
    rows: Rows = {}
    for row, found in landmarks.items():
        places = [place_on_head(face, points) for face, points in zip(faces, found, strict=True)
                  if points is not None and face.model_from_camera is not None]
        if places:
            distance = _from_median(np.stack(places))
            rows[row] = {name: _median_mm(distance[:, list(points)])
                         for name, points in GROUPS.items()}
            everything = _median_mm(distance[:, 17:])
            rows[row] |= {'all': everything, 'percent_of_box': None if everything is None else
                          everything / (10.0 * BOX_SIDE_M)}
    return rows


def place_on_head(face: RealFace, landmarks: np.ndarray) -> np.ndarray:
    """
    Take landmarks to the head by the depth under them.

    :param landmarks: (68, 2) pixels of the crop
    :returns: metres, (68, 3) float64, NaN where the sensor has no depth there
    """
    if face.model_from_camera is None:
        return np.full((LANDMARK_COUNT, 3), np.nan)
    inside = ((landmarks >= 0) & (landmarks < CROP_PX)).all(axis=1)  # NaN is nowhere
    depth = np.full(LANDMARK_COUNT, np.nan)
    x, y = landmarks[inside].astype(int).T
    depth[inside] = face.sensor[y, x]
    rays = transform_points(face.camera.ray_from_crop, landmarks)  # (68, 2)
    points = np.column_stack([rays, np.ones(LANDMARK_COUNT)]) * depth[:, None]
    pose = face.model_from_camera
    on_head: np.ndarray = points @ pose[:, :3].T + pose[:, 3]
    return on_head


def _from_median(places: np.ndarray) -> np.ndarray:
    """
    Return metres from the median place.

    :param places: (N, 68, 3), NaN where unknown
    :returns: (N, 68), NaN where unknown or seen too rarely
    """
    known = np.isfinite(places[..., 0])
    often = known.sum(axis=0) >= _LEAST_FRAMES
    result = np.full(known.shape, np.nan)
    for i in np.flatnonzero(often):
        seen = places[known[:, i], i]
        result[known[:, i], i] = np.linalg.norm(seen - np.median(seen, axis=0), axis=1)
    return result


def _median_mm(distance: np.ndarray) -> float | None:
    finite = distance[np.isfinite(distance)]
    return 1e3 * float(np.median(finite)) if finite.size else None
