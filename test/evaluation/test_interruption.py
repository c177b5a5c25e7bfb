# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Signals that interrupt a command as Ctrl-C does."""

from __future__ import annotations

import signal

from face_depth_ros.evaluation.interruption import signals_interrupt
import pytest


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures('usual_signals')
def test_a_signal_interrupts_only_inside(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        signal.getsignal(number)(number, None)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_interrupt():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
