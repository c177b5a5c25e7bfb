# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Values as the papers print them: mean (sample standard deviation)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from face_depth_ros.evaluation.report import number
import numpy as np


def mean_std_cells(row: Mapping[str, Any], key: str) -> str | None:
    """
    Return a row's `<key>_mean` and `<key>_std` as one cell.

    :returns: None where the row is empty
    """
    mean, std = row.get(f'{key}_mean'), row.get(f'{key}_std')
    if mean is None:
        return None
    spread = f' ({number(std)})' if std is not None and np.isfinite(std) else ''
    return f'{number(mean)}{spread}'
