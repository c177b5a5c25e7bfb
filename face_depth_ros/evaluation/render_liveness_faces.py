# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the living faces and attacks that `evaluate liveness` measures on.

    python -m face_depth_ros.evaluation.render_liveness_faces runs/liveness_faces/test
    python -m face_depth_ros.evaluation.render_liveness_faces liveness_faces.npz --people 2

People of the test split, each before a stereo and a structured-light camera, and an attack of
each species with each. A folder gets parts, and what is there stays; a file gets depth in whole
millimetres, as cameras send it, so that it stays small.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
import logging
from pathlib import Path

from face_depth_ros.evaluation.liveness_faces import LivenessFace, save_liveness_faces
from face_depth_ros.evaluation.synthetic_liveness import fill_bank, LivenessRenderer
import numpy as np
import torch

PEOPLE = 100
LOG = logging.getLogger(__name__)


def main() -> None:
    """Render from the command line."""
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, metavar='DIR|FILE.npz')
    parser.add_argument('--people', type=int, default=PEOPLE, metavar='N')
    parser.add_argument('--assets', default='', metavar='DIR')
    arguments = parser.parse_args()
    if arguments.out.suffix == '.npz':
        faces = list(fixture_faces(arguments.people, arguments.assets))
        LOG.info('%s: %d frames', save_liveness_faces(arguments.out, faces), len(faces))
    else:
        fill_bank(arguments.out, arguments.people, arguments.assets)


def fixture_faces(people: int, assets: str = '') -> Iterator[LivenessFace]:
    """Render people with all their attacks, in whole millimetres."""
    torch.set_num_threads(1)
    renderer = LivenessRenderer(assets)
    for number in range(people):
        yield from in_millimetres(renderer.person(number))


def in_millimetres(faces: Iterable[LivenessFace]) -> Iterator[LivenessFace]:
    """Round depth as 16UC1 images do."""
    for face in faces:
        yield replace(face, depth=(np.rint(face.depth * 1e3) / 1e3).astype(np.float32))


if __name__ == '__main__':
    main()
