# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Whether this machine can render, for commands that work without that too."""

from __future__ import annotations

import importlib.util

from face_depth_ros.core.errors import SettingsError


def check_rendering(what: str) -> None:
    """
    Check that the packages of training are there, which rendering needs.

    :param what: is to be rendered, for the message
    :raises SettingsError: some are not installed
    """
    missing = [p for p in ('torch', 'numba') if importlib.util.find_spec(p) is None]
    if missing:
        raise SettingsError(
            f'{what} need {" and ".join(missing)}, which the run time does not have; install '
            'requirements/ for development (`make test` does), or use --quick')
