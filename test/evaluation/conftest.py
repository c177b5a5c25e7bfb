# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What tests of several commands share."""

from __future__ import annotations

from collections.abc import Iterator
import signal

import pytest


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """Handle signals as a fresh Python does; Ray and the test runner leave handlers of theirs."""
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        before[number] = signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
