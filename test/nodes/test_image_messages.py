# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The seam between messages and arrays; runs with cv_bridge where it is, with core elsewhere."""

from __future__ import annotations

from array import array
import importlib.util

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.nodes.headers import header_of, stamp_of
from face_depth_ros.nodes.image_messages import (
    color_from_message,
    compressed_color_from_message,
    compressed_depth_from_message,
    depth_from_message,
    image_readers,
    image_to_message,
    ImageFrame,
)
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

RNG = np.random.default_rng(5)
COLOR = RNG.integers(0, 256, (5, 7, 3), np.uint8)
DEPTH_MM = RNG.integers(1, 60000, (5, 7)).astype(np.uint16)
DEPTH_M = RNG.random((5, 7), np.float32)


def message_of(encoding, data, width=7, height=5, step=None, is_bigendian=0):
    step = len(data) // height if step is None else step
    return Image(header=header_of(3_000_000_007, 'f'), encoding=encoding, width=width,
                 height=height, step=step, is_bigendian=is_bigendian, data=array('B', data))


def test_the_reader_is_cv_bridge_exactly_where_it_is_installed():
    installed = importlib.util.find_spec('cv_bridge') is not None
    assert image_readers()[2] == ('cv_bridge' if installed else 'core')


@pytest.mark.parametrize('encoding,image', [
    ('rgb8', COLOR), ('mono8', COLOR[..., 0].copy()), ('16UC1', DEPTH_MM), ('32FC1', DEPTH_M)])
def test_an_image_survives_the_way_through_a_message(encoding, image):
    message = image_to_message(ImageFrame(3_000_000_007, 'f', encoding, image.copy()))
    assert isinstance(message.data, array) and message.data.typecode == 'B'
    assert stamp_of(message.header) == 3_000_000_007 and message.header.frame_id == 'f'
    assert message.step == image.strides[0] and message.encoding == encoding
    back = depth_from_message(message)
    np.testing.assert_array_equal(back.array, image)
    assert (back.stamp_ns, back.frame_id, back.encoding) == (3_000_000_007, 'f', encoding)


@pytest.mark.parametrize('encoding,channels', [
    ('rgb8', [0, 1, 2]), ('bgr8', [2, 1, 0]), ('rgba8', [0, 1, 2, 0]), ('bgra8', [2, 1, 0, 0])])
def test_colour_is_rgb_whatever_the_message_has(encoding, channels):
    data = np.ascontiguousarray(COLOR[..., channels]).tobytes()
    frame = color_from_message(message_of(encoding, data))
    np.testing.assert_array_equal(frame.array, COLOR)
    assert frame.encoding == 'rgb8' and not frame.array.flags.writeable


def test_grey_colour_images_have_three_equal_channels():
    frame = color_from_message(message_of('mono8', COLOR[..., 1].tobytes()))
    np.testing.assert_array_equal(frame.array, np.repeat(COLOR[..., 1:2], 3, 2))


def test_padding_and_byte_order_are_obeyed():
    padded = np.zeros((5, 9), '>u2')
    padded[:, :7] = DEPTH_MM
    frame = depth_from_message(message_of('16UC1', padded.tobytes(), is_bigendian=1))
    np.testing.assert_array_equal(frame.array, DEPTH_MM)
    assert frame.array.dtype == np.uint16


@pytest.mark.parametrize('message,text', [
    (message_of('rgb8', b'', width=0, height=5, step=0), 'has no pixels: got 0 x 5'),
    (message_of('rgb8', COLOR.tobytes(), step=20), 'step .* is 20 bytes, expected at least 21'),
    (message_of('rgb8', COLOR.tobytes()[:-1], step=21), 'has 104 bytes, expected .* 105'),
    (message_of('yuv9', COLOR.tobytes()), "encoding 'yuv9' is not known"),
    (message_of('16UC1', DEPTH_MM.tobytes()), 'depth encoding 16UC1; .* swapped'),
])
def test_a_wrong_colour_message_says_what_is_wrong(message, text):
    with pytest.raises(InvalidImageError, match=text):
        color_from_message(message)


@pytest.mark.parametrize('message,text', [
    (message_of('16UC1', b'', width=7, height=0, step=14), 'has no pixels: got 7 x 0'),
    (message_of('16UC1', DEPTH_MM.tobytes(), step=13), 'step .* is 13 bytes, expected at least'),
    (message_of('16UC1', DEPTH_MM.tobytes() + b'x', step=14), 'has 71 bytes, expected .* 70'),
    (message_of('8UC7', DEPTH_MM.tobytes()), "encoding '8UC7' is not known"),
])
def test_a_wrong_depth_message_says_what_is_wrong(message, text):
    with pytest.raises(InvalidImageError, match=text):
        depth_from_message(message)


def compressed(kind, data):
    return CompressedImage(header=header_of(5, 'f'), format=kind, data=array('B', bytes(data)))


def test_png_colour_is_exact():
    ok, coded = cv2.imencode('.png', cv2.cvtColor(COLOR, cv2.COLOR_RGB2BGR))
    assert ok
    frame = compressed_color_from_message(compressed('rgb8; png compressed bgr8', coded))
    np.testing.assert_array_equal(frame.array, COLOR)
    assert frame.encoding == 'rgb8'


def test_a_depth_image_is_no_compressed_colour_image():
    coded = cv2.imencode('.png', DEPTH_MM)[1]
    with pytest.raises(InvalidImageError, match='holds uint16, expected uint8'):
        compressed_color_from_message(compressed('png', coded))


def test_compressed_depth_is_exact():
    coded = cv2.imencode('.png', DEPTH_MM)[1]
    frame = compressed_depth_from_message(
        compressed('16UC1; compressedDepth png', bytes(12) + bytes(coded)))
    np.testing.assert_array_equal(frame.array, DEPTH_MM)
    assert frame.encoding == '16UC1'


def test_a_colourised_image_is_no_compressed_depth_image():
    coded = cv2.imencode('.jpg', COLOR)[1]
    with pytest.raises(InvalidImageError, match=r'holds \(5, 7, 3\) uint8, expected') as caught:
        compressed_depth_from_message(compressed('jpeg', coded))
    assert caught.value.cause == 'depth_encoding'


@pytest.mark.parametrize('read', [compressed_color_from_message, compressed_depth_from_message])
def test_garbage_is_refused(read):
    with pytest.raises(InvalidImageError, match='cannot be decoded'):
        read(compressed('jpeg', RNG.integers(0, 256, 500, np.uint8)))
