# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Numbers by which depth, boxes and latencies are judged.

Source of the depth measures: Schlett et al., "Deep Learning-based Single Image Face Depth Data
Enhancement", sections IV.D (RMSE over the face area, its distribution) and IV.E (roughness).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import math

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_box import FaceBox, transform_points
import numpy as np

_ROUGHNESS_KERNEL = np.array([[-0.125, -0.125, -0.125],
                              [-0.125, 1.0, -0.125],
                              [-0.125, -0.125, -0.125]])


@dataclass(frozen=True)
class Distribution:
    """
    Shape of a set of values; NaN where the values do not suffice.

    :param mean: arithmetic mean
    :param std: sample standard deviation (n - 1)
    :param skewness: third standardised moment
    :param kurtosis: fourth standardised moment minus 3 (excess)
    """

    mean: float
    std: float
    skewness: float
    kurtosis: float

    @staticmethod
    def of(values: Iterable[float]) -> Distribution:
        """Return the distribution of all finite values."""
        x = _finite(values)
        nan = float('nan')
        if x.size == 0:
            return Distribution(nan, nan, nan, nan)
        centred = x - x.mean()
        m2, m3, m4 = (float((centred ** k).mean()) for k in (2, 3, 4))
        # Rounding leaves a variance of about eps^2 for equal values: no shape to speak of.
        flat = m2 <= (np.finfo(np.float64).eps * max(abs(float(x.mean())), 1e-300)) ** 2 * x.size
        return Distribution(
            mean=float(x.mean()),
            std=float(x.std(ddof=1)) if x.size > 1 else nan,
            skewness=nan if flat else m3 / m2 ** 1.5,
            kurtosis=nan if flat else m4 / m2 ** 2 - 3.0)


def rmse(values: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """
    Root of the mean squared difference.

    :param values: any shape
    :param truth: the same shape
    :param mask: bool, the same shape: where to compare; None = everywhere
    :returns: in the unit of the values; NaN when the mask is empty or a compared value is NaN
    :raises InvalidImageError: shapes differ
    """
    _check_same_shape(values, truth)
    if mask is not None:
        _check_same_shape(values, mask)
        values, truth = values[mask], truth[mask]
    if values.size == 0:
        return float('nan')
    difference = np.asarray(values, np.float64) - np.asarray(truth, np.float64)
    return float(np.sqrt(np.mean(np.square(difference))))


def mean_absolute_error(values: np.ndarray, truth: np.ndarray,
                        mask: np.ndarray | None = None) -> float:
    """Mean absolute difference, with the rules of `rmse`."""
    _check_same_shape(values, truth)
    if mask is not None:
        _check_same_shape(values, mask)
        values, truth = values[mask], truth[mask]
    if values.size == 0:
        return float('nan')
    return float(np.mean(np.abs(np.asarray(values, np.float64) - np.asarray(truth, np.float64))))


def roughness(depth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """
    Mean absolute difference of a pixel from the mean of its eight neighbours (section IV.E).

    Only pixels with all nine values valid count, so holes do not pass for roughness.

    :param depth: (H, W), NaN where invalid
    :param mask: (H, W) bool: the pixels to judge; None = all
    :returns: in the unit of the depth; NaN when no pixel counts
    """
    depth = np.asarray(depth, np.float64)
    if depth.ndim != 2:
        raise InvalidImageError(f'roughness needs an (H, W) image, got shape {depth.shape}')
    if min(depth.shape) < 3:
        return float('nan')
    response = sum(_ROUGHNESS_KERNEL[dy, dx]
                   * depth[dy:depth.shape[0] - 2 + dy, dx:depth.shape[1] - 2 + dx]
                   for dy in range(3) for dx in range(3))
    counted = np.isfinite(response)
    if mask is not None:
        _check_same_shape(depth, mask)
        counted &= mask[1:-1, 1:-1]
    return float(np.abs(response[counted]).mean()) if counted.any() else float('nan')


def hole_share(depth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """
    Share of invalid pixels, 0 to 1.

    :param depth: (H, W), NaN where invalid
    :param mask: (H, W) bool: the pixels to judge; None = all
    :returns: NaN when the mask is empty
    """
    if mask is not None:
        _check_same_shape(depth, mask)
        depth = depth[mask]
    return float(np.mean(~np.isfinite(depth))) if depth.size else float('nan')


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """
    Intersection over union of two masks.

    :param first: bool, any shape
    :returns: 0 to 1; 1 when both are empty
    """
    _check_same_shape(first, second)
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def box_iou(first: FaceBox, second: FaceBox) -> float:
    """Intersection over union of two oriented squares, 0 to 1."""
    # In the frame of the first box, which then is the unit square.
    polygon = transform_points(first.crop_from_image(1), second.corners())
    for axis in (0, 1):
        for sign in (1.0, -1.0):
            polygon = _clip(polygon, axis, sign, 0.0 if sign > 0 else -1.0)
    ahead = np.roll(polygon, -1, axis=0)
    area = 0.5 * abs(float(np.sum(polygon[:, 0] * ahead[:, 1] - ahead[:, 0] * polygon[:, 1])))
    return area / (1.0 + (second.side / first.side) ** 2 - area)


def _clip(polygon: np.ndarray, axis: int, sign: float, bound: float) -> np.ndarray:
    """Part of a convex polygon, (N, 2), where sign * coordinate >= bound."""
    kept: list[np.ndarray] = []
    inside = sign * polygon[:, axis] - bound
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if inside[i] >= 0:
            kept.append(polygon[i])
        if (inside[i] >= 0) != (inside[j] >= 0):
            t = inside[i] / (inside[i] - inside[j])
            kept.append(polygon[i] + t * (polygon[j] - polygon[i]))
    return np.array(kept).reshape(-1, 2)


@dataclass(frozen=True)
class BoxError:
    """
    How far a face box is from the true one.

    :param center: distance of the centres over the true side
    :param side: the side over the true side, minus 1
    :param roll: radians in [-pi, pi]
    """

    center: float
    side: float
    roll: float

    @staticmethod
    def of(box: FaceBox, truth: FaceBox) -> BoxError:
        """Return the error of a box against the true one."""
        distance = math.hypot(box.center_x - truth.center_x, box.center_y - truth.center_y)
        return BoxError(center=distance / truth.side, side=box.side / truth.side - 1.0,
                        roll=math.remainder(box.roll - truth.roll, 2.0 * math.pi))


def landmark_nme(points: np.ndarray, truth: np.ndarray, side: float) -> float:
    """
    Mean distance of landmarks over the side of the face box, percent.

    :param points: pixels, (N, 2)
    :param truth: pixels, (N, 2); rows with NaN are not counted
    :param side: pixels, of the true box
    :returns: NaN when no point counts
    """
    _check_same_shape(points, truth)
    distances = np.linalg.norm(np.asarray(points, np.float64) - truth, axis=-1)
    distances = distances[np.isfinite(distances)]
    return float(100.0 * distances.mean() / side) if distances.size else float('nan')


def percentiles(values: Iterable[float], which: Sequence[int] = (50, 95, 99)) -> dict[str, float]:
    """
    Percentiles under the keys 'p50', 'p95' and so on, interpolated linearly.

    :returns: NaN for each when there is no finite value
    """
    x = _finite(values)
    if x.size == 0:
        return {f'p{q}': float('nan') for q in which}
    return {f'p{q}': float(v) for q, v in zip(which, np.percentile(x, which), strict=True)}


def _finite(values: Iterable[float]) -> np.ndarray:
    x = np.asarray(list(values), np.float64).reshape(-1)
    return x[np.isfinite(x)]


def _check_same_shape(first: np.ndarray, second: np.ndarray) -> None:
    if np.shape(first) != np.shape(second):
        raise InvalidImageError(
            f'arrays to compare have shapes {np.shape(first)} and {np.shape(second)}, expected '
            'the same shape')
