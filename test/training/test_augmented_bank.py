# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos of real people become a bank, and a network can be trained on it."""

from __future__ import annotations

from pathlib import Path

from drawn_describer import draw_photos, DrawnSource
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_frame import frame_of, framed_input
from face_depth_ros.datasets.augment_dataset import augment_dataset, AugmentSettings
from face_depth_ros.datasets.augmented_faces import AugmentedFaces
from face_depth_ros.training.augmented_bank import augmented_bank, held_out, is_augmented
from face_depth_ros.training.autocast import fabric_precision
from face_depth_ros.training.train_face_recognizer import render_banks, Settings, train
from lightning.fabric import Fabric
import numpy as np
import pytest
import torch

PEOPLE = 22


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('augmented')
    draw_photos(root / 'photos', PEOPLE, 3)
    augment_dataset(root / 'photos', root / 'out', AugmentSettings(shard_size=20), DrawnSource())
    return root / 'out'


def test_the_bank_is_what_the_recogniser_sees(folder: Path) -> None:
    faces = AugmentedFaces(folder)
    bank = augmented_bank(folder)
    assert is_augmented(folder) and not is_augmented(folder.parent)
    assert len(bank) == len(faces) and bank.people == PEOPLE
    shard = faces.shard(0)
    side = len(shard.mask[0])
    frame = frame_of(shard.landmarks[0], FaceBox(side / 2, side / 2, side))
    seen = framed_input(shard.color[0], frame, shard.relief[0], shard.mask[0], frame)
    assert (bank.mask[0].numpy() != seen.mask[0]).mean() < 0.01
    same = bank.mask[0].numpy() == seen.mask[0]
    assert np.percentile(np.abs(bank.estimated[0].numpy() - seen.depth[0])[same], 99) < 5e-3
    assert np.abs(bank.color[0].numpy() - seen.color)[:, same].max() <= 2.0
    assert int(bank.person[0]) == int(shard.person[0])
    assert torch.equal(bank.estimated, bank.measured)


def test_processes_share_the_shards(folder: Path) -> None:
    parts = [augmented_bank(folder, first, 2) for first in (0, 1)]
    assert sum(len(part) for part in parts) == len(augmented_bank(folder))
    with pytest.raises(SettingsError, match='expected one or more for each of 99 processes'):
        augmented_bank(folder, 98, 99)


def test_people_are_held_out_and_numbered_anew(folder: Path) -> None:
    bank = augmented_bank(folder)
    kept, judged = held_out(bank, 256)
    assert (kept.people, judged.people) == (20, 2)
    assert int(kept.person.max()) == 19 and set(judged.person.tolist()) == {0, 1}
    assert len(kept) + len(judged) == len(bank)
    with pytest.raises(SettingsError, match='show 2 people, expected at least 20'):
        held_out(judged, 1)


def test_shapes_of_real_people_are_not_learned(folder: Path) -> None:
    with pytest.raises(SettingsError, match='shape_weight is 1.0, expected 0'):
        Settings(bank=str(folder))


def test_a_student_is_trained_on_real_people(folder: Path, tmp_path: Path) -> None:
    settings = Settings(network='student', bank=str(folder), shape_weight=0.0, batch=4,
                        run=str(tmp_path / 'run'), max_steps=2, steps_per_epoch=2,
                        learning_rate=1e-3)
    fabric = Fabric(accelerator='cpu', devices=1, precision=fabric_precision())
    bank, validation = render_banks(settings, fabric)
    metrics = train(settings, fabric, bank, validation)
    assert set(metrics) == {'color', 'depth', 'both'}
    assert (tmp_path / 'run' / 'small.pt').is_file()
