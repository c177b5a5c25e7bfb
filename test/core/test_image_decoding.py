# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Decoding by fields: against a slow decoder of struct, round trips, and rubbish."""

from __future__ import annotations

import array
import struct

import cv2
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.image_decoding import (
    as_rgb,
    decode_color,
    decode_compressed,
    decode_image,
    encode_image,
    ENCODINGS,
    promised_size,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

FORMATS = {'rgb8': ('B', 3), 'bgr8': ('B', 3), 'rgba8': ('B', 4), 'bgra8': ('B', 4),
           'mono8': ('B', 1), 'mono16': ('H', 1), '16UC1': ('H', 1), '32FC1': ('f', 1)}
DTYPES = {'B': np.uint8, 'H': np.uint16, 'f': np.float32}


def slow_decode(data: bytes, encoding: str, width: int, height: int, step: int,
                big: bool) -> list[list[tuple[float, ...]]]:
    """Decode pixel by pixel with struct, channels put in the order R, G, B."""
    code, channels = FORMATS[encoding]
    pixel = struct.Struct(f'{">" if big else "<"}{channels}{code}')
    rows = [[pixel.unpack_from(data, y * step + x * pixel.size) for x in range(width)]
            for y in range(height)]
    if channels == 1:
        return rows
    order = (0, 1, 2) if encoding.startswith('rgb') else (2, 1, 0)
    return [[tuple(p[i] for i in order) for p in row] for row in rows]


@given(st.sampled_from(ENCODINGS), st.integers(1, 9), st.integers(1, 7), st.integers(0, 5),
       st.booleans(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=300)
def test_agrees_with_a_slow_decoder(encoding: str, width: int, height: int, padding: int,
                                    big: bool, seed: int) -> None:
    code, channels = FORMATS[encoding]
    step = width * channels * np.dtype(DTYPES[code]).itemsize + padding
    data = np.random.default_rng(seed).bytes(step * height)
    expected = np.array(slow_decode(data, encoding, width, height, step, big), DTYPES[code])
    image = decode_image(data, encoding, width, height, step, big)
    shape = (height, width) if channels == 1 else (height, width, 3)
    assert image.shape == shape and image.dtype == DTYPES[code]
    assert image.dtype.isnative and image.flags.c_contiguous and image.flags.aligned
    assert not image.flags.writeable
    np.testing.assert_array_equal(image, expected.reshape(shape))


@given(st.sampled_from([*ENCODINGS, 'yuv422', '', '8UC1']), st.integers(-2, 6),
       st.integers(-2, 6), st.integers(-3, 40), st.integers(0, 255), st.binary(max_size=240))
@settings(deadline=None, max_examples=500)
def test_any_fields_give_an_image_or_our_error(encoding: str, width: int, height: int, step: int,
                                               big: int, data: bytes) -> None:
    try:
        image = decode_image(data, encoding, width, height, step, big)
    except InvalidImageError as error:
        assert error.cause in ('image_encoding', 'image_size', 'image_step', 'image_length')
    else:
        assert image.shape[:2] == (height, width) and len(data) == step * height


@pytest.mark.parametrize('encoding', ['rgb8', 'mono8', '16UC1', 'mono16', '32FC1'])
@pytest.mark.parametrize('container', [bytes, bytearray, memoryview,
                                       lambda b: array.array('B', b),
                                       lambda b: np.frombuffer(b, np.uint8)])
def test_whole_rows_are_not_copied(encoding: str, container: type) -> None:
    code, channels = FORMATS[encoding]
    step = 16 * channels * np.dtype(DTYPES[code]).itemsize
    data = container(bytes(range(step)) * 4)
    image = decode_image(data, encoding, 16, 4, step)
    assert np.shares_memory(image, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_encoding_and_decoding_return_the_image(encoding: str) -> None:
    code, channels = FORMATS[encoding]
    rng = np.random.default_rng(3)
    shape = (5, 7) if channels == 1 else (5, 7, 3)
    wide = (rng.random((10, *shape[1:])) * 250).astype(DTYPES[code])
    fields = encode_image(wide[::2], encoding)
    assert fields[:3] == (encoding, 7, 5) and len(fields[4]) == 5 * fields[3]
    assert isinstance(fields[4], bytes)
    np.testing.assert_array_equal(decode_image(fields[4], *fields[:4]), wide[::2])


def test_nan_and_infinity_pass() -> None:
    depth = np.array([[np.nan, np.inf], [-np.inf, 1.5]], np.float32)
    encoding, *fields, data = encode_image(depth, '32FC1')
    np.testing.assert_array_equal(decode_image(data, encoding, *fields), depth)
    swapped = depth.astype('>f4').tobytes()
    np.testing.assert_array_equal(decode_image(swapped, '32FC1', 2, 2, 8, 1), depth)


@pytest.mark.parametrize('fields, cause, message', [
    ((b'', 'rgb8', 0, 0, 0), 'image_size', 'no pixels: got 0 x 0'),
    ((b'', 'rgb8', 4, 0, 12), 'image_size', 'no pixels: got 4 x 0'),
    ((bytes(36), 'rgb8', 4, 3, 11), 'image_step', 'is 11 bytes, expected at least 12'),
    ((bytes(35), 'rgb8', 4, 3, 12), 'image_length', r'has 35 bytes, expected .* 12 \* 3 = 36'),
    ((bytes(37), 'rgb8', 4, 3, 12), 'image_length', 'has 37 bytes'),
    ((bytes(36), 'yuv422', 4, 3, 12), 'image_encoding', "'yuv422' is not known, expected one of"),
    ((array.array('H', [0] * 36), 'mono8', 6, 6, 6), 'image_length', 'elements of 2 bytes')])
def test_bad_fields(fields: tuple, cause: str, message: str) -> None:
    with pytest.raises(InvalidImageError, match=message) as caught:
        decode_image(*fields)
    assert caught.value.cause == cause


@pytest.mark.parametrize('image, encoding', [
    (np.zeros((2, 2), np.uint8), 'rgb8'), (np.zeros((2, 2, 4), np.uint8), 'rgba8'),
    (np.zeros((2, 2, 3), np.uint8), 'mono8'), (np.zeros((2, 2), np.float64), '32FC1'),
    (np.zeros((2, 2), np.int16), '16UC1'), (np.zeros((0, 2), np.uint8), 'mono8')])
def test_arrays_that_do_not_fit_the_encoding(image: np.ndarray, encoding: str) -> None:
    with pytest.raises(InvalidImageError, match=f'cannot be sent as {encoding}, expected'):
        encode_image(image, encoding)


def test_colour_from_grey_and_from_depth_topics() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    color = decode_color(grey.tobytes(), 'mono8', 3, 2, 3)
    np.testing.assert_array_equal(color, np.repeat(grey[..., None], 3, 2))
    high = (grey.astype(np.uint16) << 8) + 255
    np.testing.assert_array_equal(decode_color(high.tobytes(), 'mono16', 3, 2, 6), color)
    for encoding in ('16UC1', '32FC1'):
        with pytest.raises(InvalidImageError, match='topics are swapped'):
            decode_color(bytes(24), encoding, 3, 2, 12 if encoding == '32FC1' else 6)
    with pytest.raises(InvalidImageError, match='is not colour or grey'):
        as_rgb(np.zeros((2, 2), np.float32))


def _color_test_image() -> np.ndarray:
    y, x = np.mgrid[:40, :60]
    return np.stack([x * 4, y * 6, 255 - x * 4], -1).astype(np.uint8)


@pytest.mark.parametrize('format, extension, tolerance', [
    ('png', '.png', 0), ('jpeg', '.jpg', 6), ('rgb8; jpeg compressed bgr8', '.jpg', 6),
    ('bgr8; png compressed bgr8', '.png', 0)])
def test_compressed_colour(format: str, extension: str, tolerance: int) -> None:  # noqa: A002
    image = _color_test_image()
    data = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    decoded = decode_compressed(data, format)
    assert np.abs(decoded.astype(int) - image).max() <= tolerance
    assert not decoded.flags.writeable


def test_compressed_by_a_publisher_that_keeps_rgb() -> None:
    image = _color_test_image()
    data = cv2.imencode('.png', image)[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(data, 'rgb8; png compressed rgb8'), image)
    alpha = np.dstack([cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.full((40, 60), 9, np.uint8)])
    data = cv2.imencode('.png', alpha)[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(data, 'bgra8; png'), image)


def test_compressed_16_bits() -> None:
    depth = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    data = cv2.imencode('.png', depth)[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(data, '16UC1; png compressed'), depth)
    color = _color_test_image().astype(np.uint16) * 257
    data = cv2.imencode('.png', color[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(data, 'rgb16; png'), _color_test_image())


@pytest.mark.parametrize('format', ['16UC1; compressedDepth', '16UC1; compressedDepth png'])
def test_compressed_depth_16uc1(format: str) -> None:  # noqa: A002
    depth = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    data = struct.pack('<iff', 0, 0.0, 0.0) + cv2.imencode('.png', depth)[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(data, format), depth)


def test_compressed_depth_32fc1_inverts_the_quantisation() -> None:
    depth = np.linspace(0.3, 8.0, 600).reshape(20, 30)
    quant_a = 100.0 * 101.0
    quant_b = 1.0 - quant_a / 10.0
    coded = (quant_a / depth + quant_b).astype(np.uint16)
    coded[3, 4] = 0
    data = struct.pack('<iff', 0, quant_a, quant_b) + cv2.imencode('.png', coded)[1].tobytes()
    decoded = decode_compressed(data, '32FC1; compressedDepth png')
    assert decoded.dtype == np.float32 and np.isnan(decoded[3, 4])
    valid = coded > 0
    # One step of the code is depth squared over quant_a.
    assert (np.abs(decoded - depth)[valid] <= (1.01 * depth**2 / quant_a)[valid]).all()


@pytest.mark.parametrize('data, format, message', [
    (b'', 'jpeg', 'of 0 bytes, format .jpeg., cannot be decoded'),
    (b'rubbish', 'png', 'of 7 bytes'),
    (bytes(12), '16UC1; compressedDepth', 'has 12 bytes, expected a header of 12 bytes and'),
    (bytes(30), '16UC1; compressedDepth', 'cannot be decoded'),
    (bytes(30), '16UC1; compressedDepth rvl', 'is not supported, expected PNG; set'),
    (bytes(12) + cv2.imencode('.png', np.zeros((4, 4), np.uint8))[1].tobytes(),
     '16UC1; compressedDepth', r'\(4, 4\) uint8, expected one 16-bit channel'),
    (bytes(12) + cv2.imencode('.png', np.zeros((4, 4), np.uint16))[1].tobytes(),
     '64FC1; compressedDepth', 'expected one 16-bit channel of 16UC1 or 32FC1'),
    (bytes(12) + cv2.imencode('.png', np.zeros((4, 4), np.uint16))[1].tobytes(),
     '32FC1; compressedDepth', 'quantisation 0.0, 0.0, expected finite')])
def test_bad_compressed_images(data: bytes, format: str, message: str) -> None:  # noqa: A002
    with pytest.raises(InvalidImageError, match=message) as caught:
        decode_compressed(data, format)
    assert caught.value.cause == 'image_compression'


@pytest.mark.parametrize('extension', ['.png', '.jpg'])
def test_size_that_would_cost_gigabytes_is_refused_unread(extension: str) -> None:
    whole = bytearray(cv2.imencode(extension, _color_test_image())[1].tobytes())
    at = 16 if extension == '.png' else whole.index(b'\xff\xc0') + 5
    size = struct.pack('>II', 60000, 17000) if extension == '.png' else struct.pack(
        '>HH', 17000, 60000)
    whole[at:at + len(size)] = size
    with pytest.raises(InvalidImageError, match='has 60000 x 17000 pixels, expected at most'):
        decode_compressed(bytes(whole), 'jpeg')


@pytest.mark.parametrize('extension', ['.bmp', '.webp'])
def test_only_jpeg_and_png(extension: str) -> None:
    data = cv2.imencode(extension, _color_test_image())[1].tobytes()
    with pytest.raises(InvalidImageError, match='expected a whole JPEG or PNG file'):
        decode_compressed(data, extension[1:])


@pytest.mark.parametrize(('extension', 'parameters', 'channels', 'kind'), [
    ('.png', [], 3, b'IHDR'), ('.jpg', [], 3, b'JF'),
    ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 80], 3, b'VP8 '),
    ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 101], 3, b'VP8L'),
    ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 80], 4, b'VP8X')])
def test_the_size_that_a_header_promises(extension: str, parameters: list[int], channels: int,
                                         kind: bytes) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (301, 517, channels), np.uint8)
    data = cv2.imencode(extension, image, parameters)[1]
    assert kind in data[:20].tobytes()
    assert promised_size(data) == (517, 301)
    for length in range(31):  # a header that is cut off promises nothing, or the same
        assert promised_size(data[:length]) in ((0, 0), (517, 301))


def test_jpeg_with_other_segments_before_its_size() -> None:
    data = cv2.imencode('.jpg', _color_test_image(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]
    segment = b'\xff\xe1\x00\x10' + b'\xff\xc0' * 7  # bytes that look like a frame header
    data = data[:2].tobytes() + segment + b'\xff' + data[2:].tobytes()
    assert decode_compressed(data, 'jpeg').shape == (40, 60, 3)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_any_damage_to_a_file_gives_an_image_or_our_error(data: st.DataObject) -> None:
    extension = data.draw(st.sampled_from(['.png', '.jpg']))
    whole = bytearray(cv2.imencode(extension, _color_test_image())[1].tobytes())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(0, len(whole))):]
    try:
        image = decode_compressed(bytes(whole), data.draw(
            st.sampled_from(['jpeg', 'png', '16UC1; compressedDepth png'])))
    except InvalidImageError as error:
        assert error.cause == 'image_compression'
    else:
        assert image.ndim in (2, 3)
