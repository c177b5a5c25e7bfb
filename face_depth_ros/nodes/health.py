# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a node counts and times while it works; diagnostics read it once a second."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import threading
import time

REPEAT_LOG_S = 60.0
_TIMES_KEPT = 200


@dataclass(frozen=True)
class HealthReport:
    """
    A snapshot.

    :param counts: how often each cause occurred
    :param texts: the last message of each cause
    :param noted: how many of each count belong to frames that were published all the same
    :param current: causes since the last good frame, the latest first
    :param times_ms: stage -> (p50, p95) over the last frames
    """

    frames: int
    counts: dict[str, int]
    noted: dict[str, int]
    texts: dict[str, str]
    current: tuple[str, ...]
    times_ms: dict[str, tuple[float, float]]


class Health:
    """
    Thread-safe counters of causes, frames and stage times.

    Each cause is logged when it first occurs and at most once a minute while it goes on.

    :param log: called with one line
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._frames = 0
        self._counts: dict[str, int] = defaultdict(int)
        self._noted: dict[str, int] = defaultdict(int)
        self._texts: dict[str, str] = {}
        self._current: dict[str, None] = {}
        self._logged: dict[str, float] = {}
        self._times: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_TIMES_KEPT))

    def count(self, cause: str, message: str, *, problem: bool = True,
              published: bool = False) -> None:
        """
        Note one occurrence of a cause.

        :param problem: whether diagnostics warn of it until the next good frame
        :param published: whether its frame was published all the same
        """
        now = time.monotonic()
        with self._lock:
            self._counts[cause] += 1
            self._noted[cause] += published
            self._texts[cause] = message
            if problem:
                self._current.pop(cause, None)
                self._current[cause] = None
            due = now - self._logged.get(cause, -REPEAT_LOG_S) >= REPEAT_LOG_S
            if due:
                self._logged[cause] = now
            total = self._counts[cause]
        if due:
            self._log(f'{message} [{cause}, {total} so far]')

    def good_frame(self) -> None:
        """Note that a frame went through; what was wrong before it is over."""
        with self._lock:
            self._frames += 1
            self._current.clear()

    def forget_problems(self, lasting: Collection[str] = ()) -> None:
        """
        Start over, as after a change of state; counts stay.

        :param lasting: causes that the change of state does not end
        """
        with self._lock:
            self._current = {cause: None for cause in self._current if cause in lasting}

    def add_time(self, stage: str, seconds: float) -> None:
        """Note how long a stage of one frame took."""
        with self._lock:
            self._times[stage].append(1000.0 * seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of one frame; one that fails does not count."""
        begin = time.monotonic()
        yield
        self.add_time(name, time.monotonic() - begin)

    def report(self) -> HealthReport:
        """Return a snapshot."""
        with self._lock:
            times = {stage: (_percentile(t, 0.50), _percentile(t, 0.95))
                     for stage, t in self._times.items()}
            return HealthReport(self._frames, dict(self._counts), dict(self._noted),
                                dict(self._texts), tuple(reversed(self._current)), times)


def _percentile(values: deque[float], share: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
