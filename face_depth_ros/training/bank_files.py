# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Parts of banks in .npz files: whole or not there, and read or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
import zipfile

from face_depth_ros.core.errors import SettingsError
import numpy as np


def write_part(path: Path, arrays: Mapping[str, np.ndarray], *, compressed: bool = False) -> None:
    """Write a part, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    write: Any = np.savez_compressed if compressed else np.savez
    with partial.open('wb') as file:
        write(file, **arrays)
    partial.replace(path)


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """
    Read arrays of a part.

    :raises SettingsError: it is damaged, or lacks one
    """
    try:
        with np.load(path) as data:
            return {name: data[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error


def damaged(path: Path, why: object) -> SettingsError:
    """Return the error of a part that cannot be used."""
    return SettingsError(f'{path} is damaged ({why}); delete it and render again')
