# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Alignment of corresponding points before they are compared: what shape alone differs by.

Least squares with rotation, shift and one scale in closed form after Umeyama, "Least-squares
estimation of transformation parameters between two point patterns" (1991); robust by weighting
again; and the lesser alignments of depth, an offset alone or with a scale.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import AlignmentError
import numpy as np

_MIN_POINTS = 3
_FLAT = 1e-12
"""Share of the variance below which points have no extent in a direction: rounding."""
_TUKEY = 4.685
"""Distance in sigmas from which a point counts for nothing."""
_SIGMA_OF_NORM = 1.538
"""Median length of a 3-D residual whose three parts are normal with sigma 1."""
_SETTLED = 1e-6


@dataclass(frozen=True)
class Similarity:
    """
    X_target = scale rotation X_source + translation.

    :param scale: > 0
    :param rotation: (3, 3) float64, determinant 1
    :param translation: (3,) float64, unit of the points
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def moved(self, points: np.ndarray) -> np.ndarray:
        """
        Take points to the target.

        :param points: (..., 3)
        :returns: (..., 3) float64
        """
        return self.scale * (np.asarray(points, np.float64) @ self.rotation.T) + self.translation

    @property
    def turn(self) -> float:
        """Return the angle of the rotation in radians, 0 to pi."""
        cosine = 0.5 * (float(np.trace(self.rotation)) - 1.0)
        return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def align_similarity(source: np.ndarray, target: np.ndarray,
                     weights: np.ndarray | None = None) -> Similarity:
    """
    Return the similarity with the least sum of squared distances, never a reflection.

    :param source: (N, 3) finite
    :param target: (N, 3) finite, point by point the same
    :param weights: (N,) finite, >= 0; None = all equal
    :raises AlignmentError: the arrays do not fit, or the points do not fix a rotation and a scale:
        fewer than three, all in one place, or in one line
    """
    source, target = _checked(source, target)
    weight = _checked_weights(weights, len(source))
    mean_source, mean_target = weight @ source, weight @ target
    a, b = source - mean_source, target - mean_target
    variance = float(weight @ np.square(a).sum(axis=1))
    spread = float(weight @ np.square(b).sum(axis=1))
    for name, value, points in (('source', variance, source), ('target', spread, target)):
        if value <= _FLAT * float(np.square(points).max()):
            raise AlignmentError(f'all {name} points lie in one place, which fixes no scale; '
                                 'expected points of a surface')
    u, singular, vt = np.linalg.svd((b * weight[:, None]).T @ a)
    if singular[1] <= np.sqrt(_FLAT) * np.sqrt(variance * spread):
        raise AlignmentError('the points lie in one line, which fixes no rotation; expected '
                             'points of a surface')
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = float(singular @ sign) / variance
    return Similarity(scale, rotation, mean_target - scale * (rotation @ mean_source))


def align_robustly(source: np.ndarray, target: np.ndarray, rounds: int = 30) -> Similarity:
    """
    Return the similarity of most of the points: outliers lose their weight (Tukey's biweight).

    :param source: (N, 3) finite
    :param target: (N, 3) finite, point by point the same; at most a third of them wrong
    :param rounds: at most so many
    :raises AlignmentError: as `align_similarity`
    """
    result = align_similarity(source, target)
    size = float(np.sqrt(np.square(target - np.mean(target, axis=0)).sum(axis=1).mean()))
    before = np.full(len(source), np.inf)
    for _ in range(rounds):
        distance = np.linalg.norm(result.moved(source) - target, axis=1)
        if np.abs(distance - before).max() < _SETTLED * size:
            break
        before = distance
        # Where most points fit exactly the rest still has to be told apart from rounding.
        sigma = max(float(np.median(distance)) / _SIGMA_OF_NORM, 1e-9 * size)
        weights = np.square(np.clip(1.0 - np.square(distance / (_TUKEY * sigma)), 0.0, None))
        result = align_similarity(source, target, weights)
    return result


def rms_distance(first: np.ndarray, second: np.ndarray) -> float:
    """
    Root of the mean squared distance of corresponding points.

    :param first: (N, 3), N > 0
    :param second: (N, 3)
    :returns: unit of the points
    :raises AlignmentError: the arrays do not fit
    """
    first, second = _checked(first, second, least=1)
    return float(np.sqrt(np.square(first - second).sum(axis=1).mean()))


def depth_offset(depth: np.ndarray, truth: np.ndarray) -> float:
    """
    Return what to add to depth for the least squared difference.

    :param depth: (N,) finite, N > 0
    :param truth: (N,) finite
    :raises AlignmentError: the arrays do not fit
    """
    depth, truth = _checked_depth(depth, truth, 1)
    return float((truth - depth).mean())


def depth_scale_and_offset(depth: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """
    Return scale and offset for the least squared difference of scale * depth + offset.

    :param depth: (N,) finite, N > 1, not all equal
    :param truth: (N,) finite
    :raises AlignmentError: the arrays do not fit, or all depth is the same
    """
    depth, truth = _checked_depth(depth, truth, 2)
    centred = depth - depth.mean()
    variance = float(centred @ centred)
    if variance <= _FLAT * len(depth) * float(np.square(depth).max()):
        raise AlignmentError('all depth is the same, which fixes no scale; align it by an offset '
                             'alone')
    scale = float(centred @ (truth - truth.mean())) / variance
    return scale, float(truth.mean() - scale * depth.mean())


def _checked(source: np.ndarray, target: np.ndarray,
             least: int = _MIN_POINTS) -> tuple[np.ndarray, np.ndarray]:
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.ndim != 2 or source.shape[1] != 3 or source.shape != target.shape:
        raise AlignmentError(f'points to compare have shapes {source.shape} and {target.shape}, '
                             'expected (N, 3) both')
    _check_enough(source, target, least)
    return source, target


def _checked_depth(depth: np.ndarray, truth: np.ndarray,
                   least: int) -> tuple[np.ndarray, np.ndarray]:
    depth, truth = np.asarray(depth, np.float64), np.asarray(truth, np.float64)
    if depth.ndim != 1 or depth.shape != truth.shape:
        raise AlignmentError(f'depths to compare have shapes {depth.shape} and {truth.shape}, '
                             'expected (N,) both: select the valid pixels first')
    _check_enough(depth, truth, least)
    return depth, truth


def _check_enough(first: np.ndarray, second: np.ndarray, least: int) -> None:
    if len(first) < least:
        raise AlignmentError(f'{len(first)} points cannot be compared, expected at least {least}')
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise AlignmentError('the points hold NaN or infinity; select the valid ones first')


def _checked_weights(weights: np.ndarray | None, count: int) -> np.ndarray:
    """Return weights with a sum of 1, (count,) float64."""
    if weights is None:
        return np.full(count, 1.0 / count)
    weights = np.asarray(weights, np.float64)
    if weights.shape != (count,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise AlignmentError(f'weights must be {count} finite numbers >= 0, got shape '
                             f'{weights.shape}')
    if np.count_nonzero(weights) < _MIN_POINTS:
        raise AlignmentError(f'{np.count_nonzero(weights)} points have a weight, expected at '
                             f'least {_MIN_POINTS}')
    return weights / weights.sum()
