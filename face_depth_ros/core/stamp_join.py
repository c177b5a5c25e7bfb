# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Join messages of several topics by exactly equal stamps.

Each topic is taken to deliver in order. So once a set of equal stamps is whole, nothing can come
any more for an older one; and a stamp that runs back on its own topic means that the source
started over (a looping bag). What the others still hold from before the jump goes in the order in
which it arrived, never by its stamp: old stamps of the future cannot push out new messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
import threading
import time
from typing import Any

from face_depth_ros.core.errors import SettingsError

DROP_CAUSES = ('repeated', 'late', 'incomplete', 'overflow', 'jump_back')


@dataclass
class _Waiting:
    """Values of one stamp, and when the last one needed to go on had come, seconds."""

    values: dict[str, Any] = field(default_factory=dict)
    since: float | None = None


class StampJoin:
    """
    Sets of values with one stamp; whole ones leave at once and in order.

    `drops` counts lost values by cause (`DROP_CAUSES`), `jumps` how often stamps ran back. A set
    waits for the topics that are `awaited`, all at first; others go with it if they came before.

    :param keys: names of all topics
    :param required: names of those without which a set is worthless; None = all
    :param capacity: number of stamps that may wait, the one that arrived first goes first
    :param ready_capacity: of those that have what is required, counted apart; None = not apart
    :param clock: seconds, monotonic
    :raises SettingsError: no keys, unknown required ones, or no capacity
    """

    def __init__(self, keys: Iterable[str], required: Iterable[str] | None = None,
                 capacity: int = 10, clock: Callable[[], float] = time.monotonic,
                 ready_capacity: int | None = None) -> None:
        self.keys = frozenset(keys)
        self.required = self.keys if required is None else frozenset(required)
        if not self.required or not self.required <= self.keys or capacity < 1:
            raise SettingsError(
                f'cannot join {sorted(self.keys)} with {sorted(self.required)} required and '
                f'capacity {capacity}; expected some of the keys and at least 1')
        self.awaited = self.keys
        self.capacity = capacity
        self.ready_capacity = ready_capacity
        self.drops: Counter[str] = Counter()
        self.jumps = 0
        self._clock = clock
        self._mutex = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}  # in the order of arrival
        self._newest: dict[str, int] = {}
        self._last_out: int | None = None

    @property
    def waits(self) -> bool:
        """Whether a set has all that it needs and waits for what it can do without."""
        with self._mutex:
            return any(w.since is not None for w in self._waiting.values())

    def add(self, key: str, stamp_ns: int, value: Any) -> list[dict[str, Any]]:
        """
        Take one value.

        :returns: the sets that go on now, oldest first: {key: value}, each with all required keys
        :raises SettingsError: a key that is not joined here
        """
        if key not in self.keys:
            raise SettingsError(f'{key!r} is not joined here, expected one of {sorted(self.keys)}')
        with self._mutex:
            newest = self._newest.get(key)
            passed = []
            if newest is not None and stamp_ns < newest:
                passed = self._jump_back(key, stamp_ns)
            self._newest[key] = stamp_ns
            if stamp_ns == newest:
                self.drops['repeated'] += 1
                return []
            if self._last_out is not None and stamp_ns <= self._last_out:
                self.drops['late'] += 1
                return []
            waiting = self._waiting.setdefault(stamp_ns, _Waiting())
            waiting.values[key] = value
            if waiting.since is None and waiting.values.keys() >= self.required:
                waiting.since = self._clock()
            if waiting.values.keys() >= self.required | self.awaited:
                return passed + self._pass_up_to(stamp_ns)
            self._keep_to_capacity()
            return passed

    def take_overdue(self, wait_s: float, longer: Mapping[str, float] | None = None) -> (
            list[dict[str, Any]]):
        """
        Sets that have had all required values for `wait_s` seconds and go on without the others.

        :param longer: seconds by key: a set that lacks one of these, if it is awaited, waits so
            long for it instead
        :returns: oldest first, as `add`
        """
        with self._mutex:
            now, patience = self._clock(), longer or {}
            overdue = [
                stamp for stamp, w in self._waiting.items() if w.since is not None
                and w.since <= now - max([wait_s, *(
                    s for k, s in patience.items() if k in self.awaited - w.values.keys())])]
            return self._pass_up_to(max(overdue)) if overdue else []

    def clear(self) -> None:
        """Forget everything that waits and all stamps; counts stay."""
        with self._mutex:
            self._waiting.clear()
            self._newest.clear()
            self._last_out = None

    def _pass_up_to(self, stamp_ns: int) -> list[dict[str, Any]]:
        """Take out all up to a stamp: those with the required values go on."""
        passed = []
        for stamp in sorted(s for s in self._waiting if s <= stamp_ns):
            waiting = self._waiting.pop(stamp)
            if waiting.since is None:
                self.drops['incomplete'] += len(waiting.values)
            else:
                passed.append(waiting.values)
        self._last_out = stamp_ns
        return passed

    def _jump_back(self, key: str, stamp_ns: int) -> list[dict[str, Any]]:
        """
        Pass on what is good enough, drop the rest of this key: its source has started over.

        What waits for the very stamp that came belongs to the new start already.
        """
        self.jumps += 1
        ready = sorted(s for s, w in self._waiting.items()
                       if w.since is not None and s != stamp_ns)
        passed = [self._waiting.pop(stamp).values for stamp in ready]
        self._last_out = None
        for stamp, waiting in list(self._waiting.items()):
            if waiting.values.pop(key, None) is not None:
                self.drops['jump_back'] += 1
            if not waiting.values:
                del self._waiting[stamp]
        return passed

    def _keep_to_capacity(self) -> None:
        limits = {False: self.capacity}
        if self.ready_capacity is not None:
            limits[True] = self.ready_capacity
        for ready, most in limits.items():
            stamps = [s for s, w in self._waiting.items()
                      if len(limits) == 1 or (w.since is not None) is ready]
            for stamp in stamps[:max(0, len(stamps) - most)]:
                self.drops['overflow'] += len(self._waiting.pop(stamp).values)
