# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the photos that expression recognisers are trained on, into files.

    python -m face_depth_ros.training.render_expression_bank --assets DIR --parts 80
    python -m face_depth_ros.training.render_expression_bank --split validation --parts 4

writes runs/expression_bank/part_00000.npz and so on, or runs/expression_validation, 800 photos of
100 people each. A core renders 25 photos a second. The seed of a part is its number: stopped, the
command goes on where it was, and several may work on different parts (`--first`, `--every`).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
import logging
from pathlib import Path
import time

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_input import SIZE
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.expressive_photos import ExpressivePhotographer, SESSIONS, TRAINING
from face_depth_ros.training.expression_bank import (
    bank_of,
    ExpressionBank,
    join_banks,
    save_bank,
)
import torch

LOG = logging.getLogger('render_expression_bank')
SPLITS = ('train', 'validation')
PEOPLE, PHOTOS, _BATCH = 100, 8, 25
_FIRST_PERSON = {'train': 40_000, 'validation': 2_000}


@dataclass(frozen=True)
class Settings:
    """
    What is rendered.

    :param assets: folder of the synthesis assets; '' = found by itself
    :param out: folder of the parts; '' = runs/expression_bank, or runs/expression_validation
    :param split: train, or validation: half posed, half as in training
    :param parts: how many there are to be
    :param first: number of the first part to render
    :param every: render each so manieth part
    :param max_minutes: time budget; what is missing then comes with the next call
    """

    assets: str = ''
    out: str = ''
    split: str = 'train'
    parts: int = 80
    first: int = 0
    every: int = 1
    max_minutes: float = 600.0

    def __post_init__(self) -> None:
        problems = [f'{name} is {getattr(self, name)}, expected > 0' for name in (
            'parts', 'every', 'max_minutes') if getattr(self, name) <= 0]
        if self.first < 0:
            problems.append(f'first is {self.first}, expected >= 0')
        if self.split not in SPLITS:
            problems.append(f'split is {self.split!r}, expected one of {", ".join(SPLITS)}')
        if problems:
            raise SettingsError('settings of the expression bank: ' + '; '.join(problems))

    @property
    def folder(self) -> Path:
        """Return where the parts lie."""
        default = {'train': 'runs/expression_bank', 'validation': 'runs/expression_validation'}
        return Path(self.out or default[self.split])


def main(arguments: list[str] | None = None) -> None:
    """Render what is missing."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for f in fields(Settings):
        parser.add_argument('--' + f.name.replace('_', '-'), type=type(f.default),
                            default=f.default)
    settings = Settings(**vars(parser.parse_args(arguments)))
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(1)
    started = time.monotonic()
    for number in range(settings.first, settings.parts, settings.every):
        if time.monotonic() - started > settings.max_minutes * 60.0:
            return
        path = settings.folder / f'part_{number:05d}.npz'
        if not path.exists():
            since = time.monotonic()
            save_bank(path, render_part(settings, number))
            LOG.info('%s in %.0f s', path, time.monotonic() - since)


def render_part(settings: Settings, number: int, people: int = PEOPLE,
                photos: int = PHOTOS) -> ExpressionBank:
    """Render the photos of one part."""
    photographer = ExpressivePhotographer(
        find_assets(settings.assets or None), 'cpu', number + (settings.split != 'train') * 10_000,
        backgrounds=60, size=SIZE, part=True)
    first = _FIRST_PERSON[settings.split] + number * people
    sitters = photographer.people(settings.split, range(first, first + people))
    posed = settings.split == 'validation' and number % 2 == 0
    sitting = SESSIONS['posed'] if posed else TRAINING
    parts = [bank_of(photographer.take_shown(sitters, rows, sitting))
             for _ in range(photos) for rows in torch.arange(people).split(_BATCH)]
    bank = join_banks(parts)
    bank.person.add_(first)
    return bank


if __name__ == '__main__':
    main()
