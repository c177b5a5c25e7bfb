# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.core.errors import InvalidFaceBoxError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.detection_messages import (
    DetectionFrame,
    detections_from_message,
    detections_to_message,
)
import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from vision_msgs.msg import Detection2DArray

RNG = np.random.default_rng(3)
FACES = tuple(
    Detection(FaceBox(*RNG.uniform(-50, 700, 2), RNG.uniform(1, 300), RNG.uniform(-3.1, 3.1)),
              RNG.uniform(), track_id=f'f{i:05d}') for i in range(1, 5))


def wire(message):
    return deserialize_message(serialize_message(message), Detection2DArray)


def test_faces_survive_the_wire_to_the_last_bit():
    frame = DetectionFrame(1_234_567_890_123, 'optical', FACES)
    assert detections_from_message(wire(detections_to_message(frame))) == frame


def test_nobody_there_is_an_empty_message_with_a_stamp():
    message = detections_to_message(DetectionFrame(7, 'optical', ()))
    assert message.detections == [] and message.header.stamp.nanosec == 7
    assert detections_from_message(message).detections == ()


def test_the_fields_are_those_of_the_interface():
    face = detections_to_message(DetectionFrame(7, 'optical', FACES[:1])).detections[0]
    box = FACES[0].box
    assert face.id == 'f00001' and face.header.frame_id == 'optical'
    assert (face.bbox.center.position.x, face.bbox.center.position.y) == (box.center_x,
                                                                          box.center_y)
    assert face.bbox.size_x == face.bbox.size_y == box.side
    assert face.bbox.center.theta == box.roll
    assert face.results[0].hypothesis.class_id == 'face'
    assert face.results[0].hypothesis.score == FACES[0].score


def test_what_is_no_face_is_left_out():
    message = detections_to_message(DetectionFrame(7, 'optical', FACES))
    message.detections[1].results[0].hypothesis.class_id = 'dog'
    assert [d.track_id for d in detections_from_message(message).detections] == [
        'f00001', 'f00003', 'f00004']


@pytest.mark.parametrize('break_it,text,cause', [
    (lambda d: setattr(d.bbox, 'size_x', 0.0) or setattr(d.bbox, 'size_y', 0.0),
     'side 0.0, roll', 'invalid_face_box'),
    (lambda d: setattr(d.bbox.center.position, 'x', float('nan')), 'centre .nan',
     'invalid_face_box'),
    (lambda d: setattr(d.bbox, 'size_y', 2.0 * d.bbox.size_x), 'expected a square',
     'face_box_not_square'),
    (lambda d: d.results.clear(), 'has no results', 'detection_without_result'),
])
def test_a_wrong_face_says_what_is_wrong(break_it, text, cause):
    message = detections_to_message(DetectionFrame(7, 'optical', FACES))
    break_it(message.detections[2])
    with pytest.raises(InvalidFaceBoxError, match=text) as caught:
        detections_from_message(message)
    assert caught.value.cause == cause
