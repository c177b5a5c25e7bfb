# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The message seam of images: cv_bridge where it is installed, the field decoder of core elsewhere.

Messages are filled through `array.array`: an ndarray assigned to `Image.data` is copied element by
element, some thousand times slower.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
import importlib
import importlib.util

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.image_decoding import (
    as_rgb,
    decode_color,
    decode_compressed,
    decode_image,
    encode_image,
)
from face_depth_ros.nodes.headers import header_of, stamp_of
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

Reader = Callable[[Image], np.ndarray]


@dataclass(frozen=True)
class ImageFrame:
    """
    An image with the header of its camera message; its array is made read-only.

    :param encoding: of the array: 'rgb8', 'mono8', '16UC1' or '32FC1'
    :param array: (H, W) or (H, W, 3), native byte order
    """

    stamp_ns: int
    frame_id: str
    encoding: str
    array: np.ndarray

    def __post_init__(self) -> None:
        self.array.flags.writeable = False


def color_from_message(message: Image) -> ImageFrame:
    """
    Return a colour image as (H, W, 3) uint8 RGB.

    :raises InvalidImageError: sizes, step, length or encoding are wrong
    """
    return _frame(message, 'rgb8', _COLOR_READER(message))


def depth_from_message(message: Image) -> ImageFrame:
    """
    Return a depth image as it stands on the wire, (H, W).

    :raises InvalidImageError: sizes, step, length or encoding are wrong
    """
    return _frame(message, message.encoding, _DEPTH_READER(message))


def compressed_color_from_message(message: CompressedImage) -> ImageFrame:
    """
    Return a JPEG or PNG colour image as (H, W, 3) uint8 RGB.

    :raises InvalidImageError: cannot be decoded, or is no colour image
    """
    image = decode_compressed(message.data, message.format)
    if image.dtype != np.uint8:
        raise InvalidImageError(
            f'the compressed colour image ({message.format!r}) holds {image.dtype}, expected '
            'uint8; is a depth topic remapped to a colour input?')
    return _frame(message, 'rgb8', as_rgb(image))


def compressed_depth_from_message(message: CompressedImage) -> ImageFrame:
    """
    Return a `compressedDepth` or 16-bit PNG depth image, (H, W).

    :raises InvalidImageError: cannot be decoded, or is no depth image
    """
    image = decode_compressed(message.data, message.format)
    encodings = {'uint16': '16UC1', 'float32': '32FC1'}
    if image.ndim != 2 or str(image.dtype) not in encodings:
        raise InvalidImageError(
            f'the compressed depth image ({message.format!r}) holds {image.shape} {image.dtype}, '
            'expected (H, W) uint16 or float32; subscribe to the compressedDepth topic of a '
            'depth image that is not colourised', cause='depth_encoding')
    return _frame(message, encodings[str(image.dtype)], image)


def image_to_message(frame: ImageFrame) -> Image:
    """Return the message."""
    encoding, width, height, step, data = encode_image(frame.array, frame.encoding)
    message = Image(header=header_of(frame.stamp_ns, frame.frame_id), encoding=encoding,
                    width=width, height=height, step=step, is_bigendian=0)
    filled = array('B')
    filled.frombytes(data)
    message.data = filled
    return message


def image_readers() -> tuple[Reader, Reader, str]:
    """Return how to read colour and depth messages here, and by which library."""
    if importlib.util.find_spec('cv_bridge') is None:
        return _read_color, _read_depth, 'core'
    bridged = importlib.import_module('face_depth_ros.nodes.cv_bridge_images')
    return bridged.read_color, bridged.read_depth, 'cv_bridge'


def _read_color(message: Image) -> np.ndarray:
    return decode_color(message.data, message.encoding, message.width, message.height,
                        message.step, bool(message.is_bigendian))


def _read_depth(message: Image) -> np.ndarray:
    return decode_image(message.data, message.encoding, message.width, message.height,
                        message.step, bool(message.is_bigendian))


def _frame(message: Image | CompressedImage, encoding: str, image: np.ndarray) -> ImageFrame:
    return ImageFrame(stamp_of(message.header), message.header.frame_id, encoding, image)


_COLOR_READER, _DEPTH_READER, READER_NAME = image_readers()
