# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render living faces and attacks, send them through the depth enhancer, keep what is seen of them.

    python -m face_depth_ros.training.render_liveness_bank --assets DIR --parts 40
    python -m face_depth_ros.training.render_liveness_bank --split validation --parts 8

writes runs/liveness_bank/part_00000.npz and so on, or runs/liveness_validation, or
runs/liveness_test.
Seeds are those of the parts, so that the same command makes the same looks; parts that are
there are kept.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
import logging
from pathlib import Path
import time

import cv2
from face_depth_ros.core.errors import FaceDepthError, SettingsError
from face_depth_ros.core.liveness_input import LivenessInput
from face_depth_ros.datasets.liveness_views import LivenessViewer
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_splits import SPLITS
from face_depth_ros.synthesis.liveness_attacks import SPECIES
from face_depth_ros.synthesis.liveness_samples import (
    draw_species,
    LivenessSample,
    LivenessSampler,
)
from face_depth_ros.training.liveness_bank import pack, save_part
import numpy as np
import torch

LOG = logging.getLogger('render_liveness_bank')
PART = 96
"""Scenes of one seed."""
_FOLDERS = {'train': 'runs/liveness_bank', 'validation': 'runs/liveness_validation',
            'test': 'runs/liveness_test'}
_STREAM = 0xBA4C


@dataclass(frozen=True)
class Settings:
    """
    What is rendered.

    :param assets: folder of the synthesis assets; '' = found by itself
    :param split: train, validation or test
    :param out: folder; '' = that of the split
    :param first: number of the first part; parts: how many
    :param cameras: by how many cameras each scene is measured
    :param live: share of living faces
    """

    assets: str = ''
    split: str = 'train'
    out: str = ''
    first: int = 0
    parts: int = 40
    cameras: int = 2
    live: float = 0.4

    def __post_init__(self) -> None:
        problems = [f'{name} is {getattr(self, name)}, expected > 0'
                    for name in ('parts', 'cameras') if getattr(self, name) < 1]
        if self.split not in SPLITS:
            problems.append(f'split is {self.split!r}, expected one of {", ".join(SPLITS)}')
        if not 0.0 <= self.live <= 1.0 or self.first < 0:
            problems.append(f'live is {self.live} and first {self.first}, expected 0 to 1, and '
                            'at least 0')
        if problems:
            raise SettingsError('settings of the liveness bank: ' + '; '.join(problems))

    @property
    def folder(self) -> Path:
        """Return where the parts lie."""
        return Path(self.out or _FOLDERS[self.split])


@dataclass
class Part:
    """What was seen of the scenes of one seed, and what could not be."""

    seen: list[LivenessInput] = field(default_factory=list)
    samples: list[LivenessSample] = field(default_factory=list)
    pad_errors: list[float] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def content(self) -> dict[str, np.ndarray]:
        """Return what is written."""
        return pack(
            self.seen, species=np.array([SPECIES.index(s.species) for s in self.samples], int),
            person=np.array([s.person for s in self.samples], np.int64),
            distance_m=np.array([s.distance_m for s in self.samples], np.float32),
            yaw_deg=np.array([s.yaw_deg for s in self.samples], np.float32),
            pad_error=np.array(self.pad_errors, np.float32))


def main(arguments: list[str] | None = None) -> None:
    """Render the parts that are not there."""
    settings = parse_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    sampler = LivenessSampler(find_assets(settings.assets or None), settings.split)
    viewer = LivenessViewer()
    for number in range(settings.first, settings.first + settings.parts):
        path = settings.folder / f'part_{number:05d}.npz'
        if path.exists():
            continue
        started = time.process_time()
        part = render_part(sampler, viewer, number, settings)
        save_part(path, part.content())
        LOG.info('%s: %d looks, %d ms each; dropped: %s', path, len(part.seen), round(
            1e3 * (time.process_time() - started) / max(len(part.seen), 1)), dict(part.dropped))
    viewer.close()


def parse_arguments(arguments: list[str] | None) -> Settings:
    """Return the settings from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, setting in Settings.__dataclass_fields__.items():
        parser.add_argument('--' + name.replace('_', '-'), type=type(setting.default),
                            default=setting.default)
    return Settings(**vars(parser.parse_args(arguments)))


def render_part(sampler: LivenessSampler, viewer: LivenessViewer, number: int,
                settings: Settings, scenes: int = PART) -> Part:
    """Render the scenes of one seed and look at them by each camera."""
    chance = np.random.default_rng((_STREAM, number))
    part = Part()
    for index, scene in enumerate(sampler.scenes(number, draw_species(scenes, chance,
                                                                      settings.live))):
        for camera in range(settings.cameras):
            sample = sampler.measure(scene, (number * scenes + index) * settings.cameras + camera)
            try:
                seen, pad_error = viewer.view(sample.depth, sample.box, sample.mask,
                                              sample.landmarks, sample.intrinsics)
            except FaceDepthError as error:
                part.dropped[f'{sample.species}: {error.cause}'] += 1
                continue
            part.seen.append(seen)
            part.samples.append(sample)
            part.pad_errors.append(pad_error)
    return part


if __name__ == '__main__':
    main()
