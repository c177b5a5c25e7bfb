# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import threading

from face_depth_ros.nodes.mailbox import Mailbox
import pytest


class Gate:
    """Work that waits until it may go on."""

    def __init__(self):
        self.done, self.begun, self.go = [], threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, item):
        self.begun.release()
        assert self.go.acquire(timeout=30.0)
        self.done.append(item)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def mailbox(gate):
    made = Mailbox(gate, 'test worker')
    yield made
    gate.go.release(100)
    made.close()


def test_the_latest_item_replaces_the_one_that_waits_and_the_replaced_are_counted(gate, mailbox):
    mailbox.put(1)
    assert gate.begun.acquire(timeout=30.0)
    for item in (2, 3, 4):
        mailbox.put(item)
    gate.go.release(2)
    assert mailbox.wait_idle(30.0)
    assert gate.done == [1, 4]
    assert mailbox.dropped == 2


def test_nothing_is_dropped_when_the_worker_keeps_up(gate, mailbox):
    gate.go.release(100)
    for item in range(20):
        mailbox.put(item)
        assert mailbox.wait_idle(30.0)
    assert gate.done == list(range(20))
    assert mailbox.dropped == 0


def test_a_cleared_item_is_neither_worked_on_nor_counted(gate, mailbox):
    mailbox.put(1)
    assert gate.begun.acquire(timeout=30.0)
    mailbox.put(2)
    mailbox.clear()
    gate.go.release(2)
    assert mailbox.wait_idle(30.0)
    assert gate.done == [1]
    assert mailbox.dropped == 0


def test_close_ends_the_thread_and_takes_no_more(gate):
    mailbox = Mailbox(gate, 'closing worker')
    assert mailbox.close()
    assert 'closing worker' not in [t.name for t in threading.enumerate()]
    mailbox.put(1)
    assert gate.done == []


def test_close_says_when_the_worker_is_still_at_it(gate):
    mailbox = Mailbox(gate, 'busy worker')
    mailbox.put(1)
    assert gate.begun.acquire(timeout=30.0)
    assert not mailbox.close(timeout=0.01)
    gate.go.release()
    assert mailbox.close()


def test_wait_idle_gives_up(gate, mailbox):
    mailbox.put(1)
    assert gate.begun.acquire(timeout=30.0)
    assert not mailbox.wait_idle(0.01)
