# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the faces that `evaluate --quick` measures roughness, falsification and landmarks on.

    python -m face_depth_ros.evaluation.render_faces test/data/face_samples.npz

People of the test split, each open, with a hand over the mouth and with paper over one side, and
attacks, as a stereo and a structured-light camera show them. Depth far behind the face is left
out, which no enhancer sees, so that the file stays small.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M, nearest_surface
from face_depth_ros.evaluation.real_faces import FaceSample, store_faces
from face_depth_ros.evaluation.synthetic_faces import rendered_attacks, rendered_faces
import numpy as np

_KEPT_ATTACKS = ('attack: flat print', 'attack: bent print')


def main() -> None:
    """Render from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=Path)
    parser.add_argument('--people', type=int, default=4)
    parser.add_argument('--assets', default='')
    arguments = parser.parse_args()
    store_faces(arguments.file, fixture_faces(arguments.people, arguments.assets))


def fixture_faces(people: int, assets: str = '') -> Iterator[FaceSample]:
    """Render people and one attack of each of two kinds, without what no enhancer sees."""
    for sample in rendered_faces(people, assets):
        yield _trimmed(sample)
    for sample in rendered_attacks(1, assets):
        if sample.variant in _KEPT_ATTACKS:
            yield _trimmed(sample)


def _trimmed(sample: FaceSample) -> FaceSample:
    with np.errstate(invalid='ignore'):
        seen = sample.depth < nearest_surface(sample.depth) + FACE_DEPTH_RANGE_M
    return replace(sample, depth=np.where(seen, sample.depth, np.float32(np.nan)), truth=None)


if __name__ == '__main__':
    main()
