# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The landmark error of Schlett et al. (section IV.G, Table VII) before and after each enhancer.

As in the paper over images of which at least one landmark has no depth; beyond it over all
images, and on attacks with the landmarks of the face that they show: there it must not fall.
Recordings that come without 68 landmarks get those of the shipped estimator, which sees colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
from face_depth_ros.core.landmark_liveness import HOLE, landmark_test, LandmarkTest
from face_depth_ros.core.metrics import Distribution
from face_depth_ros.evaluation.enhanced_faces import enhanced_faces, EnhancedFace
from face_depth_ros.evaluation.enhancer_rows import EnhancerRows, NONE
from face_depth_ros.evaluation.evaluation_result import Rows
from face_depth_ros.evaluation.face_tables import FaceSource
from face_depth_ros.evaluation.landmark_protocol import COVERED
from face_depth_ros.evaluation.real_faces import FaceSample
from face_depth_ros.predictors.estimator_methods import CropEstimator
import numpy as np
from tqdm import tqdm

LEAST_CONFIDENCE = 0.5
"""Probability of a face below which the estimator's landmarks are none."""


@dataclass
class PadErrors:
    """
    The error of every image of a source under every row.

    :param dataset: for people; key: for ids of tables
    :param faces: by row, in the order of `names`; holes: the same, share without depth
    :param attacks: by row, then by kind
    """

    dataset: str
    key: str
    names: list[str] = field(default_factory=list)
    faces: dict[str, list[float]] = field(default_factory=dict)
    holes: dict[str, list[float]] = field(default_factory=dict)
    attacks: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    with_holes: list[bool] = field(default_factory=list)
    """Which images lack depth under a landmark before anything is enhanced."""

    def add(self, face: EnhancedFace) -> None:
        """Count one sample; what has no 68 landmarks, or covers them, is left out."""
        sample = face.sample
        points = sample.landmarks_68
        if points is None or sample.variant in COVERED:
            return
        if sample.is_attack:
            for row, output in face.outputs.items():
                self.attacks.setdefault(row, {}).setdefault(sample.variant, []).append(
                    _test(output.d, points).error)
            return
        self.names.append(sample.name)
        self.with_holes.append(_test(face.d, points).count(HOLE) > 0)
        for row, output in face.outputs.items():
            test = _test(output.d, points)
            self.faces.setdefault(row, []).append(test.error)
            self.holes.setdefault(row, []).append(test.count(HOLE) / len(test.failures))

    def rows(self, names: Sequence[str]) -> Rows:
        """Return the table of all images; a row whose enhancer is absent has empty cells."""
        return _filled(names, {name: self._row(name) for name in self.faces})

    def hole_rows(self, names: Sequence[str]) -> Rows:
        """Return the paper's table: over images that lack depth under a landmark, if any do."""
        if not any(self.with_holes):
            return {}
        return _filled(names, {name: _spread([
            v for v, has in zip(values, self.with_holes, strict=True) if has])
            for name, values in self.faces.items()})

    def mean(self, row: str) -> float | None:
        """Return the mean error of a row over all images, None where it has none."""
        values = self.faces.get(row)
        return sum(values) / len(values) if values else None

    def attack_mean(self, row: str) -> float | None:
        """Return the mean error of a row on attacks, None where it has none."""
        values = [v for kind in self.attacks.get(row, {}).values() for v in kind]
        return sum(values) / len(values) if values else None

    def _row(self, name: str) -> dict[str, float | int | None]:
        values = self.faces[name]
        row = {**_spread(values), 'holes': sum(self.holes[name]) / len(values)}
        if self.attacks:
            row |= {'attacks_mean': self.attack_mean(name), 'worst_fall': self._worst_fall(name)}
        return row

    def _worst_fall(self, name: str) -> float | None:
        """Return how far the error of one attack falls at most below that of its raw depth."""
        falls = [raw - v for kind, values in self.attacks.get(name, {}).items()
                 for v, raw in zip(values, self.attacks.get(NONE, {}).get(kind, []), strict=False)]
        return max(falls, default=None)


def pad_errors(sources: Iterable[FaceSource], rows: EnhancerRows,
               estimator: CropEstimator) -> list[PadErrors]:
    """
    Measure the error of every source.

    :param estimator: tells the landmarks of recordings that have none
    :returns: of those sources that have faces with landmarks
    """
    results = []
    for source in sources:
        result = PadErrors(source.dataset, source.key)
        samples = with_landmarks(tqdm(source.samples(), unit='face'), estimator)
        for face in enhanced_faces(samples, rows):
            result.add(face)
        if result.faces:
            results.append(result)
    return results


def with_landmarks(samples: Iterable[FaceSample],
                   estimator: CropEstimator) -> Iterator[FaceSample]:
    """
    Give 68 landmarks to samples with colour that have none.

    Covered faces pass as they are, since nothing is measured on them.
    """
    for sample in samples:
        if (sample.landmarks_68 is not None or sample.color is None
                or sample.variant in COVERED):
            yield sample
            continue
        size = estimator.size
        color = sample.color if size == len(sample.color) else cv2.resize(
            sample.color, (size, size), interpolation=cv2.INTER_AREA)
        said = estimator.estimate(color[None])
        if said.landmarks is None or said.confidence[0] < LEAST_CONFIDENCE:
            yield sample
            continue
        yield replace(sample, landmarks_68=(len(sample.color) * said.landmarks[0]).astype(
            'float32'))


def _test(d: np.ndarray, points: np.ndarray) -> LandmarkTest:
    """Test normalised depth, in which 1 stands for nothing."""
    return landmark_test(np.where(d < 1.0, d, np.nan), points)


def _spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Return the columns of the paper."""
    shape = Distribution.of(values)
    return {'mean': shape.mean, 'std': shape.std, 'min': min(values), 'max': max(values),
            'images': len(values)}


def _filled(names: Sequence[str], rows: Rows) -> Rows:
    """Return all rows in their order, those that are lacking with empty cells."""
    columns = dict.fromkeys(c for row in rows.values() for c in row)
    return {name: rows.get(name, dict.fromkeys(columns)) for name in names}
