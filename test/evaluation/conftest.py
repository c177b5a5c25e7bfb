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
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL,
             signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
