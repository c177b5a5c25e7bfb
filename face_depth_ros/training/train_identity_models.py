# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train all models that tell people apart on one set of rendered photos, within one time budget.

    python -m face_depth_ros.training.train_identity_models --assets DIR --max-minutes 9.3

renders people once onto the device, then trains the mask-guided recogniser, its student and the
3D face shape (with its ablation), each into its folder below `--run`. For a GPU and a few
minutes; on a CPU the scripts of the single models do the same one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import logging
from pathlib import Path
import time

from face_depth_ros.training import train_face_recognizer, train_face_shape
from face_depth_ros.training.run import open_fabric, parse_settings, RunSettings
import torch

LOG = logging.getLogger('train_identity_models')
_SPARE_MINUTES = 0.3
_FULL_SHARE = 0.54


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    Budget of the whole; all else are the defaults of the single scripts.

    :param people, images: as of train_face_recognizer
    :param render_minutes: at most, of the photos
    :param shape_minutes: of the 3D face shape's three phases, with commas between
    :param batch: photos of a step of the mask-guided recogniser; its student takes twice as many
    :param schedule: of the mask-guided recogniser's learning rate; the paper's steps leave half of
        so short a run to rates that change nothing
    """

    run: str = 'runs'
    max_minutes: float = 9.3
    people: int = 10_000
    images: int = 30
    validation_people: int = 256
    render_minutes: float = 2.5
    shape_minutes: str = '0.17,0.03,0.17'
    batch: int = 256
    schedule: str = 'cosine'


def main() -> None:
    """Render once, then train one model after the other."""
    settings, resume = parse_settings(Settings, __doc__)
    del resume  # a run of minutes begins anew
    started = time.monotonic()
    fabric = open_fabric(settings)
    torch.backends.cudnn.benchmark = True

    def left() -> float:
        return settings.max_minutes - (time.monotonic() - started) / 60.0

    folder = Path(settings.run)
    shape = train_face_shape.Settings(
        assets=settings.assets, run=str(folder / 'face_shape'), compare=1,
        phase_minutes=settings.shape_minutes)
    first, second, third = shape.minutes_of_phases()
    reserved = 2.0 * (first + second) + 3.0 * third + 2.0 * _SPARE_MINUTES
    full = train_face_recognizer.Settings(
        assets=settings.assets, run=str(folder / 'mask_guided_recognizer'),
        people=settings.people, images=settings.images, batch=settings.batch,
        schedule=settings.schedule,
        validation_people=settings.validation_people, render_minutes=settings.render_minutes)
    bank, validation = train_face_recognizer.render_banks(full, fabric)
    budget = left() - reserved
    results = {}
    full = _with(full, max_minutes=budget * _FULL_SHARE)
    results['mask_guided_recognizer'] = train_face_recognizer.train(full, fabric, bank, validation)
    student = _with(
        full, network='student', schedule='cosine', teacher=f'{full.run}/last.pt',
        batch=2 * settings.batch, run=str(folder / 'face_recognizer'), learning_rate=2e-3,
        weight_decay=0.02, max_minutes=max(left() - reserved, 0.05))
    results['face_recognizer'] = train_face_recognizer.train(student, fabric, bank, validation)
    LOG.info('%s', json.dumps(results))
    LOG.info('%s', json.dumps(train_face_shape.train(bank, validation, shape, fabric)))


def _with(settings: train_face_recognizer.Settings,
          **changes: object) -> train_face_recognizer.Settings:
    """Return changed settings."""
    return train_face_recognizer.Settings(**{**vars(settings), **changes})


if __name__ == '__main__':
    main()
