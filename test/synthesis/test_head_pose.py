# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.head_pose import (
    head_rotation,
    HeadPoses,
    PoseRange,
    project,
    sample_poses,
    to_canonical_crop,
)
import numpy as np
import pytest
import torch

CAMERA = CameraIntrinsics(640, 480, 500.0, 500.0, 320.0, 240.0)
POINT = (CAMERA.cx, CAMERA.cy)


def one_pose(yaw=0.0, pitch=0.0, roll=0.0, position=(0.1, -0.05, 0.8)) -> HeadPoses:
    rotation = head_rotation(*(torch.tensor([math.radians(a)]) for a in (yaw, pitch, roll)))
    return HeadPoses(rotation, torch.tensor([position]))


def test_a_head_at_rest_faces_the_camera():
    pose = one_pose()
    nose, left_ear = pose.to_optical(torch.tensor([[[0.0, 1.0, 13.0], [9.0, 1.0, 6.0]]]))[0]
    torch.testing.assert_close(nose, torch.tensor([0.1, -0.05, 0.73]))
    torch.testing.assert_close(left_ear, torch.tensor([0.19, -0.05, 0.8]))


def test_signs_of_the_angles():
    nose = torch.tensor([[[0.0, 1.0, 16.0]]])
    left = one_pose(yaw=30.0, position=(0.0, 0.0, 1.0)).to_optical(nose)[0, 0]
    assert left[0] > 0.04  # the subject's left is on the image's right
    up = one_pose(pitch=30.0, position=(0.0, 0.0, 1.0)).to_optical(nose)[0, 0]
    assert up[1] < -0.04
    crown = torch.tensor([[[0.0, 11.0, 6.0]]])
    clockwise = one_pose(roll=90.0, position=(0.0, 0.0, 1.0)).to_optical(crown)[0, 0]
    torch.testing.assert_close(clockwise, torch.tensor([0.1, 0.0, 1.0]), atol=1e-6, rtol=0)


def test_box_follows_its_definition():
    box = one_pose(yaw=40.0, roll=25.0, position=(0.1, -0.05, 0.8)).boxes(500.0, POINT)[0]
    centre = CAMERA.project(np.array([0.1, -0.05, 0.8]))
    np.testing.assert_allclose(box[:2], centre, rtol=1e-6)
    assert float(box[2]) == pytest.approx(500.0 * 0.22 / 0.8)
    frontal = one_pose(roll=25.0, position=(0.0, 0.0, 0.8)).boxes(500.0, POINT)[0]
    assert math.degrees(float(frontal[3])) == pytest.approx(25.0, abs=1e-4)


@pytest.mark.parametrize('turn', [-170.0, -35.0, 90.0, 140.0])
def test_turning_the_camera_turns_the_box_and_nothing_else(turn):
    poses = sample_poses(40, np.random.default_rng(0), PoseRange())
    angle = math.radians(turn)
    about_axis = torch.tensor([[math.cos(angle), -math.sin(angle), 0.0],
                               [math.sin(angle), math.cos(angle), 0.0], [0.0, 0.0, 1.0]])
    turned = HeadPoses(about_axis @ poses.rotation, poses.position @ about_axis.T)
    before, after = poses.boxes(500.0, (0.0, 0.0)), turned.boxes(500.0, (0.0, 0.0))
    torch.testing.assert_close(after[:, 2], before[:, 2])
    torch.testing.assert_close(after[:, :2], before[:, :2] @ about_axis[:2, :2].T, atol=1e-3,
                               rtol=0)
    difference = torch.remainder(after[:, 3] - before[:, 3] - angle + math.pi, 2 * math.pi)
    torch.testing.assert_close(difference, torch.full((40,), math.pi), atol=1e-4, rtol=0)


def test_canonical_crop_has_the_box_as_its_frame_and_the_crown_above():
    poses = sample_poses(50, np.random.default_rng(1), PoseRange(any_roll=True))
    points = torch.tensor([0.0, 1.0, 6.0]) + torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0]])
    optical = poses.to_optical(points.expand(50, 2, 3))
    crop = to_canonical_crop(project(optical, 500.0, POINT), poses.boxes(500.0, POINT), 256)
    torch.testing.assert_close(crop[:, 0, :2], torch.full((50, 2), 128.0), atol=1e-2, rtol=0)
    assert bool((crop[:, 1, 1] < 128.0).all())
    assert float((crop[:, 1, 0] - 128.0).abs().max()) < 0.15


def test_crop_does_not_depend_on_focal_length_and_principal_point():
    poses = sample_poses(5, np.random.default_rng(2))
    points = poses.to_optical(torch.rand(5, 9, 3) * 10.0)
    crops = [to_canonical_crop(project(points, focal, point), poses.boxes(focal, point), 256)
             for focal, point in ((1.0, (0.0, 0.0)), (611.0, (300.0, 200.0)))]
    torch.testing.assert_close(crops[0], crops[1], atol=2e-2, rtol=0)


def test_sampled_poses_stay_in_range_and_repeat():
    limits = PoseRange(max_yaw=60.0, distance_m=(0.4, 1.5))
    first, second = (sample_poses(500, np.random.default_rng(7), limits) for _ in range(2))
    assert torch.equal(first.rotation, second.rotation)
    yaw = torch.atan2(first.rotation[:, 0, 2], -first.rotation[:, 2, 2])
    z = first.position[:, 2]
    assert 0.4 <= float(z.min()) and float(z.max()) <= 1.5
    assert math.degrees(float(yaw.abs().max())) > 50.0
    identity = first.rotation @ first.rotation.transpose(1, 2)
    torch.testing.assert_close(identity, torch.eye(3).expand(500, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(first.rotation), torch.ones(500))


def test_a_distance_within_the_head_is_refused():
    with pytest.raises(SettingsError, match=r'expected 0.2 <= nearest'):
        PoseRange(distance_m=(0.05, 1.0))
