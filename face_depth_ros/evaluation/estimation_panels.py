# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Rendered faces under every estimator: surfaces as clay, masks and landmarks over the photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from face_depth_ros.core.face_photo import BOX_SIDE_M, CROP_PX
from face_depth_ros.evaluation.estimation_pictures import clay, landmarks_over
from face_depth_ros.evaluation.estimation_protocol import PICTURED
from face_depth_ros.evaluation.estimator_rows import EstimatedFace
from face_depth_ros.evaluation.face_drawing import blend_mask
from face_depth_ros.evaluation.face_photo_samples import FaceSample
from face_depth_ros.evaluation.overlay import resized
from face_depth_ros.evaluation.report import picture_grid
import numpy as np

_PICTURE = 150
_METRES_PER_PIXEL = BOX_SIDE_M / CROP_PX
PHOTO, TRUTH = 'photo', 'truth'


def estimation_panels(pictures: Mapping[str, tuple[FaceSample, dict[str, EstimatedFace]]],
                      ) -> str:
    """
    Draw the pictured faces: two lines each, surfaces, then masks with landmarks.

    :param pictures: kind of face, of `PICTURED` -> the face, and what each row says of it
    :returns: HTML, '' when there are none
    """
    if not pictures:
        return ''
    rows = list(dict.fromkeys(row for _, said in pictures.values() for row in said))
    lines: list[tuple[str, Sequence[np.ndarray]]] = []
    for kind in sorted(pictures, key=list(reversed(PICTURED)).index):
        sample, said = pictures[kind]
        lines += [(f'{kind}, surface', _shrunk(surface_tiles(sample, said, rows))),
                  (f'{kind}, mask', _shrunk(mask_tiles(sample, said, rows)))]
    return picture_grid([PHOTO, TRUTH, *rows], lines)


def surface_tiles(sample: FaceSample, said: Mapping[str, EstimatedFace],
                  rows: Sequence[str]) -> list[np.ndarray]:
    """Return photo, true surface and that of each row, (256, 256, 3) uint8 RGB."""
    photo = sample.photo
    return [photo.color, clay(relief_points(photo.relief)),
            *(clay(relief_points(said[row].relief)) for row in rows)]


def mask_tiles(sample: FaceSample, said: Mapping[str, EstimatedFace],
               rows: Sequence[str]) -> list[np.ndarray]:
    """Return the photo, and true and estimated mask and landmarks over it, where known."""
    photo = sample.photo
    tiles = [photo.color, _mask_over(photo.color, photo.mask, photo.landmarks)]
    return tiles + [_mask_over(photo.color, said[row].mask, said[row].landmarks) for row in rows]


def relief_points(relief: np.ndarray) -> np.ndarray:
    """
    Return points of a crop as a far camera sees it.

    :param relief: (S, S) float32 metres, NaN where there is no face
    :returns: (3, S, S) metres
    """
    rows, columns = np.indices(relief.shape) * _METRES_PER_PIXEL
    return np.stack([columns, rows, relief])


def _mask_over(color: np.ndarray, mask: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
    picture = blend_mask(color, mask)
    return picture if landmarks is None else landmarks_over(picture, landmarks)


def _shrunk(tiles: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [resized(tile, _PICTURE, _PICTURE) for tile in tiles]
