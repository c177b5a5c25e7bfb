# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Living faces of the test split and what is held up in their place, as a robot's camera shows them.

A round has two living people and an attack of each species, all of different people whom nothing
was trained on; each is a presentation of a few frames, measured anew by one camera.
"""

from __future__ import annotations

from collections.abc import Iterator
import logging
from pathlib import Path

from face_depth_ros.evaluation.liveness_faces import (
    LivenessFace,
    part_file,
    save_liveness_faces,
)
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.liveness_attacks import LIVE, SPECIES
from face_depth_ros.synthesis.liveness_samples import LivenessSample, LivenessSampler
import torch

FRAMES = 3
SHOWN = (LIVE, *SPECIES)
"""In each round: living faces come twice."""
_FIRST_SEED = 500_000
"""Away from what may be looked at while training."""
LOG = logging.getLogger(__name__)


def fill_bank(folder: Path, rounds: int, assets: str) -> None:
    """
    Render what a folder lacks; what is there stays.

    :param folder: gets `part_00000.npz` and so on, a round each
    :param assets: folder of the head assets; '' = FACE_DEPTH_ASSETS or the known places
    :raises AssetsError: the assets are not there
    """
    sampler: LivenessSampler | None = None
    for number in range(rounds):
        path = part_file(folder, number)
        if path.exists():
            continue
        sampler = sampler or open_sampler(assets)
        faces = list(rendered_round(sampler, number))
        LOG.info('%s: %d frames', save_liveness_faces(path, faces), len(faces))


def open_sampler(assets: str = '') -> LivenessSampler:
    """
    Return what draws people and attacks of the test split.

    :raises AssetsError: the assets are not there
    """
    torch.set_num_threads(1)  # more make these small operations slower
    return LivenessSampler(find_assets(assets or None), 'test')


def rendered_round(sampler: LivenessSampler, number: int,
                   frames: int = FRAMES) -> Iterator[LivenessFace]:
    """
    Render a round.

    :param number: the same number renders the same
    :param frames: of each presentation
    """
    for place, scene in enumerate(sampler.scenes(_FIRST_SEED + number, SHOWN)):
        presentation = number * len(SHOWN) + place
        for frame in range(frames):
            yield _face(sampler.measure(scene, _FIRST_SEED + presentation, frame), presentation,
                        frame)


def _face(sample: LivenessSample, presentation: int, frame: int) -> LivenessFace:
    return LivenessFace(sample.species, sample.depth, sample.box, sample.intrinsics, sample.mask,
                        sample.landmarks, sample.person, presentation, frame, sample.distance_m,
                        sample.sensor)
