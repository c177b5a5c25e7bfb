# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the head banks from which the face detector's training images are composed.

    python -m face_depth_ros.training.render_head_bank --assets DIR

writes runs/face_detector/bank/{train,validation}. Seeds are those of the parts, so the same
command renders the same heads, whatever the number of processes.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
import logging
import multiprocessing
from pathlib import Path
import time

import cv2
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.head_crops import HeadCropRenderer
from face_depth_ros.synthesis.head_pose import PoseRange
from face_depth_ros.synthesis.labels import FINE_LABELS
from face_depth_ros.synthesis.person import PersonModel
from face_depth_ros.training.detection_heads import BANK_EXPANSION, HeadBank, premultiplied
import numpy as np
import torch

LOG = logging.getLogger('render_head_bank')
PART = 16
"""Heads of one seed."""
BACKS_EVERY = 12
"""Every so many parts show heads from any side, backs among them."""
FACES = PoseRange(max_yaw=95.0, pitch_sigma=14.0, distance_m=(0.25, 2.5))
ANY_SIDE = PoseRange(max_yaw=180.0, pitch_sigma=14.0, distance_m=(0.25, 2.5))
_FIRST_SEED = {'train': 0, 'validation': 1_000_000}


@dataclass(frozen=True)
class Settings:
    """
    What is rendered.

    :param assets: folder of the synthesis assets; '' = found by itself
    :param out: folder of the banks
    :param heads: for training
    :param validation_heads: of people who are not in training
    :param size: pixels along a side of a crop; the face box is 1.6 times smaller
    :param mannequins: share of heads of one plain colour
    :param workers: processes
    """

    assets: str = ''
    out: str = 'runs/face_detector/bank'
    heads: int = 3000
    validation_heads: int = 320
    size: int = 208
    mannequins: float = 0.15
    workers: int = 1

    def __post_init__(self) -> None:
        problems = [f'{name} is {getattr(self, name)}, expected > 0' for name in (
            'heads', 'validation_heads', 'size', 'workers') if getattr(self, name) <= 0]
        if not 0.0 <= self.mannequins <= 1.0:
            problems.append(f'mannequins is {self.mannequins}, expected 0 to 1')
        if problems:
            raise SettingsError('settings of the head bank: ' + '; '.join(problems))


def main(arguments: list[str] | None = None) -> None:
    """Render both banks; a bank that is there is kept."""
    settings = parse_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    for split, count in (('validation', settings.validation_heads), ('train', settings.heads)):
        folder = Path(settings.out) / split
        if (folder / 'heads.npz').exists():
            LOG.info('%s is there already', folder)
            continue
        render_bank(settings, split, count).save(folder)
        LOG.info('%s: %d heads', folder, count)


def parse_arguments(arguments: list[str] | None) -> Settings:
    """Return the settings from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, field in Settings.__dataclass_fields__.items():
        parser.add_argument('--' + name.replace('_', '-'), type=type(field.default),
                            default=field.default)
    return Settings(**vars(parser.parse_args(arguments)))


def render_bank(settings: Settings, split: str, count: int) -> HeadBank:
    """Render the heads of one split, part by part."""
    parts = range(-(-count // PART))
    jobs = [(settings, split, part) for part in parts]
    started, done = time.monotonic(), []
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(settings.workers, mp_context=context) as pool:
        for bank in pool.map(render_part, jobs):
            done.append(bank)
            LOG.info('%s part %d of %d, %.1f heads/s', split, len(done), len(parts),
                     len(done) * PART / (time.monotonic() - started))
    return HeadBank(*(np.concatenate([getattr(bank, name) for bank in done])[:count]
                      for name in ('rgba', 'landmarks', 'visible', 'yaw_deg', 'bald')))


def render_part(job: tuple[Settings, str, int]) -> HeadBank:
    """Render one part: 16 heads."""
    settings, split, part = job
    limits = ANY_SIDE if part % BACKS_EVERY == BACKS_EVERY - 1 else FACES
    renderer = _renderer(settings, split)
    renderer.limits = limits
    crops = renderer.render(_FIRST_SEED[split] + part, PART)
    hair = (crops.fine == FINE_LABELS.index('hair')).any(axis=(1, 2))
    return HeadBank(premultiplied(crops.rgba),
                    ((crops.landmarks_5 - settings.size / 2) / crops.side).astype(np.float32),
                    crops.visible_5.astype(bool), np.rad2deg(crops.yaw).astype(np.float32),
                    ~hair)


_renderers: dict[tuple[Settings, str], HeadCropRenderer] = {}


def _renderer(settings: Settings, split: str) -> HeadCropRenderer:
    """Return this process's renderer; made once, because textures take seconds to read."""
    if (settings, split) not in _renderers:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        _renderers[settings, split] = HeadCropRenderer(
            PersonModel(find_assets(settings.assets or None)), split, settings.size,
            BANK_EXPANSION, FACES, settings.mannequins)
    return _renderers[settings, split]


if __name__ == '__main__':
    main()
