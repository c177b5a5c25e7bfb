# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the photos that face recognisers and face shapes are trained on, into files.

    python -m face_depth_ros.training.render_identity_bank --assets DIR --people 3000 --images 6
    python -m face_depth_ros.training.render_identity_bank --learns shape --images 2

writes runs/identity_bank/part_00000.npz and so on, 100 people each. For a CPU, which renders ten
photos a second and core; on a GPU the training scripts render anew faster than files are read.
The seed of a part is its number: stopped, the command goes on where it was, and several may work
on different parts (`--first`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
import logging
from pathlib import Path
import time

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import (
    at_size,
    IdentityPhotographer,
    TRAINING,
    TURNED,
)
from face_depth_ros.training.bank_files import write_part
from face_depth_ros.training.identity_bank import BankBuilder, IdentityBank
from face_depth_ros.training.run import settings_parser
from face_depth_ros.training.train_face_recognizer import GALLERY, PROBES
import torch

LOG = logging.getLogger('render_identity_bank')
PEOPLE_OF_PART = 100
LEARNS = ('recognition', 'last_layers', 'shape')
_BATCH = 20
_FIRST_PERSON = 20_000
"""People before this one are those of runs that render onto their device."""


@dataclass(frozen=True)
class Settings:
    """
    What is rendered.

    :param assets: folder of the synthesis assets; '' = found by itself
    :param out: folder of the parts
    :param people: of the train split
    :param images: photos of each; for recognition the first one is as for a gallery
    :param learns: recognition: faces in the frame of their landmarks, to 75 degrees; last_layers:
        so too, without galleries, with what was measured in metres
        (training/solve_last_layers.py); shape: faces in their boxes, to 90 degrees
    :param first: number of the first part to render
    :param size: pixels along a side of the photos; a recogniser looks at 112 of them, 128 render
        twice as fast as 192
    :param threads: CPU threads of torch
    :param max_minutes: time budget; what is missing then comes with the next call
    """

    assets: str = ''
    out: str = 'runs/identity_bank'
    people: int = 3000
    images: int = 6
    learns: str = 'recognition'
    first: int = 0
    size: int = 192
    threads: int = 1
    max_minutes: float = 600.0

    def __post_init__(self) -> None:
        problems = [f'{name} is {getattr(self, name)}, expected > 0' for name in (
            'people', 'images', 'size', 'threads', 'max_minutes') if getattr(self, name) <= 0]
        if self.first < 0:
            problems.append(f'first is {self.first}, expected >= 0')
        if self.learns not in LEARNS:
            problems.append(f'learns is {self.learns!r}, expected {" or ".join(LEARNS)}')
        if problems:
            raise SettingsError('settings of the identity bank: ' + '; '.join(problems))


def main(arguments: list[str] | None = None) -> None:
    """Render what is missing."""
    settings = Settings(**vars(settings_parser(Settings, __doc__).parse_args(arguments)))
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(settings.threads)
    started = time.monotonic()
    for number in range(settings.first, -(-settings.people // PEOPLE_OF_PART)):
        if time.monotonic() - started > settings.max_minutes * 60.0:
            return
        path = part_path(Path(settings.out), number)
        if not path.exists():
            save_part(path, render_part(settings, number))


def render_part(settings: Settings, number: int) -> IdentityBank:
    """Render the photos of 100 people."""
    photographer = IdentityPhotographer(find_assets(settings.assets or None), 'cpu', number,
                                        backgrounds=100, size=settings.size)
    first = _FIRST_PERSON + number * PEOPLE_OF_PART
    people = photographer.people('train', range(first, first + PEOPLE_OF_PART))
    framed = settings.learns != 'shape'
    moments = {'recognition': (GALLERY, PROBES), 'last_layers': (TRAINING,),
               'shape': (TURNED,)}[settings.learns]
    return BankBuilder(photographer, framed=framed,
                       surfaces=settings.learns == 'last_layers').build(
        people, settings.images, [at_size(m, settings.size) for m in moments], _BATCH)


def part_path(folder: Path, number: int) -> Path:
    """Return where a part lies."""
    return folder / f'part_{number:05d}.npz'


def save_part(path: Path, bank: IdentityBank) -> None:
    """Write a part, complete or not at all."""
    write_part(path, {f.name: getattr(bank, f.name).cpu().numpy() for f in fields(bank)})


if __name__ == '__main__':
    main()
