# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well depth, mask and landmarks are estimated from colour, by the papers' networks and ours.

Protocols: Pini et al., "Learning to Generate Facial Depth Maps", Table 1, on grey depth images of
96 x 96 pixels as in the paper; Chiu et al., "High-Accuracy RGB-D Face Recognition via
Segmentation-Aware Face Depth Estimation and Mask-Guided Attention Network", Tables I and V, on 256
x 256; and, for all rows, metric relief, mask IoU and landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
import time

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.estimation_metrics import (
    common_mean_square,
    GreyError,
    MaskConfusion,
    ReliefError,
    shrink_relief,
)
from face_depth_ros.core.face_photo import FacePhoto, MASK_LABELS, relief_to_grey
from face_depth_ros.core.metrics import landmark_nme
from face_depth_ros.engines.openvino_graph_cost import GraphCost
from face_depth_ros.evaluation.compared_rows import RowModel
from face_depth_ros.evaluation.estimator_rows import (
    EstimatedFace,
    EstimatorRows,
    resampled_color,
    ROWS,
)
from face_depth_ros.evaluation.face_photo_samples import FaceSample
import numpy as np

PAPER_PX = 96
"""Side of the images of Pini et al."""
LEAST_FACE = 0.01
"""Share of the crop that must be face, or the photo shows none worth judging."""
LEFT_OUT = 'left out by --rows'
_GLASSES = MASK_LABELS.index('glasses')
_MUCH_GLASSES_PX = 1500


@dataclass
class RowScores:
    """
    Values of one row, one for each face.

    :param grey: grey depth images at 96 pixels, Table 1
    :param whole: mean square of the whole 256 pixels' image, Table V; common: where all rows have
        a face, Table I, NaN where they have none in common
    :param relief: metric errors
    :param confusion: of the mask
    :param nme: landmarks, percent of the box, all 68; nme_visible: those that are seen
    :param confidence: of faces; negatives: of crops without one
    :param images: the grey depth images, (96, 96) uint8
    :param ms: of the network alone, one crop at a time
    :param has_mask: it knows the classes
    """

    grey: list[GreyError] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    common: list[float] = field(default_factory=list)
    relief: list[ReliefError] = field(default_factory=list)
    confusion: MaskConfusion = field(default_factory=MaskConfusion)
    nme: list[float] = field(default_factory=list)
    nme_visible: list[float] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    negatives: list[float] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    has_mask: bool = False

    def add(self, photo: FacePhoto, truth_small: np.ndarray, face: EstimatedFace) -> None:
        """
        Judge one face; `common` is the table's, since it needs all rows.

        :param truth_small: (96, 96) float32 grey
        """
        small = resampled_color(face.grey, PAPER_PX)
        self.grey.append(GreyError.of(small, truth_small))
        self.images.append(np.rint(small).astype(np.uint8))
        self.whole.append(GreyError.of(face.grey, relief_to_grey(photo.relief)).mean_square)
        self.relief.append(ReliefError.of(face.relief, photo.relief))
        self.has_mask |= face.has_mask
        self.confusion.add(face.mask, photo.mask)
        if face.landmarks is not None:
            seen = np.where(photo.visible[:, None], photo.landmarks, np.nan)
            self.nme.append(landmark_nme(face.landmarks, photo.landmarks, len(photo.mask)))
            self.nme_visible.append(landmark_nme(face.landmarks, seen, len(photo.mask)))
        if face.confidence is not None:
            self.confidence.append(face.confidence)


@dataclass
class EstimationScores:
    """
    All rows over all faces.

    :param rows: by row
    :param absent: row -> why it has no scores
    :param angles: yaw, pitch, roll of each face, degrees
    :param identities, covered: of each face
    :param truth: grey depth images, (96, 96) uint8
    :param faceless: photos left out, since next to nothing of the face is in them
    :param apart: faces where the rows have nothing in common
    :param pictures: kind of face -> the face, and what each row says of it
    """

    rows: dict[str, RowScores] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    costs: dict[str, GraphCost | None] = field(default_factory=dict)
    models: dict[str, RowModel] = field(default_factory=dict)
    angles: list[tuple[float, float, float]] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    faceless: int = 0
    apart: int = 0
    pictures: dict[str, tuple[FaceSample, dict[str, EstimatedFace]]] = field(default_factory=dict)

    @property
    def faces(self) -> int:
        """Return how many faces were judged."""
        return len(self.identities)

    def add(self, sample: FaceSample, said: dict[str, EstimatedFace]) -> None:
        """Judge what all rows say of one face."""
        photo = sample.photo
        truth = relief_to_grey(photo.relief)
        small = relief_to_grey(shrink_relief(photo.relief, PAPER_PX))
        for name, face in said.items():
            self.rows[name].add(photo, small, face)
        common = common_mean_square([f.grey for f in said.values()], truth,
                                    [np.isfinite(f.relief) for f in said.values()])
        self.apart += common is None
        for name, value in zip(said, common or [float('nan')] * len(said), strict=True):
            self.rows[name].common.append(value)
        self.angles.append((photo.yaw, photo.pitch, photo.roll))
        self.identities.append(photo.identity)
        self.covered.append(sample.covered)
        self.truth.append(np.rint(small).astype(np.uint8))
        self._picture(sample, said)

    def _picture(self, sample: FaceSample, said: dict[str, EstimatedFace]) -> None:
        """Keep the first face of each kind, each of another person."""
        shown = {s.photo.identity for s, _ in self.pictures.values()}
        if sample.photo.identity in shown:
            return
        for kind, fits in PICTURED.items():
            if kind not in self.pictures and fits(sample):
                self.pictures[kind] = (sample, said)
                return


def _turned(low: float, high: float) -> Callable[[FaceSample], bool]:
    return lambda sample: not sample.covered and low <= abs(sample.photo.yaw) <= high


PICTURED: dict[str, Callable[[FaceSample], bool]] = {
    'profile': _turned(75.0, 90.0), 'turned by 60': _turned(50.0, 70.0),
    'glasses': lambda s: int((s.photo.mask == _GLASSES).sum()) > _MUCH_GLASSES_PX,
    'covered': lambda s: s.covered, 'turned by 30': _turned(20.0, 40.0),
    'frontal': _turned(0.0, 10.0)}
"""Kinds of faces that are pictured, the rarest first."""


def score_estimators(samples: Iterable[FaceSample], rows: EstimatorRows,
                     negatives: Iterable[np.ndarray] = ()) -> EstimationScores:
    """
    Let every row estimate every face, one face in memory at a time.

    :param negatives: (256, 256, 3) uint8 RGB crops without a face
    :raises DatasetError: there are no faces
    """
    scores = EstimationScores(
        {name: RowScores() for name in rows.methods},
        {name: rows.absent.get(name, LEFT_OUT) for name in ROWS if name not in rows.methods},
        dict(rows.costs), dict(rows.models))
    for sample in samples:
        if np.isfinite(sample.photo.relief).mean() < LEAST_FACE:
            scores.faceless += 1
            continue
        scores.add(sample, {name: method(sample.photo.color)
                            for name, method in rows.methods.items()})
    if not scores.faces:
        raise DatasetError('there are no photos with a face to evaluate on')
    for color in negatives:
        for name, method in rows.methods.items():
            said = method(color).confidence
            if said is not None:
                scores.rows[name].negatives.append(said)
    return scores


def time_networks(rows: EstimatorRows, scores: EstimationScores, colors: Sequence[np.ndarray],
                  runs: int) -> None:
    """
    Time every network alone, one crop at a time, into the scores.

    :param colors: (256, 256, 3) uint8 RGB, taken in turn
    """
    for name, network in rows.networks.items():
        crops = [resampled_color(color, network.size)[None] for color in colors]
        network.estimate(crops[0])
        for i in range(runs):
            started = time.perf_counter()
            network.estimate(crops[i % len(crops)])
            scores.rows[name].ms.append(1e3 * (time.perf_counter() - started))


def mean_interval(values: Sequence[float], people: Sequence[int]) -> tuple[float, float]:
    """
    Mean of all finite values, and half of its 95 % interval.

    Photos of one person are not independent: the interval is that of people.

    :param people: who each value is of
    :returns: NaN for both where nothing is finite; the second is NaN for one person
    """
    x, who = np.asarray(values, np.float64), np.asarray(people)
    finite = np.isfinite(x)
    if not finite.any():
        return float('nan'), float('nan')
    x = x[finite]
    _, group = np.unique(who[finite], return_inverse=True)
    count = int(group.max()) + 1
    if count < 2:
        return float(x.mean()), float('nan')
    sums = np.bincount(group, weights=x - x.mean())
    variance = np.square(sums).sum() / x.size ** 2 * count / (count - 1)
    return float(x.mean()), float(1.96 * np.sqrt(variance))
