# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Where in the face the error is: a mean over the whole face hides it.

Every pixel of the true face belongs to one region. Holes count by connected components, since how
hard a hole is depends on how far it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import cv2
from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M
from face_depth_ros.evaluation.depth_pairs import DepthPair, SIZE
from face_depth_ros.evaluation.evaluation_result import Rows
import numpy as np

RIM_PIXELS = 4.0
"""How far the outline and depth steps reach into what is measured beside them."""
STEP_M = 0.010
"""A larger difference between neighbouring true pixels is a step from one surface to another."""
SMALL_HOLE_RADIUS = 6.0
"""Pixels: the largest circle inside a small hole."""


class Region(IntEnum):
    """A part of the true face, by how its depth comes about."""

    INNER = 0
    STEP = 1
    RIM = 2
    SMALL_HOLE = 3
    LARGE_HOLE = 4
    OUTLINE_HOLE = 5


REGION_NAMES: dict[Region, str] = {
    Region.INNER: 'inner face', Region.STEP: 'depth steps', Region.RIM: 'rim',
    Region.SMALL_HOLE: 'small holes', Region.LARGE_HOLE: 'large holes',
    Region.OUTLINE_HOLE: 'outline holes'}
REGION_MEANINGS: dict[Region, str] = {
    Region.INNER: 'measured, away from outline and steps',
    Region.STEP: f'measured, within {RIM_PIXELS:g} px of a step of more than '
                 f'{1e3 * STEP_M:g} mm inside the face (nose, chin, ears)',
    Region.RIM: f'measured, within {RIM_PIXELS:g} px of the outline of the true face',
    Region.SMALL_HOLE: 'holes inside the face whose largest inscribed circle has a radius of at '
                       f'most {SMALL_HOLE_RADIUS:g} px',
    Region.LARGE_HOLE: 'larger holes inside the face',
    Region.OUTLINE_HOLE: 'holes that open to the background'}
_NOT_FACE = 255


def face_regions(truth: np.ndarray, degraded: np.ndarray) -> np.ndarray:
    """
    Tell the region of each pixel.

    :param truth: (H, W) float32 in [0, 1), 1 where there is nothing
    :param degraded: the same image with holes
    :returns: (H, W) uint8 of `Region`, 255 outside the true face
    """
    face = truth < 1.0
    regions = np.full(truth.shape, _NOT_FACE, np.uint8)
    regions[face] = Region.INNER
    step = _steps(truth, face)
    regions[face & (_distance_to(step) <= RIM_PIXELS)] = Region.STEP
    regions[face & (_distance_to(~face) <= RIM_PIXELS)] = Region.RIM
    holes = face & (degraded >= 1.0)
    _, labels = cv2.connectedComponents(holes.astype(np.uint8), connectivity=8)
    beside_background = cv2.dilate((~face).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    opening = np.unique(labels[holes & beside_background])
    radius = np.zeros(labels.max() + 1)
    np.maximum.at(radius, labels[holes].astype(np.intp), _distance_to(~holes)[holes])
    kind = np.where(radius <= SMALL_HOLE_RADIUS, Region.SMALL_HOLE, Region.LARGE_HOLE)
    kind[opening] = Region.OUTLINE_HOLE
    regions[holes] = kind[labels[holes]]
    return regions


@dataclass
class RegionErrors:
    """
    Squared errors of each method, summed by region and by pixel of the canonical crop.

    :param pixels: of each region, over all images
    :param squared: method -> sum of squared errors of each region
    :param seen: (256, 256), how many images have face there
    :param squared_map: method -> (256, 256), sum of squared errors
    """

    pixels: np.ndarray = field(default_factory=lambda: np.zeros(len(Region)))
    squared: dict[str, np.ndarray] = field(default_factory=dict)
    seen: np.ndarray = field(default_factory=lambda: np.zeros((SIZE, SIZE)))
    squared_map: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, pair: DepthPair, results: dict[str, np.ndarray]) -> None:
        """
        Add an image.

        :param results: d of every method, (256, 256) float32
        """
        regions = face_regions(pair.truth, pair.degraded)
        face = regions != _NOT_FACE
        self.pixels += np.bincount(regions[face], minlength=len(Region))
        self.seen += face
        for name, d in results.items():
            error = np.where(face, np.square(d - pair.truth, dtype=np.float64), 0.0)
            sums = np.bincount(regions[face], error[face], len(Region))
            self.squared[name] = self.squared.get(name, 0.0) + sums
            self.squared_map[name] = self.squared_map.get(name, 0.0) + error

    def rmse(self, method: str) -> dict[Region, float]:
        """Return the RMSE of a method in each region, NaN where no image has it."""
        with np.errstate(invalid='ignore', divide='ignore'):
            values = np.sqrt(self.squared[method] / self.pixels)
        return {region: float(values[region]) for region in Region}

    def share(self, method: str) -> dict[Region, float]:
        """Return the share of each region in a method's squared error, 0 to 1."""
        total = float(self.squared[method].sum())
        return {region: float(self.squared[method][region]) / total if total else float('nan')
                for region in Region}

    def contribution(self, method: str) -> dict[Region, float]:
        """Return what each region adds to a method's mean squared error over the face."""
        total = float(self.pixels.sum())
        return {region: float(self.squared[method][region]) / total for region in Region}

    def rmse_map(self, method: str, least_share: float = 0.02) -> np.ndarray:
        """
        Return the RMSE by place in the canonical crop, (256, 256), NaN where faces are rare.

        :param least_share: of the images, that must have face at a place
        """
        common = self.seen >= max(1.0, least_share * float(self.seen.max()))
        return np.sqrt(np.divide(self.squared_map[method], self.seen,
                                 out=np.full((SIZE, SIZE), np.nan), where=common))

    def rmse_rows(self) -> Rows:
        """Return the table of RMSE by region."""
        return {name: {REGION_NAMES[r]: v for r, v in self.rmse(name).items()}
                for name in self.squared}

    def share_rows(self) -> Rows:
        """Return the table of shares in percent; its first row is the share of the pixels."""
        total = float(self.pixels.sum())
        rows: Rows = {'pixels': {REGION_NAMES[r]: round(100.0 * float(self.pixels[r]) / total, 2)
                                 for r in Region}}
        return rows | {name: {REGION_NAMES[r]: round(100.0 * v, 2)
                               for r, v in self.share(name).items()}
                       for name in self.squared}


def _steps(truth: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return the pixels on both sides of a step within the face, (H, W) bool."""
    steps = np.zeros(truth.shape, bool)
    for axis in (0, 1):
        first, second = ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:]))[axis]
        jump = np.abs(np.diff(truth, axis=axis)) > STEP_M / FACE_DEPTH_RANGE_M
        jump &= face[first] & face[second]
        steps[first] |= jump
        steps[second] |= jump
    return steps


def _distance_to(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest one of a mask, infinite when there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
