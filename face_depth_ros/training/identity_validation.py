# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""People of the validation split, on whom recognisers are judged and calibrated."""

from __future__ import annotations

import logging
from pathlib import Path

from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import (
    IdentityPhotographer,
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
    for number in range(VALIDATION_PEOPLE // _PEOPLE_OF_PART):
        path = part_path(folder, number)
        if path.exists():
            continue
        photographer = IdentityPhotographer(find_assets(assets or None), 'cpu', _SEED + number,
                                            backgrounds=40)
        first = number * _PEOPLE_OF_PART
        people = photographer.people('validation', range(first, first + _PEOPLE_OF_PART), 0.0)
        moments = [moment for name, moment in SESSIONS.items()
                   for _ in range(1 if name == 'gallery' else PROBES_EACH)]
        builder = BankBuilder(photographer, surfaces=True)
        save_part(path, builder.build(people, len(moments), moments, _PEOPLE_OF_PART))
        logging.info('%s', path)
    return read_bank(folder)
