# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from dataclasses import replace

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.backgrounds import Background, clutter_color, room_depth
from face_depth_ros.synthesis.head_crops import HeadCropRenderer
from face_depth_ros.synthesis.head_pose import head_rotation, PoseRange
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.labels import FINE, FINE_LABELS, MASK_LABELS, MASK_OF_FINE
from face_depth_ros.synthesis.lighting import make_lights
from face_depth_ros.synthesis.person import Person, PersonModel, PersonState
from face_depth_ros.synthesis.scene import held_hand, held_sheet, render_scene
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.assets
CAMERA = CameraIntrinsics(160, 120, 150.0, 150.0, 80.0, 60.0)
MASK = {name: index for index, name in enumerate(MASK_LABELS)}


@pytest.fixture(scope='module')
def model():
    return PersonModel(find_assets())


@pytest.fixture(scope='module')
def bald(model):
    look = model.library.sample(np.random.default_rng(0))
    return Person(identity_coefficients('test', 0),
                  replace(look, hair=None, glasses=None, scalp_tint=0.0, plain_skin=None))


def state(position=(0.0, 0.0, 0.7), yaw=0.0, roll=0.0) -> PersonState:
    rotation = head_rotation(*(torch.tensor([angle]) for angle in (yaw, 0.0, roll)))[0].numpy()
    return PersonState(rotation, np.array(position), np.zeros(57, np.float32))


def shoot(model, people, things=None):
    background = Background(clutter_color(CAMERA, np.random.default_rng(3)),
                            room_depth(CAMERA, 2.0))
    lights = make_lights(np.eye(9, 3) * 0 + np.array([[1.0]] + [[0.0]] * 8), np.eye(3),
                         [(np.array([0.2, -0.4, -0.9]), np.full(3, 0.4))], 0.5)
    return render_scene(model, CAMERA, people, background, lights, things)


def test_an_empty_room_shows_its_background(model):
    frame = shoot(model, [])
    np.testing.assert_array_equal(frame.depth, room_depth(CAMERA, 2.0))
    assert frame.color.dtype == np.uint8 and frame.color.std() > 10
    assert not frame.mask.any() and frame.faces == [] and np.isnan(frame.head_depth).all()


def test_the_frame_repeats(model, bald):
    first, second = (shoot(model, [(bald, state())]) for _ in range(2))
    np.testing.assert_array_equal(first.color, second.color)
    np.testing.assert_array_equal(first.fine, second.fine)


def test_labels_depth_and_landmarks_agree(model, bald):
    frame = shoot(model, [(bald, state())])
    face, = frame.faces
    assert face.visible_5.all()
    for point, expected in zip(face.landmarks_5, ('eyes', 'eyes', 'nose', 'mouth', 'mouth'),
                               strict=True):
        column, row = np.floor(point).astype(int)
        window = frame.mask[row - 1:row + 2, column - 1:column + 2]
        assert MASK[expected] in window, expected
    labelled = frame.mask > 0
    np.testing.assert_allclose(frame.depth[labelled], frame.head_depth[labelled], atol=1e-6)
    assert np.all(frame.depth[frame.fine > 0] < 1.2)
    np.testing.assert_array_equal(frame.mask, MASK_OF_FINE[frame.fine])
    right, left = ((frame.fine == FINE[name]).nonzero()[1].mean()
                   for name in ('right_brow', 'left_brow'))
    assert right < left  # the subject's right is on the image's left


def test_the_box_is_that_of_the_head_point_for_every_roll(model, bald):
    boxes = [shoot(model, [(bald, state((0.1, -0.02, 0.7), roll=roll))]).faces[0].box
             for roll in (0.0, 0.8, 2.5)]
    for box in boxes:
        assert box.center_x == pytest.approx(80.0 + 150.0 * 0.1 / 0.7)
        assert box.side == pytest.approx(150.0 * 0.22 / 0.7)
    assert boxes[1].roll - boxes[0].roll == pytest.approx(0.8, abs=0.02)


def test_glasses_and_hair_get_their_labels_and_lenses_do_not_stop_depth(model, bald):
    library = model.library
    dressed = Person(bald.identity, replace(bald.look, glasses=library.glasses[0],
                                            hair='long01' if 'long01' in library.hair
                                            else library.hair[0]))
    plain = shoot(model, [(bald, state((0.0, 0.0, 0.5)))])
    frame = shoot(model, [(dressed, state((0.0, 0.0, 0.5)))])
    lens = frame.fine == FINE['glasses_lens']
    assert lens.sum() > 50 and (frame.mask[lens] == MASK['glasses']).all()
    np.testing.assert_allclose(frame.depth[lens], plain.depth[lens], atol=0.03)
    hair = frame.fine == FINE['hair']
    assert hair.sum() > 200 and not frame.mask[hair].any()
    assert np.all(frame.depth[hair] <= np.nan_to_num(plain.depth[hair], nan=9.0) + 1e-5)
    np.testing.assert_array_equal(np.isnan(frame.head_depth), np.isnan(plain.head_depth))


def test_what_is_held_before_the_face_hides_it(model, bald):
    print_ = np.full((40, 30, 3), (250, 40, 40), np.uint8)
    facing = np.diag([1.0, -1.0, -1.0])
    for thing in (held_sheet(model, print_, np.array([0.0, 0.0, 0.5]), facing, 0.2),
                  held_hand(model, np.array([0.0, 0.02, 0.5]), facing)):
        frame = shoot(model, [(bald, state())], [thing])
        assert not frame.faces[0].visible_5[2]
        hidden = frame.fine == FINE['occluder']
        assert hidden.sum() > 100 and not frame.mask[hidden].any()
        assert np.all(np.abs(frame.depth[hidden] - 0.5) < 0.04)
        assert np.isfinite(frame.head_depth[hidden]).mean() > 0.2


def test_the_nearer_person_is_in_front(model, bald):
    frame = shoot(model, [(bald, state((0.03, 0.0, 1.0))), (bald, state((0.0, 0.0, 0.6)))])
    assert not frame.faces[0].visible_5[2] and frame.faces[1].visible_5[2]
    assert frame.faces[0].box.side < frame.faces[1].box.side


def test_a_background_of_another_size_is_refused(model):
    small = Background(np.zeros((10, 10, 3), np.float32), np.zeros((10, 10), np.float32))
    with pytest.raises(SettingsError, match=r'expected \(120, 160, 3\)'):
        render_scene(model, CAMERA, [], small, make_lights(
            np.ones((9, 3)), np.eye(3), [(np.array([0, 0, -1.0]), np.ones(3))], 0.5))


def test_head_crops_are_upright_labelled_and_repeat(model):
    renderer = HeadCropRenderer(model, size=96, limits=PoseRange(max_yaw=40.0, any_roll=True))
    crops, again = renderer.render(4, 6), renderer.render(4, 6)
    np.testing.assert_array_equal(crops.rgba, again.rgba)
    assert crops.rgba.shape == (6, 96, 96, 4) and crops.side == 60.0
    eyes, mouth = crops.landmarks_5[:, :2].mean(axis=1), crops.landmarks_5[:, 3:].mean(axis=1)
    assert np.all(mouth[:, 1] - eyes[:, 1] > 10)
    assert np.all(np.abs(eyes[:, 0] - mouth[:, 0]) < 14)
    assert np.all(crops.rgba[:, 40:56, 40:56, 3] == 255)
    solid = crops.fine > 0
    assert np.mean(crops.rgba[..., 3][solid] > 100) > 0.98
    assert np.array_equal(np.isfinite(crops.depth) | ~solid, np.ones_like(solid))
    assert np.abs(crops.yaw).max() < np.deg2rad(60.0)
    assert crops.fine.max() < len(FINE_LABELS)
