# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the living faces and attacks that `evaluate liveness` measures on.

    python -m face_depth_ros.evaluation.render_liveness_faces runs/liveness_faces/test
    python -m face_depth_ros.evaluation.render_liveness_faces liveness_faces.npz --rounds 2

Each round has two living people of the test split and an attack of each species, of three frames
each. A folder gets parts, and what is there stays; a file gets depth in whole millimetres, as
cameras send it, and none that lies far behind, so that it stays small.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
import logging
from pathlib import Path

from face_depth_ros.core.depth import nearest_surface
from face_depth_ros.evaluation.liveness_faces import LivenessFace, save_liveness_faces
from face_depth_ros.evaluation.synthetic_liveness import (
    fill_bank,
    open_sampler,
    rendered_round,
)
import numpy as np

ROUNDS = 100
_MILLIMETRES = 1000
_BEHIND_M = 0.4
LOG = logging.getLogger(__name__)


def main() -> None:
    """Render from the command line."""
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, metavar='DIR|FILE.npz')
    parser.add_argument('--rounds', type=int, default=ROUNDS, metavar='N')
    parser.add_argument('--assets', default='', metavar='DIR')
    arguments = parser.parse_args()
    if arguments.out.suffix == '.npz':
        faces = list(fixture_faces(arguments.rounds, arguments.assets))
        LOG.info('%s: %d frames', save_liveness_faces(arguments.out, faces, _MILLIMETRES),
                 len(faces))
    else:
        fill_bank(arguments.out, arguments.rounds, arguments.assets)


def fixture_faces(rounds: int, assets: str = '') -> Iterator[LivenessFace]:
    """Render rounds without what lies far behind, where no detector looks."""
    sampler = open_sampler(assets)
    for number in range(rounds):
        for face in rendered_round(sampler, number):
            with np.errstate(invalid='ignore'):
                near = face.depth < nearest_surface(face.depth) + _BEHIND_M
            yield replace(face, depth=np.where(near, face.depth, np.float32(np.nan)))


if __name__ == '__main__':
    main()
