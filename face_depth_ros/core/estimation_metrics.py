# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Numbers by which depth and masks estimated from colour are judged.

Grey depth images run from 0 to 255, 0 = no face (see core.face_photo). Measures of Pini et al.,
"Learning to Generate Facial Depth Maps", Table 1, as its magnitudes and Eigen et al. 2014 tell:

- L1 norm: mean absolute difference of a pixel. L2 norm: Euclidean norm of the difference image,
  mean over images; at 96 x 96 it is near 96 times the RMSE, as in the paper. RMSE linear: root of
  the mean square over all pixels of all images. These three count every pixel.
- Absolute and squared difference: |p - t| / t and (p - t)^2 / t. RMSE log: of natural logarithms.
  RMSE scale-invariant: root of the mean over images of the variance of log p - log t (Eigen et
  al.). Delta: share of pixels with max(p / t, t / p) below a threshold. These need a true value:
  they count the pixels of the true face, of all images alike; a prediction below 1 counts as 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
from face_depth_ros.core.errors import InvalidDepthError, InvalidImageError
from face_depth_ros.core.face_photo import MASK_LABELS
import numpy as np

DELTAS = {'delta_1.25': 1.25, 'delta_1.25^2': 1.25 ** 2, 'delta_1.25^3': 1.25 ** 3,
          'delta_1.25^1/4': 1.25 ** (1 / 4), 'delta_1.25^1/3': 1.25 ** (1 / 3),
          'delta_1.25^1/2': 1.25 ** (1 / 2)}
"""Column -> threshold of a ratio, in the order of the table."""
GREY_ERRORS = ('l1_norm', 'l2_norm', 'absolute_difference', 'squared_difference', 'rmse_linear',
               'rmse_log', 'rmse_scale_invariant')
"""Columns where less is better."""
GREY_METRICS = (*GREY_ERRORS, *DELTAS)
_LEAST_GREY = 1.0
_HALF = 0.5


@dataclass(frozen=True)
class GreyError:
    """
    One grey depth image against the truth: sums, so that images add up.

    :param pixels: of the image; face: of the true face
    :param absolute, squared: sums over the image
    :param relative, relative_squared: sums over the face of |p - t| / t and (p - t)^2 / t
    :param log, log_squared: sums over the face of log p - log t and of its square
    :param within: pixels of the face below each of `DELTAS`
    """

    pixels: int
    face: int
    absolute: float
    squared: float
    relative: float
    relative_squared: float
    log: float
    log_squared: float
    within: tuple[int, ...]

    @staticmethod
    def of(grey: np.ndarray, truth: np.ndarray) -> GreyError:
        """
        Compare one image.

        :param grey: (S, S), 0 to 255
        :param truth: the same shape, 0 = no face
        :raises InvalidImageError: shapes differ, or a value is not finite
        """
        _check_same_shape(grey, truth)
        p, t = np.asarray(grey, np.float64), np.asarray(truth, np.float64)
        if not np.isfinite(p).all() or not np.isfinite(t).all():
            raise InvalidImageError('a grey depth image holds NaN or infinity; where there is no '
                                    'face it must be 0')
        difference = p - t
        face = t > 0
        t, d = t[face], difference[face]
        shown = np.maximum(p[face], _LEAST_GREY)
        log = np.log(shown) - np.log(t)
        size = np.abs(log)
        return GreyError(
            difference.size, t.size, float(np.abs(difference).sum()),
            float(np.square(difference).sum()), float((np.abs(d) / t).sum()),
            float((np.square(d) / t).sum()), float(log.sum()), float(np.square(log).sum()),
            tuple(int((size < np.log(limit)).sum()) for limit in DELTAS.values()))

    @property
    def mean_square(self) -> float:
        """Return the mean squared difference over the whole image."""
        return self.squared / self.pixels


def grey_metrics(errors: Sequence[GreyError]) -> dict[str, float]:
    """
    Return the measures of a set of images, keyed by `GREY_METRICS`; see the module.

    :returns: NaN for each when there is no image, or no face for those that need one
    """
    columns = {name: np.array([getattr(e, name) for e in errors], np.float64)
               for name in GreyError.__dataclass_fields__ if name != 'within'}
    pixels, face = columns['pixels'].sum(), columns['face']
    faces = face.sum()
    there = face > 0
    variance = (columns['log_squared'][there] / face[there]
                - np.square(columns['log'][there] / face[there]))
    values = [
        _ratio(columns['absolute'].sum(), pixels),
        _ratio(np.sqrt(columns['squared']).sum(), len(errors)),
        _ratio(columns['relative'].sum(), faces),
        _ratio(columns['relative_squared'].sum(), faces),
        _ratio(columns['squared'].sum(), pixels) ** 0.5,
        _ratio(columns['log_squared'].sum(), faces) ** 0.5,
        _ratio(np.maximum(variance, 0.0).sum(), int(there.sum())) ** 0.5,
        *(_ratio(sum(e.within[i] for e in errors), faces) for i in range(len(DELTAS)))]
    return dict(zip(GREY_METRICS, values, strict=True))


def common_mean_square(greys: Sequence[np.ndarray], truth: np.ndarray,
                       areas: Sequence[np.ndarray]) -> list[float] | None:
    """
    Mean squared difference of several predictions where all of them and the truth have a face.

    DepthNet's Table I (Chiu et al., "High-Accuracy RGB-D Face Recognition via Segmentation-Aware
    Face Depth Estimation and Mask-Guided Attention Network", section IV.C).

    :param greys: (S, S) each, 0 to 255
    :param truth: (S, S), 0 = no face
    :param areas: (S, S) bool, where each prediction has a face
    :returns: one number for each prediction; None where they have nothing in common
    """
    common = truth > 0
    for grey, area in zip(greys, areas, strict=True):
        _check_same_shape(grey, truth)
        common = common & area
    if not common.any():
        return None
    true = np.asarray(truth, np.float64)[common]
    return [float(np.square(grey[common] - true).mean()) for grey in greys]


@dataclass(frozen=True)
class ReliefError:
    """
    Metric relief in the face area, of one face.

    :param rmse_mm: where truth and prediction have a face; NaN where they share nothing
    :param shape_mm: the same after the best offset in depth
    :param coverage: share of the true face that has a prediction
    """

    rmse_mm: float
    shape_mm: float
    coverage: float

    @staticmethod
    def of(relief: np.ndarray, truth: np.ndarray) -> ReliefError:
        """
        Compare one face.

        :param relief, truth: (S, S) metres, NaN where there is no face
        :raises InvalidImageError: shapes differ
        """
        _check_same_shape(relief, truth)
        face = np.isfinite(truth)
        both = face & np.isfinite(relief)
        if not both.any():
            return ReliefError(float('nan'), float('nan'), 0.0 if face.any() else float('nan'))
        d = 1e3 * (np.asarray(relief, np.float64)[both] - truth[both])
        return ReliefError(float(np.sqrt(np.square(d).mean())), float(d.std()),
                           float(both.sum() / face.sum()))


class MaskConfusion:
    """Pixels of a data set by their true and their predicted class."""

    def __init__(self, classes: int = len(MASK_LABELS)) -> None:
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, predicted: np.ndarray, truth: np.ndarray) -> None:
        """
        Count one image.

        :param predicted, truth: (S, S) uint8 labels
        :raises InvalidImageError: shapes differ, or a label is no class
        """
        _check_same_shape(predicted, truth)
        classes = len(self.counts)
        highest = max(int(predicted.max(initial=0)), int(truth.max(initial=0)))
        if highest >= classes:
            raise InvalidImageError(f'a mask has the label {highest}, expected 0 to {classes - 1}')
        pairs = truth.astype(np.int64).ravel() * classes + predicted.ravel()
        self.counts += np.bincount(pairs, minlength=classes ** 2).reshape(classes, classes)

    def iou(self) -> np.ndarray:
        """Return intersection over union of each class, NaN for one that is nowhere."""
        both = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - both
        return np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)

    def mean_iou(self) -> float:
        """Return the mean over the classes that the truth has, the background among them."""
        present = self.counts.sum(axis=1) > 0
        return float(self.iou()[present].mean()) if present.any() else float('nan')

    def face_iou(self) -> float:
        """Return intersection over union of all that is not background."""
        neither = self.counts[0, 0]
        union = self.counts.sum() - neither
        both = self.counts[1:, 1:].sum()
        return float(both / union) if union else float('nan')


def shrink_relief(relief: np.ndarray, size: int) -> np.ndarray:
    """
    Average relief over larger pixels; background is not mixed in.

    :param relief: (S, S) float32 metres, NaN where there is no face; S >= size
    :returns: (size, size) float32, NaN where more than half of a pixel is no face
    :raises InvalidDepthError: not such an image
    """
    if relief.dtype != np.float32 or relief.ndim != 2 or min(relief.shape) < size:
        raise InvalidDepthError(f'relief is {relief.shape} {relief.dtype}, expected float32 of at '
                                f'least ({size}, {size})')
    known = np.isfinite(relief)
    layers = np.stack([np.where(known, relief, np.float32(0.0)), known.astype(np.float32)], axis=2)
    value, weight = np.moveaxis(
        cv2.resize(layers, (size, size), interpolation=cv2.INTER_AREA), 2, 0)
    nothing = np.full_like(value, np.nan)
    return np.divide(value, weight, out=nothing, where=weight >= _HALF)


def _ratio(value: float, count: float) -> float:
    return float(value / count) if count else float('nan')


def _check_same_shape(first: np.ndarray, second: np.ndarray) -> None:
    if np.shape(first) != np.shape(second):
        raise InvalidImageError(f'images to compare have shapes {np.shape(first)} and '
                                f'{np.shape(second)}, expected the same shape')
