# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Measure one hop of an image between two nodes: by reference in the process, and through DDS.

    python -m face_depth_ros.nodes.handoff_benchmark --frames 200

Both ways end with the same value in the receiver's callback: an image as a NumPy array with its
header. Hops of the two kinds alternate, so that whatever else the machine does meets both alike.
Prints JSON: {"in_process_ms": [...], "dds_ms": [...], "bytes": N, "rmw": "..."}.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import json
import sys
import time

from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.image_messages import (
    color_from_message,
    image_to_message,
    ImageFrame,
)
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import Image

_TOPIC = '/handoff_benchmark/image'
_TYPE = 'sensor_msgs/msg/Image'
_RELIABLE = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.RELIABLE)
_TIMEOUT_S = 10.0
_WARM_UP = 10


class HopTimer:
    """One image topic over both ways; use `in_process_ms` and `dds_ms` in turn."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self._sender = Node('handoff_sender', context=self._context)
        self._receiver = Node('handoff_receiver', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._receiver)
        self._publisher = self._sender.create_publisher(Image, _TOPIC, _RELIABLE)
        self._receiver.create_subscription(
            Image, _TOPIC, lambda message: self._arrive(color_from_message(message)), _RELIABLE)
        exchange = Exchange()
        self._publication = exchange.advertise(_TOPIC, _TYPE, lambda: None)
        exchange.subscribe(_TOPIC, _TYPE, self._arrive, lambda: None)
        self._arrived: tuple[float, ImageFrame] | None = None
        self._spin_until(lambda: self._publisher.get_subscription_count() > 0)

    def in_process_ms(self, frame: ImageFrame) -> float:
        """Hand a frame over by reference."""
        self._arrived = None
        started = time.perf_counter()
        self._publication.deliver(frame)
        return self._check(frame, started)

    def dds_ms(self, frame: ImageFrame) -> float:
        """Send a frame as a message, and read it back into an array."""
        self._arrived = None
        started = time.perf_counter()
        self._publisher.publish(image_to_message(frame))
        self._spin_until(lambda: self._arrived is not None)
        return self._check(frame, started)

    @property
    def arrived(self) -> ImageFrame | None:
        """The image of the last hop as the receiver has it."""
        return None if self._arrived is None else self._arrived[1]

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._sender.destroy_node()
        self._receiver.destroy_node()
        rclpy.shutdown(context=self._context)

    def _arrive(self, frame: ImageFrame) -> None:
        self._arrived = (time.perf_counter(), frame)

    def _check(self, sent: ImageFrame, started: float) -> float:
        if self._arrived is None or self._arrived[1].stamp_ns != sent.stamp_ns:
            raise TimeoutError('the image did not arrive')
        return 1e3 * (self._arrived[0] - started)

    def _spin_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f'no image came through DDS within {_TIMEOUT_S:g} s')
            self._executor.spin_once(timeout_sec=0.05)


def measure(frames: int, width: int, height: int) -> dict[str, object]:
    """
    Time hops of a random rgb8 image.

    :returns: the content of the JSON, see the top of this file
    """
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    timer = HopTimer()
    times: dict[str, list[float]] = {'in_process_ms': [], 'dds_ms': []}
    try:
        for i in range(_WARM_UP + frames):
            frame = ImageFrame(i + 1, 'camera', 'rgb8', image)
            hops = {'in_process_ms': timer.in_process_ms(frame), 'dds_ms': timer.dds_ms(frame)}
            for name, value in hops.items() if i >= _WARM_UP else ():
                times[name].append(value)
    finally:
        timer.close()
    return {**times, 'bytes': image.nbytes, 'rmw': get_rmw_implementation_identifier()}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description='Times one hop of an image, both ways.')
    parser.add_argument('--frames', type=int, default=200)
    parser.add_argument('--width', type=int, default=1280)
    parser.add_argument('--height', type=int, default=720)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(measure(options.frames, options.width, options.height)) + '\n')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
