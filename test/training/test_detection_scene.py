# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Composed images and their truth."""

from __future__ import annotations

import math
from pathlib import Path

from drawn_heads import drawn_bank, LANDMARKS
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.synthesis.camera_colors import degrade, recolor_head
from face_depth_ros.synthesis.photo_backgrounds import BackgroundSource
from face_depth_ros.training.detection_heads import HeadBank, premultiplied
from face_depth_ros.training.detection_scene import Scene, SceneComposer, SceneRange
import numpy as np
import pytest

BACKGROUNDS = np.full((2, 64, 64, 3), 90, np.uint8)


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    """Return scenes of every kind."""
    composer = SceneComposer(drawn_bank(), BACKGROUNDS)
    generator = np.random.default_rng(5)
    return [composer.compose(96, 128, generator) for _ in range(80)]


def test_scenes_are_images_with_matching_truth(scenes: list[Scene]) -> None:
    for scene in scenes:
        faces = len(scene.boxes)
        assert scene.image.shape == (96, 128, 3) and scene.image.dtype == np.uint8
        assert scene.boxes.shape == (faces, 4)
        assert scene.landmarks.shape == (faces, 5, 2)
        assert scene.visible.shape == (faces, 5)
        assert scene.yaw_deg.shape == scene.seen.shape == (faces,)
    counts = {len(scene.boxes) for scene in scenes}
    assert 0 in counts and max(counts) >= 2


def test_centres_lie_in_the_image(scenes: list[Scene]) -> None:
    centres = np.concatenate([scene.boxes[:, :2] for scene in scenes])
    assert (centres >= 0).all() and (centres <= (128, 96)).all()


def test_landmarks_lie_in_the_box_as_in_the_bank(scenes: list[Scene]) -> None:
    for scene in scenes:
        for row, points in zip(scene.boxes, scene.landmarks, strict=True):
            box = FaceBox(*(float(v) for v in row))
            inside = transform_points(box.crop_from_image(1), points) - 0.5
            mirrored = LANDMARKS[[1, 0, 2, 4, 3]] * (-1.0, 1.0)
            assert min(np.abs(inside - LANDMARKS).max(), np.abs(inside - mirrored).max()) < 2e-4


def test_landmarks_lie_on_the_eyes() -> None:
    """Heads are mirrored at random: the right eye is red before, blue after."""
    limits = SceneRange(side_px=90.0, largest=1.0, negatives=0.0)
    composer = SceneComposer(drawn_bank(size=128), BACKGROUNDS, limits)
    generator = np.random.default_rng(2)
    right_is_red, neither = [], 0
    for _ in range(60):
        scene = composer.compose(128, 128, generator)
        for points in scene.landmarks[scene.visible[:, :2].all(axis=1)]:
            columns, rows = points[:2].astype(int).T
            right, left = scene.image[rows, columns].astype(int)
            redder = (right[0] - right[2]) - (left[0] - left[2])
            if abs(redder) > 50:
                right_is_red.append(redder > 0)
            else:  # grey, dark or covered
                neither += 1
    assert neither < 0.4 * len(right_is_red)
    assert 0.25 < np.mean(right_is_red) < 0.75


def test_the_same_generator_gives_the_same_scene() -> None:
    composer = SceneComposer(drawn_bank(), BACKGROUNDS)
    first, second = (composer.compose(64, 64, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.boxes, second.boxes)


def test_a_covered_face_does_not_count() -> None:
    """Heads that later ones paint over are known as not seen."""
    composer = SceneComposer(drawn_bank(), BACKGROUNDS, SceneRange(side_px=12.0))
    generator = np.random.default_rng(4)
    seen = np.concatenate([composer.compose(96, 96, generator).seen for _ in range(150)])
    assert 0 < (~seen).sum() < 0.5 * len(seen)


def test_a_head_covers_what_is_behind_it() -> None:
    """Not its face alone: shoulders and hair of nearer people hid faces that counted as seen."""
    bank = drawn_bank(size=64)
    bank.rgba[:] = 255  # as of hair and shoulders: reaches far beyond the face
    composer = SceneComposer(bank, BACKGROUNDS)
    owner = np.full((96, 96), 255, np.uint8)
    owner[40:60, 20:30] = 0
    composer._add_face(np.zeros((96, 96, 3), np.uint8), owner, 1, FaceBox(60.0, 50.0, 50.0),
                       np.random.default_rng(1))
    assert (owner[40:60, 21:30] != 0).all()
    assert (owner == 1).sum() > 800


def test_recolouring_keeps_alpha_and_premultiplication() -> None:
    head = premultiplied(np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8))
    changed = recolor_head(head, np.random.default_rng(1))
    np.testing.assert_array_equal(changed[..., 3], head[..., 3])
    assert (changed[..., :3] <= changed[..., 3:]).all()


def test_degrading_keeps_the_form() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    generator = np.random.default_rng(1)
    for _ in range(60):
        result = degrade(image, generator)
        assert result.shape == image.shape and result.dtype == np.uint8


def test_backgrounds_with_and_without_places() -> None:
    sky = np.full((16, 32, 3), 0.7, np.float32)
    for panoramas in ([], [sky]):
        source, generator = BackgroundSource(panoramas), np.random.default_rng(0)
        for _ in range(30):
            image = source.draw(64, generator)
            assert image.shape == (64, 64, 3) and image.dtype == np.uint8


def test_a_bank_comes_back_from_disk(tmp_path: Path) -> None:
    bank = drawn_bank()
    bank.save(tmp_path / 'bank')
    again = HeadBank.load(tmp_path / 'bank')
    np.testing.assert_array_equal(again.rgba, bank.rgba)
    np.testing.assert_array_equal(again.landmarks, bank.landmarks)
    assert list(again.backs) == [5] and list(again.faces) == [0, 1, 2, 3, 4]


def test_a_missing_or_wrong_bank_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='no usable head bank in'):
        HeadBank.load(tmp_path)
    bank = drawn_bank()
    with pytest.raises(SettingsError, match='render it again'):
        HeadBank(bank.rgba, bank.landmarks[:2], bank.visible, bank.yaw_deg, bank.bald)


def test_impossible_scenes_are_refused() -> None:
    with pytest.raises(SettingsError, match='cannot be composed'):
        SceneRange(negatives=1.5)
    with pytest.raises(SettingsError, match='backgrounds are'):
        SceneComposer(drawn_bank(), BACKGROUNDS[0])
    with pytest.raises(SettingsError, match='shows no face'):
        SceneComposer(drawn_bank(backs=6), BACKGROUNDS)
    with pytest.raises(SettingsError, match='linear RGB'):
        BackgroundSource([np.zeros((4, 8), np.float32)])


def test_rolls_are_mostly_upright() -> None:
    composer = SceneComposer(drawn_bank(), BACKGROUNDS)
    generator = np.random.default_rng(8)
    rolls = np.concatenate([composer.compose(64, 64, generator).boxes[:, 3] for _ in range(200)])
    share = (np.abs(rolls) > math.radians(60.5)).mean()
    assert 0.01 < share < 0.15
