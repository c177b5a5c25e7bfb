# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well depth is enhanced: nothing, hand-crafted filters, the paper's networks, and ours.

Protocol: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section
IV.D, Table IV: RMSE over the true face area, depth in [0, 1], holes count as 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
import time

from face_depth_ros.core.errors import BagError
from face_depth_ros.core.metrics import Distribution, mask_iou, rmse
from face_depth_ros.engines.openvino_graph_cost import GraphCost
from face_depth_ros.evaluation.compared_rows import RowModel
from face_depth_ros.evaluation.depth_pairs import DepthPair
from face_depth_ros.evaluation.enhancer_rows import (
    Enhanced,
    EnhancerRows,
    LEARNED_ROWS,
    OURS,
    ROWS,
)
from face_depth_ros.evaluation.error_regions import RegionErrors
from face_depth_ros.evaluation.evaluation_result import Rows
from face_depth_ros.filters import ENHANCER_FILTERS
import numpy as np

COLUMNS = ('rmse_mean', 'rmse_std', 'rmse_skewness', 'rmse_kurtosis', 'full_rmse_mean',
           'support_iou', 'ms', 'macs', 'parameters')
PAPER_RMSE = {
    'None': 0.2872, 'De-M2': 0.2120, 'De-M8': 0.0716, 'Hf-FFA': 0.0621, 'Hf-NFA': 0.1151,
    'Hf-L': 0.0774, 'Sp-Hf16': 0.0449, 'Sp-HfU': 0.0448, 'DL-Alpha': 0.0836, 'DL-Beta': 0.1532,
    'DL-Gamma': 0.1008, 'DL-Delta-1': 0.0238, 'DL-Delta-2': 0.0249, 'DL-Delta-3': 0.0261,
    'DL-Delta-4': 0.0260, 'DDRNet-dn': 0.3918}
"""Table IV: mean RMSE on the paper's own data, with its own models."""
LEFT_OUT = 'left out by --rows'
PICTURED = 4
_HASH_DIGITS = 12


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

    def columns(self, cost: GraphCost | None) -> dict[str, float | int | None]:
        """Return a line of the table."""
        shape = Distribution.of(self.rmse)
        return dict(zip(COLUMNS, (
            shape.mean, shape.std, shape.skewness, shape.kurtosis, _mean(self.full_rmse),
            _mean(self.support_iou), float(np.median(self.ms)) if self.ms else None,
            cost.macs if cost else None, cost.parameters if cost else None), strict=True))


@dataclass
class EnhancementScores:
    """
    All methods over all pairs.

    :param methods: by row
    :param absent: row -> why it has no scores
    :param costs: row -> arithmetic and size of its network
    :param models: row -> the network behind it
    :param regions: where the errors are; empty when the truth is known in parts only
    :param pictures: the first pairs, with the result of each method
    """

    methods: dict[str, MethodScores] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    costs: dict[str, GraphCost | None] = field(default_factory=dict)
    models: dict[str, RowModel] = field(default_factory=dict)
    regions: RegionErrors = field(default_factory=RegionErrors)
    pictures: list[tuple[DepthPair, dict[str, np.ndarray]]] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        """Return how many pairs were scored."""
        return max((len(s.rmse) for s in self.methods.values()), default=0)

    def rows(self) -> Rows:
        """Return the table: a line for each of `ROWS`, with empty cells for absent ones."""
        nothing: dict[str, float | int | None] = dict.fromkeys(COLUMNS)
        return {name: self.methods[name].columns(self.costs.get(name))
                if name in self.methods else nothing for name in ROWS}

    def cost_rows(self) -> Rows:
        """Return what each method costs, and the first digits of its network's hash."""
        rows: Rows = {}
        for name, scores in self.methods.items():
            line, model = scores.columns(self.costs.get(name)), self.models.get(name)
            rows[name] = {key: line[key] for key in ('rmse_mean', 'ms', 'macs', 'parameters')}
            rows[name] |= {'model': model.name if model else None,
                           'sha256': model.sha256[:_HASH_DIGITS] if model else None,
                           'backend': model.backend if model else None,
                           'precision': model.precision if model else None}
        return rows

    def mean(self, method: str) -> float:
        """Return the mean RMSE of a method, NaN when it is absent."""
        return _mean(self.methods[method].rmse) if method in self.methods else float('nan')

    def best(self, names: Iterable[str]) -> str | None:
        """Return the method of least mean RMSE, None when all are absent."""
        there = [name for name in names if name in self.methods]
        return min(there, key=self.mean) if there else None

    def best_filter(self) -> str | None:
        """Return the filter of least mean RMSE."""
        return self.best(ENHANCER_FILTERS)

    def best_of_paper(self) -> str | None:
        """Return the paper's network of least mean RMSE."""
        return self.best(name for name in LEARNED_ROWS if name != OURS)

    def ratio(self, method: str | None, to: str = OURS) -> float | None:
        """Return how many times the mean RMSE of a method is that of another; None if unknown."""
        if method not in self.methods or to not in self.methods:
            return None
        return self.mean(method) / self.mean(to) if self.mean(to) > 0 else float('inf')


def score_methods(pairs: Iterable[DepthPair], rows: EnhancerRows,
                  scale: float = 1.0) -> EnhancementScores:
    """
    Run every method on every pair, one pair in memory at a time.

    :param scale: the unit of the results over that of normalised depth
    :raises BagError: there are no pairs
    """
    scores = EnhancementScores({name: MethodScores() for name in rows.methods},
                               {name: rows.absent.get(name, LEFT_OUT) for name in ROWS
                                if name not in rows.methods}, dict(rows.costs), dict(rows.models))
    for pair in pairs:
        if not pair.area.any():
            continue
        results: dict[str, np.ndarray] = {}
        for name, method in rows.methods.items():
            started = time.perf_counter()
            result = method(pair.degraded, pair.nearest_m)
            scores.methods[name].add(pair, result, 1e3 * (time.perf_counter() - started), scale)
            results[name] = result.d
        if pair.face is None:
            scores.regions.add(pair, results)
        if len(scores.pictures) < PICTURED:
            scores.pictures.append((pair, results))
    if not scores.pictures:
        raise BagError('there is no pair with a face to evaluate on', cause='pairs')
    return scores


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float('nan')
