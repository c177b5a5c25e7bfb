# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A process with ROS in it: starts, spins, and ends in good order on SIGINT and SIGTERM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import importlib
import importlib.util
import signal
import sys
import threading
from typing import Any

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

SPIN_S = 1.0
EXECUTORS = ('single_threaded', 'events')


def run_node(make_node: Callable[[], Node], args: Sequence[str] | None = None) -> int:
    """
    Run one node until SIGINT or SIGTERM.

    :param args: of the command line, None = those of the process
    :returns: the exit code: 0 after a signal, 1 when the node cannot be made
    """
    return run(lambda _executor: make_node(), 'single_threaded', args)


def run(make_node: Callable[[Executor], Node], executor_name: str,
        args: Sequence[str] | None = None) -> int:
    """
    Run what `make_node` makes until SIGINT or SIGTERM.

    Signals are ours and not rclpy's: nodes are destroyed while their context still lives, so that
    the last messages and the goodbyes to discovery get out.

    :param make_node: gets the executor that will spin the node
    """
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    rclpy.init(args=None if args is None else list(args),
               signal_handler_options=SignalHandlerOptions.NO)
    try:
        executor = make_executor(executor_name)
        try:
            node = make_node(executor)
        except Exception as error:  # noqa: BLE001  (a constructor may raise anything)
            rclpy.logging.get_logger('face_depth_ros').fatal(f'cannot start: {error}')
            return 1
        executor.add_node(node)
        return _spin_until(stop, executor, node)
    finally:
        rclpy.try_shutdown()


def make_executor(name: str) -> Executor:
    """
    Return an executor by name.

    :raises ValueError: not one of `EXECUTORS`, or not in this ROS release
    """
    if name == 'single_threaded':
        return SingleThreadedExecutor()
    if name == 'events' and importlib.util.find_spec('rclpy.experimental') is not None:
        executor: Any = importlib.import_module('rclpy.experimental').EventsExecutor()
        return executor
    raise ValueError(f'executor {name!r} is not available, expected one of {", ".join(EXECUTORS)}'
                     ' (events: Jazzy and later)')


def _spin_until(stop: threading.Event, executor: Executor, node: Node) -> int:
    """Spin on a thread of its own: the main thread must stay free to take signals."""
    failed: list[BaseException] = []

    def spin() -> None:
        try:
            # not spin(), and not without a timeout: the events executor (Jazzy 7.1) would not
            # return, nor let any other thread of the process go on
            while not stop.is_set():
                executor.spin_once(SPIN_S)
        except BaseException as error:  # noqa: BLE001  (handed to the main thread)
            failed.append(error)
        finally:
            stop.set()

    spinner = threading.Thread(target=spin, name='executor')
    spinner.start()
    stop.wait()
    executor.create_task(lambda: None)  # lets spin_once return
    spinner.join()
    node.destroy_node()
    executor.shutdown()
    if failed:
        sys.excepthook(type(failed[0]), failed[0], failed[0].__traceback__)
        return 1
    return 0
