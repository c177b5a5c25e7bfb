# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which topics are taken for the camera, and what is said when it is not clear."""

from __future__ import annotations

from face_depth_ros.core.errors import BagError
from face_depth_ros.evaluation.bag_types import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE
from face_depth_ros.evaluation.camera_topics import CameraTopics, find_camera_topics
import pytest

REALSENSE = {
    '/camera/camera/color/image_raw': IMAGE,
    '/camera/camera/color/camera_info': CAMERA_INFO,
    '/camera/camera/depth/image_rect_raw': IMAGE,
    '/camera/camera/aligned_depth_to_color/image_raw': IMAGE,
    '/camera/camera/aligned_depth_to_color/camera_info': CAMERA_INFO,
    '/camera/camera/infra1/image_rect_raw': IMAGE,
    '/tf': 'tf2_msgs/msg/TFMessage',
}


def test_realsense_names_win_over_other_images() -> None:
    assert find_camera_topics(REALSENSE) == CameraTopics(
        '/camera/camera/color/image_raw', '/camera/camera/aligned_depth_to_color/image_raw',
        '/camera/camera/color/camera_info', '/camera/camera/aligned_depth_to_color/camera_info')


def test_compressed_topics_and_their_camera_info() -> None:
    topics = find_camera_topics({
        '/camera/camera/color/image_raw/compressed': COMPRESSED_IMAGE,
        '/camera/camera/color/camera_info': CAMERA_INFO,
        '/camera/camera/aligned_depth_to_color/image_raw/compressedDepth': COMPRESSED_IMAGE})
    assert topics.color == '/camera/camera/color/image_raw/compressed'
    assert topics.depth.endswith('/compressedDepth')
    assert topics.color_info == '/camera/camera/color/camera_info'
    assert topics.depth_info is None
    assert set(topics.by_key()) == {'color', 'depth', 'color_info'}


def test_the_only_candidates_are_taken_whatever_their_names() -> None:
    topics = find_camera_topics({'/kinect/rgb/image': IMAGE, '/kinect/depth/image': IMAGE})
    assert (topics.color, topics.depth) == ('/kinect/rgb/image', '/kinect/depth/image')


def test_options_win() -> None:
    types = {**REALSENSE, '/other/image': IMAGE}
    topics = find_camera_topics(types, color='/other/image',
                                depth='/camera/camera/depth/image_rect_raw')
    assert (topics.color, topics.depth) == (
        '/other/image', '/camera/camera/depth/image_rect_raw')


def test_missing_depth_names_what_is_there_and_the_option() -> None:
    with pytest.raises(BagError, match=r'no depth image topic.*/a/image .*--depth-topic'):
        find_camera_topics({'/a/image': IMAGE})


def test_an_empty_bag_has_no_colour() -> None:
    with pytest.raises(BagError, match='no color image topic; topics in the bag: none'):
        find_camera_topics({})


def test_several_candidates_are_not_guessed() -> None:
    with pytest.raises(BagError, match=r'several topics.*/a/image, /b/image.*--color-topic'):
        find_camera_topics({'/a/image': IMAGE, '/b/image': IMAGE, '/a/depth': IMAGE})


@pytest.mark.parametrize('topic', ['/nowhere', '/tf'])
def test_an_option_must_name_an_image(topic: str) -> None:
    with pytest.raises(BagError, match=f'no image topic {topic!r} for color'):
        find_camera_topics(REALSENSE, color=topic)
