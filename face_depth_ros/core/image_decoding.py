# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Images of ROS messages to arrays and back, by the fields of the messages.

Colour arrays are RGB, whatever the message had. Arrays that come from a message may be views of
its bytes and are read-only.
"""

from __future__ import annotations

import array
from dataclasses import dataclass
import math
import struct
from typing import Union

import cv2
from face_depth_ros.core.errors import InvalidImageError
import numpy as np
import numpy.typing as npt

Bytes = Union[bytes, bytearray, memoryview, 'array.array[int]', npt.NDArray[np.uint8]]
"""What image data comes as; every element is one byte."""


MAX_PIXELS = 1 << 26
"""Largest compressed image that is decoded."""

_PNG_HEADER = struct.Struct('>16sII')
_JPEG_FRAME = struct.Struct('>BBHBHH')
"""Marker, length, precision, height, width of a frame header."""


@dataclass(frozen=True)
class _Layout:
    """
    Pixels of one encoding.

    :param to_rgb: OpenCV's conversion to RGB, None where there is none to do
    :param from_rgb: the way back
    """

    dtype: type[np.generic]
    channels: int
    to_rgb: int | None = None
    from_rgb: int | None = None


_LAYOUTS = {
    'rgb8': _Layout(np.uint8, 3),
    'bgr8': _Layout(np.uint8, 3, cv2.COLOR_BGR2RGB, cv2.COLOR_RGB2BGR),
    'rgba8': _Layout(np.uint8, 4, cv2.COLOR_RGBA2RGB, cv2.COLOR_RGB2RGBA),
    'bgra8': _Layout(np.uint8, 4, cv2.COLOR_BGRA2RGB, cv2.COLOR_RGB2BGRA),
    'mono8': _Layout(np.uint8, 1),
    'mono16': _Layout(np.uint16, 1),
    '16UC1': _Layout(np.uint16, 1),
    '32FC1': _Layout(np.float32, 1),
}
ENCODINGS = tuple(_LAYOUTS)

_CONFIG_HEADER = struct.Struct('<iff')
"""compressedDepth's header: kind of compression, two parameters of the inverse-depth coding."""


def decode_image(data: Bytes, encoding: str, width: int, height: int, step: int,
                 is_bigendian: int | bool = False) -> np.ndarray:
    """
    Array of a sensor_msgs/Image, without a copy where the bytes allow it.

    :param data: exactly `step * height` bytes
    :param step: bytes from row to row, at least a row's pixels; padding is skipped
    :returns: (H, W, 3) uint8 RGB for rgb8, bgr8, rgba8, bgra8; (H, W) uint8 for mono8, uint16 for
        mono16 and 16UC1, float32 for 32FC1; C-contiguous, native byte order, read-only
    :raises InvalidImageError: causes image_encoding, image_size, image_step, image_length
    """
    layout = _layout(encoding)
    flat = _check_fields(data, layout, encoding, width, height, step)
    dtype = np.dtype(layout.dtype).newbyteorder('>' if is_bigendian else '<')
    size, channels = dtype.itemsize, layout.channels
    image = np.ndarray((height, width, channels), dtype, flat.data,
                       strides=(step, size * channels, size))
    if channels == 1:
        image = image[..., 0]
    if layout.to_rgb is not None:
        image = cv2.cvtColor(np.ascontiguousarray(image), layout.to_rgb)
    image = np.require(image, np.dtype(layout.dtype), ['C', 'A'])
    image.flags.writeable = False
    return image


def check_image_fields(data: Bytes, encoding: str, width: int, height: int, step: int) -> None:
    """
    Check a sensor_msgs/Image that another library will decode.

    :raises InvalidImageError: as `decode_image`
    """
    _check_fields(data, _layout(encoding), encoding, width, height, step)


def decode_color(data: Bytes, encoding: str, width: int, height: int, step: int,
                 is_bigendian: int | bool = False) -> np.ndarray:
    """
    Colour array of a sensor_msgs/Image, as `decode_image`; grey becomes three equal channels.

    :returns: (H, W, 3) uint8 RGB, read-only
    :raises InvalidImageError: as `decode_image`, and for depth encodings
    """
    if encoding in ('16UC1', '32FC1'):
        raise InvalidImageError(
            f'the colour image has the depth encoding {encoding}; colour and depth topics are '
            'swapped or wrongly remapped', cause='image_encoding')
    return as_rgb(decode_image(data, encoding, width, height, step, is_bigendian))


def decode_compressed(data: Bytes, format: str) -> np.ndarray:  # noqa: A002 (the field's name)
    """
    Array of a sensor_msgs/CompressedImage: JPEG, PNG, or compressedDepth (PNG inside).

    :param format: the message's field, for instance 'jpeg', 'rgb8; jpeg compressed bgr8',
        '16UC1; compressedDepth png'
    :returns: (H, W, 3) uint8 RGB; (H, W) uint8 or uint16 for one channel; for compressedDepth
        (H, W) uint16 (16UC1) or float32 (32FC1, NaN where invalid); read-only
    :raises InvalidImageError: cause image_compression: not decodable or not supported
    """
    raw = _as_bytes(data)
    if 'compressedDepth' in format:
        image = _decode_compressed_depth(raw, format)
    else:
        image = _decode_file(raw, format)
        if image.ndim == 3:
            image = _file_to_rgb(image, stored_as_rgb='compressed rgb' in format)
    image.flags.writeable = False
    return image


def as_rgb(image: np.ndarray) -> np.ndarray:
    """
    RGB of any decoded colour or grey image.

    :param image: (H, W, 3) uint8, (H, W) uint8, or (H, W) uint16 (its high bytes are taken)
    :returns: (H, W, 3) uint8; `image` itself if it is that
    :raises InvalidImageError: another shape or dtype
    """
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8:
        return image
    if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
        raise InvalidImageError(f'an image of shape {image.shape} {image.dtype} is not colour or '
                                'grey', cause='image_encoding')
    grey = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    return cv2.cvtColor(np.ascontiguousarray(grey), cv2.COLOR_GRAY2RGB)


def encode_image(image: np.ndarray, encoding: str) -> tuple[str, int, int, int, bytes]:
    """
    Fields of a sensor_msgs/Image, little-endian, without padding.

    :param image: (H, W, 3) uint8 RGB for rgb8, bgr8, rgba8, bgra8 (alpha 255); (H, W) uint8 for
        mono8, uint16 for mono16 and 16UC1, float32 for 32FC1
    :returns: encoding, width, height, step, data
    :raises InvalidImageError: unknown encoding, or an array of another shape or dtype
    """
    layout = _layout(encoding)
    dimensions = 2 if layout.channels == 1 else 3
    if (image.ndim != dimensions or image.dtype != layout.dtype or 0 in image.shape
            or (dimensions == 3 and image.shape[2] != 3)):
        shape = '(H, W)' if dimensions == 2 else '(H, W, 3)'
        raise InvalidImageError(f'an array of shape {image.shape} {image.dtype} cannot be sent as '
                                f'{encoding}, expected {shape} {np.dtype(layout.dtype)}')
    pixels = np.ascontiguousarray(image)
    if layout.from_rgb is not None:
        pixels = cv2.cvtColor(pixels, layout.from_rgb)
    little = pixels.astype(pixels.dtype.newbyteorder('<'), copy=False)
    height, width = image.shape[:2]
    return encoding, width, height, little.strides[0], little.tobytes()


def _layout(encoding: str) -> _Layout:
    if encoding not in _LAYOUTS:
        raise InvalidImageError(
            f'image encoding {encoding!r} is not known, expected one of {", ".join(ENCODINGS)}; '
            'set the driver to one of them', cause='image_encoding')
    return _LAYOUTS[encoding]


def _check_fields(data: Bytes, layout: _Layout, encoding: str, width: int, height: int,
                  step: int) -> np.ndarray:
    """Return the bytes, (step * height,) uint8, after all fields were found to agree."""
    if width <= 0 or height <= 0:
        raise InvalidImageError(f'the image has no pixels: got {width} x {height}; check the '
                                'driver', cause='image_size')
    row = width * layout.channels * np.dtype(layout.dtype).itemsize
    if step < row:
        raise InvalidImageError(f'the step of a {width} pixels wide {encoding} image is {step} '
                                f'bytes, expected at least {row}', cause='image_step')
    flat = _as_bytes(data)
    if flat.size != step * height:
        raise InvalidImageError(
            f'the image has {flat.size} bytes, expected step * height = {step} * {height} = '
            f'{step * height}; the message is cut or its fields are wrong', cause='image_length')
    return flat


def _as_bytes(data: Bytes) -> np.ndarray:
    """Return a view as (N,) uint8."""
    if isinstance(data, np.ndarray):
        data = np.ascontiguousarray(data)
    view = memoryview(data)  # type: ignore[arg-type]  # arrays are buffers
    if view.itemsize != 1:
        raise InvalidImageError(f'image data must be single bytes, got elements of '
                                f'{view.itemsize} bytes', cause='image_length')
    return np.frombuffer(view, np.uint8)


def _decode_file(raw: np.ndarray, format: str) -> np.ndarray:  # noqa: A002
    """Decode a JPEG or PNG file as it is stored: channels in OpenCV's order, any depth."""
    width, height = _jpeg_or_png_size(raw)
    if width * height > MAX_PIXELS:
        raise InvalidImageError(
            f'compressed image says that it has {width} x {height} pixels, expected at most '
            f'{MAX_PIXELS} in all; its header is damaged', cause='image_compression')
    try:
        image = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED) if width and height else None
    except cv2.error:
        image = None
    if image is None:
        raise InvalidImageError(
            f'compressed image of {raw.size} bytes, format {format!r}, cannot be decoded; '
            'expected a whole JPEG or PNG file', cause='image_compression')
    return image


def promised_size(raw: np.ndarray) -> tuple[int, int]:
    """
    Width and height in the header of a JPEG, PNG or WebP file; 0, 0 for anything else.

    Asked before decoding, because a damaged header may cost gigabytes and seconds.
    """
    head = raw[:30].tobytes()
    if head[:4] == b'RIFF' and head[8:12] == b'WEBP':
        return _webp_size(head[12:16], head[20:])
    return _jpeg_or_png_size(raw)


def _jpeg_or_png_size(raw: np.ndarray) -> tuple[int, int]:
    """Width and height as `promised_size`; 0, 0 for WebP too, which no message may hold."""
    head = raw[:_PNG_HEADER.size].tobytes()
    if head.startswith(b'\x89PNG\r\n\x1a\n') and len(head) == _PNG_HEADER.size:
        return _PNG_HEADER.unpack(head)[1:]
    if not head.startswith(b'\xff\xd8'):
        return 0, 0
    position = 2
    while position + _JPEG_FRAME.size <= raw.size:
        ff, marker, length, _, height, width = _JPEG_FRAME.unpack_from(raw.data, position)
        if ff != 0xFF:
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return width, height
        # Fill bytes and markers without a segment take one and two bytes.
        position += 1 if marker == 0xFF else 2 if 0xD0 <= marker <= 0xD8 else 2 + length
    return 0, 0


def _webp_size(kind: bytes, payload: bytes) -> tuple[int, int]:
    """
    Width and height in the first chunk of a WebP file: lossy, lossless, or extended.

    :param payload: its first 10 bytes, as far as the file has them
    """
    if kind == b'VP8 ' and payload[3:6] == b'\x9d\x01\x2a' and len(payload) == 10:
        width, height = struct.unpack_from('<HH', payload, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b'VP8L' and payload[:1] == b'\x2f' and len(payload) >= 5:
        bits = int.from_bytes(payload[1:5], 'little')
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b'VP8X' and len(payload) == 10:
        return (int.from_bytes(payload[4:7], 'little') + 1,
                int.from_bytes(payload[7:10], 'little') + 1)
    return 0, 0


def _file_to_rgb(image: np.ndarray, stored_as_rgb: bool) -> np.ndarray:
    """
    RGB of a decoded colour file, 8 bits.

    :param stored_as_rgb: the publisher encoded RGB bytes as if they were OpenCV's BGR
    """
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8 or image.shape[2] not in (3, 4):
        raise InvalidImageError(f'compressed image has shape {image.shape} {image.dtype}, '
                                'expected 8 or 16 bits with 1, 3 or 4 channels',
                                cause='image_compression')
    if image.shape[2] == 4:
        return cv2.cvtColor(image, cv2.COLOR_RGBA2RGB if stored_as_rgb else cv2.COLOR_BGRA2RGB)
    return image if stored_as_rgb else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decode_compressed_depth(raw: np.ndarray, format: str) -> np.ndarray:  # noqa: A002
    if 'rvl' in format.lower():
        raise InvalidImageError(
            f'compressedDepth format {format!r} is not supported, expected PNG; set the '
            "publisher's parameter format to png", cause='image_compression')
    if raw.size <= _CONFIG_HEADER.size:
        raise InvalidImageError(
            f'compressedDepth message has {raw.size} bytes, expected a header of '
            f'{_CONFIG_HEADER.size} bytes and a PNG file', cause='image_compression')
    _, quant_a, quant_b = _CONFIG_HEADER.unpack(raw[:_CONFIG_HEADER.size].tobytes())
    coded = _decode_file(raw[_CONFIG_HEADER.size:], format)
    encoding = format.split(';')[0].strip()
    if coded.ndim != 2 or coded.dtype != np.uint16 or encoding not in ('16UC1', 'mono16', '32FC1'):
        raise InvalidImageError(
            f'compressedDepth format {format!r} holds an image of shape {coded.shape} '
            f'{coded.dtype}, expected one 16-bit channel of 16UC1 or 32FC1',
            cause='image_compression')
    if encoding != '32FC1':
        return coded
    if not (math.isfinite(quant_a) and math.isfinite(quant_b)) or quant_a <= 0:
        raise InvalidImageError(
            f'compressedDepth header has the quantisation {quant_a}, {quant_b}, expected finite '
            'numbers, the first > 0', cause='image_compression')
    inverse = coded.astype(np.float32) - np.float32(quant_b)
    valid = (coded != 0) & (inverse > 0)
    return np.divide(np.float32(quant_a), inverse, where=valid,
                     out=np.full(coded.shape, np.nan, np.float32))
