# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Where the photos come from of which one branch of a recogniser learns: banks and shelves."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from face_depth_ros.core.recognition_input import SIZE
from face_depth_ros.synthesis.identity_photos import (
    at_size,
    IdentityPhotographer,
    Moments,
    People,
)
from face_depth_ros.training.bank_files import read_arrays
from face_depth_ros.training.identity_bank import depth_inputs, IdentityBank
from face_depth_ros.training.train_face_recognizer import GALLERY
import numpy as np
import torch

RELIEF = Moments(yaw=(0.0, 65.0), frontal=0.4)
_SHIFTED_MASKS = 0.5


@dataclass
class Photos:
    """
    B inputs of a branch, and who is on them.

    :param image: (B, C, S, S); mask: (B, 1, S, S); numbers: (B, N)
    """

    image: torch.Tensor
    mask: torch.Tensor
    numbers: torch.Tensor


def halves(photos: Photos, which: int) -> Photos:
    """Return the first or the second half of some photos."""
    return Photos(*(getattr(photos, f.name).chunk(2)[which] for f in fields(Photos)))


class GrowingBank:
    """Parts of a bank that may still be rendered, in memory, colours for the branch of colour."""

    def __init__(self, folder: Path, branch: str) -> None:
        self.folder, self.branch = folder, branch
        self._names: set[str] = set()
        self.parts: list[IdentityBank] = []
        self._sizes = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return int(self._sizes.sum())

    def grow(self) -> None:
        """Read what has come since."""
        for path in sorted(self.folder.glob('part_*.npz')):
            if path.name in self._names:
                continue
            arrays = read_arrays(path, [f.name for f in fields(IdentityBank)])
            unused = ('measured', 'estimated') if self.branch == 'color' else ('color',)
            arrays |= {name: arrays[name][:0] for name in unused}
            self.parts.append(IdentityBank(**{
                name: torch.from_numpy(values) for name, values in arrays.items()}))
            self._names.add(path.name)
        self._sizes = np.array([len(part) for part in self.parts], np.int64)

    def draw_pairs(self, count: int, generator: np.random.Generator,
                   ) -> list[tuple[IdentityBank, torch.Tensor]]:
        """Return two photos of each of `count` people: all first ones, then all second ones."""
        first, second = [], []
        for number in generator.integers(0, len(self.parts), count):
            part = self.parts[number]
            person = part.person[generator.integers(0, len(part))]
            rows = (part.person == person).nonzero()[:, 0]
            pair = generator.permutation(len(rows))[:2] if len(rows) > 1 else [0, 0]
            first.append((part, rows[[int(pair[0])]]))
            second.append((part, rows[[int(pair[1])]]))
        return first + second

    def draw(self, count: int, generator: np.random.Generator,
             ) -> list[tuple[IdentityBank, torch.Tensor]]:
        """Return photos by their parts: parts with rows."""
        ends = self._sizes.cumsum()
        chosen = generator.integers(0, ends[-1], count)
        part = np.searchsorted(ends, chosen, 'right')
        return [(self.parts[i], torch.as_tensor(chosen[part == i] - (ends[i] - self._sizes[i])))
                for i in np.unique(part)]

    def strangers(self, count: int, generator: np.random.Generator) -> torch.Tensor:
        """Return numbers of people, (about count, N)."""
        some = generator.permutation(len(self.parts))[:max(count // 100, 1)]
        return torch.cat([numbers_of(self.parts[i].identity, self.parts[i].look)
                          for i in some])[:count]


def numbers_of(identity: torch.Tensor, look: torch.Tensor) -> torch.Tensor:
    """
    Return what says who people are, (P, N): their shape first, then their looks.

    Looks matter for depth too: hair and brows have an outline in mask and relief.
    """
    return torch.cat([identity, look], dim=1)


class ReliefShelf:
    """
    Reliefs that are rendered while training goes on, without noise, each kept for some time.

    :param photographer: of photos of SIZE pixels
    """

    def __init__(self, photographer: IdentityPhotographer, people: People, kept: int) -> None:
        self.photographer, self.people, self.kept = photographer, people, kept
        self.numbers = numbers_of(people.coefficients, people.code)
        self.moments = at_size(RELIEF, SIZE)
        self.still = at_size(GALLERY, SIZE)
        self.relief = torch.zeros(kept, SIZE, SIZE, dtype=torch.float16)
        self.mask = torch.zeros(kept, SIZE, SIZE, dtype=torch.uint8)
        self.person = torch.zeros(kept, dtype=torch.int64)
        self.count = 0

    def __len__(self) -> int:
        return min(self.count, self.kept)

    def render(self, count: int) -> None:
        """
        Put new reliefs in the place of the oldest.

        Two of each person: as for a gallery at even places, in any moment at the odd ones after.
        """
        pairs = -(-count // 2)
        rows = torch.as_tensor(self.photographer.generator.integers(0, len(self.people), pairs))
        for side, moments in enumerate((self.still, self.moments)):
            mask, relief = self.photographer.take_relief(self.people, rows, moments)
            places = (self.count + 2 * torch.arange(pairs) + side) % self.kept
            self.mask[places], self.relief[places] = mask, relief.half()
            self.person[places] = rows
        self.count += 2 * pairs

    def draw(self, count: int, generator: np.random.Generator) -> Photos:
        """Return reliefs as a sensor measures them, with masks that are a little off."""
        rows = torch.as_tensor(generator.integers(0, len(self), count))
        return self._photos(rows, generator)

    def draw_pairs(self, count: int, generator: np.random.Generator) -> Photos:
        """Return two photos of each of `count` people: all first ones, then all second ones."""
        first = 2 * torch.as_tensor(generator.integers(0, len(self) // 2, count))
        return self._photos(torch.cat([first, first + 1]), generator)

    def _photos(self, rows: torch.Tensor, generator: np.random.Generator) -> Photos:
        count = len(rows)
        measured = self.photographer.composer.measure(
            self.relief[rows].float(), self.moments.style)
        mask = self.mask[rows]
        for row in np.flatnonzero(generator.random(count) < _SHIFTED_MASKS):
            mask[row] = torch.roll(mask[row], tuple(generator.integers(-1, 2, 2)), (0, 1))
        return Photos(depth_inputs(measured, mask)[:, None], mask.float()[:, None],
                      self.numbers[self.person[rows]])
