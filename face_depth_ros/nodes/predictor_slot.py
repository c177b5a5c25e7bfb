# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Where a node keeps its predictor, so that another can take its place between two frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import threading
from typing import Any, Generic, TypeVar

P = TypeVar('P')


class PredictorSlot(Generic[P]):
    """
    One predictor, used by the worker's thread and exchanged by the transitions' thread.

    A new one is opened while the old one goes on working; nobody waits but for one frame.
    """

    def __init__(self) -> None:
        self._in_use = threading.Lock()
        self._predictor: Any = None
        self._closed = False

    @property
    def filled(self) -> bool:
        """Whether there is a predictor."""
        return self._predictor is not None

    @property
    def present(self) -> P | None:
        """The predictor, for reading its attributes; None when there is none."""
        return self._predictor

    def fill(self, open_predictor: Callable[[], P]) -> None:
        """Open a predictor and put it in; the old one is closed. A failure leaves the old one."""
        self._put(open_predictor())
        if self._closed:
            self.clear()

    def clear(self) -> None:
        """Close the predictor, if any, after the frame that it works on."""
        self._put(None)

    def close(self) -> None:
        """Close the predictor, and any that is still being opened as soon as it is."""
        self._closed = True
        self.clear()

    @contextmanager
    def use(self) -> Iterator[P | None]:
        """Keep the predictor from being closed; None when there is none."""
        with self._in_use:
            yield self._predictor

    def _put(self, new: P | None) -> None:
        with self._in_use:
            old, self._predictor = self._predictor, new
        if old is not None:
            old.close()
