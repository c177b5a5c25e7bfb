# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Videos that browsers play: H.264 in MP4, or VP9 where the encoder is not there."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
import logging
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.codec.codec import UnknownCodecError
from face_depth_ros.core.errors import SettingsError
import numpy as np

_LOG = logging.getLogger(__name__)
_ENCODERS: dict[str, dict[str, str]] = {
    'libx264': {'preset': 'veryfast', 'crf': '21'},
    'libvpx-vp9': {'deadline': 'realtime', 'cpu-used': '6', 'crf': '30', 'b:v': '0'},
}
_TICKS_PER_S = 90_000
_LONGEST_STEP, _USUAL_STEP = 3600 * _TICKS_PER_S, _TICKS_PER_S // 30
"""Ticks from frame to frame; MP4 holds no pause of some hours."""


class VideoWriter:
    """
    A video whose frames have times of their own; use it in a `with` statement.

    :param path: ends in .mp4
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._given = self._tick = -1  # time of the last frame, and where it stands

    def __enter__(self) -> VideoWriter:
        # The index goes in front, so that a browser starts before all has come.
        self._container = av.open(str(self.path), 'w', options={'movflags': '+faststart'})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        container, self._container = self._container, None
        if container is None:
            return
        try:
            with closing(container):
                if kind is None and self._stream is not None:
                    container.mux(self._stream.encode(None))
        except OSError as failure:
            if kind is None:
                raise self._unwritable(failure) from failure

    def add(self, image: np.ndarray, time_s: float) -> None:
        """
        Append a frame.

        :param image: (H, W, 3) uint8 RGB, even sides, the same size each time
        :param time_s: since the first frame; one equal to the last is moved behind it, and where
            times run back or leap by over an hour the video goes on 1/30 s later
        :raises SettingsError: another size, or the file cannot be written
        """
        if self._container is None:
            raise SettingsError('the video is not open; use `with VideoWriter(path) as video:`')
        height, width = image.shape[:2]
        if self._stream is None:
            self._stream = _add_stream(self._container, width, height)
        if (self._stream.width, self._stream.height) != (width, height):
            raise SettingsError(
                f'a video frame is {width} x {height}, expected {self._stream.width} x '
                f'{self._stream.height} as the first one')
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='rgb24')
        frame.pts, frame.time_base = self._next_tick(time_s), Fraction(1, _TICKS_PER_S)
        try:
            self._container.mux(self._stream.encode(frame))
        except OSError as error:
            raise self._unwritable(error) from error

    def _next_tick(self, time_s: float) -> int:
        """Return where a frame stands in the video: after the one before it."""
        given = round(time_s * _TICKS_PER_S)
        step, self._given = given - self._given, given
        if not 0 <= step <= _LONGEST_STEP:
            step = _USUAL_STEP
        self._tick += max(step, 1)
        return self._tick

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(f'cannot write {self.path}: {error.strerror or error}; make room, or '
                             'choose another --out')


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds, read back from it."""

    codec: str
    width: int
    height: int
    frames: int
    duration_s: float

    @staticmethod
    def read(path: str | os.PathLike[str]) -> VideoInfo:
        """Decode a whole video."""
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = sum(1 for _ in container.decode(stream))
            ticks, tick = stream.duration, stream.time_base
            duration = float(ticks * tick) if ticks is not None and tick is not None else 0.0
            return VideoInfo(stream.codec_context.name, stream.width, stream.height, frames,
                             duration)


def _add_stream(container: av.container.OutputContainer, width: int,
                height: int) -> av.VideoStream:
    if width % 2 or height % 2:
        raise SettingsError(f'a video frame is {width} x {height}, expected even sides')
    encoder = available_encoder()
    stream: Any = container.add_stream(encoder, rate=30, options=_ENCODERS[encoder])
    stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
    stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
    return stream


def available_encoder() -> str:
    """Return the first encoder that this PyAV has; says so when it is not H.264."""
    for name in _ENCODERS:
        try:
            av.codec.Codec(name, 'w')
        except UnknownCodecError:
            _LOG.warning('PyAV has no %s encoder, trying the next one', name)
            continue
        return name
    raise SettingsError(f'PyAV has none of the encoders {", ".join(_ENCODERS)}; install the '
                        'wheel of PyAV from the package index: pip install av')
