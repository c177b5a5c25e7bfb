# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photos of real people as a bank: what datasets.augment_dataset has made of a folder of faces.

    python -m face_depth_ros.datasets.augment_dataset PHOTOS OUT
    python -m face_depth_ros.training.train_face_recognizer --bank OUT --shape-weight 0

Nobody knows the shape of these heads, so the losses in shape must be off; the depth that the
estimator told stands in for the sensor's too. All photos that a process trains on are held in its
memory, 100 KB each: of several processes each takes its part of the shards.
"""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.datasets.augmented_faces import AugmentedFaces, FaceShard
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
from face_depth_ros.training.identity_bank import IdentityBank, inputs_of_crops, rows_of_bank
import torch

_EXPRESSIONS = 57
_HELD_OUT = 10
"""At most each so many-th person is held out."""


def is_augmented(folder: Path) -> bool:
    """Whether a folder is one of `augment_dataset`."""
    return (folder / 'dataset.json').is_file()


def augmented_bank(folder: Path, first: int = 0, step: int = 1) -> IdentityBank:
    """
    Read the photos of every `step`-th shard from `first` on.

    :returns: people numbered as in the data set, shapes and expressions 0
    :raises DatasetError: the folder is unfinished or damaged
    :raises SettingsError: it has fewer shards than there are processes
    """
    faces = AugmentedFaces(folder)
    numbers = range(first, faces.shard_count, step)
    if not numbers:
        raise SettingsError(f'{folder} has {faces.shard_count} shards, expected one or more for '
                            f'each of {step} processes; make smaller ones by --shard-size')
    parts = [_inputs(faces.shard(number)) for number in numbers]
    color, mask, depth, person = (torch.cat(column) for column in zip(*parts, strict=True))
    return IdentityBank(color, mask, depth, depth, person, torch.zeros(len(person)),
                        torch.zeros(len(faces.persons), IDENTITY_MODES),
                        torch.zeros(len(person), _EXPRESSIONS),
                        torch.zeros(len(faces.persons), 0), torch.zeros(len(person), 0))


def held_out(bank: IdentityBank, people: int) -> tuple[IdentityBank, IdentityBank]:
    """
    Split off the last people for validation, at most a tenth of all.

    :returns: the rest, and those
    :raises SettingsError: fewer than 20 people
    """
    if bank.people < 2 * _HELD_OUT:
        raise SettingsError(f'the photos show {bank.people} people, expected at least '
                            f'{2 * _HELD_OUT}: some are held out to validate')
    first = bank.people - min(people, bank.people // _HELD_OUT)
    kept = rows_of_bank(bank, (bank.person < first).nonzero()[:, 0])
    judged = rows_of_bank(bank, (bank.person >= first).nonzero()[:, 0])
    return (IdentityBank(**{**vars(kept), 'identity': bank.identity[:first],
                            'look': bank.look[:first]}),
            IdentityBank(**{**vars(judged), 'identity': bank.identity[first:],
                            'look': bank.look[first:],
                            'person': judged.person - first}))


def _inputs(shard: FaceShard) -> tuple[torch.Tensor, ...]:
    color = torch.from_numpy(shard.color).permute(0, 3, 1, 2).float()
    landmarks = torch.from_numpy(shard.landmarks) / shard.mask.shape[-1]
    return (*inputs_of_crops(color, torch.from_numpy(shard.mask),
                             (torch.from_numpy(shard.relief),), landmarks),
            torch.from_numpy(shard.person))
