# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Real frames against their reference: as they are, and with synthetic damage added."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from face_depth_ros.core.depth import DepthRange, nearest_surface
from face_depth_ros.core.errors import BagError
from face_depth_ros.core.face_box import crop_depth
from face_depth_ros.core.metrics import Distribution
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.depth_pairs import DepthPair, SIZE
from face_depth_ros.evaluation.evaluation_result import Rows
from face_depth_ros.evaluation.reference_depth import ReferenceDepth, ReferenceScore
from face_depth_ros.predictors.pipeline import Pipeline
import numpy as np

Damage = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class BagFrame:
    """
    One frame with a face and a reference.

    :param score: the published depth against the reference, on measured pixels
    :param pair: the face's crop after damage, with the reference as truth where it holds
    """

    index: int
    score: ReferenceScore
    pair: DepthPair


def bag_frames(path: Path, reference_path: Path | None, damage: Damage, *,
               backend: str = 'auto', precision: str = 'auto',
               limit: int | None = None) -> Iterator[BagFrame]:
    """
    Run the pipeline over a bag and yield every frame that can be judged.

    :param damage: (crop in metres, seed) -> damaged crop
    :raises BagError: no reference beside the bag, or none of its frames fits
    """
    reference_path = reference_path or ReferenceDepth.beside(path)
    if reference_path is None:
        raise BagError(
            f'{path} has no reference depth beside it (fused_depth.npz or true_depth.npz in '
            '../reference); name one with --reference', cause='reference')
    reference = ReferenceDepth(reference_path)
    pipeline = Pipeline.open(backend=backend, precision=precision)
    found = 0
    try:
        with Bag(path) as bag:
            for source, frame in bag.decoded(bag.camera_topics(), limit):
                result = pipeline.process(frame)
                truth = reference.at(source.stamp_ns)
                if (frame.depth is None or result.enhanced is None or truth is None
                        or not result.detections):
                    continue
                score = reference.score(source.stamp_ns, frame.depth, result.enhanced.depth,
                                        result.detections)
                box = max(result.detections, key=lambda d: d.box.side).box
                pair = _pair(crop_depth(frame.depth, box, SIZE),
                             crop_depth(np.where(truth[1], truth[0], np.float32(np.nan)), box,
                                        SIZE), damage, source.index)
                if score is not None and pair is not None:
                    found += 1
                    yield BagFrame(source.index, score, pair)
    finally:
        pipeline.close()
    if not found:
        raise BagError(f'no frame of {path} has a face and a frame of {reference_path} with its '
                       'stamp; does the reference belong to this bag?', cause='reference')


def published_rows(scores: list[ReferenceScore]) -> Rows:
    """Return the table of raw and published depth on undamaged frames, mm."""
    compared = [s for s in scores if s.pixels]
    changes = [s.rmse_enhanced_mm - s.rmse_raw_mm for s in compared]
    rows: Rows = {}
    for name, values, near in (
            ('camera', [s.rmse_raw_mm for s in compared],
             [s.near_rmse_raw_mm for s in compared]),
            ('published', [s.rmse_enhanced_mm for s in compared],
             [s.near_rmse_enhanced_mm for s in compared])):
        shape = Distribution.of(values)
        rows[name] = {'rmse_mean': shape.mean, 'rmse_std': shape.std,
                      'rmse_max': max(values, default=float('nan')),
                      'near_rmse_mean': Distribution.of(near).mean, 'frames': len(values)}
    rows['published']['worst_change'] = max(changes, default=float('nan'))
    return rows


def _pair(raw: np.ndarray, truth: np.ndarray, damage: Damage, seed: int) -> DepthPair | None:
    """Normalise by the raw crop; judge where the reference holds within the 25 cm."""
    nearest = nearest_surface(raw)
    if not np.isfinite(nearest):
        return None
    slab = DepthRange(nearest)
    d = slab.normalise(truth)
    face = d < 1.0
    return DepthPair(d, slab.normalise(damage(raw, seed)), face, nearest) if face.any() else None
