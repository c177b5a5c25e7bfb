# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What the rows of every comparing table share: opened in order, closed together, or absent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
import logging
from typing import Generic, TypeVar

from face_depth_ros.core.errors import FaceDepthError, SettingsError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.engines import Engine
from face_depth_ros.engines.openvino_graph_cost import graph_cost, GraphCost

RowsT = TypeVar('RowsT', bound='ComparedRows')
MethodT = TypeVar('MethodT')
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RowModel:
    """
    The network behind a row.

    :param name: of its ModelSpec
    :param sha256: of its ONNX file, hex
    :param backend: in which it runs
    :param precision: in which it runs
    :param size: pixels along a side of its crops, None where all rows have one
    """

    name: str
    sha256: str
    backend: str
    precision: str
    size: int | None = None


class ComparedRows(ABC, Generic[MethodT]):
    """
    The rows of the tables, opened and warmed up; close it, or use it with `with`.

    :param known: names of all rows, in the order of the tables
    :param rows: which of them
    :raises SettingsError: a name that is not a row
    """

    def __init__(self, known: Sequence[str], rows: Sequence[str]) -> None:
        unknown = [name for name in rows if name not in known]
        if unknown or not rows:
            raise SettingsError(f'rows {", ".join(unknown) or "(none)"} are not known, expected '
                                f'some of {", ".join(known)}')
        self.rows = tuple(name for name in known if name in rows)
        self.methods: dict[str, MethodT] = {}
        self.absent: dict[str, str] = {}
        self.costs: dict[str, GraphCost | None] = {}
        """None where no network runs."""
        self.models: dict[str, RowModel] = {}
        self._stack = ExitStack()
        with ExitStack() as opening:
            opening.callback(self._stack.close)
            for name in self.rows:
                self._add(name)
            opening.pop_all()
        if self.absent:
            _LOG.warning('rows left empty: %s; the reasons stand below the tables',
                         ', '.join(self.absent))

    def __enter__(self: RowsT) -> RowsT:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Release what the rows hold."""
        self._stack.close()
        self.methods.clear()

    @abstractmethod
    def _open(self, name: str) -> MethodT:
        """Open a row and run it once, which pays for its set-up."""

    def _add(self, name: str) -> None:
        try:
            self.methods[name] = self._open(name)
            self.costs.setdefault(name, None)
        except FaceDepthError as error:
            self.absent[name] = str(error)
            self.models.pop(name, None)
            self.costs.pop(name, None)

    def _describe(self, row: str, spec: ModelSpec, engine: Engine,
                  size: int | None = None) -> None:
        """Note what a row's network is and costs."""
        cost = graph_cost(spec)
        # Export folds batch normalisation away; a spec that knows counts what was trained.
        self.costs[row] = replace(cost, parameters=spec.trained.get('parameters',
                                                                    cost.parameters))
        self.models[row] = RowModel(spec.name, spec.sha256, engine.backend, engine.precision,
                                    size)
