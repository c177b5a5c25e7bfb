# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Prints how many images a second the synthesis makes.

    python -m face_depth_ros.synthesis.benchmark [--assets DIR] [--device cpu] [--batch 32]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import time

from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
import torch


def main() -> None:
    """Measure each stage for a few seconds."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--assets', help='folder of the face assets')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--seconds', type=float, default=5.0, help='for each stage')
    arguments = parser.parse_args()
    assets = find_assets(arguments.assets)
    for name, images, work in _stages(assets, arguments.device, arguments.batch):
        rate = _images_per_second(images, work, arguments)
        print(f'{name:32} {rate:9.1f} images/s')


def _stages(assets, device: str, batch: int) -> list[tuple[str, int, Callable[[int], object]]]:
    renderer = FaceDepthRenderer(assets, device)
    return [('face depth 256 x 256', batch, lambda seed: renderer.render(seed, batch))]


def _images_per_second(images: int, work: Callable[[int], object],
                       arguments: argparse.Namespace) -> float:
    work(0)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < arguments.seconds:
        work(count + 1)
        count += 1
        if arguments.device.startswith('cuda'):
            torch.cuda.synchronize()
    return count * images / (time.perf_counter() - start)


if __name__ == '__main__':
    main()
