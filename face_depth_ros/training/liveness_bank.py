# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Living faces and attacks as the liveness detector sees them, in parts on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.liveness_input import LivenessInput, PLANES, POINT_VALUES, SCALARS, SIZE
from face_depth_ros.training.bank_files import damaged, read_arrays, write_part
import numpy as np
import torch

_SHAPES = {'relief': (SIZE, SIZE), 'flags': (SIZE, SIZE), 'points': (68, len(POINT_VALUES)),
           'scalars': (len(SCALARS),), 'species': (), 'person': (), 'distance_m': (),
           'yaw_deg': (), 'measured_share': (), 'pad_error': ()}


@dataclass(frozen=True)
class LivenessBank:
    """
    N looks at faces and attacks.

    :param relief: (N, S, S) float16, the first of PLANES
    :param flags: (N, S, S) uint8, the other planes: bit 0 known, 1 trusted, 2 face
    :param points: (N, 68, 4) float16; scalars: (N, 3) float32
    :param species: (N,) int64 of synthesis.liveness_attacks.SPECIES, 0 = live
    :param person: (N,) int64; distance_m, yaw_deg, measured_share: (N,) float32
    :param pad_error: (N,) float32 of core.landmark_liveness, NaN of faces that are turned away
    """

    relief: torch.Tensor
    flags: torch.Tensor
    points: torch.Tensor
    scalars: torch.Tensor
    species: torch.Tensor
    person: torch.Tensor
    distance_m: torch.Tensor
    yaw_deg: torch.Tensor
    measured_share: torch.Tensor
    pad_error: torch.Tensor

    def __len__(self) -> int:
        return len(self.species)

    def take(self, rows: torch.Tensor) -> LivenessBank:
        """Return some of it."""
        return LivenessBank(*(getattr(self, f.name)[rows] for f in fields(self)))

    def planes(self) -> torch.Tensor:
        """Return the planes of all, (N, 4, S, S) float32."""
        bits = [(self.flags >> bit) & 1 for bit in range(len(PLANES) - 1)]
        return torch.stack([self.relief.float(), *(bit.float() for bit in bits)], dim=1)


def join_banks(banks: Sequence[LivenessBank]) -> LivenessBank:
    """Return several as one."""
    return LivenessBank(*(torch.cat([getattr(bank, f.name) for bank in banks])
                          for f in fields(LivenessBank)))


def pack(seen: Sequence[LivenessInput], **others: np.ndarray) -> dict[str, np.ndarray]:
    """
    Return looks as a part holds them.

    :param others: the fields of `LivenessBank` that no input tells
    """
    planes = np.stack([s.planes for s in seen])
    flags = sum((planes[:, 1 + bit] > 0).astype(np.uint8) << bit for bit in range(3))
    return {'relief': planes[:, 0].astype(np.float16), 'flags': np.asarray(flags, np.uint8),
            'points': np.stack([s.points for s in seen]).astype(np.float16),
            'scalars': np.stack([s.scalars for s in seen]),
            'measured_share': np.array([s.measured_share for s in seen], np.float32), **others}


def save_part(path: Path, content: dict[str, np.ndarray]) -> None:
    """Write a part; it appears whole or not at all."""
    write_part(path, content, compressed=True)


def read_part(path: Path) -> LivenessBank:
    """
    Read one part.

    :raises SettingsError: it is damaged, or none
    """
    arrays = read_arrays(path, _SHAPES)
    wrong = [name for name, shape in _SHAPES.items()
             if arrays[name].shape != (len(arrays['species']), *shape)]
    if wrong:
        raise damaged(path, f'{", ".join(wrong)} of other shapes')
    return LivenessBank(**{name: torch.from_numpy(values) for name, values in arrays.items()})


def read_liveness_bank(folder: Path) -> LivenessBank:
    """
    Read all parts of a folder.

    :raises SettingsError: there are none, or one is damaged
    """
    paths = sorted(folder.glob('part_*.npz'))
    if not paths:
        raise SettingsError(f'no looks at faces in {folder}; make them with `python -m '
                            'face_depth_ros.training.render_liveness_bank`')
    return join_banks([read_part(path) for path in paths])
