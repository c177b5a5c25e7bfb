# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Commands that leave nothing behind, whatever ends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import signal
from types import FrameType

INTERRUPTED = 130
"""Exit status of a command that was interrupted."""
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """
    Let `kill` and a closed terminal raise KeyboardInterrupt, as Ctrl-C does.

    So child processes end and temporary folders go. A signal that is ignored (nohup) stays so.
    """
    ours = [s for s in _SIGNALS if signal.getsignal(s) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
