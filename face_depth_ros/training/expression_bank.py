# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Many photos of people who show something, as expression recognisers see them, in files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_input import DEPTH_LIMIT, RELIEF_UNIT_M
from face_depth_ros.synthesis.expressive_photos import ExpressivePhotos
from face_depth_ros.training.bank_files import read_arrays, write_part
import torch


@dataclass(frozen=True)
class ExpressionBank:
    """
    N photos of the part of the face that core.expression_input cuts out.

    :param color: (N, 3, 128, 128) uint8 RGB, with background
    :param depth: (N, 128, 128) float16 depth input as of core.expression_input, NaN where nothing
        was measured
    :param mask: (N, 128, 128) uint8 of core.face_photo.MASK_LABELS
    :param landmarks: (N, 68, 2) float32 pixels
    :param label: (N,) int64 of EXPRESSIONS; level: (N,) int64, 0 for neutral, else 1 to 4
    :param strength: (N,) float32, share of the full expression
    :param action_units: (N, 17) float32 of ACTION_UNITS
    :param person: (N,) int64; yaw: (N,) float32 degrees
    """

    color: torch.Tensor
    depth: torch.Tensor
    mask: torch.Tensor
    landmarks: torch.Tensor
    label: torch.Tensor
    level: torch.Tensor
    strength: torch.Tensor
    action_units: torch.Tensor
    person: torch.Tensor
    yaw: torch.Tensor

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: torch.Tensor) -> ExpressionBank:
        """Return some of the photos."""
        return ExpressionBank(*(getattr(self, f.name)[rows] for f in fields(self)))


def bank_of(taken: ExpressivePhotos) -> ExpressionBank:
    """Return photos of the part as a bank, on the CPU."""
    photos, shown = taken.photos, taken.shown
    return ExpressionBank(
        photos.color.cpu(), depth_input(photos.relief, photos.mask).half().cpu(),
        photos.mask.to(torch.uint8).cpu(), taken.landmarks.cpu(), torch.from_numpy(shown.label),
        torch.from_numpy(shown.level), torch.from_numpy(shown.strength),
        torch.from_numpy(shown.action_units), taken.person.cpu(), taken.yaw.cpu())


def depth_input(relief: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    Make depth inputs of a batch, as core.expression_input.depth_input.

    :param relief: (B, S, S) metres, NaN where invalid; mask: (B, S, S)
    :returns: (B, S, S) float32, NaN where nothing of the face was measured
    """
    known = torch.where(mask > 0, relief, torch.nan)
    middle = known.flatten(1).nanmedian(dim=1).values
    return ((middle[:, None, None] - known) / RELIEF_UNIT_M).clamp(-DEPTH_LIMIT, DEPTH_LIMIT)


def join_banks(parts: list[ExpressionBank]) -> ExpressionBank:
    """Return all photos of some banks; people are numbered as they were."""
    return ExpressionBank(*(torch.cat([getattr(part, f.name) for part in parts])
                            for f in fields(ExpressionBank)))


def save_bank(path: Path, bank: ExpressionBank) -> None:
    """Write a bank, complete or not at all."""
    write_part(path, {f.name: getattr(bank, f.name).numpy() for f in fields(bank)})


def read_expression_bank(folder: Path, limit: int | None = None) -> ExpressionBank:
    """
    Read the parts that render_expression_bank has written.

    :param limit: stop at so many photos, None = all
    :raises SettingsError: there is none, or one is damaged
    """
    parts: list[ExpressionBank] = []
    for path in sorted(folder.glob('part_*.npz')):
        parts.append(read_part(path))
        if limit is not None and sum(len(part) for part in parts) >= limit:
            break
    if not parts:
        raise SettingsError(f'no photos in {folder}; render them with `python -m '
                            'face_depth_ros.training.render_expression_bank`')
    bank = join_banks(parts)
    return bank if limit is None else bank.take(torch.arange(min(limit, len(bank))))


def read_part(path: Path) -> ExpressionBank:
    """
    Read one part.

    :raises SettingsError: it is damaged
    """
    arrays = read_arrays(path, [f.name for f in fields(ExpressionBank)])
    return ExpressionBank(*(torch.from_numpy(values) for values in arrays.values()))
