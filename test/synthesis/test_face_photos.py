# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Photos composed from a bank: truth moves with the pixels, whatever is done to the photo."""

from __future__ import annotations

from pathlib import Path

from drawn_photos import drawn_records
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import MIRRORED_68
from face_depth_ros.synthesis.face_photo_bank import (
    BOX_PX,
    CROP_PX,
    FacePhotoBank,
    PART,
    part_path,
    relief_along_ray,
    save_part,
)
from face_depth_ros.synthesis.face_photos import (
    beyond_border,
    FacePhotoSource,
    head_angles,
    occlude,
    PhotoVariation,
    seen_points,
    uneven_light,
    warp_record,
)
from face_depth_ros.synthesis.head_pose import head_rotation
from face_depth_ros.synthesis.labels import FINE
import numpy as np
import pytest
import torch

PLAIN = PhotoVariation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(name='bank')
def drawn_bank(tmp_path: Path) -> FacePhotoBank:
    save_part(tmp_path, 0, drawn_records())
    return FacePhotoBank(tmp_path)


def source_of(bank: FacePhotoBank, variation: PhotoVariation = PLAIN) -> FacePhotoSource:
    return FacePhotoSource(bank, [], variation, size=96, backgrounds=4)


def test_an_untouched_photo_shows_the_box(bank):
    record = bank.read(np.array([0]))[0]
    box = FaceBox(CROP_PX / 2, CROP_PX / 2, BOX_PX)
    photo = source_of(bank).compose(record, box, False, np.random.default_rng(0))
    scale = 96 / BOX_PX
    nose = np.argwhere(photo.mask == 5).mean(axis=0) + 0.5
    np.testing.assert_allclose(nose, (48, 48 + 30 * scale), atol=0.5)
    assert np.isnan(photo.relief[photo.mask == 0]).all()
    columns = np.arange(96) + 0.5
    expected = (columns - 48) / scale / 1000
    row = photo.relief[48]
    np.testing.assert_allclose(row[~np.isnan(row)], expected[~np.isnan(row)], atol=2e-4)
    np.testing.assert_allclose(photo.landmarks[:, 0],
                               (np.linspace(60, 190, 68) - 128) * scale + 48, atol=1e-3)


def test_mirroring_moves_everything(bank):
    record = bank.read(np.array([0]))[0]
    box = FaceBox(CROP_PX / 2, CROP_PX / 2, BOX_PX)
    plain, mirrored = (source_of(bank).compose(record, box, m, np.random.default_rng(0))
                       for m in (False, True))
    np.testing.assert_array_equal(mirrored.mask, plain.mask[:, ::-1])
    np.testing.assert_array_equal(mirrored.relief, plain.relief[:, ::-1])
    np.testing.assert_allclose(mirrored.landmarks[:, 0],
                               96 - plain.landmarks[list(MIRRORED_68), 0], atol=1e-4)


def test_relief_is_in_heads_that_fill_the_crop(bank):
    record = bank.read(np.array([0]))[0]
    wide = FaceBox(CROP_PX / 2, CROP_PX / 2, BOX_PX * 1.25)
    photo = source_of(bank).compose(record, wide, False, np.random.default_rng(0))
    # 20 pixels of the record right of the middle, relief 2 cm, in a crop 1.25 times as wide.
    column = int(48 + 20 * 96 / (BOX_PX * 1.25))
    assert photo.relief[48, column] == pytest.approx(0.020 / 1.25, abs=1e-3)


def test_ragged_edges_of_classes_become_smooth_and_areas_stay(bank):
    record = bank.read(np.array([0]))[0]
    y, x = np.mgrid[:CROP_PX, :CROP_PX]
    teeth = (x < 128 + 2 * (y % 2)) & (record['label'] > 0)  # an edge with teeth of two pixels
    record['label'][teeth] = FINE['nose']
    record['label'][(record['label'] > 0) & ~teeth] = FINE['skin']
    _, mask, relief = warp_record(record, FaceBox(128, 128, CROP_PX), CROP_PX)
    edge = np.array([(row == 5).sum() for row in mask[100:156]])
    assert np.abs(np.diff(edge)).max() <= 1
    assert abs((mask > 0).sum() - (record['label'] > 0).sum()) < 100
    assert np.isfinite(relief[mask > 0]).all()


def test_occluders_take_the_truth_away(bank):
    source = source_of(bank, PhotoVariation(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0))
    generator = np.random.default_rng(3)
    plain = source_of(bank).photo(0, np.random.default_rng(3))
    hidden = [(plain.mask > 0).sum() - (source.photo(0, generator).mask > 0).sum()
              for _ in range(20)]
    assert max(hidden) > 100
    image = np.zeros((64, 64, 3), np.uint8)
    shares = [occlude(image, np.full_like(image, 200), np.random.default_rng(seed))[1].mean()
              for seed in range(12)]
    assert 0.02 < np.median(shares) < 0.5


def test_landmarks_under_an_occluder_or_outside_are_not_seen():
    hidden = np.zeros((10, 10), bool)
    hidden[5:, :] = True
    seen = seen_points(np.array([[2.5, 2.5], [2.5, 7.5], [-0.1, 2.0], [9.9, 4.9]]), hidden)
    assert seen.tolist() == [True, False, False, True]


def test_beyond_the_border_is_one_side_of_a_line():
    shares = [beyond_border(64, np.random.default_rng(seed)).mean() for seed in range(30)]
    assert 0.0 < np.mean(shares) < 0.6 and max(shares) < 0.85


def test_light_stays_below_alpha():
    head = np.zeros((32, 32, 4), np.uint8)
    head[8:24, 8:24] = 90
    lit = uneven_light(head, np.random.default_rng(0))
    assert (lit[..., :3] <= lit[..., 3:]).all()
    np.testing.assert_array_equal(lit[..., 3], head[..., 3])


@pytest.mark.parametrize(('yaw', 'pitch'), [(0.0, 0.0), (0.6, 0.0), (-0.4, 0.3), (0.2, -0.5)])
def test_angles_of_a_rotation_come_back(yaw, pitch):
    angles = torch.tensor([[yaw], [pitch], [0.0]])
    assert head_angles(head_rotation(*angles)[0].numpy()) == pytest.approx((yaw, pitch), abs=1e-5)


def test_relief_of_a_plane_across_the_ray_is_the_same_everywhere():
    position = np.array([[0.2, -0.15, 0.8], [0.0, 0.0, 0.5]], np.float32)
    focal, size = np.array([700.0, 500.0], np.float32), 33
    distance = np.linalg.norm(position, axis=1)
    depth = np.empty((2, size, size), np.float32)
    offset = np.arange(size) + 0.5 - size / 2
    for i, (place, f) in enumerate(zip(position, focal, strict=True)):
        x, y = np.meshgrid(offset / f + place[0] / place[2], offset / f + place[1] / place[2])
        along = np.stack([x, y, np.ones_like(x)], axis=2) @ (place / distance[i])
        depth[i] = (distance[i] + 0.03) / along
    np.testing.assert_allclose(relief_along_ray(depth, position, focal), 0.03, atol=1e-5)


def test_the_same_generator_gives_the_same_photo(bank):
    source = source_of(bank, PhotoVariation())
    first, second = (source.photo(1, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.color, second.color)
    np.testing.assert_array_equal(first.mask, second.mask)


def test_a_bank_grows_while_it_is_read(bank, tmp_path):
    save_part(tmp_path, 1, drawn_records())
    assert len(bank) == PART
    bank.refresh()
    assert len(bank) == 2 * PART
    assert bank.read(np.array([0, PART + 3]))['identity'].tolist() == [0, 3]


def test_banks_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(SettingsError, match='no rendered faces in'):
        FacePhotoBank(tmp_path)
    part_path(tmp_path, 0).write_bytes(b'nothing')
    with pytest.raises(SettingsError, match='delete it and render again'):
        FacePhotoBank(tmp_path)
    np.save(part_path(tmp_path, 0), np.zeros(3))
    with pytest.raises(SettingsError, match='records of another form'):
        FacePhotoBank(tmp_path)
