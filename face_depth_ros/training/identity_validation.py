# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""People who are photographed part by part; those on whom recognisers are calibrated."""

from __future__ import annotations

from collections.abc import Sequence
import logging
from pathlib import Path

from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import (
    IdentityPhotographer,
    Moments,
    PROBES_EACH,
    SESSIONS,
)
from face_depth_ros.training.identity_bank import BankBuilder, IdentityBank, read_bank
from face_depth_ros.training.render_identity_bank import part_path, save_part

VALIDATION = Path('runs/identity_validation')
VALIDATION_PEOPLE = 200
_PEOPLE_OF_PART, _SEED = 20, 5_000_000


def validation_bank(folder: Path, assets: str) -> IdentityBank:
    """Read the photos of the calibration, rendered here where they are missing."""
    moments = [moment for name, moment in SESSIONS.items()
               for _ in range(1 if name == 'gallery' else PROBES_EACH)]
    return photographed(folder, assets, 'validation', range(VALIDATION_PEOPLE), moments, _SEED,
                        _PEOPLE_OF_PART)


def photographed(folder: Path, assets: str, split: str, numbers: range,
                 moments: Sequence[Moments], seed: int, people_of_part: int) -> IdentityBank:
    """
    Read photos of people with what a sensor measures, taken here where parts are missing.

    :param numbers: of the people within the split
    :param moments: one photo of each person each
    :param seed: of the first part; that of the next is one more
    """
    for part in range(-(-len(numbers) // people_of_part)):
        path = part_path(folder, part)
        if path.exists():
            continue
        photographer = IdentityPhotographer(find_assets(assets or None), 'cpu', seed + part,
                                            backgrounds=40)
        first = numbers.start + part * people_of_part
        people = photographer.people(split, range(first, first + people_of_part), 0.0)
        builder = BankBuilder(photographer, surfaces=True)
        save_part(path, builder.build(people, len(moments), moments, people_of_part))
        logging.info('%s', path)
    return read_bank(folder)
