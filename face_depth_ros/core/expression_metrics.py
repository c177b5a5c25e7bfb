# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Numbers by which expressions are judged: accuracy, confusion, calibration, affect, action units.

Classes are indices into core.expression_labels.EXPRESSIONS: the six basic ones, then neutral.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.errors import ScoreError
from face_depth_ros.core.expression_labels import EXPRESSIONS, NEUTRAL
import numpy as np

BINS = 15
"""Of the calibration error."""
DRAWS = 2000
"""Of the bootstrap."""
_CONFIDENCE = 0.95
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Accuracy:
    """
    How many are right, 0 to 1.

    :param overall: of all faces
    :param mean: of the classes that there are, each alike
    :param by_class: (C,) share of right ones, NaN where a class has no faces
    """

    overall: float
    mean: float
    by_class: np.ndarray


@dataclass(frozen=True)
class Difference:
    """
    By how much a first method beats a second on the same faces, shares 0 to 1.

    :param low, high: 95 % interval, from resampling people
    :param only_first, only_second: faces that one alone gets right
    :param chance: exact two-sided probability of such a split by chance (McNemar)
    """

    value: float
    low: float
    high: float
    only_first: int
    only_second: int
    chance: float

    @property
    def certain(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0.0 or self.high < 0.0


def confusion_matrix(truth: np.ndarray, said: np.ndarray,
                     classes: int = len(EXPRESSIONS)) -> np.ndarray:
    """
    Count what is said of faces of each class.

    :param truth, said: (N,) classes
    :returns: (C, C) int64, a row for each true class
    :raises ScoreError: no faces, other lengths, or classes out of range
    """
    a, b = _classes('truth', truth, classes), _classes('what is said', said, classes)
    _alike(a, b)
    counts = np.bincount(a * classes + b, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def accuracy(truth: np.ndarray, right: np.ndarray, classes: int = len(EXPRESSIONS)) -> Accuracy:
    """
    Return shares of right ones.

    :param truth: (N,) classes
    :param right: (N,) bool; a face of which nothing could be said is wrong
    :raises ScoreError: no faces, other lengths, or classes out of range
    """
    a, b = _classes('truth', truth, classes), np.asarray(right, bool)
    _alike(a, b)
    total, hits = np.bincount(a, minlength=classes), np.bincount(a[b], minlength=classes)
    by_class = np.where(total > 0, hits / np.maximum(total, 1), np.nan)
    return Accuracy(float(b.mean()), float(np.nanmean(by_class)), by_class)


def best_of_six(probabilities: np.ndarray) -> np.ndarray:
    """
    Return the likeliest basic expression of each face, as protocols of six classes ask for it.

    :param probabilities: (N, 7), or (N, 6) of networks that know no neutral faces
    :returns: (N,) int64, below 6
    """
    return _probabilities(probabilities)[:, :NEUTRAL].argmax(axis=1)


def best_of_seven(probabilities: np.ndarray) -> np.ndarray:
    """
    Return the likeliest class of each face.

    :param probabilities: (N, 7)
    :raises ScoreError: of six classes
    """
    values = _probabilities(probabilities)
    if values.shape[1] != len(EXPRESSIONS):
        raise ScoreError(f'probabilities of {values.shape[1]} classes tell no neutral faces, '
                         f'expected {len(EXPRESSIONS)}')
    return values.argmax(axis=1)


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """
    Return the expected calibration error: the mean distance of confidence and share of right ones.

    :param confidence: (N,) probability of what is said, 0 to 1
    :param right: (N,) bool
    :param bins: of equal width, weighed by their faces
    :raises ScoreError: no faces, other lengths, or probabilities out of range
    """
    sure, true = _values('confidence', confidence), np.asarray(right, bool)
    _alike(sure, true)
    if sure.min() < 0.0 or sure.max() > 1.0 + _SUM_TOLERANCE:
        raise ScoreError(f'confidence is {sure.min():g} to {sure.max():g}, expected 0 to 1')
    index = np.minimum((sure * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins)
    gap = np.bincount(index, true - sure, bins)
    return float(np.abs(gap[count > 0]).sum() / len(sure))


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 10,
                ) -> list[tuple[float, float, int]]:
    """
    Return mean confidence, share of right ones and number of faces of each bin that has any.

    :param confidence, right: as of `calibration_error`
    """
    sure, true = _values('confidence', confidence), np.asarray(right, bool)
    _alike(sure, true)
    index = np.clip((sure * bins).astype(np.int64), 0, bins - 1)
    return [(float(sure[index == i].mean()), float(true[index == i].mean()),
             int((index == i).sum())) for i in range(bins) if (index == i).any()]


def concordance(truth: np.ndarray, said: np.ndarray) -> float:
    """
    Return Lin's concordance correlation coefficient, 1 where both are the same.

    :param truth, said: (N,)
    :raises ScoreError: fewer than two values, other lengths, or all are one value
    """
    a, b = _values('truth', truth, least=2), _values('what is said', said, least=2)
    _alike(a, b)
    spread = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    if spread == 0.0:
        raise ScoreError('all values are the same, concordance is that of values that differ')
    return float(2.0 * np.mean((a - a.mean()) * (b - b.mean())) / spread)


def correlation(truth: np.ndarray, said: np.ndarray) -> float:
    """
    Return Pearson's correlation, 0 where either is constant.

    :param truth, said: (N,)
    :raises ScoreError: fewer than two values, or other lengths
    """
    a, b = _values('truth', truth, least=2), _values('what is said', said, least=2)
    _alike(a, b)
    scale = float(a.std() * b.std())
    return 0.0 if scale < 1e-12 else float(np.mean((a - a.mean()) * (b - b.mean())) / scale)


def paired_difference(first: np.ndarray, second: np.ndarray, persons: np.ndarray, *,
                      draws: int = DRAWS, seed: int = 0) -> Difference:
    """
    Compare two methods on the same faces.

    :param first, second: (N,) bool, which faces each gets right
    :param persons: (N,) whose faces they are; people are resampled, not faces, because the faces
        of one person are alike
    :raises ScoreError: no faces, or other lengths
    """
    a, b, who = np.asarray(first, bool), np.asarray(second, bool), np.asarray(persons)
    if not a.size:
        raise ScoreError('two methods are compared on no faces, expected at least one')
    _alike(a, b)
    _alike(a, who)
    people, index = np.unique(who, return_inverse=True)
    gain = np.bincount(index, a.astype(float) - b)
    faces = np.bincount(index)
    chosen = np.random.default_rng(seed).integers(0, len(people), (draws, len(people)))
    means = gain[chosen].sum(axis=1) / faces[chosen].sum(axis=1)
    tail = (1.0 - _CONFIDENCE) / 2.0
    low, high = np.quantile(means, (tail, 1.0 - tail))
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    return Difference(float(gain.sum() / faces.sum()), float(low), float(high), only_first,
                      only_second, mcnemar(only_first, only_second))


def mcnemar(only_first: int, only_second: int) -> float:
    """
    Return how likely a split so uneven, or more so, is by chance: the exact two-sided test.

    :param only_first, only_second: faces that one method alone gets right
    :raises ScoreError: a negative count
    """
    if only_first < 0 or only_second < 0:
        raise ScoreError(f'{only_first} and {only_second} are no counts of faces')
    count, least = only_first + only_second, min(only_first, only_second)
    below = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
             - count * math.log(2.0) for k in range(least + 1)]
    return min(1.0, 2.0 * sum(map(math.exp, below)))


def _probabilities(values: np.ndarray) -> np.ndarray:
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or not len(table) or table.shape[1] not in (NEUTRAL, len(EXPRESSIONS)):
        raise ScoreError(f'probabilities have shape {table.shape}, expected (N, 7) or (N, 6), '
                         'N > 0')
    if not np.isfinite(table).all() or np.abs(table.sum(axis=1) - 1.0).max() > _SUM_TOLERANCE:
        raise ScoreError('probabilities of a face are not finite or do not sum to 1; apply a '
                         'softmax to logits')
    return table


def _classes(what: str, values: np.ndarray, classes: int) -> np.ndarray:
    found = np.asarray(values)
    if found.ndim != 1 or not found.size or not np.issubdtype(found.dtype, np.integer):
        raise ScoreError(f'{what} has shape {found.shape} of {found.dtype}, expected (N,) whole '
                         'numbers, N > 0')
    if found.min() < 0 or found.max() >= classes:
        raise ScoreError(f'{what} has classes {found.min()} to {found.max()}, expected 0 to '
                         f'{classes - 1}')
    return found.astype(np.int64)


def _values(what: str, values: np.ndarray, least: int = 1) -> np.ndarray:
    found = np.asarray(values, np.float64)
    if found.ndim != 1 or found.size < least or not np.isfinite(found).all():
        raise ScoreError(f'{what} has shape {found.shape}, expected (N,) finite numbers, N >= '
                         f'{least}')
    return found


def _alike(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape:
        raise ScoreError(f'{first.shape} and {second.shape} values cannot be compared, expected '
                         'one of each face')
