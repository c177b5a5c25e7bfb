# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""People photographed several times: who they are, how they stand, what is kept from training."""

from __future__ import annotations

from dataclasses import replace

from face_depth_ros.synthesis.appearance import held_out
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import (
    at_size,
    hash_of,
    IdentityPhotographer,
    IdentityPhotos,
    Moments,
    SESSIONS,
    TRAINING,
)
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.assets
ROWS = torch.arange(3)


def photographer(seed: int = 0) -> IdentityPhotographer:
    return IdentityPhotographer(find_assets(), 'cpu', seed, backgrounds=2)


@pytest.fixture(scope='module', name='one')
def one_photographer() -> IdentityPhotographer:
    return photographer()


def equal(first: IdentityPhotos, second: IdentityPhotos) -> bool:
    return (torch.equal(first.photos.color, second.photos.color)
            and torch.equal(first.photos.mask, second.photos.mask)
            and torch.equal(first.photos.relief.nan_to_num(9.0),
                            second.photos.relief.nan_to_num(9.0))
            and torch.equal(first.yaw, second.yaw) and torch.equal(first.pitch, second.pitch)
            and torch.equal(first.expression, second.expression))


def test_the_same_seed_takes_the_same_photos() -> None:
    taken = []
    for seed in (0, 0, 1):
        camera = photographer(seed)
        people = camera.people('train', range(3))
        taken.append([camera.take(people, ROWS) for _ in range(2)])
    first, again, other = taken
    assert equal(first[0], again[0]) and equal(first[1], again[1])
    assert not equal(first[0], other[0]) and not equal(first[0], first[1])
    photos = first[0].photos
    assert photos.color.shape == (3, 3, 192, 192) and photos.color.dtype == torch.uint8
    assert photos.mask.shape == photos.relief.shape == (3, 192, 192)
    assert first[0].person.tolist() == [0, 1, 2] and first[0].expression.shape == (3, 57)


def test_the_same_number_is_the_same_person(one: IdentityPhotographer) -> None:
    some, whole = one.people('test', [7, 2]), one.people('test', range(8))
    assert torch.equal(some.coefficients, whole.coefficients[[7, 2]])
    assert torch.equal(some.looks.hair, whole.looks.hair[[7, 2]])
    assert torch.equal(some.looks.skin_gain, whole.looks.skin_gain[[7, 2]])
    assert not torch.equal(some.coefficients, one.people('validation', [7, 2]).coefficients)
    assert hash_of('test') != hash_of('train')
    assert bool(one.people('train', range(4), mannequins=1.0).looks.plain.all())
    assert not bool(one.people('train', range(40), mannequins=0.0).looks.plain.any())


def test_blends_of_skins_of_the_test_are_not_trained_on(one: IdentityPhotographer) -> None:
    trained = one.people('train', range(200)).looks
    mixed = 0
    for (first, second), blend in zip(trained.skins.tolist(), trained.blend.tolist(),
                                      strict=True):
        assert blend == 0.0 or not held_out(first, second)
        mixed += blend > 0.0
    assert mixed > 20
    for split in ('validation', 'test'):
        looks = one.people(split, range(60)).looks
        assert all(held_out(*pair) for pair in looks.skins.tolist())
        assert bool(((looks.blend > 0.1) & (looks.blend < 0.9)).all())


def angles(camera: IdentityPhotographer, moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    yaw, pitch, poses, torso = camera._poses(400, moments)
    turned = poses.rotation @ poses.rotation.transpose(1, 2)
    torch.testing.assert_close(turned, torch.eye(3).expand(400, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(torso), torch.ones(400), atol=1e-4, rtol=0)
    depth = poses.position[:, 2]
    assert moments.distance_m[0] <= float(depth.min()) * 1.001
    assert float(depth.max()) <= moments.distance_m[1] * 1.001
    return yaw, pitch


def test_sessions_differ_by_one_thing_each(one: IdentityPhotographer) -> None:
    """The gallery is frontal, neutral and uncovered; pose turns 15 to 60 degrees."""
    yaw, pitch = angles(one, SESSIONS['gallery'])
    assert np.abs(yaw).max() <= 8.0 and np.abs(pitch).max() <= 10.0
    yaw, pitch = angles(one, SESSIONS['pose'])
    assert 15.0 <= np.abs(yaw).min() < 20.0 and 55.0 < np.abs(yaw).max() <= 60.0
    assert 0.3 < (yaw > 0).mean() < 0.7 and np.abs(pitch).max() <= 20.0
    assert np.abs(angles(one, SESSIONS['time'])[0]).max() <= 15.0
    yaw, _ = angles(one, TRAINING)
    assert 60.0 < np.abs(yaw).max() <= 75.0 and (np.abs(yaw) < 20.0).mean() > 0.35
    rng = np.random.default_rng(0)
    for name, session in SESSIONS.items():
        drawn = one._expressions.draw(200, session, rng)
        assert drawn.shape == (200, 57) and drawn.min() >= 0.0 and drawn.max() <= 1.0
        strong = (drawn.max(axis=1) > 0.2).mean()
        assert (strong > 0.8) == (name == 'expression')
        assert (session.style.occluders == 1.0) == (name == 'occlusion')
        assert session.glasses == (session.other_hair > 0) == (name == 'time')


def test_things_before_the_face_and_turned_heads_are_seen(one: IdentityPhotographer) -> None:
    people = one.people('test', range(3), mannequins=0.0)
    gallery = one.take(people, ROWS, SESSIONS['gallery'])
    covered = one.take(people, ROWS, SESSIONS['occlusion'])
    assert not bool(gallery.photos.covered.any()) and bool(covered.photos.covered.all())
    faces = (gallery.photos.mask > 0).flatten(1).float().mean(dim=1)
    assert 0.1 < float(faces.min()) and float(faces.max()) < 0.7
    assert bool((covered.photos.mask > 0).flatten(1).float().mean(1).lt(faces).any())
    relief = gallery.photos.relief[gallery.photos.mask > 0]
    known = relief[relief.isfinite()]
    assert len(known) > 0.9 * len(relief)
    assert -0.2 < float(known.quantile(0.02)) < float(known.quantile(0.98)) < 0.1


def test_crops_are_those_of_a_detector(one: IdentityPhotographer) -> None:
    """Middle and size of the box are off by a few percent, and by nothing where asked."""
    exact = one.crops(5, replace(TRAINING, shift=0.0, scale=0.0, roll_sigma=0.0))
    torch.testing.assert_close(exact, torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).expand(5, 2, 3))
    drawn = one.crops(500, TRAINING)
    middle = drawn[:, :, :2] @ torch.full((2,), 96.0) + drawn[:, :, 2] - 96.0
    assert 4.0 < float(middle.std()) < 8.0
    scale = torch.linalg.det(drawn[:, :, :2]).rsqrt()
    assert 0.04 < float(scale.log().std()) < 0.08


def test_photos_without_colour_show_the_same_people(one: IdentityPhotographer) -> None:
    people = one.people('train', range(3))
    mask, relief = one.take_relief(people, ROWS, SESSIONS['gallery'])
    assert mask.shape == relief.shape == (3, 192, 192) and mask.dtype == torch.uint8
    for label in (1, 2, 3, 5, 6):  # skin, brows, eyes, nose, mouth
        assert (mask == label).flatten(1).any(dim=1).sum() >= 2  # hair may hide brows
    assert relief[mask > 0].isfinite().float().mean() > 0.99  # all but lenses before nothing
    assert relief[mask == 5].nanmean() < relief[mask == 1].nanmean()  # noses are nearest


def test_looks_in_numbers_leave_out_what_is_taken_off(one: IdentityPhotographer) -> None:
    people = one.people('train', range(40))
    assert people.code.shape[0] == 40 and people.code.isfinite().all()
    assert people.code.abs().max() < 5.0
    assert len(people.code.unique(dim=0)) == 40
    worn = people.looks.wearing(people.looks.take(torch.arange(39, -1, -1)),
                                torch.zeros(40, dtype=torch.bool))
    assert torch.equal(one.renderer.textures.code(worn), people.code)
    skins = people.code[:, :len(one.renderer.library.skins)]
    plain = people.looks.plain
    torch.testing.assert_close(skins.sum(dim=1), (~plain).float())


def test_fewer_pixels_scale_the_noise() -> None:
    assert at_size(TRAINING, 96).style.noise_scale == 0.5
    assert at_size(TRAINING, 192) == TRAINING
