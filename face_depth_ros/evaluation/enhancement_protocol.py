# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well depth is enhanced: no enhancement, seven hand-crafted filters, and the network.

Protocol: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section
IV.D: RMSE over the true face area, depth in [0, 1], holes count as 1. The network is judged by
what it publishes: where it claims no surface, the input stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
import time

from face_depth_ros.core.depth import DepthRange
from face_depth_ros.core.errors import BagError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Provenance
from face_depth_ros.core.metrics import Distribution, mask_iou, rmse
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.engines.openvino_graph_cost import graph_cost
from face_depth_ros.evaluation.depth_pairs import DepthPair, SIZE
from face_depth_ros.evaluation.evaluation_result import Rows
from face_depth_ros.filters import ENHANCER_FILTERS, make_filter
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
import numpy as np

NONE, OURS = 'None', 'Ours'
COLUMNS = ('rmse_mean', 'rmse_std', 'rmse_skewness', 'rmse_kurtosis', 'full_rmse_mean',
           'support_iou', 'ms', 'macs', 'parameters')
PICTURED = 5
_SLAB = DepthRange(0.6)
"""Where the normalised images are put in space for enhancers that work in metres."""


@dataclass(frozen=True)
class Enhanced:
    """
    One image after a method.

    :param d: (256, 256) float32, 1 where there is nothing
    :param support: (256, 256) bool, where the method claims face surface
    """

    d: np.ndarray
    support: np.ndarray


Method = Callable[[np.ndarray], Enhanced]


@dataclass
class MethodScores:
    """Values of one method, one per pair."""

    rmse: list[float] = field(default_factory=list)
    full_rmse: list[float] = field(default_factory=list)
    support_iou: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def add(self, pair: DepthPair, result: Enhanced, ms: float, scale: float) -> None:
        """
        Judge one image.

        :param scale: the unit of the results over that of d
        """
        self.rmse.append(scale * rmse(result.d, pair.truth, pair.area))
        self.ms.append(ms)
        if pair.face is None:  # else the truth is known in parts only
            self.full_rmse.append(scale * rmse(result.d, pair.truth))
            self.support_iou.append(mask_iou(result.support, pair.truth < 1.0))


@dataclass
class EnhancementScores:
    """
    All methods over all pairs.

    :param pictures: the first pairs, with the result of each method
    """

    methods: dict[str, MethodScores] = field(default_factory=dict)
    pictures: list[tuple[DepthPair, dict[str, np.ndarray]]] = field(default_factory=list)

    def rows(self) -> Rows:
        """Return the table: a line for each method."""
        cost = graph_cost(find_model('depth_enhancer'))
        rows: Rows = {}
        for name, scores in self.methods.items():
            shape = Distribution.of(scores.rmse)
            ours = name == OURS
            rows[name] = dict(zip(COLUMNS, (
                shape.mean, shape.std, shape.skewness, shape.kurtosis, _mean(scores.full_rmse),
                _mean(scores.support_iou), float(np.median(scores.ms)) if scores.ms else None,
                cost.macs if ours else None, cost.parameters if ours else None), strict=True))
        return rows

    def best_filter(self) -> str:
        """Return the filter of least mean RMSE."""
        return min(ENHANCER_FILTERS, key=lambda name: _mean(self.methods[name].rmse))

    def ratio(self) -> float:
        """Return how many times lower our mean RMSE is than that of the best filter."""
        ours = _mean(self.methods[OURS].rmse)
        return _mean(self.methods[self.best_filter()].rmse) / ours if ours > 0 else float('inf')


def score_methods(pairs: Iterable[DepthPair], *, backend: str = 'auto', precision: str = 'auto',
                  scale: float = 1.0) -> EnhancementScores:
    """
    Run every method on every pair, one pair in memory at a time.

    :param scale: the unit of the results over that of normalised depth
    :raises BagError: there are no pairs
    """
    scores = EnhancementScores()
    with ExitStack() as stack:
        methods = _open_methods(stack, backend, precision)
        scores.methods = {name: MethodScores() for name in methods}
        for pair in pairs:
            if not pair.area.any():
                continue
            kept: dict[str, np.ndarray] = {}
            for name, method in methods.items():
                started = time.perf_counter()
                result = method(pair.degraded)
                scores.methods[name].add(pair, result, 1e3 * (time.perf_counter() - started),
                                         scale)
                kept[name] = result.d
            if len(scores.pictures) < PICTURED:
                scores.pictures.append((pair, kept))
    if not scores.pictures:
        raise BagError('there is no pair with a face to evaluate on', cause='pairs')
    return scores


def _open_methods(stack: ExitStack, backend: str, precision: str) -> dict[str, Method]:
    methods: dict[str, Method] = {NONE: lambda d: Enhanced(d, d < 1.0)}
    for name in ENHANCER_FILTERS:
        depth_filter = make_filter(name)
        stack.callback(depth_filter.close)
        methods[name] = _filter_method(depth_filter)
    enhancer = DepthEnhancer(backend=backend, precision=precision)
    stack.callback(enhancer.close)
    methods[OURS] = _published(enhancer)
    for method in methods.values():  # the first call of each pays for its set-up
        method(np.full((SIZE, SIZE), 0.5, np.float32))
    return methods


def _filter_method(depth_filter: Callable[[np.ndarray], np.ndarray]) -> Method:
    def run(d: np.ndarray) -> Enhanced:
        filtered = depth_filter(d)
        return Enhanced(filtered, filtered < 1.0)
    return run


def _published(enhancer: DepthEnhancer) -> Method:
    """Return the enhancer as a node runs it, on a frame that is one face box."""
    face = (Detection(FaceBox(SIZE / 2, SIZE / 2, SIZE), 1.0),)

    def run(d: np.ndarray) -> Enhanced:
        output = enhancer.enhance(_SLAB.denormalise(d), face)
        return Enhanced(_SLAB.normalise(output.depth),
                        output.provenance != Provenance.LEFT_ALONE)
    return run


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float('nan')
