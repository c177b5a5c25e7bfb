# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn people's photos into coefficients of the head model: what face shapes are trained from.

    python -m face_depth_ros.training.fit_identities OUT coefficients.npz --assets DIR

OUT is a data set of augment_dataset. One identity is fitted to all photos of a person, an
expression and a pose to each (synthesis/multi_image_fit.py), by the 68 landmarks and, unless
`--relief 0`, by the relief that the estimator tells there. The file holds `persons` (P,) names,
`identity` (P, 100), and of each face `person` (N,) index, `image` (N,) path, `expression` (N, 57),
`yaw` (N,) degrees, positive when the subject turns to its left, and `error` (N,), the root mean
square distance of the landmarks in sides of the crop.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.augmented_faces import AugmentedFaces
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.multi_image_fit import Fit, MorphableFitter
import numpy as np
import torch

LOG = logging.getLogger('fit_identities')
_PEOPLE_AT_ONCE = 16
_HIDDEN = 0.1
"""Trust in a point that is hidden: where it should be still tells something."""
_CM_PER_M = 100.0


@dataclass(frozen=True)
class FacePoints:
    """
    Landmarks of N faces of P persons.

    :param persons: names; person: (N,) index
    :param landmarks: (N, 68, 2), in sides of the crop; visibility: (N, 68), 0 to 1
    :param relief: (N, 68) m at the landmarks, NaN where hidden or off the face
    """

    persons: tuple[str, ...]
    person: np.ndarray
    images: tuple[str, ...]
    landmarks: np.ndarray
    visibility: np.ndarray
    relief: np.ndarray


def main(arguments: list[str] | None = None) -> None:
    """Fit from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dataset', type=Path)
    parser.add_argument('output', type=Path)
    parser.add_argument('--assets', default='')
    parser.add_argument('--relief', type=int, choices=(0, 1), default=1)
    parser.add_argument('--device', default='cpu')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    head = MorphableHead(find_assets(options.assets or None), options.device)
    content = fit_people(read_points(options.dataset), MorphableFitter(head),
                         use_relief=bool(options.relief))
    partial = options.output.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez_compressed(file, **content)
    partial.replace(options.output)
    LOG.info('%d faces of %d people, landmarks off by %.2f %% of the crop (median)',
             len(content['person']), len(content['persons']),
             100.0 * float(np.median(content['error'])))


def read_points(folder: Path) -> FacePoints:
    """
    Read the landmarks of a data set.

    :raises DatasetError: no such data set, or its estimator told no landmarks
    """
    dataset = AugmentedFaces(folder)
    parts: list[tuple[np.ndarray, ...]] = []
    images: list[str] = []
    for shard in dataset:
        if not len(shard):
            continue
        relief = np.stack([relief_at(*face) for face in zip(
            shard.relief, shard.landmarks, shard.visibility, strict=True)])
        parts.append((shard.person, shard.landmarks / np.float32(dataset.crop_px),
                      shard.visibility, relief))
        images += shard.images
    if not parts or not np.isfinite(np.concatenate([p[1] for p in parts])).all():
        raise DatasetError(f'{folder} has no faces with landmarks; make it by augment_dataset '
                           'with the estimator "ours", which tells them')
    person, landmarks, visibility, depth = (np.concatenate(c) for c in zip(*parts, strict=True))
    return FacePoints(dataset.persons, person, tuple(images), landmarks, visibility, depth)


def relief_at(relief: np.ndarray, landmarks: np.ndarray, visibility: np.ndarray) -> np.ndarray:
    """
    Return the relief under landmarks.

    :param relief: (S, S) m, NaN off the face; landmarks: (68, 2) pixels; visibility: (68,)
    :returns: (68,) m, NaN where hidden, off the face or out of the crop
    """
    pixels = np.floor(np.nan_to_num(landmarks, nan=-1.0)).astype(np.int64)
    inside = ((pixels >= 0) & (pixels < len(relief))).all(axis=1) & (visibility > 0.5)
    pixels = np.where(inside[:, None], pixels, 0)
    return np.where(inside, relief[pixels[:, 1], pixels[:, 0]], np.float32(np.nan))


def fit_people(points: FacePoints, fitter: MorphableFitter,
               use_relief: bool = True) -> dict[str, Any]:
    """
    Fit everybody.

    :returns: the arrays of the file
    """
    count = len(points.person)
    content: dict[str, Any] = {
        'persons': np.array(points.persons), 'person': points.person,
        'image': np.array(points.images),
        'identity': np.full((len(points.persons), fitter.head.identity_modes), np.nan, np.float32),
        'expression': np.zeros((count, len(fitter.head.expression_names)), np.float32),
        'yaw': np.zeros(count, np.float32), 'error': np.zeros(count, np.float32)}
    for people, rows in batches(points.person):
        there = rows >= 0
        weights = np.where(there[..., None], _HIDDEN + (1.0 - _HIDDEN) * points.visibility[rows],
                           0.0)
        device = fitter.head.device
        relief = torch.as_tensor(points.relief[rows] * _CM_PER_M, device=device)
        fit = fitter.fit(torch.as_tensor(points.landmarks[rows], device=device),
                         torch.as_tensor(weights, device=device), relief if use_relief else None)
        content['identity'][people] = fit.identity.cpu().numpy()
        for name, values in (('expression', fit.expression), ('yaw', yaw_of(fit)),
                             ('error', fit.error)):
            content[name][rows[there]] = values.cpu().numpy()[there]
    return content


def batches(person: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """
    Yield people some at a time, those with as many faces together.

    :param person: (N,) index
    :returns: people (P,); their faces' numbers (P, K), -1 where there are fewer
    """
    names, counts = np.unique(person, return_counts=True)
    order = names[np.argsort(counts, kind='stable')]
    for start in range(0, len(order), _PEOPLE_AT_ONCE):
        people = order[start:start + _PEOPLE_AT_ONCE]
        faces = [np.flatnonzero(person == one) for one in people]
        rows = np.full((len(people), max(map(len, faces))), -1)
        for row, numbers in zip(rows, faces, strict=True):
            row[:len(numbers)] = numbers
        yield people, rows


def yaw_of(fit: Fit) -> torch.Tensor:
    """Return the yaws, (P, K) degrees, positive when the subject turns to its left."""
    out_of_face = fit.poses.rotation[..., 2]  # the head's z axis in the optical frame
    return torch.rad2deg(torch.atan2(out_of_face[..., 0], -out_of_face[..., 2]))


if __name__ == '__main__':
    main()
