# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Every enhancer run on faces as a camera shows them.

Roughness, falsification and landmarks look at the same results, so that each enhancer runs once
on each sample. One sample is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from face_depth_ros.core.depth import DepthRange, nearest_surface
from face_depth_ros.evaluation.enhancer_rows import Enhanced, EnhancerRows
from face_depth_ros.evaluation.real_faces import FaceSample
import numpy as np


@dataclass(frozen=True)
class EnhancedFace:
    """
    A sample after every enhancer.

    :param slab: where its 25 cm begin
    :param d: (256, 256) float32 in [0, 1], 1 in holes: what the enhancers saw
    :param outputs: by row
    """

    sample: FaceSample
    slab: DepthRange
    d: np.ndarray
    outputs: dict[str, Enhanced]


def enhanced_faces(samples: Iterable[FaceSample], rows: EnhancerRows) -> Iterator[EnhancedFace]:
    """Run every row on every sample; samples without depth in their face area are left out."""
    for sample in samples:
        if not np.isfinite(sample.depth[sample.mask]).any():
            continue
        slab = DepthRange(nearest_surface(sample.depth))
        d = slab.normalise(sample.depth)
        yield EnhancedFace(sample, slab, d,
                           {name: method(d, slab.nearest)
                            for name, method in rows.methods.items()})
