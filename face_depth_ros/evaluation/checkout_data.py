# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The small test data of a source checkout, on which `--quick` evaluations run."""

from __future__ import annotations

from pathlib import Path

import face_depth_ros
from face_depth_ros.core.errors import SettingsError


def checkout_data(name: str) -> Path:
    """
    Return the path of a file or folder of the test data.

    :raises SettingsError: this is an installed package without its tests
    """
    path = Path(face_depth_ros.__file__).resolve().parents[1] / 'test' / 'data' / name
    if not path.exists():
        raise SettingsError(f'{path} is missing: this needs a checkout of the source, in which it '
                            'is test data')
    return path
