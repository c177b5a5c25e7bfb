# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""68 points of a face as a message of hri_msgs and back; and what goes with a mask."""

from __future__ import annotations

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import MASK_LABELS, MASK_RGB, MIRRORED_68
from face_depth_ros.nodes.landmark_messages import (
    FaceLandmarks,
    landmarks_from_message,
    landmarks_to_message,
)
from face_depth_ros.nodes.mask_messages import color_mask, label_info_message
from hri_msgs.msg import FacialLandmarks
import numpy as np
import pytest

pytestmark = pytest.mark.ros


def some_face(width=640, height=480):
    rng = np.random.default_rng(4)
    points = rng.uniform((1, 1), (width - 1, height - 1), (68, 2)).astype(np.float32)
    return FaceLandmarks(7, 'camera', width, height, points, rng.random(68, np.float32))


def test_points_keep_index_place_and_visibility():
    face = some_face()
    message = landmarks_to_message(face)
    assert (message.width, message.height, message.header.frame_id) == (640, 480, 'camera')
    assert message.header.stamp.nanosec == 7
    chin = message.landmarks[FacialLandmarks.MENTON]
    assert (chin.x, chin.y) == pytest.approx(face.points[8] / (640, 480))
    assert chin.c == pytest.approx(face.visibility[8])
    back = landmarks_from_message(message)
    np.testing.assert_allclose(back.points, face.points, rtol=1e-5)
    np.testing.assert_allclose(back.visibility, face.visibility, rtol=1e-6)


def test_the_order_of_the_message_is_that_of_the_68_points():
    """Right and left of the subject are exchanged by a mirror, by index and by name."""
    names = {getattr(FacialLandmarks, n): n for n in dir(FacialLandmarks)
             if n.isupper() and ('EAR' in n or 'OUTSIDE' in n or 'INSIDE' in n)}
    for index, name in names.items():
        other = name.replace('RIGHT', 'L').replace('LEFT', 'RIGHT').replace('L_', 'LEFT_')
        assert names[MIRRORED_68[index]] == other, name


def test_beyond_the_border_a_point_lies_on_it_without_confidence():
    face = some_face()
    face.points[3] = (-20.0, 500.0)
    face.points[4] = (640.0, 0.0)
    message = landmarks_to_message(face)
    assert [(p.x, p.y) for p in message.landmarks[3:5]] == [(0.0, 1.0), (1.0, 0.0)]
    assert message.landmarks[3].c == 0.0
    assert message.landmarks[4].c == pytest.approx(face.visibility[4])


def test_pupils_are_not_claimed():
    face = some_face()
    message = landmarks_to_message(face)
    for index, lids in ((68, slice(36, 42)), (69, slice(42, 48))):
        pupil = message.landmarks[index]
        assert (pupil.x, pupil.y) == pytest.approx(
            face.points[lids].mean(axis=0) / (640, 480), abs=1e-6)
        assert pupil.c == 0.0


def test_landmarks_of_an_image_without_size_are_refused():
    with pytest.raises(InvalidImageError, match='of an image of 0 x 0 pixels'):
        landmarks_from_message(FacialLandmarks())


def test_every_label_has_its_name_and_colour():
    info = label_info_message(5_000_000_001)
    assert [(c.class_id, c.class_name) for c in info.class_map] == list(enumerate(MASK_LABELS))
    assert (info.header.stamp.sec, info.header.stamp.nanosec) == (5, 1)
    mask = np.array([[0, 1, 6], [3, 7, 255]], np.uint8)
    picture = color_mask(mask)
    assert picture.dtype == np.uint8 and picture.shape == (2, 3, 3)
    assert [tuple(p) for p in picture[0]] == [MASK_RGB[i] for i in (0, 1, 6)]
    assert picture[1, 1:].tolist() == [[0, 0, 0]] * 2
