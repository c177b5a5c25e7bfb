# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""From a data set of described faces to coefficients of people; data sets without landmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.augmented_faces import FaceShard
from face_depth_ros.synthesis.assets import FaceAssets
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.multi_image_fit import CropPoses, Fit
from face_depth_ros.training import fit_identities as script
import numpy as np
import pytest
import torch

SIZE = 192
PEOPLE = (3, 1, 2)
"""Photos of each person."""


def shard(head: MorphableHead) -> FaceShard:
    """Return frontal and turned neutral faces, seen from 85 cm."""
    person = np.repeat(np.arange(len(PEOPLE)), PEOPLE)
    identity = torch.tensor(np.stack([identity_coefficients('train', i) for i in person]))
    points = head.landmarks_68(head.identity_vertices(identity))[:, None]
    angle = torch.linspace(-0.6, 0.6, len(person))
    turn = torch.zeros(len(person), 1, 3, 3)
    turn[:, 0, 0, 0], turn[:, 0, 0, 2] = angle.cos(), angle.sin()
    turn[:, 0, 1, 1] = -1.0
    turn[:, 0, 2, 0], turn[:, 0, 2, 2] = angle.sin(), -angle.cos()
    count = (len(person), 1)
    poses = CropPoses(turn, torch.full((*count, 2), 0.5), torch.full(count, 1 / 22.0),
                      torch.full(count, 1 / 85.0))
    landmarks = poses.project(points)[:, 0].numpy() * SIZE
    relief = np.full((len(person), SIZE, SIZE), np.nan, np.float32)
    for image, pixels, depth in zip(relief, landmarks, poses.turned(points)[:, 0, :, 2].numpy(),
                                    strict=True):
        image[tuple(np.floor(pixels[:, ::-1]).astype(int).T)] = depth / 100.0
    return FaceShard(person, np.zeros((len(person), SIZE, SIZE, 3), np.uint8), relief,
                     np.ones((len(person), SIZE, SIZE), np.uint8), landmarks,
                     np.ones((len(person), 68), np.float32),
                     tuple(f'{p}/{i}.jpg' for i, p in enumerate(person)))


class DrawnDataset:
    """Stands in for AugmentedFaces."""

    persons = ('ann', 'bob', 'cem')
    crop_px = SIZE

    def __init__(self, *shards: FaceShard) -> None:
        self.shards = shards

    def __call__(self, folder: Path) -> DrawnDataset:
        return self

    def __iter__(self) -> Any:
        return iter(self.shards)


@pytest.mark.assets
@pytest.mark.parametrize('relief', [1, 0])
def test_the_file_holds_the_coefficients_of_everybody(
        tmp_path: Path, assets_folder, monkeypatch: pytest.MonkeyPatch, relief: int) -> None:
    head = MorphableHead(FaceAssets(assets_folder))
    faces = shard(head)
    monkeypatch.setattr(script, 'AugmentedFaces', DrawnDataset(faces))
    script.main(['OUT', str(tmp_path / 'c.npz'), '--assets', str(assets_folder), '--relief',
                 str(relief)])
    assert [p.name for p in tmp_path.iterdir()] == ['c.npz']
    with np.load(tmp_path / 'c.npz') as data:
        content = dict(data)
    assert content['persons'].tolist() == ['ann', 'bob', 'cem']
    assert content['person'].tolist() == faces.person.tolist()
    assert content['image'].tolist() == list(faces.images)
    assert content['expression'].shape == (6, 57)
    assert content['error'].max() < 0.01
    angle = np.rad2deg(np.linspace(-0.6, 0.6, 6))
    np.testing.assert_allclose(content['yaw'], angle, atol=5.0)
    true = np.stack([identity_coefficients('train', i) for i in range(3)])
    for told, wanted in zip(content['identity'], true, strict=True):
        cosine = told @ true.T / np.linalg.norm(told) / np.linalg.norm(true, axis=1)
        assert cosine.argmax() == np.flatnonzero((true == wanted).all(axis=1))[0]


def test_relief_is_read_where_a_landmark_is_seen() -> None:
    relief = np.arange(16, dtype=np.float32).reshape(4, 4)
    landmarks = np.array([[1.9, 2.1], [3.0, 0.0], [4.0, 1.0], [-0.1, 1.0], [np.nan, 1.0]])
    seen = script.relief_at(relief, landmarks, np.array([1.0, 0.2, 1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(seen, [9.0, np.nan, np.nan, np.nan, np.nan])


def test_people_with_as_many_faces_come_together() -> None:
    person = np.array([0, 1, 1, 2, 0, 0])
    people, rows = next(script.batches(person))
    assert people.tolist() == [2, 1, 0]
    assert rows.tolist() == [[3, -1, -1], [1, 2, -1], [0, 4, 5]]


def test_yaw_is_positive_when_the_subject_turns_to_its_left() -> None:
    turn = torch.tensor([[0.5, 0.0, 0.866], [0.0, -1.0, 0.0], [0.866, 0.0, -0.5]])[None, None]
    poses = CropPoses(turn, *(torch.zeros(1, 1),) * 3)
    fit = Fit(torch.zeros(1, 100), torch.zeros(1, 1, 57), poses, torch.zeros(1, 1))
    assert float(script.yaw_of(fit)) == pytest.approx(60.0, abs=0.1)


def test_faces_without_landmarks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    face = FaceShard(np.zeros(1, np.int64), np.zeros((1, 4, 4, 3), np.uint8),
                     np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 4), np.uint8),
                     np.full((1, 68, 2), np.nan, np.float32),
                     np.full((1, 68), np.nan, np.float32), ('a.jpg',))
    for shards in ((), (face,)):
        monkeypatch.setattr(script, 'AugmentedFaces', DrawnDataset(*shards))
        with pytest.raises(DatasetError, match='has no faces with landmarks; make it by augment'):
            script.read_points(Path('OUT'))
