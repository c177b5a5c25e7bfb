# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A thread that does slow jobs one after the other: lifecycle transitions and engine loads."""

from __future__ import annotations

from collections.abc import Callable
import queue
import threading


class SerialWorker:
    """
    Runs jobs in the order in which they were given, off the executor's thread.

    :param name: of the thread
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job, which handles its own errors; nothing once closed."""
        if not self._closed:
            self._jobs.put(job)

    def close(self, timeout: float) -> bool:
        """Finish the job in work and end the thread; False when it still works on one."""
        self._closed = True
        self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None or self._closed:
                return
            job()
            del job
