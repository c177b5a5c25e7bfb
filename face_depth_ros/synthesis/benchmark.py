# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Prints how many images a second the synthesis makes, with the given number of worker threads.

    python -m face_depth_ros.synthesis.benchmark [--assets DIR] [--device cpu] [--threads 2]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
import sys
import time

from face_depth_ros.synthesis.assets import FaceAssets, find_assets
from face_depth_ros.synthesis.degradation import degrade
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.head_crops import HeadCropRenderer
from face_depth_ros.synthesis.person import PersonModel
from face_depth_ros.synthesis.sensor_models import stereo_depth, structured_light_depth
import torch

_CROP_SIZE = 160


def main() -> None:
    """Measure each stage for a few seconds."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').strip().splitlines()[0])
    parser.add_argument('--assets', help='folder of the face assets')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--threads', type=int, default=2, help='renderers at work at once')
    parser.add_argument('--seconds', type=float, default=5.0, help='for each stage')
    arguments = parser.parse_args()
    # One thread inside each operation: parallelism comes from the workers.
    torch.set_num_threads(1)
    assets = find_assets(arguments.assets)
    for name, images, work in _stages(assets, arguments.device, arguments.batch):
        rate = images * _calls_per_second(work, arguments)
        sys.stdout.write(f'{name:36} {rate:9.1f} images/s\n')
        sys.stdout.flush()


def _stages(assets: FaceAssets, device: str,
            batch: int) -> list[tuple[str, int, Callable[[int], object]]]:
    depth = FaceDepthRenderer(assets, device)
    crops = HeadCropRenderer(PersonModel(assets, device), size=_CROP_SIZE)
    sample = depth.render(0, batch)

    def generator(seed: int) -> torch.Generator:
        return torch.Generator(device).manual_seed(seed)

    return [
        ('face depth 256 x 256', batch, lambda seed: depth.render(seed, batch)),
        ('face depth and observed scene', batch, lambda seed: depth.render(seed, batch, True)),
        ('degradation', batch, lambda seed: degrade(sample.depth, generator(seed))),
        ('stereo sensor', batch,
         lambda seed: stereo_depth(sample.depth, sample.focal, generator(seed))),
        ('structured-light sensor', batch,
         lambda seed: structured_light_depth(sample.depth, sample.focal, generator(seed))),
        (f'colour head crops {_CROP_SIZE} x {_CROP_SIZE}', 4, lambda seed: crops.render(seed, 4)),
    ]


def _calls_per_second(work: Callable[[int], object], arguments: argparse.Namespace) -> float:
    for seed in range(4):  # compiles, and reads what is read when first needed
        work(seed)
    start = time.perf_counter()
    seeds = count(1)

    def run() -> int:
        calls = 0
        while time.perf_counter() - start < arguments.seconds:
            work(next(seeds))
            calls += 1
        return calls

    with ThreadPoolExecutor(arguments.threads) as pool:
        calls = sum(future.result() for future in
                    [pool.submit(run) for _ in range(arguments.threads)])
    if arguments.device.startswith('cuda'):
        torch.cuda.synchronize()
    return calls / (time.perf_counter() - start)


if __name__ == '__main__':
    main()
