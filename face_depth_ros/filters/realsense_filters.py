# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The seven hand-crafted enhancers, run by librealsense itself on frames of a software device.

Source: Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", section V.A
and Table II; librealsense's defaults elsewhere (spatial: magnitude 2, alpha 0.5, delta 20).
The filters see 16-bit images that span the normalised 25 cm: 1 to 65534 valid, 0 hole. The
spatial filter's delta counts in these units, so 20 is 0.08 mm here and 20 mm on a camera's frames.
"""

from __future__ import annotations

import threading
from typing import Any

import cv2
from face_depth_ros.core.errors import FilterError
import numpy as np
import pyrealsense2 as rs

_LEVELS = 65534
"""Number of valid 16-bit values; the value v stands for d = (v - 0.5) / 65534."""

_TIMEOUT_MS = 5000
_DECIMATION_MULTIPLE = 4
"""librealsense pads a decimated image to a multiple of this many pixels."""

_HOLES_FILL_16, _HOLES_FILL_UNLIMITED = 4, 5
_FILL_LEFT, _FILL_FARTHEST, _FILL_NEAREST = 0, 1, 2


class RealSenseFilter:
    """
    One configuration of Table II. Calls from several threads are run one after the other.

    :param name: one of `ENHANCER_FILTERS`
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._magnitude = {'De-M2': 2, 'De-M8': 8}.get(name, 1)
        self._block = _make_block(name)
        self._source: _FrameSource | None = None
        self._closed = False
        self._mutex = threading.Lock()

    def __call__(self, d: np.ndarray) -> np.ndarray:
        """
        Enhance one normalised depth image.

        :param d: (H, W) float32 in [0, 1], 1 = hole or background
        :returns: (H, W) float32 in [0, 1], 1 = hole or background
        :raises FilterError: another shape or dtype, not in [0, 1], closed, or librealsense failed
        """
        if d.ndim != 2 or d.dtype != np.float32 or min(d.shape) < 2:
            raise FilterError(f'filter {self.name} takes (H, W) float32 of at least 2 x 2 pixels, '
                              f'got shape {d.shape} {d.dtype}')
        if not (d.min() >= 0 and d.max() <= 1):
            raise FilterError(f'filter {self.name} takes depth in [0, 1] with holes at 1, got '
                              f'values from {d.min()} to {d.max()}; normalise it first')
        height, width = d.shape
        with self._mutex:
            if self._closed:
                raise FilterError(f'filter {self.name} is closed; make it again')
            out = self._process(self._padded(to_16bit(d)))
        if self._magnitude > 1:
            return _enlarge(out, self._magnitude)[:height, :width]
        return from_16bit(out)

    def close(self) -> None:
        """Stop the software device; further calls raise. Closing twice is allowed."""
        with self._mutex:
            self._closed = True
            if self._source is not None:
                self._source.close()
                self._source = None

    def _padded(self, image: np.ndarray) -> np.ndarray:
        """Pad with holes to whole blocks; only decimation needs it."""
        if self._magnitude == 1:
            return image
        multiple = self._magnitude * _DECIMATION_MULTIPLE
        (height, width) = image.shape
        return np.pad(image, ((0, -height % multiple), (0, -width % multiple)))

    def _process(self, image: np.ndarray) -> np.ndarray:
        """Run librealsense on one (H, W) uint16 image; returns a copy of what comes out."""
        try:
            if self._source is None or self._source.shape != image.shape:
                if self._source is not None:
                    self._source.close()
                self._source = _FrameSource(image.shape)
            return np.array(self._block.process(self._source.frame(image)).get_data())
        except RuntimeError as error:
            raise FilterError(f'librealsense {rs.__version__} failed in filter {self.name} on '
                              f'{image.shape[1]} x {image.shape[0]} pixels: {error}') from error


class _FrameSource:
    """
    A software device with one depth sensor, which turns arrays into librealsense frames.

    :param shape: height, width
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._count = 0
        self._device = rs.software_device()
        self._sensor = self._device.add_sensor('depth')
        self._profile = self._sensor.add_video_stream(_stream(shape))
        self._sensor.add_read_only_option(rs.option.depth_units, 0.001)
        self._queue = rs.frame_queue(1)
        self._sensor.open(self._profile)
        self._sensor.start(self._queue)

    def frame(self, image: np.ndarray) -> Any:
        """Return a (H, W) uint16 array as a depth frame."""
        self._count += 1
        frame = rs.software_video_frame()
        frame.pixels = image.view(np.uint8)  # (H, 2 W)
        frame.stride = image.strides[0]
        frame.bpp = image.itemsize
        frame.timestamp = float(self._count)
        frame.domain = rs.timestamp_domain.system_time
        frame.frame_number = self._count
        frame.profile = self._profile.as_video_stream_profile()
        frame.depth_units = 0.001
        self._sensor.on_video_frame(frame)
        return self._queue.wait_for_frame(_TIMEOUT_MS)

    def close(self) -> None:
        self._sensor.stop()
        self._sensor.close()


def to_16bit(d: np.ndarray) -> np.ndarray:
    """
    Levels as librealsense sees them.

    :param d: (H, W) float32 in [0, 1], 1 = hole
    :returns: (H, W) uint16, 1 to 65534, 0 = hole
    """
    levels = np.minimum(d * np.float32(_LEVELS), np.float32(_LEVELS - 1)).astype(np.uint16) + 1
    return np.where(d < 1, levels, 0).astype(np.uint16)


def from_16bit(image: np.ndarray) -> np.ndarray:
    """
    Normalised depth from levels: the middle of each level.

    :param image: (H, W) uint16, 0 = hole
    :returns: (H, W) float32 in [0, 1], 1 = hole
    """
    d = (image.astype(np.float32) - np.float32(0.5)) / np.float32(_LEVELS)
    return np.where(image > 0, np.minimum(d, np.nextafter(np.float32(1), np.float32(0))),
                    np.float32(1))


def _enlarge(small: np.ndarray, magnitude: int) -> np.ndarray:
    """
    Scale bilinearly over the valid pixels; a hole where they have less than half of the weight.

    Interpolating towards holes as if they were background would put false slopes along outlines.

    :param small: (h, w) uint16, 0 = hole
    :returns: (h * magnitude, w * magnitude) float32 in [0, 1], 1 = hole
    """
    valid = (small > 0).astype(np.float32)
    size = (small.shape[1] * magnitude, small.shape[0] * magnitude)
    weight = cv2.resize(valid, size, interpolation=cv2.INTER_LINEAR)
    total = cv2.resize(from_16bit(small) * valid, size, interpolation=cv2.INTER_LINEAR)
    return np.divide(total, weight, where=weight >= 0.5,
                     out=np.ones(weight.shape, np.float32))


def _stream(shape: tuple[int, int]) -> Any:
    """Return a Z16 stream; the intrinsics do not enter any of these filters."""
    stream = rs.video_stream()
    stream.type, stream.fmt, stream.index, stream.uid = rs.stream.depth, rs.format.z16, 0, 1
    stream.height, stream.width = shape
    stream.fps, stream.bpp = 30, 2
    intrinsics = rs.intrinsics()
    intrinsics.height, intrinsics.width = shape
    intrinsics.fx = intrinsics.fy = float(max(shape))
    intrinsics.ppx, intrinsics.ppy = shape[1] / 2.0, shape[0] / 2.0
    intrinsics.model, intrinsics.coeffs = rs.distortion.none, [0.0] * 5
    stream.intrinsics = intrinsics
    return stream


def _make_block(name: str) -> Any:
    """Return librealsense's filter, every parameter that Table II names set."""
    kind, _, mode = name.partition('-')
    if kind == 'De':
        return rs.decimation_filter(float(mode[1:]))
    if kind == 'Hf':
        modes = {'L': _FILL_LEFT, 'FFA': _FILL_FARTHEST, 'NFA': _FILL_NEAREST}
        return rs.hole_filling_filter(modes[mode])
    block = rs.spatial_filter()
    fill = {'Hf16': _HOLES_FILL_16, 'HfU': _HOLES_FILL_UNLIMITED}[mode]
    for option, value in ((rs.option.filter_magnitude, 2), (rs.option.filter_smooth_alpha, 0.5),
                          (rs.option.filter_smooth_delta, 20), (rs.option.holes_fill, fill)):
        block.set_option(option, value)
    return block
