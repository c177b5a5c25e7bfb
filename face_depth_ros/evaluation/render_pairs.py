# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the pairs of true and degraded depth that `evaluate enhancement --quick` runs on.

    python -m face_depth_ros.evaluation.render_pairs test/data/enhancement_pairs.npz --pairs 16

Both images are normalised depth (1 = 25 cm behind the nearest point of the truth) in 16 bit
steps of 1/4094, finer than any noise in them, so that the file stays small; 65535 is nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from face_depth_ros.synthesis import degradation
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
import numpy as np
import torch

_STEP = 16
_LEVELS = 65534
_HOLE = 65535


def main() -> None:
    """Render from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=Path)
    parser.add_argument('--pairs', type=int, default=16)
    parser.add_argument('--seed', type=int, default=20261120)
    parser.add_argument('--assets', default='')
    arguments = parser.parse_args()
    truth, degraded = render_pairs(arguments.assets, arguments.pairs, arguments.seed)
    np.savez_compressed(arguments.file, truth=encode(truth), degraded=encode(degraded))


def render_pairs(assets: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Render test people and degrade them as in the paper.

    :returns: truth and degraded depth, (N, 256, 256) float32 normalised by the truth's nearest
        point, 1 where there is nothing
    """
    batch = FaceDepthRenderer(find_assets(assets or None), split='test').render(seed, count)
    generator = torch.Generator().manual_seed(seed)
    noisy = degradation.degrade(batch.depth, generator)
    nearest = degradation.nearest_surface(batch.depth)
    return (degradation.normalise(batch.depth, nearest).numpy(),
            degradation.normalise(noisy, nearest).numpy())


def encode(d: np.ndarray) -> np.ndarray:
    """Return 16 bit codes of normalised depth."""
    code = np.rint(d * (_LEVELS / _STEP)) * _STEP
    return np.where(d < 1.0, np.minimum(code, _LEVELS), _HOLE).astype(np.uint16)


if __name__ == '__main__':
    main()
