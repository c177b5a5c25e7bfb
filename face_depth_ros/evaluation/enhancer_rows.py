# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The enhancers that the tables compare, opened: nothing, the filters, the paper's networks, ours.

The paper's networks are judged by their raw output, as in the paper; ours by what the node
publishes: where it claims no surface, the input stands. A row that cannot be opened (its model is
not there, or its library) is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import logging
from typing import Protocol

from face_depth_ros.core.depth import DepthRange
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Provenance
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.engines import Engine
from face_depth_ros.evaluation.compared_rows import ComparedRows
from face_depth_ros.evaluation.depth_pairs import NEAREST_M, SIZE
from face_depth_ros.filters import ENHANCER_FILTERS, make_filter
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.enhancer_methods import PAPER_ENHANCERS, PaperEnhancer
import numpy as np

NONE, OURS = 'None', 'Ours'
PAPER_ROWS = tuple(PAPER_ENHANCERS)
LEARNED_ROWS = (*PAPER_ROWS, OURS)
ROWS = (NONE, *ENHANCER_FILTERS, *LEARNED_ROWS)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Enhanced:
    """
    One image after a method.

    :param d: (256, 256) float32, 1 where there is nothing
    :param support: (256, 256) bool, where the method claims face surface
    """

    d: np.ndarray
    support: np.ndarray


class Method(Protocol):
    """An enhancer, opened."""

    def __call__(self, d: np.ndarray, nearest_m: float = NEAREST_M) -> Enhanced:
        """
        Enhance one image.

        :param d: (256, 256) float32 in [0, 1), 1 in holes
        :param nearest_m: metres, the distance where d is 0; only ours reads it, since noise grows
            with the distance
        """
        ...


class EnhancerRows(ComparedRows[Method]):
    """
    The rows of the tables, opened and warmed up; close it, or use it with `with`.

    :param rows: which, names of `ROWS`; they are kept in the order of `ROWS`
    :raises SettingsError: a name that is not a row
    """

    def __init__(self, backend: str = 'auto', precision: str = 'auto',
                 rows: Sequence[str] = ROWS) -> None:
        self._backend, self._precision = backend, precision
        super().__init__(ROWS, rows)

    def _open(self, name: str) -> Method:
        method = self._method(name)
        method(np.full((SIZE, SIZE), 0.5, np.float32))
        return method

    def _method(self, name: str) -> Method:
        if name == NONE:
            return _whole_image(lambda d: d)
        if name in ENHANCER_FILTERS:
            depth_filter = make_filter(name)
            self._stack.callback(depth_filter.close)
            return _whole_image(depth_filter)
        if name == OURS:
            enhancer = DepthEnhancer(backend=self._backend, precision=self._precision)
            self._stack.callback(enhancer.close)
            self._note(name, enhancer.engine)
            return _published(enhancer)
        paper = PaperEnhancer(name, backend=self._backend, precision=self._precision)
        self._stack.callback(paper.close)
        self._note(name, paper.engine)
        return _whole_image(paper.enhance)

    def _note(self, row: str, engine: Engine | None) -> None:
        if engine is not None:
            engine.warm_up()  # what the guard takes for no face does not reach the network
            self._describe(row, find_model(engine.name), engine)


def _whole_image(enhance: Callable[[np.ndarray], np.ndarray]) -> Method:
    def run(d: np.ndarray, nearest_m: float = NEAREST_M) -> Enhanced:
        enhanced = enhance(d)
        return Enhanced(enhanced, enhanced < 1.0)
    return run


def _published(enhancer: DepthEnhancer) -> Method:
    """Return the enhancer as a node runs it, on a frame that is one face box."""
    face = (Detection(FaceBox(SIZE / 2, SIZE / 2, SIZE), 1.0),)

    def run(d: np.ndarray, nearest_m: float = NEAREST_M) -> Enhanced:
        slab = DepthRange(nearest_m)
        output = enhancer.enhance(slab.denormalise(d), face)
        return Enhanced(slab.normalise(output.depth),
                        output.provenance != Provenance.LEFT_ALONE)
    return run
