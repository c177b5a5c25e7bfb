# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The standard protocol of 2D+3D expression recognition on BU-3DFE and Bosphorus.

Source: Sui et al., "AFNet-M", section III.A: 60 subjects, drawn once and fixed in the whole
experiment; of BU-3DFE the two strongest levels, of Bosphorus the one that there is, of subjects
with all six expressions; 100 times 10 folds in which no subject is both trained on and tested.
What was drawn the paper does not tell; here fixed seeds draw it.

The surface processing of the paper (outliers removed, holes filled, noise removed) is done by the
depth enhancer, on the depth of the scan's orthographic view, before the depth image is made; the
mask of the face and the landmarks are told by the estimator from the colour of the same crop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
import random

from face_depth_ros.core.afnet_input import afnet_planes, AfnetPlanes, part_of_labels
from face_depth_ros.core.errors import DatasetError, FaceDepthError
from face_depth_ros.core.expression_input import expression_input, part_box
from face_depth_ros.core.expression_input import SIZE as PART_PX
from face_depth_ros.core.expression_labels import EXPRESSIONS, NEUTRAL
from face_depth_ros.core.face_box import crop_color, FaceBox, transform_points
from face_depth_ros.core.face_photo import FacePhoto
from face_depth_ros.core.frames import Detection, Provenance
from face_depth_ros.datasets import bosphorus, bu_3dfe
from face_depth_ros.datasets.face_photos_of import face_photo_of
from face_depth_ros.datasets.rgbd_faces import FaceDataset, Recording
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.depth_estimator import DepthEstimator
import numpy as np

SUBJECTS, FOLDS, REPEATS = 60, 10, 100
LEVELS = (3, 4)
"""Strengths that are used; what Bosphorus has counts as 4."""
BASIC = EXPRESSIONS[:NEUTRAL]
SUBJECT_SEED, FOLD_SEED = 60, 1000
_PHOTO_PX = 256
_DISTANCE_M = 1.0

OPENERS: dict[str, Callable[[Path], FaceDataset]] = {
    bu_3dfe.DATASET: bu_3dfe.Bu3dfe, bosphorus.DATASET: bosphorus.Bosphorus}
_EXPRESSION_OF: dict[str, Callable[[Recording], tuple[str, int] | None]] = {
    bu_3dfe.DATASET: bu_3dfe.expression_of, bosphorus.DATASET: bosphorus.expression_of}


@dataclass(frozen=True)
class Shown:
    """
    A recording of the protocol.

    :param label: of BASIC
    :param level: of LEVELS
    """

    recording: Recording
    label: int
    level: int


def protocol_recordings(recordings: Iterable[Recording], subjects: int = SUBJECTS,
                        ) -> tuple[Shown, ...]:
    """
    Return the recordings of the fixed subjects, in the dataset's order.

    :param recordings: of BU-3DFE or of Bosphorus; of two with the same subject, expression and
        level the first is taken
    :param subjects: how many are drawn from those with all expressions at all levels there are
    :raises DatasetError: another dataset, or fewer such subjects
    """
    found: dict[tuple[str, int, int], Shown] = {}
    levels: set[int] = set()
    for recording in recordings:
        if recording.dataset not in _EXPRESSION_OF:
            raise DatasetError(f'{recording.dataset} has no such protocol, expected one of '
                               f'{", ".join(_EXPRESSION_OF)}')
        expression = _EXPRESSION_OF[recording.dataset](recording)
        if expression is None or expression[1] not in LEVELS:
            continue
        label, level = BASIC.index(expression[0]), expression[1]
        levels.add(level)
        found.setdefault((recording.subject, label, level), Shown(recording, label, level))
    counts: dict[str, int] = {}
    for subject, _, _ in found:
        counts[subject] = counts.get(subject, 0) + 1
    whole = sorted(s for s, count in counts.items() if count == len(BASIC) * len(levels))
    if subjects < 1 or len(whole) < subjects:
        raise DatasetError(f'{len(whole)} subjects have all six expressions at the levels '
                           f'{sorted(levels)}, expected at least {max(subjects, 1)}; is the copy '
                           'of the dataset complete?')
    chosen = set(random.Random(SUBJECT_SEED).sample(whole, subjects))
    return tuple(s for s in found.values() if s.recording.subject in chosen)


def folds(subjects: Iterable[str], repeat: int, count: int = FOLDS) -> list[tuple[str, ...]]:
    """
    Deal the subjects into folds, each of which is tested on once.

    :param repeat: number of the repetition, each with an order of its own
    :returns: disjoint groups, whose sizes differ by at most 1
    :raises DatasetError: fewer subjects than folds, or fewer than 2 folds
    """
    ordered = sorted(set(subjects))
    if count < 2 or len(ordered) < count:
        raise DatasetError(f'{len(ordered)} subjects and {count} folds, expected at least 2 folds '
                           'and a subject for each')
    random.Random(FOLD_SEED + repeat).shuffle(ordered)
    return [tuple(ordered[start::count]) for start in range(count)]


def open_models(*, enhance: bool = True) -> tuple[DepthEnhancer | None, DepthEstimator]:
    """
    Open the shipped models that the protocol's images need.

    :raises FaceDepthError: a model or backend is missing
    """
    return DepthEnhancer() if enhance else None, DepthEstimator()


class ProtocolFaces:
    """
    Makes AFNet-M's images of recordings.

    :param enhancer: of the scan's depth, None = as scanned
    :param estimator: of mask and landmarks, None = the mask is where depth is, no landmarks
    :param size: side of the images
    """

    def __init__(self, enhancer: DepthEnhancer | None, estimator: DepthEstimator | None,
                 size: int) -> None:
        self._enhancer, self._estimator, self._size = enhancer, estimator, size
        self.left_out: dict[str, str] = {}
        """Name of a recording -> why it has no crop."""

    def planes(self, dataset: FaceDataset, shown: Sequence[Shown],
               ) -> Iterator[tuple[Shown, AfnetPlanes]]:
        """Yield the images of recordings; one whose face cannot be cropped is left out."""
        for item in shown:
            try:
                photo = face_photo_of(dataset.read(item.recording), None, upright=True,
                                      size=_PHOTO_PX)
                yield item, self.of_photo(photo)
            except FaceDepthError as error:
                if isinstance(error, DatasetError) and not item.recording.path.is_file():
                    raise
                self.left_out[item.recording.name] = str(error)

    def of_photo(self, photo: FacePhoto) -> AfnetPlanes:
        """Return the images of one photo."""
        size = len(photo.mask)
        box = FaceBox(size / 2, size / 2, size)
        part, detection = part_box(box), Detection(box, 1.0)
        mask, points = photo.mask, None
        if self._estimator is not None:
            for face in self._estimator.estimate(photo.color, (detection,)).faces:
                mask, points = self._on_grid(face.mask, size), face.landmarks
        if points is not None:
            points = transform_points(part.crop_from_image(PART_PX), points)
        color = crop_color(photo.color, part, PART_PX)
        seen = expression_input(color, self._processed(photo.relief, detection), mask)
        return afnet_planes(color, seen.depth, part_of_labels(mask), points, self._size)

    def _processed(self, relief: np.ndarray, detection: Detection) -> np.ndarray:
        """Remove outliers and noise and fill holes, as if the head stood 1 m away."""
        if self._enhancer is None:
            return relief
        enhanced = self._enhancer.enhance((relief + np.float32(_DISTANCE_M)).astype(np.float32),
                                          (detection,))
        if (enhanced.provenance == Provenance.LEFT_ALONE).all():
            return relief
        return enhanced.depth - np.float32(_DISTANCE_M)

    @staticmethod
    def _on_grid(mask: np.ndarray, size: int) -> np.ndarray:
        """Bring a mask to another side, (size, size)."""
        place = ((np.arange(size) + 0.5) * len(mask) / size).astype(int)
        return np.ascontiguousarray(mask[place[:, None], place])
