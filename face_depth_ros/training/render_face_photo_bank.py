# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the faces from which the estimators' training photos are composed.

    python -m face_depth_ros.training.render_face_photo_bank --assets DIR --workers 2

writes runs/face_photos/{validation,train}. The seeds are those of the parts: the same command
renders the same faces, whatever the number of processes; stopped, it goes on where it was. A
training may begin as soon as the first parts are there.
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
from face_depth_ros.synthesis.face_photo_bank import (
    face_renderer,
    PART,
    part_path,
    render_part,
    save_part,
)
from face_depth_ros.synthesis.head_crops import HeadCropRenderer
from face_depth_ros.synthesis.person import PersonModel
import torch

LOG = logging.getLogger('render_face_photo_bank')


@dataclass(frozen=True)
class Settings:
    """
    What is rendered.

    :param assets: folder of the synthesis assets; '' = found by itself
    :param out: folder of the banks
    :param faces: for training
    :param validation_faces: of people who are not in training
    :param workers: processes
    :param max_minutes: time budget; what is missing then comes with the next call
    """

    assets: str = ''
    out: str = 'runs/face_photos'
    faces: int = 8192
    validation_faces: int = 256
    workers: int = 1
    max_minutes: float = 600.0

    def __post_init__(self) -> None:
        problems = [f'{name} is {getattr(self, name)}, expected > 0' for name in (
            'faces', 'validation_faces', 'workers', 'max_minutes') if getattr(self, name) <= 0]
        if problems:
            raise SettingsError('settings of the face photo bank: ' + '; '.join(problems))


def main(arguments: list[str] | None = None) -> None:
    """Render what is missing of both banks."""
    settings = parse_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    jobs = [(settings, split, number)
            for split, count in (('validation', settings.validation_faces),
                                 ('train', settings.faces))
            for number in range(-(-count // PART))
            if not part_path(Path(settings.out) / split, number).exists()]
    started = time.monotonic()
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(settings.workers, mp_context=context) as pool:
        for done, _ in enumerate(pool.map(make_part, jobs), 1):
            elapsed = time.monotonic() - started
            LOG.info('part %d of %d, %.1f faces/s', done, len(jobs), done * PART / elapsed)
            if elapsed > settings.max_minutes * 60.0:
                pool.shutdown(cancel_futures=True)
                return


def parse_arguments(arguments: list[str] | None) -> Settings:
    """Return the settings from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, field in Settings.__dataclass_fields__.items():
        parser.add_argument('--' + name.replace('_', '-'), type=type(field.default),
                            default=field.default)
    return Settings(**vars(parser.parse_args(arguments)))


def make_part(job: tuple[Settings, str, int]) -> None:
    """Render and write one part."""
    settings, split, number = job
    save_part(Path(settings.out) / split, number, render_part(_renderer(settings, split), number))


_models: dict[str, PersonModel] = {}


def _renderer(settings: Settings, split: str) -> HeadCropRenderer:
    """Return a renderer on this process's model, which takes seconds to read."""
    if settings.assets not in _models:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        _models[settings.assets] = PersonModel(find_assets(settings.assets or None))
    return face_renderer(_models[settings.assets], split)


if __name__ == '__main__':
    main()
