# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""decode_photo: files that are whole with something behind them, cut off, or too large."""

from __future__ import annotations

import cv2
from face_depth_ros.datasets.image_faces import decode_photo, LeftOut
import numpy as np
import pytest

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
VIDEO = bytes(range(255)) * 100
"""What a phone puts behind a photo; it holds no end mark."""


def jpeg(*parameters: int) -> bytes:
    return cv2.imencode('.jpg', NOISE, list(parameters))[1].tobytes()


def with_segment(photo: bytes, content: bytes) -> bytes:
    """Return a JPEG with a segment such as that of a preview before its others."""
    return (photo[:2] + b'\xff\xe1' + (len(content) + 2).to_bytes(2, 'big') + content + photo[2:])


@pytest.mark.parametrize('progressive', [0, 1])
def test_a_photo_with_a_video_behind_it_is_whole(progressive: int) -> None:
    """More than 4 KiB behind the end mark had it rejected as cut off."""
    photo = jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    alone = decode_photo(photo)
    assert isinstance(alone, np.ndarray)
    for raw in (photo + VIDEO, with_segment(photo, jpeg()) + VIDEO, photo[:2] + b'\xff\xff\xff'
                + photo[3:] + VIDEO, photo[:20] + bytes(3) + photo[20:] + VIDEO):
        np.testing.assert_array_equal(decode_photo(raw), alone)


@pytest.mark.parametrize('progressive', [0, 1])
@pytest.mark.parametrize('left', [0.95, 0.5])
def test_a_photo_whose_preview_is_whole_is_cut_off(progressive: int, left: float) -> None:
    """Its preview's end mark lay within the last 4 KiB."""
    photo = jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    preview = cv2.imencode('.jpg', NOISE[:8, :8])[1].tobytes()
    for raw in (photo, with_segment(photo, preview)):
        result = decode_photo(raw[:int(left * len(raw))])
        assert isinstance(result, LeftOut) and 'is cut off' in result.reason


@pytest.mark.parametrize('raw', [
    b'\xff\xd8', b'\xff\xd8\xff', b'\xff\xd8\xff\xd9', b'\xff\xd8' + bytes(9000),
    b'\xff\xd8' + b'\xff' * 9000, b'\xff\xd8\xff\xe1\x00\x00\xff\xd9', jpeg()[:300]])
def test_beginnings_of_a_jpeg_are_cut_off(raw: bytes) -> None:
    result = decode_photo(raw)
    assert isinstance(result, LeftOut) and 'is cut off' in result.reason


@pytest.mark.parametrize(('width', 'height', 'quality', 'channels'), [
    (16383, 5000, 80, 3), (16383, 5000, 101, 3), (5000, 16383, 80, 4)])
def test_a_webp_that_is_too_large_is_not_decoded(width: int, height: int, quality: int,
                                                 channels: int) -> None:
    """The limit did not see WebP: 82 million pixels were decoded."""
    small = cv2.imencode('.webp', np.full((40, 60, channels), 90, np.uint8),
                         [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    kind = small[12:16]
    if channels == 4 and kind != b'VP8X':
        pytest.fail(f'this OpenCV writes alpha as {kind!r}')
    size = {b'VP8 ': (26, width.to_bytes(2, 'little') + height.to_bytes(2, 'little')),
            b'VP8L': (21, (width - 1 | (height - 1) << 14).to_bytes(4, 'little')),
            b'VP8X': (24, (width - 1).to_bytes(3, 'little') + (height - 1).to_bytes(3, 'little')),
            }[kind]
    raw = small[:size[0]] + size[1] + small[size[0] + len(size[1]):]
    result = decode_photo(raw)
    assert isinstance(result, LeftOut) and f'it has {width} x {height} pixels' in result.reason
