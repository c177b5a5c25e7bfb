# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""One slot between a subscription callback and a worker thread: the latest frame wins."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Generic, TypeVar

T = TypeVar('T')


class Mailbox(Generic[T]):
    """
    A slot for one waiting item and the thread that works on what lies in it.

    An item that comes while another is waiting replaces it; the replaced one is counted. Latency
    stays bounded by one item in work and one waiting, under any load.

    :param work: called on the worker thread with one item at a time; it handles its own errors
    :param name: of the thread
    """

    def __init__(self, work: Callable[[T], None], name: str) -> None:
        self._work = work
        self._condition = threading.Condition()
        self._slot: list[T] = []
        self._busy = False
        self._closed = False
        self._dropped = 0
        # Started by the first item: a thread would keep alive whatever made the mailbox.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def dropped(self) -> int:
        """Items that were replaced before anybody worked on them."""
        with self._condition:
            return self._dropped

    def put(self, item: T) -> None:
        """Leave an item for the worker, in place of the one that waits; nothing once closed."""
        with self._condition:
            if self._closed:
                return
            if self._thread.ident is None:
                self._thread.start()
            self._dropped += len(self._slot)
            self._slot = [item]
            self._condition.notify_all()

    def clear(self) -> None:
        """Forget the waiting item; it does not count as dropped."""
        with self._condition:
            self._slot = []

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing is waiting or in work; False when `timeout` seconds passed."""
        with self._condition:
            return self._condition.wait_for(
                lambda: self._closed or not (self._busy or self._slot), timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Forget the waiting item and end the thread; False when it still works on one."""
        with self._condition:
            self._closed = True
            self._slot = []
            self._condition.notify_all()
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._busy = False
                self._condition.notify_all()
                self._condition.wait_for(lambda: self._closed or self._slot)
                if self._closed:
                    return
                item = self._slot.pop()
                self._busy = True
            self._work(item)
            del item  # a whole frame would stay alive while waiting for the next
